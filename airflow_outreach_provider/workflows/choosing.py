"""One workflow by its name, for ``plan`` and ``explain``."""

from __future__ import annotations

from os import PathLike

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expression_parser import did_you_mean
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import AirflowKnobs
from airflow_outreach_provider.core.workflows.problems import WorkflowErrors
from airflow_outreach_provider.workflows.files import load_files


def choose_workflow(name: str, path: str | PathLike[str]) -> Loaded[AirflowKnobs]:
    """The workflow of a name or DAG id.

    :param path: a workflow file or a folder of them, or a DAGs folder with such a folder in it.
    :raises ConfigurationError: there is none, or two of the same name; with all mistakes where files have some.
    """
    loaded = load_files([path])
    found = [each for each in loaded.workflows if name in (each.name, each.dag_id)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = " and ".join(each.dag_id for each in found)
        raise ConfigurationError(f"{name!r} is the name of {ids}", "give the DAG id")
    if loaded.problems:
        raise WorkflowErrors(loaded.problems, loaded.sources)
    if not loaded.workflows:
        raise ConfigurationError(f"there is no workflow under {path}", "name a file or folder with --path")
    raise ConfigurationError(
        f"there is no workflow {name!r} under {path}",
        did_you_mean(name, [each.name for each in loaded.workflows]),
    )
