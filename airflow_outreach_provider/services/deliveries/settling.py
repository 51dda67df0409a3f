"""Attempts on their way into the store, and claims kept alive meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.services.deliveries.batch import TaskTry
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.attempts import Attempt
from airflow_outreach_provider.store.engine import Store

_SETTLE_EVERY_SECONDS = 0.5
_FAR_BEHIND = 5


class Settler:
    """Writes attempts in groups: one goes to the store while the next gathers."""

    def __init__(
        self, store: Store, task: TaskTry, group: int, on_settled: Callable[[Sequence[Attempt]], None]
    ) -> None:
        self.store, self.task, self.group, self.on_settled = store, task, group, on_settled
        self._waiting: list[Attempt] = []
        self._untold: list[Attempt] = []  # settled, and what follows of it is not written yet
        self._busy = False
        self._one_at_a_time = threading.Lock()

    async def add(self, attempt: Attempt) -> None:
        """Only a store that cannot follow makes the other lanes wait."""
        self._waiting.append(attempt)
        waiting = len(self._waiting)
        if waiting >= self.group and (not self._busy or waiting >= _FAR_BEHIND * self.group):
            self._busy = True
            try:
                await asyncio.to_thread(self.flush)
            finally:
                self._busy = False

    async def now_and_then(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_SETTLE_EVERY_SECONDS)
            with suppress(StoreError):  # it may be away for a moment; at the end it is told
                await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Settle what is waiting; one thread at a time."""
        with self._one_at_a_time:
            attempts = self._waiting[:]
            deliveries_attempts.settle(self.store, attempts, self.task.owner)
            del self._waiting[: len(attempts)]  # not before: what the store refused is offered again
            self._untold += attempts
            if self._untold:
                self.on_settled(self._untold)
                self._untold = []


@contextmanager
def renewed(store: Store, task: TaskTry) -> Iterator[None]:
    """Keep the claims alive from a thread: an attempt may block for longer than the lease."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(task.lease.total_seconds() / 3):
            # The store may be away for a moment; the lease allows for two missed turns.
            with suppress(StoreError):
                deliveries_attempts.renew(store, task.owner, task.lease)

    thread = threading.Thread(target=renew, name="outreach-deliveries-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
