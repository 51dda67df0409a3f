"""Read a blocking iterator ahead, in a thread, in chunks of bounded number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
_AHEAD = 3


class Prefetch(Generic[T]):
    """Chunks of an iterator, read by a thread that stays a few chunks ahead. A context manager."""

    def __init__(self, items: Iterator[T], size: int) -> None:
        self._items = items
        self._size = size
        self._slots = threading.Semaphore(_AHEAD)
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[list[T] | BaseException | None] = asyncio.Queue()
        self._thread = threading.Thread(target=self._read, name="outreach-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._slots.release()

    async def next(self) -> list[T] | None:
        """The next chunk, None at the end. What the iterator raises is raised here, after what came before it."""
        chunk = await self._queue.get()
        if isinstance(chunk, BaseException):
            raise chunk
        self._slots.release()
        return chunk

    def _read(self) -> None:
        end: BaseException | None = None
        try:
            while not self._stopping:
                self._slots.acquire()
                chunk: list[T] = []
                try:
                    for item in islice(self._items, self._size):
                        chunk.append(item)  # noqa: PERF402 - keeps what came before an error
                finally:
                    if chunk:
                        self._put(chunk)
                if not chunk:
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the reader of the queue
            end = error
        self._put(end)

    def _put(self, item: list[T] | BaseException | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


def prefetch(items: Iterator[T], size: int) -> Prefetch[T]:
    """See :class:`Prefetch`. Call it in a running event loop."""
    return Prefetch(items, size)
