"""Whether a run ends before its source does, and why."""

from __future__ import annotations

import asyncio
import time

from airflow_outreach_provider.core.errors import OutreachUnavailable

_GRACE_SECONDS = 4.0


class Halt:
    """The one way to stop a run, for whoever asks: a fault, a person, a worker that is shut down.

    :ivar failure: the first fault, which the run ends with. :ivar reason: why somebody outside wants it to end.
    :ivar wake: set whenever there may be something to do.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.reason: str | None = None
        self.wake = asyncio.Event()
        self._at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """From now on the running event loop is woken from other threads too."""
        self._loop = asyncio.get_running_loop()

    def fail(self, error: Exception) -> None:
        """End with this error; the first one counts."""
        if self.failure is None:
            self.failure = error
        self.wake.set()

    def stop(self, reason: str) -> None:
        """End soon. Safe from any thread or signal."""
        self._at = time.monotonic()
        self.reason = reason
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake.set)

    @property
    def over(self) -> bool:
        """Nothing more is to be claimed."""
        return self.failure is not None or self.reason is not None

    @property
    def out_of_grace(self) -> bool:
        """The run was stopped so long ago that no answer is waited for any more."""
        return self.reason is not None and time.monotonic() - self._at > _GRACE_SECONDS

    def check(self) -> None:
        """Raise what the run ends with, if it ends early."""
        if self.failure is not None:
            raise self.failure
        if self.reason is not None:
            raise OutreachUnavailable(f"stopped before the end: {self.reason}; the rest is still to be sent")
