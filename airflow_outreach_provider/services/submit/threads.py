"""The threads that a run asks the store from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store.engine import Store

T = TypeVar("T")
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function off the event loop and awaits it."""

_AWAY_SECONDS = 0.5
# After so long without staging its connection is given back: where the API sets the pace there is seldom something to do.
_RESTING_SECONDS = 0.2


class LedgerThreads:
    """One writes what is sent: turns, signs of life. Where two may write, another stages what is to be sent next, so
    that answers and claims do not wait for it. A context manager.

    Each has one connection at a time, and none while it waits for something to do; only one is kept while nothing is staged.

    :ivar nothing_sent: while nothing is, a list that is judged first is read: one of them does all, one thing after another.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.nothing_sent = False
        self._resting: asyncio.TimerHandle | None = None
        self._turning = ThreadPoolExecutor(1, thread_name_prefix="outreach-ledger")
        self._staging = self._turning
        if store.takes_two:
            self._staging = ThreadPoolExecutor(1, thread_name_prefix="outreach-staging")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._staging.shutdown()
        self._turning.shutdown()

    async def turn(self, work: Callable[[], T]) -> T:
        """Ask the store, one thing after another with the turns."""
        thread = self._staging if self.nothing_sent else self._turning
        return await asyncio.get_running_loop().run_in_executor(thread, work)

    async def stage(self, work: Callable[[], T]) -> T:
        """Ask the store beside the turns. All that is asked so may be asked again: a connection that was lost is no
        reason to end."""
        if self._staging is self._turning:
            return await self.turn(work)
        loop = asyncio.get_running_loop()
        if self._resting is not None:
            self._resting.cancel()
        try:
            return await loop.run_in_executor(self._staging, work)
        except StoreError:
            await asyncio.sleep(_AWAY_SECONDS)
            return await loop.run_in_executor(self._staging, work)
        finally:
            self._resting = loop.call_later(_RESTING_SECONDS, self._rest)

    def _rest(self) -> None:
        with suppress(RuntimeError):  # nothing will be staged any more
            self._staging.submit(self._store.rest)

    async def last(self, work: Callable[[], T]) -> T:
        """Ask the store once nothing is being staged any more, nor ever will be."""

        def after_staging() -> T:
            if self._staging is not self._turning:
                self._staging.shutdown(cancel_futures=True)
            return work()

        return await asyncio.get_running_loop().run_in_executor(self._turning, after_staging)
