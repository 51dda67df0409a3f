"""One time limit for many requests at once, at next to no cost for each."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_LOOKS = 20


class TimedBlock:
    """One block of code under the limit; a context manager, used once."""

    __slots__ = ("_deadlines", "_task", "began", "late")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self.began = 0.0  # by the loop's clock
        self.late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "only a task can be given a time limit"
        self._task: asyncio.Task[Any] = task
        self._deadlines.watch(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.late:
            self._deadlines.forget(self)
        # Somebody else may have cancelled the task too: that cancellation goes on.
        elif self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def end(self) -> None:
        """It took too long."""
        self.late = True
        self._task.cancel()


class Deadlines:
    """A block that takes longer than ``seconds`` ends with a TimeoutError, up to a twentieth later.

    ``asyncio.timeout`` sets and removes a timer for every block, a tenth of what a request costs. Here all
    blocks have the same limit, so they fall due in the order they began, and one timer looks at the first::

        with deadlines.block():
            await ...
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._blocks: dict[TimedBlock, None] = {}  # in the order they began
        self._timer: asyncio.TimerHandle | None = None

    def block(self) -> TimedBlock:
        return TimedBlock(self)

    def watch(self, block: TimedBlock) -> None:
        block.began = self._loop.time()
        self._blocks[block] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self.seconds / _LOOKS, self._look)

    def forget(self, block: TimedBlock) -> None:
        del self._blocks[block]

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        due = self._loop.time() - self.seconds
        while self._blocks:
            block = next(iter(self._blocks))
            if block.began > due:
                break
            del self._blocks[block]
            block.end()
        self._timer = self._loop.call_later(self.seconds / _LOOKS, self._look) if self._blocks else None
