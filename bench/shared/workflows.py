"""Workflows as Airflow's DAG processor leaves them in its database, for pages that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session

from airflow_outreach_provider.workflows.build import build_dags

_BUNDLE = "bench"


def written(folder: Path, yaml: str) -> list[str]:
    """The ids of the DAGs of a workflow file, which Airflow knows from now on."""
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(yaml)
    dags = list(build_dags(folder).values())
    with create_session() as session:
        session.merge(DagBundleModel(name=_BUNDLE))
        session.flush()
        for dag in dags:
            _write(session, dag)
    return sorted(dag.dag_id for dag in dags)


def _write(session: Any, dag: Any) -> None:
    session.merge(
        DagModel(
            dag_id=dag.dag_id, bundle_name=_BUNDLE, fileloc="x.py", relative_fileloc="x.py", is_paused=False,
            is_stale=False,
        )
    )  # fmt: skip
    session.flush()
    SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name=_BUNDLE, session=session)
