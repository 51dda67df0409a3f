"""A wait that one task was asked for and all tasks of a connection keep, at a few looks into the store a second."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.engine import Store

_LOOK_EVERY_SECONDS = 0.25
# Answers to one burst ask for the same wait, each a moment later.
_SAME_SECONDS = 0.1


class SharedPause:
    """What this task and the others were asked for.

    A store that is away for a moment is no reason to end: what was not told is told later.

    :param key: what shares the wait, usually the connection id; nothing is shared where it is empty.
    """

    def __init__(
        self, store: Store, key: str, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    ) -> None:
        self._store, self._key, self._in_thread = store, key, in_thread
        self._until = self._to_tell = 0.0
        self._looked = float("-inf")

    def tell(self, seconds: float, now: float) -> None:
        """This task was asked to wait. :param now: monotonic seconds."""
        if self._key and now + seconds > max(self._until, self._to_tell) + _SAME_SECONDS:
            self._to_tell = now + seconds

    async def hear(self) -> float:
        """Tell the others what there is to tell, and look now and then at what they were asked for.

        :return: seconds until anybody may send.
        """
        now = time.monotonic()
        if self._to_tell > now:
            with suppress(StoreError):
                until = self._to_tell
                await self._in_thread(lambda: rates.hold(self._store, self._key, until - time.monotonic()))
                self._until, self._to_tell = max(self._until, until), 0.0
        elif self._key and now - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = now
            with suppress(StoreError):
                wait = await self._in_thread(lambda: rates.held(self._store, self._key))
                self._until = time.monotonic() + wait if wait else 0.0
        return max(0.0, self._until - time.monotonic())
