"""A run's sign of life: renew its lease, show its progress, notice a successor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from airflow_outreach_provider.core.errors import OutreachUnavailable, StoreError
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs


class Heartbeat:
    """Beats until it is cancelled.

    :param lease: how long a silent run is believed to be alive.
    :param progress: called about once a second. :param fraction: how much of the source was read, 0 to 1, or None.
    """

    def __init__(
        self,
        store: Store,
        run_id: int,
        lease: timedelta,
        tally: Tally,
        halt: Halt,
        *,
        in_thread: InThread,
        progress: Callable[[], None] | None,
        fraction: Callable[[], float | None],
    ) -> None:
        self.store, self.run_id, self.lease, self.tally, self.halt = store, run_id, lease, tally, halt
        self._in_thread, self._progress, self._fraction = in_thread, progress, fraction
        self._last = time.monotonic()

    async def run(self) -> None:
        """Every second or two."""
        seconds = self.lease.total_seconds()
        every = min(2.0, seconds / 4)
        while True:
            await asyncio.sleep(min(1.0, every))
            if self._progress is not None:
                try:
                    self._progress()
                except Exception as error:  # noqa: BLE001 - whoever watches must not cut off requests in flight
                    self.halt.fail(error)
                    return
            if time.monotonic() - self._last < every:
                continue
            try:
                await self.alive()
            except StoreError as error:
                if time.monotonic() - self._last > seconds / 2:
                    self.halt.fail(error)

    async def alive(self) -> bool:
        """Renew the lease now; False, and the run ends, where another try of the task took over.

        :raises StoreError: the store is away.
        """
        alive: bool = await self._in_thread(
            partial(
                runs.heartbeat, self.store, self.run_id, lease=self.lease, read=self.tally.read,
                counts=self.tally.by_state(), reasons=self.tally.by_reason(), fraction=self._fraction(),
            )
        )  # fmt: skip
        self._last = time.monotonic()
        if not alive:
            self.halt.fail(
                OutreachUnavailable("another try of this task took over; this one sends nothing more")
            )
        return alive
