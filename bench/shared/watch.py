"""What a running Airflow takes, looked at every few seconds: processor time, connections by process, and how far the work is."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import RunningAirflow

_EVERY = 3.0
_BACKENDS = sa.text(
    "SELECT datname, client_port FROM pg_stat_activity WHERE datname = ANY(:names) AND pid <> pg_backend_pid()"
)


class Processes:
    """The processes of this machine as they are now, by the one that started them."""

    def __init__(self) -> None:
        self._children: defaultdict[int, list[psutil.Process]] = defaultdict(list)
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                self._children[each.ppid()].append(each)

    def tree(self, airflow: RunningAirflow, component: str) -> list[psutil.Process]:
        """A component's processes, itself first; none where it has ended."""
        running = airflow.processes.get(component)
        if running is None:
            return []
        with suppress(psutil.NoSuchProcess):
            return [psutil.Process(running.pid), *self._below(running.pid)]
        return []

    def tasks(self, airflow: RunningAirflow, components: Sequence[str]) -> list[psutil.Process]:
        """The processes in which tasks are at work: what a worker's own children have started, to the last leaf."""
        found = []
        for component in components:
            running = airflow.processes.get(component)
            for child in self._children[running.pid] if running is not None else ():
                for process in self._below(child.pid):
                    with suppress(psutil.NoSuchProcess):
                        if not self._children[process.pid] and process.status() != psutil.STATUS_ZOMBIE:
                            found.append(process)
        return found

    def _below(self, pid: int) -> Iterator[psutil.Process]:
        for child in self._children[pid]:
            yield child
            yield from self._below(child.pid)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    :ivar at: seconds since the watch began. :ivar counts: how far the work is, by what it is.
    :ivar tasks: task processes at work. :ivar holding: those of them with a connection to the store, which one has
        from its first question on. :ivar held: their connections, together.
    """

    at: float
    counts: Mapping[str, int]
    tasks: int = 0
    holding: int = 0
    held: int = 0


class Watch:
    """Looks until it is stopped.

    :param databases: names in PostgreSQL, the store's last. :param workers: the components in which tasks run.
    :param counts: how far the work is, asked at each look.
    :ivar peak: the most connections at a time: of one task process to the store, of any one process, and of all.
    :ivar samples: what was seen, from the first look to the last.
    """

    def __init__(
        self,
        airflow: RunningAirflow,
        postgres: str,
        databases: Sequence[str],
        workers: Sequence[str],
        counts: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.peak: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self._airflow, self._databases, self._workers = airflow, list(databases), workers
        self._counts = counts
        self._engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        self._used: dict[tuple[str, int, float], float] = {}
        self._over = threading.Event()
        self.started = time.monotonic()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(30)
        self._engine.dispose()

    def processor_seconds(self) -> dict[str, float]:
        """By component, those of the same kind added up."""
        total: defaultdict[str, float] = defaultdict(float)
        for (component, *_), seconds in self._used.items():
            total[component.rstrip("-0123456789")] += seconds
        return dict(total)

    @property
    def held(self) -> float:
        """Connections to the store of a task process that has any, on average."""
        holding = sum(each.holding for each in self.samples)
        return sum(each.held for each in self.samples) / max(1, holding)

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            processes, counts = Processes(), {}
            connections: list[int] = []
            self._count_processor(processes)
            with suppress(sa.exc.DBAPIError, psutil.Error):
                connections = self._count_connections(processes)
            with suppress(OSError, RuntimeError, ValueError):
                counts = dict(self._counts())
            holding, at = sum(map(bool, connections)), time.monotonic() - self.started
            self.samples.append(Sample(at, counts, len(connections), holding, sum(connections)))

    def _count_processor(self, processes: Processes) -> None:
        for component in list(self._airflow.processes):
            for process in processes.tree(self._airflow, component):
                with suppress(psutil.Error):
                    times, born = process.cpu_times(), process.create_time()
                    self._used[component, process.pid, born] = times.user + times.system

    def _count_connections(self, processes: Processes) -> list[int]:
        """:return: of each task process at work, how many it has to the store."""
        with self._engine.connect() as connection:
            backends = list(connection.execute(_BACKENDS, {"names": self._databases}))
        # A port may be in use towards something else too, by somebody else.
        there = self._engine.url.port or 5432
        by_port = {
            each.laddr.port: each.pid
            for each in psutil.net_connections("tcp")
            if each.laddr and each.raddr and each.raddr.port == there
        }
        at_work = {process.pid for process in processes.tasks(self._airflow, self._workers)}
        all_of: Counter[int | None] = Counter()
        store: Counter[int | None] = Counter()
        for name, port in backends:
            pid = by_port.get(port)
            all_of[pid] += 1
            store[pid] += name == self._databases[-1]
        of_tasks = [store[pid] for pid in at_work]
        self._raise("task", of_tasks)
        self._raise("process", [n for pid, n in all_of.items() if pid is not None])
        self._raise("all", [len(backends)])
        self._raise("store", [store.total()])
        return of_tasks

    def _raise(self, name: str, seen: Sequence[int]) -> None:
        self.peak[name] = max([self.peak[name], *seen])
