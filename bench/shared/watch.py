"""What a running Airflow takes, looked at every few seconds: processor time and database connections by process."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil
import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import RunningAirflow

_EVERY = 2.0
_BACKENDS = sa.text(
    "SELECT datname, client_port FROM pg_stat_activity WHERE datname = ANY(:names) AND pid <> pg_backend_pid()"
)


def tree(airflow: RunningAirflow, component: str) -> list[psutil.Process]:
    """A component's processes, itself first; none where it has ended."""
    running = airflow.processes.get(component)
    if running is None:
        return []
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(running.pid)
        return [process, *process.children(recursive=True)]
    return []


def tasks(airflow: RunningAirflow, components: Sequence[str]) -> list[psutil.Process]:
    """The processes in which tasks are at work: what a worker's own children have started, to the last leaf."""
    found = []
    for component in components:
        processes = tree(airflow, component)
        for process in processes[1:]:
            with suppress(psutil.NoSuchProcess, AttributeError):
                is_leaf = not process.children() and process.parent().pid != processes[0].pid
                if is_leaf and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


class Watch:
    """Looks until it is stopped.

    :param databases: names in PostgreSQL, the store's last. :param workers: the components in which tasks run.
    :ivar peak: the most connections at a time: of one task process to the store, of any one process, and of all.
    """

    def __init__(
        self, airflow: RunningAirflow, postgres: str, databases: Sequence[str], workers: Sequence[str]
    ) -> None:
        self.peak: Counter[str] = Counter()
        self._airflow, self._databases, self._workers = airflow, list(databases), workers
        self._engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        self._used: dict[tuple[str, int], float] = {}
        self._over = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        self._engine.dispose()

    def processor_seconds(self) -> dict[str, float]:
        """By component, those of the same kind added up."""
        total: defaultdict[str, float] = defaultdict(float)
        for (component, _), seconds in self._used.items():
            total[component.rstrip("-0123456789")] += seconds
        return dict(total)

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            self._count_processor()
            with suppress(sa.exc.DBAPIError, psutil.Error):
                self._count_connections()

    def _count_processor(self) -> None:
        for component in list(self._airflow.processes):
            for process in tree(self._airflow, component):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._used[component, process.pid] = times.user + times.system

    def _count_connections(self) -> None:
        with self._engine.connect() as connection:
            backends = list(connection.execute(_BACKENDS, {"names": self._databases}))
        by_port = {each.laddr.port: each.pid for each in psutil.net_connections("tcp") if each.laddr}
        at_work = {process.pid for process in tasks(self._airflow, self._workers)}
        all_of: Counter[int | None] = Counter()
        store: Counter[int | None] = Counter()
        for name, port in backends:
            pid = by_port.get(port)
            all_of[pid] += 1
            store[pid] += name == self._databases[-1]
        self._raise("task", (n for pid, n in store.items() if pid in at_work))
        self._raise("process", (n for pid, n in all_of.items() if pid is not None))
        self._raise("all", [len(backends)])
        self._raise("store", [store.total()])

    def _raise(self, name: str, seen: Sequence[int] | Iterator[int]) -> None:
        self.peak[name] = max([self.peak[name], *seen])
