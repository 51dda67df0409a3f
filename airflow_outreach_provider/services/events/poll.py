"""Contact lists into the inbox: every contact that is new or changed, once.

No list promises an order, and contacts move between its pages while one reads. Three things together make
sure of everybody: a reading in which somebody was seen twice, or fewer than the list counts, is read again;
what changed is looked for since the reading *before* the last one, less an overlap, so that every change is
within reach of two complete readings; and what is found twice has the same id, and is stored once.

Where a reading of the whole list came in the order of its changes, the newest first, the next ones stop at what is
known: where everything further on is older than what is looked for, or behind a page of contacts with nothing new.
Such an order is relied on for an hour, or for a day where it cannot be that of creation
(:mod:`core.listing_order`); then, or as soon as a row is out of order, or after a reading that was broken off, the
whole list is read again, back to the last time that was done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_outreach_provider.core import intake
from airflow_outreach_provider.core.addresses import check_plain_http
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.listing_order import ChangeOrder
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.services.events.ingest import Clock, utc_now
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox.polls import PollTimes, begin_poll, poll_times, record_poll

if TYPE_CHECKING:
    from airflow_outreach_provider.net.contacts import SuperSendContacts, TetherContacts

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)
ContactList: TypeAlias = "TetherContacts | SuperSendContacts"

# Where our clock was set back behind earlier readings nobody knows when they were.
_CLOCK_WENT_BACK = timedelta(days=7)
_READINGS = 4
_MAX_PAGES = 100_000
_GROUP = 200
# A contact is written twice when it is made: that is not yet a change.
_SAME_MOMENT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found.

    :param contacts: contacts in the list, as it says itself; where it does not, those that were read.
    :param events: events that are new in the inbox.
    :param duplicates: events the inbox had already: the overlap at work.
    :param complete: whether a whole reading succeeded; if not, the next poll looks as far back as this one.
    :param since: changes at or after this time were looked for.
    :param pages: pages that were asked for.
    :param whole: whether the whole list was read, and not only what is new.
    """

    contacts: int
    events: int
    duplicates: int
    complete: bool
    since: datetime
    pages: int = 0
    whole: bool = True


@dataclass(slots=True)
class _Found:
    """Over all readings of one poll. :ivar fresh: events that this poll stored."""

    contacts: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    duplicates: int = 0
    pages: int = 0
    total: int | None = None


