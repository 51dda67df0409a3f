"""Events as they are listed, loaded and shown, with their raw requests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.rows import EVENT_COLUMNS, check_kinds, matching, to_event
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.paging import (
    PAGE_SIZE,
    Branch,
    Condition,
    Few,
    Page,
    Scan,
    capped_count,
    counts_between,
    every,
)

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


_C = inbox_events.c


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant; what is left out does not restrict.

    :ivar since: received at or after; :ivar until: received before; timezone-aware. :ivar campaign: the platform's.
    """

    source: str | None = None
    kinds: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_ids: Collection[str] | None = None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event without its body; ``phone`` and ``email`` are whole: mask them before they are shown."""

    row_id: int
    event_id: str
    seq: int | None
    source: str
    platform: str
    type: str
    kind: str
    origin: str
    occurred_at: datetime
    received_at: datetime
    campaign_id: str | None
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


_SCAN = Scan(inbox_events, [_C.received_at, _C.row_id], [_C[name] for name in EventRow.__slots__])


def list_events(
    store: Store,
    wanted: EventFilter,
    *,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    oldest: bool = False,
) -> Page[EventRow]:
    """Events, the latest received first, or the oldest.

    :raises ConfigurationError: a kind that does not exist.
    """
    times, source = matching(since=wanted.since, until=wanted.until), wanted.source
    kinds = None if wanted.kinds is None else check_kinds(wanted.kinds)
    of_source: list[Condition] = [] if source is None else [lambda c: c.source == source]
    branches: list[Branch] = [times]
    residual = of_source
    if wanted.event_ids is not None:
        branches = [Few([_C.event_id.in_(list(wanted.event_ids)), *times])]
        residual = of_source + ([] if kinds is None else [lambda c: c.kind.in_(kinds)])
    elif kinds is not None:
        branches = [[_C.kind == kind, *times] for kind in kinds]
    elif source is not None:
        branches, residual = [[_C.source == source, *times]], []
    if wanted.campaign is not None:
        residual = [*residual, lambda c: c.campaign_id == wanted.campaign]
    with store.read() as connection:
        page = _SCAN.page(
            connection, branches=branches, residual=residual, cursor=cursor, limit=limit, oldest=oldest
        )
    return page.of(EventRow)


def every_event(store: Store, wanted: EventFilter, *, chunk: int = 1000) -> Iterator[EventRow]:
    """All of them, read page by page: for an export."""
    return every(lambda cursor: list_events(store, wanted, cursor=cursor, limit=chunk))


def count_unrecognised(store: Store, since: datetime, most: int = 1000) -> int:
    """Unrecognised events received since then, counted no further than ``most`` + 1."""
    query = sa.select(_C.row_id).where(_C.kind == EventKind.UNRECOGNISED.value, _C.received_at >= since)
    with store.read() as connection:
        return capped_count(connection, query, most)


def received_between(store: Store, bounds: list[datetime]) -> list[int]:
    """Events received between each two neighbours of ``bounds``; busy hours are estimated."""
    with store.read() as connection:
        return counts_between(connection, _C.received_at, _C.row_id, bounds)
