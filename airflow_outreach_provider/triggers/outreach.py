"""A doorbell for contact events: for an ``AssetWatcher``, or for a task that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Hashable, Sequence
from contextlib import aclosing
from typing import Any

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_outreach_provider.core.arguments import check_seconds, check_texts
from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.events import kind_names
from airflow_outreach_provider.core.ringing import Ringing
from airflow_outreach_provider.hooks.ended_runs import EndedRuns
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.hooks.sources import aget_source
from airflow_outreach_provider.services.deliveries.fan_out import Reading
from airflow_outreach_provider.services.deliveries.reading_arguments import (
    KINDS_REMEDY,
    check_reading,
    route_names,
)
from airflow_outreach_provider.services.events.doorbell import Deliverable, Doorbell
from airflow_outreach_provider.store.deliveries.deliverable import Glance, glance
from airflow_outreach_provider.store.inbox.sources import disabled

log = structlog.get_logger(__name__)

_LONGEST_BACK_OFF = 60.0
# Asset events get lost: while a consumer is paused, or when several fall into one scheduler loop. A run that was
# rung for begins within this on a busy Airflow too.
_RING_AGAIN_SECONDS = 30.0
# Somebody took these and may still be at them.
_RING_AGAIN_FOR_HANDED_SECONDS = 300.0


class ContactEventTrigger(BaseEventTrigger):
    """Fires when there is something to do for a consumer: everything deliverable that is in nobody's hands.

    That is a new event, and an open delivery of the consumer's routes that no living task has: because an
    earlier one of its contact got through, because somebody redelivered, released or replayed it, because
    the task that had it is dead. It rings within two looks for whatever is new, and again for as long as nobody
    takes it: after half a minute, a minute, two, at last every five. An event that has to wait for an earlier one of its contact does not ring
    before that is done.

    It only rings. What there is, the consumer finds out by reading, and its progress is written when it has
    done its work: nothing is lost when the triggerer dies around a ring, when asset events are merged, or
    while the DAG is paused. All doorbells of a triggerer with the same ``poll_interval`` share one poll.

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
    :param where: ring only for events this expression is true for.
    :param routes: whose deliveries count; by default those that the consumer's sensor hands events out for,
        and the route of the consumer's own name.
    :param own_filter: ``source``, ``kinds`` and ``where`` are all that the consumer reads, so what they turn
        away is done with. Otherwise a doorbell may hear less than its consumer reads, and passes nothing.
    """

    def __init__(
        self,
        consumer: str,
        source: str | None = None,
        kinds: Collection[str] | None = None,
        poll_interval: float = 5.0,
        poll_contacts_every: float | None = None,
        once: bool = False,
        where: str | None = None,
        routes: Sequence[str] | None = None,
        own_filter: bool = False,
    ) -> None:
        super().__init__()
        # A mistake shows in the DAG list, not in the triggerer's log.
        check_reading(
            consumer, source, where=where
        )  # a kind that a later version has taken away is told by its run
        check_seconds("poll_interval", poll_interval)
        if poll_contacts_every is not None:
            check_seconds("poll_contacts_every", poll_contacts_every)
        self.consumer = consumer
        self.source = source
        check_texts("kinds", kinds, KINDS_REMEDY, empty=True)
        self.kinds = kind_names(kinds)
        self.poll_interval = poll_interval
        self.poll_contacts_every = poll_contacts_every
        self.once = once
        self.where = where
        self.routes = sorted(route_names(routes) or ())
        self.own_filter = own_filter

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
                "where": self.where,
                "routes": self.routes,
                "own_filter": self.own_filter,
            },
        )

    def shared_stream_key(self) -> Hashable:
        """Doorbells that look equally often share their looks at the store."""
        return (__name__, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Glance | Exception]:
        """One look at the store after another, for ever: what was seen, or why nothing was."""
        interval, failures, last = float(kwargs["poll_interval"]), 0, None
        ended_runs = EndedRuns()
        while True:
            try:
                found = await asyncio.to_thread(_glance, ended_runs, last)
                failures, wait, last = 0, interval, found.last
                seen: Glance | Exception = found
            except Exception as error:  # noqa: BLE001 - a poll that raises is restarted every two seconds, for ever
                failures += 1
                seen, wait = error, _back_off(failures, interval, error)
                log.warning("Cannot look for contact events", error=str(error), again_in_seconds=wait)
            yield seen
            await asyncio.sleep(wait)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Ring for ever (or once); what goes wrong is logged and waited out, longer each time."""
        ringing = Ringing(_RING_AGAIN_SECONDS, _RING_AGAIN_FOR_HANDED_SECONDS)
        doorbell: Doorbell | None = None
        failures, next_contacts, not_before = 0, time.monotonic(), 0.0
        async for seen in shared_stream:
            now = time.monotonic()
            if now < not_before:
                continue
            try:
                if isinstance(seen, Exception):
                    raise seen
                if self.poll_contacts_every and now >= next_contacts:
                    await self._poll_contacts()
                    next_contacts = time.monotonic() + self.poll_contacts_every
                doorbell = doorbell or Doorbell(self._reading(), own_filter=self.own_filter)
                waiting = await asyncio.to_thread(self._look, doorbell, seen)
                failures = 0
            except Exception as error:  # noqa: BLE001 - as in the stream
                if self.once and isinstance(error, ConfigurationError):
                    yield TriggerEvent({"status": "error", "message": str(error)})
                    return
                if error is not seen:
                    failures += 1
                    wait = _back_off(failures, self.poll_interval, error)
                    not_before = time.monotonic() + wait
                    log.warning(
                        "Cannot look for contact events", consumer=self.consumer, error=str(error), again_in_seconds=wait
                    )  # fmt: skip
                continue
            if ringing.due(waiting.free, bool(waiting.handed), time.monotonic()):
                yield TriggerEvent(
                    {
                        "status": "waiting",
                        "consumer": self.consumer,
                        "count": waiting.count,
                        "newest": waiting.newest,
                    }
                )
                if self.once:
                    return

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same with a poll of its own, where no triggerer shares one."""
        async with aclosing(self.open_shared_stream({"poll_interval": self.poll_interval})) as looks:  # type: ignore[type-var]
            async for event in self.filter_shared_stream(looks):
                yield event

    def _reading(self) -> Reading:
        return Reading(self.consumer, tuple(self.routes), self.source, self.kinds, self.where)

    def _look(self, doorbell: Doorbell, seen: Glance) -> Deliverable:
        return doorbell.look(open_store(), seen)

    async def _poll_contacts(self) -> None:
        from airflow_outreach_provider.services.events.poll import contact_list, poll_contacts

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


def _glance(ended_runs: EndedRuns, after: int | None) -> Glance:
    """A look, at which what ended runs had reserved is with nobody."""
    store = open_store()
    ended_runs.free(store)
    return glance(store, after)


def _back_off(failures: int, interval: float, error: Exception) -> float:
    """Seconds: doubled with each failure in a row, or what the other side asks for."""
    if isinstance(error, OutreachUnavailable) and error.retry_after:
        return error.retry_after
    return min(max(interval, 1.0) * 2.0 ** min(failures - 1, 10), _LONGEST_BACK_OFF)
