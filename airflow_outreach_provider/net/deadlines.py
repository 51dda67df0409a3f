"""One time limit for many requests at once, at next to no cost for each."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_LOOKS = 20


class Deadlines:
    """A block that takes longer than ``seconds`` ends with a TimeoutError, up to a twentieth later.

    ``asyncio.timeout`` sets and removes a timer for every block, a tenth of what a request costs. Here all
    blocks have the same limit, so they fall due in the order they began, and one timer looks at the first.

    A task may be in one block at a time::

        with deadlines:
            await ...
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._began: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "only a task can be given a time limit"
        self._began[task] = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self.seconds / _LOOKS, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._began.pop(task, None)
        if task not in self._late:
            return
        self._late.remove(task)
        # Somebody else may have cancelled the task too: that cancellation goes on.
        if task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        due = self._loop.time() - self.seconds
        while self._began:
            task, began = next(iter(self._began.items()))
            if began > due:
                break
            del self._began[task]
            self._late.add(task)
            task.cancel()
        self._timer = self._loop.call_later(self.seconds / _LOOKS, self._look) if self._began else None
