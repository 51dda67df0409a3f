"""Events of the inbox as people look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox_schema import inbox_events
from airflow_outreach_provider.store.views_paging import (
    PAGE_SIZE,
    Condition,
    Page,
    Scan,
    capped_count,
    counts_between,
    every,
)

_C = inbox_events.c


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant. :ivar since: received at or after; :ivar until: received before; timezone-aware."""

    source: str | None = None
    kind: EventKind | None = None
    since: datetime | None = None
    until: datetime | None = None


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
    store: Store, wanted: EventFilter, *, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[EventRow]:
    """Events, the latest received first."""
    branch: list[sa.ColumnElement[bool]] = []
    residual: list[Condition] = []
    if wanted.kind:
        kind, source = wanted.kind.value, wanted.source
        branch.append(_C.kind == kind)
        residual += [lambda c: c.source == source] if source else []
    elif wanted.source:
        branch.append(_C.source == wanted.source)
    if wanted.since:
        branch.append(_C.received_at >= wanted.since)
    if wanted.until:
        branch.append(_C.received_at < wanted.until)
    with store.read() as connection:
        page = _SCAN.page(connection, branches=[branch], residual=residual, cursor=cursor, limit=limit)
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