@dataclass(slots=True)
class _Reading:
    """One reading. :ivar to_known: it may stop at what is known. :ivar familiar: rows in a row with nothing new."""

    to_known: bool
    since: datetime
    order: ChangeOrder = field(default_factory=ChangeOrder)
    here: set[str] = field(default_factory=set)
    twice: bool = False
    fewer: bool = False
    total: int | None = None
    familiar: int = 0
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Nobody can have been missed. Above where it stopped, somebody seen twice was pushed down by somebody new."""
        if self.to_known and not self.order.kept:
            return False
        if self.stopped:
            return not self.fewer
        return not self.twice and (self.total is None or len(self.here) >= self.total)


def contact_list(source: SourceSettings) -> ContactList:
    """A client for the source's contact list.

    :raises ConfigurationError: the platform has none, or the connection has no credentials for it.
    """
    # Imported late: a DAG that polls is parsed more often than it polls.
    from airflow_outreach_provider.net.contacts import SuperSendContacts, TetherContacts

    where = f"connection {source.name!r}"
    if source.api_base:
        check_plain_http(source.api_base, where=where, allow_http=source.api_allow_http)
    if source.platform == "tether":
        if not source.api_login or not source.api_secret:
            raise ConfigurationError(
                f"{where} has no log-in for the contact list", "set contacts_email and contacts_password"
            )
        return TetherContacts(source.api_base, source.api_login, source.api_secret)
    if source.platform == "supersend":
        if not source.api_secret:
            raise ConfigurationError(f"{where} has no API key for the contact list", "set api_key")
        return SuperSendContacts(source.api_base, source.api_secret)
    raise ConfigurationError(
        f"{where}: {source.platform} has no contact list to poll", "use its webhook: it sends contact events"
    )


async def poll_contacts(
    store: Store,
    source: SourceSettings,
    contacts: ContactList,
    *,
    start: datetime | None = None,
    overlap: timedelta = OVERLAP,
    clock: Clock = utc_now,
) -> PollResult:
    """Read the contact list once and store what is new since the last polls.

    :param contacts: an entered client, from :func:`contact_list`.
    :param start: where the first poll of this source goes back to, timezone-aware; without it, the first
        poll takes what changed within the last ``overlap`` and leaves older contacts alone.
    :param overlap: further back than the clocks of both sides and a slow list can be apart.
    :raises OutreachUnavailable: the list cannot be read now. What was found before that is stored.
    :raises ConfigurationError: the list cannot be read like this at all.
    """
    started = clock()
    times = await asyncio.to_thread(poll_times, store, source.name)
    first = times.first_at if times else (start or started - overlap)
    since = _looked_back_to(times, started, first, overlap)
    to_known = times is not None and _in_order(times, started)
    whole_since = min(since, max(first, times.whole_at - overlap)) if times and times.whole_at else since
    if times:
        await asyncio.to_thread(begin_poll, store, source.name)
    found = _Found()
    for _ in range(_READINGS):
        reading = _Reading(to_known, since if to_known else whole_since)
        await _read_once(store, source, contacts, reading, found, clock)
        if reading.complete:
            break
        to_known = to_known and reading.order.kept
        log.info(
            "The contact list of %s moved while it was read, or is in another order; reading it again",
            source.name,
        )
    whole = not reading.stopped
    if reading.complete:
        trusted = reading.order.trust if whole and reading.since <= whole_since else None
        await asyncio.to_thread(
            record_poll, store, source.name, first_at=first, started_at=started, trusted=trusted
        )
    listed = len(found.contacts) if whole or found.total is None else found.total
    return PollResult(
        listed, len(found.fresh), found.duplicates, reading.complete, reading.since, found.pages, whole
    )


def _looked_back_to(
    times: PollTimes | None, started: datetime, first: datetime, overlap: timedelta
) -> datetime:
    if times is None:
        return first
    if started < times.previous_at:
        return max(first, started - max(overlap, _CLOCK_WENT_BACK))
    return max(first, times.previous_at - overlap)


def _in_order(times: PollTimes, started: datetime) -> bool:
    """Whether the next reading may stop at what is known."""
    if times.whole_at is None or times.unfinished or started < times.last_at:
        return False
    return started - times.whole_at < times.trusted


async def _read_once(
    store: Store,
    source: SourceSettings,
    contacts: ContactList,
    reading: _Reading,
    found: _Found,
    clock: Clock,
) -> None:
    """Read page after page and store what is found, to the end, or to what is known.

    :param found: over all readings of this poll; added to.
    """
    following: int | None = contacts.first
    last_ids: list[str] = []
    for _ in range(_MAX_PAGES):
        if following is None:
            break
        page = await contacts.page(following)
        found.pages += 1
        if page.total is not None:
            reading.fewer |= reading.total is not None and page.total < reading.total
            reading.total = found.total = page.total
        ids = [contact_id(row) for row in page.rows]
        if not page.rows or ids == last_ids:
            break  # past the end; some servers give the last page again
        reading.twice = reading.twice or not reading.here.isdisjoint(ids)
        reading.here.update(ids)
        last_ids = ids
        found.contacts.update(ids)
        told = [list(changes(source, row, reading.since, clock())) for row in page.rows]
        await _store(store, [each for events in told for each in events], found)
        _watch(reading, page.rows, told, found)
        if reading.to_known and (reading.stopped or not reading.order.kept):
            return
        following = page.following
        if reading.total is not None and len(reading.here) >= reading.total and not reading.twice:
            return


def _watch(
    reading: _Reading, rows: Sequence[Mapping[str, Any]], told: Sequence[list[Incoming]], found: _Found
) -> None:
    """Follow the order of the rows, and notice where what comes is known."""
    for row, events in zip(rows, told, strict=True):
        created, updated = _times(row)
        dropped = reading.order.take(created, updated)
        # Only behind a drop is nothing of the same time: of equal times some may be new, in any order.
        older = reading.order.last is not None and reading.order.last < reading.since
        if reading.to_known and (older or (dropped and reading.familiar >= len(rows))):
            reading.stopped = True
        news = any(each.event.id in found.fresh for each in events)
        reading.familiar = 0 if news else reading.familiar + 1


async def _store(store: Store, events: list[Incoming], found: _Found) -> None:
    fresh = [each for each in events if each.event.id not in found.events]
    for at in range(0, len(fresh), _GROUP):
        group = fresh[at : at + _GROUP]
        answers = await asyncio.to_thread(inbox_append.append, store, group)
        for each, answer in zip(group, answers, strict=True):
            if answer.duplicate:
                found.duplicates += 1
            else:
                found.fresh.add(each.event.id)
    found.events.update(each.event.id for each in fresh)


def contact_id(row: Mapping[str, Any]) -> str:
    """The platform's id of a contact; where it has none, its contents."""
    return reading.text(reading.pick(row, "_id", "id")) or intake.digest_of(row)


def changes(
    source: SourceSettings, row: Mapping[str, Any], since: datetime, now: datetime
) -> Iterator[Incoming]:
    """The events a row of a contact list stands for: made, changed, or both since then.

    A contact without times cannot be placed; each of its contents is one event.
    """
    created, updated = _times(row)
    who = contact_id(row)
    if created is None and updated is None:
        yield intake.polled_event(source, "contact.updated", row, (who, intake.digest_of(row)), None, now)
    if created is not None and created >= since:
        yield intake.polled_event(source, "contact.created", row, (who,), created, now)
    if updated is not None and updated >= since and (created is None or updated - created > _SAME_MOMENT):
        yield intake.polled_event(source, "contact.updated", row, (who, updated.isoformat()), updated, now)


def _times(row: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """When a contact was made, and when changed."""
    created, updated = (
        reading.pick(row, "createdAt", "created_at"),
        reading.pick(row, "updatedAt", "updated_at"),
    )
    return reading.when(created), reading.when(updated)
