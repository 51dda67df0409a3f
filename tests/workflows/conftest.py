"""A real Airflow for workflow tests: its own home and database, DAGs loaded from files and run by ``dag.test()``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store

LOADER = """\
from pathlib import Path

from airflow_outreach_provider.workflows import load_workflows

load_workflows(Path(__file__).parent / "workflows")  # a DAG file of Airflow
"""


@pytest.fixture
def outreach_store(tasks_store: Store) -> Store:
    """An empty outreach store, the one that tasks of this test use."""
    return tasks_store


@pytest.fixture
def simulator(tasks_simulator: RunningSimulator) -> RunningSimulator:
    """The outreach API as ``outreach_default``; nobody was texted yet."""
    return tasks_simulator


_sleep = time.sleep


def _sleep_shortly(seconds: float) -> None:
    """``dag.test()`` looks once a second whether somebody has answered, or a task may begin."""
    _sleep(0.1 if seconds == 1 else seconds)


class Dags:
    """The DAGs of a folder as Airflow's own DAG bag loads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.load()

    def load(self) -> None:
        from airflow.dag_processing.dagbag import BundleDagBag

        self.bag = BundleDagBag(
            dag_folder=str(self.folder), bundle_path=self.folder, bundle_name="workflow-tests"
        )

    def __getitem__(self, dag_id: str) -> Any:
        return self.bag.dags[dag_id]

    @property
    def import_errors(self) -> dict[str, str]:
        return dict(self.bag.import_errors)

    def run(self, dag_id: str, **conf: Any) -> dict[tuple[str, int], str]:
        """Run a DAG to its end; the states of its task instances by (task id, map index).

        :param conf: what the trigger form was filled in with.
        """
        from airflow.dag_processing.dagbag import sync_bag_to_db
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        self.load()  # dag.test() renders templates into the DAG it is given
        with create_session() as session:
            if session.get(DagBundleModel, "workflow-tests") is None:
                session.add(DagBundleModel(name="workflow-tests"))
        sync_bag_to_db(self.bag, "workflow-tests", None)
        dag = self[dag_id]
        dag.deadline = None  # it is in the database now, where alone Airflow reads it: test() looks in the DAG it is given
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", _sleep_shortly)
            run = dag.test(run_conf=conf or None)
        with create_session() as session:
            from airflow.models.taskinstance import TaskInstance

            found = session.scalars(
                select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run.run_id)
            )
            return {(ti.task_id, ti.map_index): str(ti.state) for ti in found}


@pytest.fixture
def load_dags(tmp_path: Path, airflow_db: None) -> Callable[..., Dags]:
    """Write workflow files and load them: ``load_dags(**{"leads.yaml": "…"})``."""

    def load(**files: str) -> Dags:
        folder = tmp_path / "dags"
        (folder / "workflows").mkdir(parents=True, exist_ok=True)
        (folder / "outreach_workflows.py").write_text(LOADER)
        for name, text in files.items():
            (folder / "workflows" / name).write_text(text)
        return Dags(folder)

    return load
