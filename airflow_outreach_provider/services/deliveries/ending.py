"""A task that is asked to end: what is under way gets a moment, nothing more is begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Protocol

# Airflow gives a task that is to end five seconds. So long what is under way may take.
GRACE = 4.0
_LOOK_EVERY = 0.1


class Stoppable(Protocol):
    """Work that may be asked to end; ``services.deliveries.lanes.LaneRunner`` is some.

    :ivar stopped: whether nothing more is to be begun. :ivar grace: seconds that what is under way may take then; None
        where it cannot be broken off.
    """

    stopped: bool
    grace: float | None

    @property
    def halted(self) -> bool:
        """Whether it was asked to end."""


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel them, and wait until they have ended."""
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def finish(work: Awaitable[object], runner: Stoppable) -> None:
    """Wait for ``work``; once ``runner`` is asked to end, no longer than its grace, then it is cancelled."""
    working = asyncio.ensure_future(work)
    asked: float | None = None
    try:
        while not (await asyncio.wait({working}, timeout=_LOOK_EVERY))[0]:
            if not runner.halted:
                continue
            runner.stopped, asked = True, asked or monotonic()
            if runner.grace is not None and monotonic() - asked > runner.grace:
                return
        await working
    finally:
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
