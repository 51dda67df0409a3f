"""The inbox: append, read by consumer, load, replay, list; and what keeps it small.

Writing is in :mod:`store.inbox_append`, the consumers' progress in :mod:`store.inbox_consumers` and
:mod:`store.inbox_admin`, removal in :mod:`store.inbox_housekeeping`; their public names are here too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox_admin import Consumer, consumers, forget_consumer, replay
from airflow_outreach_provider.store.inbox_append import Appended, append
from airflow_outreach_provider.store.inbox_consumers import Waiting, acknowledge, read_new, waiting
from airflow_outreach_provider.store.inbox_housekeeping import (
    forget_contact,
    needed_events,
    purge_events,
    reparse,
)
from airflow_outreach_provider.store.inbox_rows import EVENT_COLUMNS, matching, to_event
from airflow_outreach_provider.store.inbox_schema import inbox_events

__all__ = [
    "Appended",
    "Consumer",
    "SourceActivity",
    "StoredEvent",
    "Waiting",
    "acknowledge",
    "append",
    "consumers",
    "forget_consumer",
    "forget_contact",
    "list_events",
    "load",
    "needed_events",
    "purge_events",
    "read_new",
    "reparse",
    "replay",
    "show",
    "source_activity",
    "waiting",
]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with the request it came in.

    :param headers: JSON text of ``[[name, value], …]``.
    """

    event: ContactEvent
    origin: str
    headers: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SourceActivity:
    """What a source sent last."""

    source: str
    last_received_at: datetime
    last_type: str
    last_kind: str


def load(store: Store, event_ids: Collection[str]) -> list[ContactEvent]:
    """The events with these ids, in reading order; an id that is not (or no longer) stored is left out."""
    wanted = list(dict.fromkeys(event_ids))
    found: list[ContactEvent] = []
    with store.read() as connection:
        for start in range(0, len(wanted), _CHUNK):
            query = sa.select(*EVENT_COLUMNS).where(
                inbox_events.c.event_id.in_(wanted[start : start + _CHUNK])
            )
            found += [to_event(row) for row in connection.execute(query)]
    return sorted(found, key=lambda event: (event.seq is None, event.seq or 0, event.id))


def show(store: Store, event_id: str) -> StoredEvent | None:
    """One event with its raw request, or None."""
    columns = (*EVENT_COLUMNS, inbox_events.c.headers, inbox_events.c.origin)
    with store.read() as connection:
        row = connection.execute(sa.select(*columns).where(inbox_events.c.event_id == event_id)).first()
    return StoredEvent(to_event(row), row.origin, row.headers, row.body) if row else None


def list_events(
    store: Store,
    *,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    before: str | None = None,
) -> list[ContactEvent]:
    """Events, newest first.

    :param since: received at or after; :param until: received before; timezone-aware.
    :param before: an event id; only what came before it (the next page).
    """
    query = sa.select(*EVENT_COLUMNS).where(*matching(source=source, kinds=kinds, since=since, until=until))
    if before is not None:
        older = sa.select(inbox_events.c.row_id).where(inbox_events.c.event_id == before).scalar_subquery()
        query = query.where(inbox_events.c.row_id < older)
    with store.read() as connection:
        rows = connection.execute(query.order_by(inbox_events.c.row_id.desc()).limit(limit))
        return [to_event(row) for row in rows]


def source_activity(store: Store, sources: Sequence[str]) -> dict[str, SourceActivity]:
    """The last event of each of these sources; a source that never sent anything is left out."""
    found: dict[str, SourceActivity] = {}
    columns = (inbox_events.c.received_at, inbox_events.c.type, inbox_events.c.kind)
    with store.read() as connection:
        for source in sources:
            query = sa.select(*columns).where(inbox_events.c.source == source)
            row = connection.execute(query.order_by(inbox_events.c.received_at.desc()).limit(1)).first()
            if row:
                found[source] = SourceActivity(source, row.received_at, row.type, row.kind)
    return found
