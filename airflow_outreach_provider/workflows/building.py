"""Workflow files → DAGs."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import AirflowKnobs, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.problems import WorkflowErrors
from airflow_outreach_provider.workflows.files import load_files

if TYPE_CHECKING:
    from airflow.sdk import DAG


def build_dags(path: str | PathLike[str]) -> dict[str, DAG]:
    """A DAG of each workflow under ``path``, by DAG id; broken files become import errors of their own."""
    loaded = load_files([path])
    beside = Path(path).resolve().parent
    dags = {each.dag_id: build_dag(each, beside) for each in loaded.workflows if each.model.enabled}
    if loaded.problems:
        from airflow_outreach_provider.workflows.broken import report_broken_file

        for file in sorted({problem.file for problem in loaded.problems}):
            report_broken_file(file, WorkflowErrors(loaded.problems_of(file), loaded.sources))
    return dags


def build_dag(workflow: Loaded[AirflowKnobs], beside: Path | None = None) -> DAG:
    """The DAG of one workflow; importing the operators waits until there is one to build.

    :param beside: the folder from which the DAG's page tells its file: the same for every version of a bundle.
    """
    shown = os.path.relpath(Path(workflow.file).resolve(), beside) if beside else workflow.file
    from airflow_outreach_provider.workflows.event_route import build_event_route
    from airflow_outreach_provider.workflows.knobs import new_dag
    from airflow_outreach_provider.workflows.lead_sync import build_lead_sync, lead_sync_params

    model = workflow.model
    if isinstance(model, LeadSync):
        with new_dag(workflow, "lead sync", lead_sync_params(model), shown) as dag:
            build_lead_sync(model, workflow.file)
        return dag
    assert isinstance(model, EventRoute)
    with new_dag(workflow, "event route", {}, shown) as dag:
        build_event_route(workflow.name, model)
    return dag
