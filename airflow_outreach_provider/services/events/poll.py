"""Contact lists into the inbox: every contact that is new or changed, once.

A list's pages are in no order, and contacts move between them while one reads. Three things together make
sure of everybody: a reading in which somebody was seen twice, or fewer than the list counts, is read again;
what changed is looked for since the reading *before* the last one, less an overlap, so that every change is
within reach of two complete readings; and what is found twice has the same id, and is stored once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_outreach_provider.core import intake
from airflow_outreach_provider.core.addresses import check_plain_http
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.net.contacts import SuperSendContacts, TetherContacts
from airflow_outreach_provider.services.events.ingest import Clock, utc_now
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox.polls import poll_times, record_poll

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)
ContactList = TetherContacts | SuperSendContacts

_READINGS = 4
_MAX_PAGES = 100_000
_GROUP = 200
# A contact is written twice when it is made: that is not yet a change.
_SAME_MOMENT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found.

    :param contacts: contacts in the list.
    :param events: events that are new in the inbox.
    :param duplicates: events the inbox had already: the overlap at work.
    :param complete: whether a whole reading succeeded; if not, the next poll looks as far back as this one.
    :param since: changes at or after this time were looked for.
    """

    contacts: int
    events: int
    duplicates: int
    complete: bool
    since: datetime


@dataclass(slots=True)
class _Found:
    contacts: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    new: int = 0
    duplicates: int = 0


def contact_list(source: SourceSettings) -> ContactList:
    """A client for the source's contact list.

    :raises ConfigurationError: the platform has none, or the connection has no credentials for it.
    """
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
    since = max(first, times.previous_at - overlap) if times else first
    found = _Found()
    complete = False
    for _ in range(_READINGS):
        complete = await _read_once(store, source, contacts, since, found, clock)
        if complete:
            break
        log.info("The contact list of %s moved while it was read; reading it again", source.name)
    if complete:
        await asyncio.to_thread(record_poll, store, source.name, first_at=first, started_at=started)
    return PollResult(len(found.contacts), found.new, found.duplicates, complete, since)


async def _read_once(
    store: Store,
    source: SourceSettings,
    contacts: ContactList,
    since: datetime,
    found: _Found,
    clock: Clock,
) -> bool:
    """Read page after page and store what is found; whether nobody can have been missed.

    :param found: over all readings of this poll; added to.
    """
    here: set[str] = set()
    twice = False
    total: int | None = None
    following: int | None = contacts.first
    last_ids: list[str] = []
    for _ in range(_MAX_PAGES):
        if following is None:
            break
        page = await contacts.page(following)
        total = page.total if page.total is not None else total
        ids = [contact_id(row) for row in page.rows]
        if not page.rows or ids == last_ids:
            break  # past the end; some servers give the last page again
        twice = twice or not here.isdisjoint(ids)
        here.update(ids)
        last_ids = ids
        found.contacts.update(ids)
        await _store(
            store, [each for row in page.rows for each in changes(source, row, since, clock())], found
        )
        following = page.following
        if total is not None and len(here) >= total and not twice:
            break
    return not twice and (total is None or len(here) >= total)


async def _store(store: Store, events: list[Incoming], found: _Found) -> None:
    fresh = [each for each in events if each.event.id not in found.events]
    for at in range(0, len(fresh), _GROUP):
        answers = await asyncio.to_thread(inbox_append.append, store, fresh[at : at + _GROUP])
        again = sum(answer.duplicate for answer in answers)
        found.duplicates += again
        found.new += len(answers) - again
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
    created = reading.when(reading.pick(row, "createdAt", "created_at"))
    updated = reading.when(reading.pick(row, "updatedAt", "updated_at"))
    who = contact_id(row)
    if created is None and updated is None:
        yield intake.polled_event(source, "contact.updated", row, (who, intake.digest_of(row)), None, now)
    if created is not None and created >= since:
        yield intake.polled_event(source, "contact.created", row, (who,), created, now)
    if updated is not None and updated >= since and (created is None or updated - created > _SAME_MOMENT):
        yield intake.polled_event(source, "contact.updated", row, (who, updated.isoformat()), updated, now)
