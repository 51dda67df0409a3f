"""Workflow files → DAGs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_outreach_provider.core.arguments import as_written, wrong
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.problems import Problem, WorkflowErrors
from airflow_outreach_provider.core.workflows.workflow_file import Export
from airflow_outreach_provider.workflows.environment import present_environment
from airflow_outreach_provider.workflows.files import ENDINGS, load_files

if TYPE_CHECKING:
    from airflow.sdk import DAG

_WHERE = 'write load_workflows(Path(__file__).parent / "workflows"), or a file of that folder'


def build_dags(path: str | PathLike[str]) -> dict[str, DAG]:
    """A DAG of each workflow under ``path``, by DAG id; broken files become import errors of their own.

    In a task, where Airflow says which DAG it is for, that one alone.

    :raises ConfigurationError: ``path`` names neither a folder nor a file that could be one of workflows.
    """
    loaded = load_files([_checked(path)], present_environment())
    beside = Path(path).resolve().parent
    dags: dict[str, DAG] = {}
    followed = {name for each in loaded.workflows for name in each.model.depends_on or ()}
    for each in _asked_for(loaded.workflows):
        if each.model.enabled:
            try:
                dags[each.dag_id] = build_dag(each, beside, followed=each.name in followed)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this workflow's and nobody else's
                loaded.problems.append(not_built(each, error))
    if loaded.problems:
        from airflow_outreach_provider.workflows.import_errors import report_broken_file

        for file in sorted({problem.file for problem in loaded.problems}):
            report_broken_file(file, WorkflowErrors(loaded.problems_of(file), loaded.sources))
    return dags


def _checked(path: object) -> str | PathLike[str]:
    if not isinstance(path, str | PathLike) or not str(path).strip():
        raise wrong("path", path, _WHERE)
    file = Path(path)
    if file.is_file() and file.suffix not in ENDINGS:
        raise ConfigurationError(f"{file} is no workflow file, which ends in .yaml or .yml", _WHERE)
    return path


def _asked_for(workflows: list[Loaded[DagSettings]]) -> list[Loaded[DagSettings]]:
    from airflow.sdk import get_parsing_context

    asked = get_parsing_context().dag_id
    return [each for each in workflows if each.dag_id == asked] or workflows


def not_built(workflow: Loaded[DagSettings], error: Exception) -> Problem:
    """An error of Airflow's as a mistake of the workflow."""
    message = f"Airflow cannot build {workflow.name}: {type(error).__name__}: {error}"
    return Problem.at(
        workflow.spot(key=True), " ".join(message.split()), "", (workflow.section, workflow.name)
    )


def build_dag(workflow: Loaded[DagSettings], beside: Path | None = None, *, followed: bool = False) -> DAG:
    """The DAG of one workflow; importing the operators waits until there is one to build.

    :param followed: whether another workflow depends on it.
    :param beside: the folder from which the DAG's page tells its file: the same for every version of a bundle.
    """
    shown = os.path.relpath(Path(workflow.file).resolve(), beside) if beside else workflow.file
    from airflow_outreach_provider.workflows.dag_arguments import new_dag
    from airflow_outreach_provider.workflows.event_route import build_event_route
    from airflow_outreach_provider.workflows.export import build_export
    from airflow_outreach_provider.workflows.lead_sync import build_lead_sync, lead_sync_params

    model = workflow.model
    if isinstance(model, LeadSync):
        with _all_or_nothing(new_dag(workflow, "lead sync", lead_sync_params(model), shown)) as dag:
            build_lead_sync(model, workflow.file)
            _obey(dag, model.trigger_rule)
            _announce(dag, model.outlets or [], workflow.name if followed else None)
        return dag
    if isinstance(model, Export):
        with _all_or_nothing(new_dag(workflow, "export", {}, shown)) as dag:
            build_export(workflow.name, model, workflow.file)
            _obey(dag, model.trigger_rule)
            _announce(dag, [], workflow.name if followed else None)
        return dag
    assert isinstance(model, EventRoute)
    with _all_or_nothing(new_dag(workflow, "event route", {}, shown)) as dag:
        build_event_route(workflow.name, model)
        _obey(dag, model.trigger_rule)
        _announce(dag, [], workflow.name if followed else None)
    return dag


def _obey(dag: DAG, trigger_rule: str | None) -> None:
    if trigger_rule is not None:
        from airflow.sdk import TriggerRule

        dag.topological_sort()[0].trigger_rule = TriggerRule(trigger_rule)


def _announce(dag: DAG, outlets: list[str], name: str | None) -> None:
    """What has news when the last task went well. :param name: of the workflow, where another depends on it."""
    from airflow.sdk import Asset

    from airflow_outreach_provider.workflows.dag_arguments import after_workflow

    assets = [*map(Asset, outlets), *([after_workflow(name)] if name is not None else [])]
    if assets:
        last = dag.topological_sort()[-1]
        said = as_written(last)
        said["outlets"] = [*(said.get("outlets") or ()), *assets]


@contextmanager
def _all_or_nothing(dag: DAG) -> Iterator[DAG]:
    """Register the DAG with the module being imported only if all of it could be built, and Airflow takes it."""
    with dag:
        try:
            yield dag
            dag.validate()
            _check_executors(dag)
        except BaseException:
            dag.auto_register = False
            raise


def _check_executors(dag: DAG) -> None:
    """Airflow would hold an executor it does not have against every workflow of the folder.

    :raises ConfigurationError: there is no such executor.
    """
    from airflow.configuration import conf

    named = {str(executor) for task in dag.tasks if (executor := getattr(task, "executor", None))}
    if not named or conf.getboolean("core", "multi_team", fallback=False):
        return  # a team's own executors only Airflow knows
    from airflow.exceptions import UnknownExecutorException
    from airflow.executors.executor_loader import ExecutorLoader

    for executor in named:
        try:
            ExecutorLoader.lookup_executor_name_by_str(executor, validate_teams=False)
        except UnknownExecutorException:
            raise ConfigurationError(
                f"this Airflow has no executor {executor!r}",
                "name one of [core] executor, or leave executor out",
            ) from None
