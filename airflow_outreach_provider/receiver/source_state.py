"""Which sources somebody switched off, and what each source turned away: between the receiver and the store.

Nothing here keeps a request waiting for long, or lets a stranger write: the switches are read every few
seconds, and refusals of known sources are added up and written together.
"""

from __future__ import annotations

import asyncio
import logging
import time

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import sources
from airflow_outreach_provider.store.inbox.sources import Refusal

log = logging.getLogger(__name__)

READ_EVERY_SECONDS = 2.0
WRITE_EVERY_SECONDS = 2.0


class SourceStates:
    """:param read_every: seconds after which a switch is looked at again."""

    def __init__(
        self,
        store: Store,
        *,
        read_every: float = READ_EVERY_SECONDS,
        write_every: float = WRITE_EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._read_every, self._write_every = read_every, write_every
        self._off: frozenset[str] = frozenset()
        self._read_at = -1e9
        self._reading: asyncio.Task[None] | None = None
        self._refused: dict[str, Refusal] = {}
        self._writing: asyncio.Task[None] | None = None

    async def is_off(self, name: str) -> bool:
        """Whether a source takes no events; while the store is away, as it was known last."""
        if time.monotonic() - self._read_at >= self._read_every:
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._read())
            await asyncio.shield(self._reading)
        return name in self._off

    def refused(self, name: str, status: int, reason: str) -> None:
        """A request for a source that exists was turned away. :param reason: holds nothing of the request."""
        before = self._refused.get(name)
        self._refused[name] = Refusal(before.count + 1 if before else 1, status, reason)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_later())

    async def _read(self) -> None:
        try:
            self._off = await asyncio.to_thread(sources.disabled, self._store)
        except StoreError as error:
            log.warning("Which sources are switched off cannot be read: %s", error)
        finally:
            self._read_at = time.monotonic()
            self._reading = None

    async def _write_later(self) -> None:
        try:
            await asyncio.sleep(self._write_every)
        finally:
            refused, self._refused, self._writing = self._refused, {}, None
        try:
            await asyncio.to_thread(sources.note_refusals, self._store, refused)
        except StoreError as error:
            log.warning("What was refused cannot be written down: %s", error)
