"""A fleet that runs: what it consists of, what is killed in it and started again, and how far its work is."""

from __future__ import annotations

import random
import time
import urllib.error
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import AirflowDidNotStart, RunningAirflow, wait_until
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from shared.cluster import Cluster
from shared.kills import cut_connections, kill_component, kill_task
from shared.traffic import Endpoint, Platform

PARTS, TASKS = 4, 4
"""Syncs of one campaign, and tasks that a worker runs at once."""
# What may end all syncs at once: they share a worker, or lose the API server for too long.
_ENDS_MANY = ("worker", "api-server")


@dataclass
class Fleet:
    """Everything that runs, and what has happened to it.

    :ivar metadata: Airflow's own database, to look at. :ivar kills: when each fell, in seconds since the work
    began, and what it hit. :ivar took: seconds until leads, events and kills were through.
    :ivar fallen: components that ended without being killed, and were started again.
    """

    airflow: RunningAirflow
    own: Cluster
    store: Store
    metadata: sa.Engine
    simulator: RunningSimulator
    platform: Platform
    endpoints: Mapping[str, Endpoint]
    postgres: str
    dice: random.Random
    kills: list[tuple[float, str]] = field(default_factory=list)
    fallen: Counter[str] = field(default_factory=Counter)
    runs: dict[str, str] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    began_at: float = field(default_factory=time.time)

    @property
    def killed(self) -> Counter[str]:
        """By what it was."""
        return Counter(what for _, what in self.kills)

    @property
    def workers(self) -> list[str]:
        """The components in which tasks run."""
        return [name for name in self.airflow.processes if name.startswith("worker")]

    @staticmethod
    def ends(victim: str) -> int:
        """How many syncs, with their windows of requests, one kill may end."""
        return min(PARTS, TASKS) if victim in _ENDS_MANY else 1

    def start(self, names: Sequence[str]) -> None:
        """Start what was killed, and whatever else has ended by then."""
        said = ""
        for _ in range(5):
            try:
                self.airflow.start(names)
                return
            except AirflowDidNotStart as error:
                said = str(error)
            names = self._fallen()
        raise AirflowDidNotStart(f"does not stay up: {said}")

    def revive(self) -> None:
        """Start again what ended by itself."""
        if names := self._fallen():
            self.start(names)

    def trigger(self, names: Sequence[str]) -> dict[str, str]:
        """Begin a run of each of these DAGs. :return: its id by DAG."""
        begin = self.airflow.trigger
        return {dag: wait_until(partial(begin, dag), 120, f"a run of {dag} begins") for dag in names}

    def wait_for(self, runs: Mapping[str, str]) -> dict[str, str]:
        """Wait until these runs have ended. :return: their states by DAG."""
        while len(states := self.ended(runs)) < len(runs):
            self.revive()
            time.sleep(1)
        return states

    def ended(self, runs: Mapping[str, str]) -> dict[str, str]:
        """Those of the runs that have ended, with their states."""
        found = {}
        for dag, run in runs.items():
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                found[dag] = str(self.airflow.api("GET", f"dags/{dag}/dagRuns/{run}")["state"])
        return {dag: state for dag, state in found.items() if state in ("success", "failed")}

    def kill(self, victim: str) -> bool:
        """:return: whether there was such a thing to kill."""
        airflow, dice, at = self.airflow, self.dice, time.monotonic() - self.began
        if victim in ("task", "supervisor"):
            found = kill_task(airflow, victim, dice, self.workers)
        elif victim == "connections":
            found = cut_connections(self.postgres, self.own.databases) > 0
        else:
            found = bool(names := [each for each in airflow.processes if each.startswith(victim)])
            if found:
                kill_component(airflow, name := dice.choice(names))
        if found:
            self.kills.append((at, victim))
        if found and victim not in ("task", "supervisor", "connections"):
            time.sleep(dice.uniform(0, 2))
            self.start([name])
        return found

    def counts(self) -> dict[str, int]:
        """How far leads and events are."""
        taken = {f"delivered to {name}": len(each.taken) for name, each in self.endpoints.items()}
        texts = self.simulator.report(full=False)["texts"]
        return {"texted": texts, "acknowledged": len(self.platform.taken_at), **taken}

    def told(self) -> str:
        """The same, and what Airflow's tasks are at, in a line."""
        counts = ", ".join(f"{n:,} {name}" for name, n in self.counts().items())
        tasks = ", ".join(
            f"{n} {task} {state} (try {tried})" for task, state, n, tried in self.task_instances()
        )
        return f"{len(self.kills)} kills; {counts}; {tasks or 'no task is open'}"

    def task_instances(self) -> list[tuple[str, str, int, int]]:
        """Those of Airflow that have not ended: task, state, how many, and the most tries of one."""
        query = sa.text(
            "SELECT task_id, coalesce(state, 'none'), count(*), max(try_number) FROM task_instance "
            "WHERE state IS NULL OR state NOT IN ('success', 'skipped', 'removed') GROUP BY 1, 2 ORDER BY 1, 2"
        )
        with self.metadata.connect() as connection:
            return [(str(task), str(state), n, tried) for task, state, n, tried in connection.execute(query)]

    def _fallen(self) -> list[str]:
        names = [name for name, process in self.airflow.processes.items() if process.poll() is not None]
        for name in names:
            self.fallen[name] += 1
            kill_component(self.airflow, name)
        return names
