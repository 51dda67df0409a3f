"""Workflow files as Airflow DAGs: ``load_workflows(Path(__file__).parent / "workflows")``.

Importing this package imports neither Airflow nor anything heavy, so that ``lint`` starts at once.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["load_workflows"]


def load_workflows(path: str | PathLike[str]) -> dict[str, DAG]:
    """Build a DAG of each workflow in a file or folder; call it in a file of the DAGs folder.

    :param path: a YAML file, or a folder that is searched for ``*.yaml`` and ``*.yml``.
    :return: DAG id → DAG. They are registered with the calling module too, so the result may be ignored.

    A broken file becomes an import error of its own in Airflow, with every mistake, its line and what was
    meant; the workflows of all other files go on.
    """
    from airflow_outreach_provider.workflows.build import build_dags

    return build_dags(path)
