"""Deliveries as people look at them: lists by filter, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.deliveries.redeliver import AttemptRow, DeliveryRow
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import (
    PAGE_SIZE,
    Condition,
    Page,
    Scan,
    capped_count,
    counts_between,
    distinct,
    every,
)

_C = deliveries.c
_A = delivery_attempts.c
_SCAN = Scan(deliveries, [_C.id], [_C[name] for name in DeliveryRow.__slots__])


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant. :ivar since: recorded at or after; timezone-aware."""

    state: DeliveryState | None = None
    route: str | None = None
    endpoint: str | None = None
    kind: str | None = None
    event_id: str | None = None
    since: datetime | None = None


def list_deliveries(
    store: Store, wanted: DeliveryFilter, *, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[DeliveryRow]:
    """Deliveries, the latest recorded first."""
    state, route, endpoint, kind, since = (
        wanted.state,
        wanted.route,
        wanted.endpoint,
        wanted.kind,
        wanted.since,
    )
    residual: list[Condition] = []
    residual += [lambda c: c.kind == kind] if kind else []
    residual += [lambda c: c.created_at >= since] if since else []
    with store.read() as connection:
        if wanted.event_id:
            branches = [[_C.event_id == wanted.event_id]]
            residual += [lambda c: c.state == str(state)] if state else []
        elif state and state is not DeliveryState.DELIVERED:
            residual += [lambda c: c.route == route] if endpoint and route else []
            branches = _undelivered(connection, state, route, endpoint)
        else:
            # What was delivered is listed by id, without an index of its own: looked through.
            residual += [lambda c: c.state == str(state)] if state else []
            residual += [lambda c: c.route == route] if route else []
            residual += [lambda c: c.endpoint == endpoint] if endpoint else []
            branches = [[]]
        page = _SCAN.page(connection, branches=branches, residual=residual, cursor=cursor, limit=limit)
    return Page([_row(row) for row in page.rows], page.next, page.cut)


def every_delivery(store: Store, wanted: DeliveryFilter, *, chunk: int = 1000) -> Iterator[DeliveryRow]:
    """All of them, read page by page: for an export."""
    return every(lambda cursor: list_deliveries(store, wanted, cursor=cursor, limit=chunk))


def find_delivery(store: Store, delivery_id: int) -> DeliveryRow | None:
    """One delivery, or None."""
    with store.read() as connection:
        row = connection.execute(sa.select(*_SCAN.columns).where(_C.id == delivery_id)).first()
    return _row(row) if row else None


def made_by_dags(store: Store, ids: Sequence[int]) -> dict[int, str]:
    """Those of these deliveries whose event is not in the inbox, because a DAG made it: the event as JSON."""
    query = sa.select(_C.id, _C.payload).where(_C.id.in_(list(ids)), _C.payload.is_not(None))
    with store.read() as connection:
        return {row.id: row.payload for row in connection.execute(query)}


def routes(store: Store) -> list[str]:
    """Routes with undelivered or recent deliveries, by name: what a filter can offer."""
    latest = sa.select(_C.route).order_by(_C.id.desc()).limit(2000).subquery()
    with store.read() as connection:
        found = {str(name) for name in connection.execute(sa.select(latest).distinct()).scalars()}
        for state in DeliveryState:
            if state is not DeliveryState.DELIVERED:
                found |= set(distinct(connection, _C.route, _is(state)) or [])
    return sorted(found)


def counts_by_state(store: Store, states: tuple[DeliveryState, ...], most: int = 1000) -> dict[str, int]:
    """Deliveries in each of these states, counted no further than ``most`` + 1."""
    with store.read() as connection:
        return {
            state.value: capped_count(connection, sa.select(_C.id).where(*_is(state)), most)
            for state in states
        }


def attempted_between(store: Store, bounds: list[datetime]) -> list[tuple[int, int]]:
    """(attempts, failed ones) between each two neighbours of ``bounds``; busy hours are estimated."""
    failed = sa.text("delivery_attempts.verdict <> 'delivered'")
    with store.read() as connection:
        all_of_them = counts_between(connection, _A.at, _A.id, bounds)
        bad = counts_between(connection, _A.at, _A.id, bounds, condition=failed)  # type: ignore[arg-type]
    return [(max(n, failures), failures) for n, failures in zip(all_of_them, bad, strict=True)]


def last_attempts(store: Store, ids: list[int]) -> dict[int, AttemptRow]:
    """The latest attempt of each of these deliveries."""
    if not ids:
        return {}
    newest = sa.select(sa.func.max(_A.id)).where(_A.delivery_id.in_(ids)).group_by(_A.delivery_id)
    query = sa.select(*(_A[name] for name in AttemptRow.__slots__)).where(_A.id.in_(newest))
    with store.read() as connection:
        return {row.delivery_id: AttemptRow(*row) for row in connection.execute(query)}


def _is(state: DeliveryState) -> list[sa.ColumnElement[bool]]:
    """Spelt as in the partial indexes: with bound parameters neither database would use them."""
    spelt: list[Any] = [
        _C.state == sa.literal_column(f"'{state.value}'"),
        sa.text("deliveries.state <> 'delivered'"),
    ]
    return spelt


def _undelivered(
    connection: sa.Connection, state: DeliveryState, route: str | None, endpoint: str | None
) -> list[list[sa.ColumnElement[bool]]]:
    if endpoint:
        return [[*_is(state), _C.endpoint == endpoint]]
    names = [route] if route else distinct(connection, _C.route, _is(state), most=1000)
    if names is None:  # so many routes that merging them costs more than looking through
        return [_is(state)]
    return [[*_is(state), _C.route == name] for name in names]


def _row(row: sa.Row[tuple[object, ...]]) -> DeliveryRow:
    named = dict(row._mapping)
    return DeliveryRow(**{**named, "state": DeliveryState(str(named["state"]))})
