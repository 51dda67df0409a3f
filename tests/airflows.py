"""One Airflow for several modules of tests: each brings its DAGs, and takes them away when it is through."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.demo.events import ENDPOINT, Crm, CrmAnswer, running_crm
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

HOOK = "hook"
"""The connection of the customer's system; the shipped fan-out finds it under the name of its own."""


@dataclass
class SharedAirflow:
    """A running Airflow, the API that its syncs text by, and a customer's system.

    :ivar modules: a folder of Python's path, in all its processes.
    """

    airflow: RunningAirflow
    simulator: RunningSimulator
    crm: Crm
    modules: Path

    @contextmanager
    def dags(self, name: str, files: Mapping[str, str]) -> Iterator[Path]:
        """A folder of DAGs that Airflow reads while the block lasts; the simulator has texted nobody at its begin.

        :param files: what the folder holds, by path in it.
        """
        self.simulator.set_faults()
        self.simulator.reset()
        self.crm.answer, self.crm.pause = lambda *_: CrmAnswer(), 0.0
        folder = self.airflow.home / "dags" / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        yield folder
        for dag in self.airflow.api("GET", "dags?paused=false&limit=100")["dags"]:
            self.airflow.api("PATCH", f"dags/{dag['dag_id']}", {"is_paused": True})
        shutil.rmtree(folder)


@contextmanager
def shared_airflow(home: Path, like: Path, settings: Mapping[str, object]) -> Iterator[SharedAirflow]:
    """An Airflow that begins as the home ``like``. :param settings: its own, by ``SECTION__KEY``."""
    modules = home / "modules"
    (home / "dags").mkdir()
    modules.mkdir()
    environment = {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}
    environment["PYTHONPATH"] = str(modules)
    with running_simulator() as simulator, running_crm() as crm:
        connections = dict.fromkeys((HOOK, ENDPOINT), crm.connection)
        connections["outreach_default"] = simulator.connection
        with running_airflow(
            home, home / "dags", connections=connections, environment=environment, like=like
        ) as airflow:
            yield SharedAirflow(airflow, simulator, crm, modules)
