"""A doorbell for contact events: for an ``AssetWatcher``, or for a task that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from typing import Any

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, OutreachUnavailable
from airflow_outreach_provider.core.events import kind_names
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.hooks.sources import aget_source
from airflow_outreach_provider.store import inbox
from airflow_outreach_provider.store.inbox import Waiting
from airflow_outreach_provider.store.sources import disabled

log = structlog.get_logger(__name__)

_LONGEST_BACK_OFF = 60.0
# Asset events get lost: while a consumer is paused, or when several fall into one scheduler loop.
_RING_AGAIN_SECONDS = 300.0


class ContactEventTrigger(BaseEventTrigger):
    """Fires when contact events wait for a consumer.

    It only rings. Which events there are, the consumer finds out by reading the inbox, and its progress is
    written when it has done its work: nothing is lost when the triggerer dies around a ring, when asset
    events are merged, or while the DAG is paused. It rings for every newer event, and again every five
    minutes for as long as something waits.

    Payload: ``{"status": "waiting", "consumer", "count", "newest"}``, no personal data.

    :param consumer: whose progress decides what is new; a consumer seen for the first time starts with the
        oldest stored event.
    :param source: ring only for events of this source.
    :param kinds: ring only for these kinds; None for all but ``unrecognised``.
    :param poll_interval: seconds between looks at the store.
    :param poll_contacts_every: with ``source``, also read that source's contact list into the inbox so often,
        in seconds, unless it is switched off.
    :param once: end after the first ring, and report a mistake in the configuration as
        ``{"status": "error", "message"}``: for a task that waits. An ``AssetWatcher`` needs False.
    """

    def __init__(
        self,
        consumer: str,
        source: str | None = None,
        kinds: Collection[str] | None = None,
        poll_interval: float = 5.0,
        poll_contacts_every: float | None = None,
        once: bool = False,
    ) -> None:
        super().__init__()
        self.consumer = consumer
        self.source = source
        self.kinds = kind_names(kinds)
        self.poll_interval = poll_interval
        self.poll_contacts_every = poll_contacts_every
        self.once = once

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain JSON types only, always the same for the same arguments: watchers are known by them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "consumer": self.consumer,
                "source": self.source,
                "kinds": self.kinds,
                "poll_interval": self.poll_interval,
                "poll_contacts_every": self.poll_contacts_every,
                "once": self.once,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ring for ever (or once); what goes wrong is logged and waited out, longer each time."""
        rung, rung_at, reached, failures = 0, 0.0, 0, 0
        next_contacts = time.monotonic()
        while True:
            try:
                if self.poll_contacts_every and time.monotonic() >= next_contacts:
                    await self._poll_contacts()
                    next_contacts = time.monotonic() + self.poll_contacts_every
                found = await asyncio.to_thread(self._look, reached)
                failures = 0
            except OutreachError as error:
                if self.once and isinstance(error, ConfigurationError):
                    yield TriggerEvent({"status": "error", "message": str(error)})
                    return
                failures += 1
                wait = _back_off(failures, self.poll_interval, error)
                log.warning("Cannot look for contact events", error=str(error), again_in_seconds=wait)
                await asyncio.sleep(wait)
                continue
            reached = found.reached
            overdue = time.monotonic() - rung_at >= _RING_AGAIN_SECONDS
            if found.count and (found.newest > rung or overdue):
                rung, rung_at = found.newest, time.monotonic()
                yield TriggerEvent(
                    {
                        "status": "waiting",
                        "consumer": self.consumer,
                        "count": found.count,
                        "newest": found.newest,
                    }
                )
                if self.once:
                    return
            await asyncio.sleep(self.poll_interval)

    def _look(self, reached: int) -> Waiting:
        return inbox.waiting(open_store(), self.consumer, source=self.source, kinds=self.kinds, after=reached)

    async def _poll_contacts(self) -> None:
        from airflow_outreach_provider.services.poll import contact_list, poll_contacts

        if self.source is None:
            raise ConfigurationError(
                "poll_contacts_every needs a source", "say whose contact list to read: source=…"
            )
        source = await aget_source(self.source)
        store = await asyncio.to_thread(open_store)
        if source.name in await asyncio.to_thread(disabled, store):
            log.info("Not read: the source is switched off", source=source.name)
            return
        async with contact_list(source) as contacts:
            result = await poll_contacts(store, source, contacts)
        log.info("Read a contact list", source=source.name, contacts=result.contacts, events=result.events)


def _back_off(failures: int, interval: float, error: OutreachError) -> float:
    """Seconds: doubled with each failure in a row, or what the other side asks for."""
    if isinstance(error, OutreachUnavailable) and error.retry_after:
        return error.retry_after
    return min(max(interval, 1.0) * 2.0 ** min(failures - 1, 10), _LONGEST_BACK_OFF)
