"""The stages of a long bench: none takes longer than it may, and a line four times a minute says how far it is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

_EVERY = 15.0
_AGAIN = 60.0  # where whoever waited took the first word for something else


class StageOver(Exception):
    """A stage takes longer than it may; the message names it."""


class Stages:
    """Used as a context manager, in the main thread.

    :param say: prints a line.
    :param seconds: how long all stages together may take, but those that say otherwise.
    :ivar tell: how far the work is, in a few words; asked from a thread of its own, so that a hang is seen for what it is.
    """

    def __init__(self, say: Callable[[str], None], seconds: float) -> None:
        self.tell: Callable[[], str] = str
        self._say = say
        self.began = time.monotonic()
        self._end = self.began + seconds
        self._name = self._last = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_now_and_then, daemon=True)

    def __enter__(self) -> Stages:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_EVERY)

    @contextmanager
    def stage(self, name: str, seconds: float, *, extra: bool = False) -> Iterator[None]:
        """A part of the work; the next one begins when it has ended.

        :param seconds: how long it may take, whatever it waits for.
        :param extra: not within the time of all together: what is done when that is over.
        :raises StageOver: it took longer.
        """
        left = seconds if extra else min(seconds, max(1.0, self._end - time.monotonic()))

        def over(_signal: int, _frame: FrameType | None) -> None:
            # Nothing is asked here: this may be in the middle of anything.
            raise StageOver(f"{name}: not done within {left:.0f} s; it was at: {self._last}")

        before = signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, left, _AGAIN)
        self._name = f"{name} (at most {timedelta(seconds=round(left))})"
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _tell_now_and_then(self) -> None:
        while not self._over.wait(_EVERY):
            at, self._last = timedelta(seconds=round(time.monotonic() - self.began)), self._told()
            self._say(f"{at} {self._name}: {self._last}")

    def _told(self) -> str:
        try:
            return self.tell()
        except Exception as error:  # noqa: BLE001 - whatever does not answer, that is what there is to tell
            return f"cannot be told: {type(error).__name__}: {str(error).splitlines()[:1]}"
