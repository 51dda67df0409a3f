"""A rate that holds over all tasks of a connection, at few round trips to the store a second."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.engine import Store

# Shorter stretches cost a round trip each, and the store counts in milliseconds.
_SHORTEST_SECONDS = 0.05


class RateGate:
    """Gives out permission to send.

    A task reserves what it needs, up to a second's worth of requests at a time; the reservation says from when
    on it counts.

    :param key: what shares the rate, usually the connection id.
    :param per_second: requests a second; None for no limit.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        per_second: float | None,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._store, self._key, self._in_thread = store, key, in_thread
        self.per_second = per_second
        self._reserved = 0
        self._from = 0.0
        self._given = 0
        self.waits = 0

    def wait(self, now: float) -> float:
        """Seconds until the next permission of the reservation in hand."""
        if self.per_second is None or not self._reserved:
            return 0.0
        return max(0.0, self._from + (self._given + 1) / self.per_second - now)

    async def take(self, wanted: int, *, ahead: int = 0) -> int:
        """How many of ``wanted`` requests may be sent now; 0 when it is not yet time.

        Within a reservation the requests are spread evenly.

        :param ahead: how many more will be wanted soon. Nothing beyond is reserved: what one task does not use
            is lost to all the others.
        """
        if self.per_second is None or wanted <= 0:
            return wanted
        now = time.monotonic()
        if self._given >= self._reserved:
            few = int(self.per_second * _SHORTEST_SECONDS)
            size = max(1, few, min(wanted + ahead, int(self.per_second)))
            wait = await self._in_thread(
                lambda: rates.reserve(self._store, self._key, size, size / (self.per_second or 1))
            )
            now = time.monotonic()
            self._reserved, self._given, self._from = size, 0, now + wait
        due = int((now - self._from) * self.per_second) if now >= self._from else -1
        allowed = min(wanted, self._reserved - self._given, due - self._given)
        if allowed <= 0:
            self.waits += 1
            return 0
        self._given += allowed
        return allowed
