"""Deliveries as people look at them: lists by filter, in bounded time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.deliveries.tried import page_of_ids, was_tried
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.paging import (
    DEPTH,
    PAGE_SIZE,
    Branch,
    Condition,
    Few,
    Page,
    Scan,
    capped_count,
    counts_between,
    distinct,
    every,
)

_C = deliveries.c
_A = delivery_attempts.c


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant; what is left out does not restrict.

    :ivar since: recorded at or after; :ivar until: recorded before; timezone-aware.
    :ivar dags: a task of one of these tried it last; what nobody tried yet is not among them.
    :ivar campaign: the platform's, as its event has it.
    :ivar tried_since: with an attempt at or after; :ivar tried_until: before; timezone-aware. :ivar tried_failed: with one
        that failed, or that did not, in that time.
    :ivar resend: sent again by this action, see :mod:`store.deliveries.redeliver`.
    """

    ids: Collection[int] = ()
    event_ids: Collection[str] = ()
    route: str | None = None
    endpoint: str | None = None
    states: Collection[DeliveryState] = ()
    kinds: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    dags: frozenset[str] | None = None
    campaign: str | None = None
    tried_since: datetime | None = None
    tried_until: datetime | None = None
    tried_failed: bool | None = None
    resend: int | None = None

    @property
    def by_attempt(self) -> bool:
        """Whether it is about when deliveries were tried, and how that came out."""
        return any(each is not None for each in (self.tried_since, self.tried_until, self.tried_failed))


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as people see it; ``label`` holds the contact masked."""

    id: int
    event_id: str
    route: str
    endpoint: str
    source: str
    kind: str
    label: str
    state: DeliveryState
    tries: int
    last_status: int | None
    last_error: str
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None
    due_at: datetime | None = None
    plan_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt, with the task instance that made it."""

    id: int
    delivery_id: int
    at: datetime
    verdict: str
    status: int | None
    latency_ms: int
    error: str
    answer: str = field(repr=False)
    retry_after: float | None
    dag_id: str
    task_id: str
    airflow_run_id: str
    map_index: int
    try_number: int
    form: str | None = None
    digest: str | None = None
    size: int | None = None
    headers: str | None = field(default=None, repr=False)


_ROW = [_C[name] for name in DeliveryRow.__slots__]
_ATTEMPT = [_A[name] for name in AttemptRow.__slots__]
_SCAN = Scan(deliveries, [_C.id], _ROW, [_C.resend])


def list_deliveries(
    store: Store,
    wanted: DeliveryFilter,
    *,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    oldest: bool = False,
) -> Page[DeliveryRow]:
    """Deliveries, the latest recorded first, or the oldest; where it is asked when they were tried, by that."""
    with store.read() as connection:
        if wanted.by_attempt:
            return _list_tried(connection, wanted, cursor, limit, oldest)
        branches, answered = _branches(connection, wanted)
        residual = [each for name, each in _conditions(wanted).items() if name not in answered]
        page = _SCAN.page(
            connection, branches=branches, residual=residual, cursor=cursor, limit=limit, oldest=oldest
        )
    return page.of(_delivery)


def _list_tried(
    connection: sa.Connection, wanted: DeliveryFilter, cursor: str | None, limit: int, oldest: bool
) -> Page[DeliveryRow]:
    others = [each for name, each in _conditions(wanted).items() if name != "tried"]
    when = (wanted.tried_since, wanted.tried_until, wanted.tried_failed)
    page = page_of_ids(connection, *when, others, cursor=cursor, limit=limit, oldest=oldest)
    rows = {row.id: row for row in connection.execute(sa.select(*_ROW).where(_C.id.in_(page.rows)))}
    return Page([_delivery(*rows[each]) for each in page.rows if each in rows], page.next, page.cut)


def every_delivery(store: Store, wanted: DeliveryFilter, *, chunk: int = 1000) -> Iterator[DeliveryRow]:
    """All of them, read page by page: for an export."""
    return every(lambda cursor: list_deliveries(store, wanted, cursor=cursor, limit=chunk))


def find_delivery(
    store: Store, delivery_id: int, *, dags: frozenset[str] | None = None
) -> DeliveryRow | None:
    """One delivery, or None. :param dags: one that a task of these tried last."""
    mine = [] if dags is None else [_tried_last_by(dags)(_C)]
    with store.read() as connection:
        row = connection.execute(sa.select(*_ROW).where(_C.id == delivery_id, *mine)).first()
    return _delivery(*row) if row else None


def lane_of(store: Store, delivery_id: int) -> str:
    """The lane of one delivery: what is saved of its contact is found by it."""
    with store.read() as connection:
        return connection.execute(sa.select(_C.lane).where(_C.id == delivery_id)).scalar() or ""


def count(store: Store, wanted: DeliveryFilter) -> dict[str, int]:
    """How many deliveries are meant, by state."""
    query = sa.select(_C.state, sa.func.count()).where(*conditions(wanted))
    with store.read() as connection:
        return {str(state): int(n) for state, n in connection.execute(query.group_by(_C.state))}


def _tried_last_by(dags: frozenset[str]) -> Condition:
    def condition(c: Any) -> sa.ColumnElement[bool]:
        last = sa.select(_A.dag_id).where(_A.delivery_id == c.id).order_by(_A.id.desc()).limit(1)
        return last.scalar_subquery().in_(sorted(dags))

    return condition


def attempts_of(store: Store, delivery_id: int, *, dags: frozenset[str] | None = None) -> list[AttemptRow]:
    """Every attempt of one delivery, oldest first. :param dags: by tasks of these alone."""
    query = sa.select(*_ATTEMPT).where(_A.delivery_id == delivery_id)
    if dags is not None:
        query = query.where(_A.dag_id.in_(sorted(dags)))
    with store.read() as connection:
        return [AttemptRow(*row) for row in connection.execute(query.order_by(_A.id))]


def attempts_of_task(
    store: Store, *, dag_id: str, run_id: str, task_id: str, map_index: int = -1, limit: int = 1000
) -> list[tuple[DeliveryRow, AttemptRow]]:
    """What one task instance tried last, over all its tries, oldest first: for its tab in the UI."""
    query = (
        sa.select(*_ROW, *(column.label(f"attempt_{column.name}") for column in _ATTEMPT))
        .join(delivery_attempts, _A.delivery_id == _C.id)
        .where(
            _A.dag_id == dag_id,
            _A.airflow_run_id == run_id,
            _A.task_id == task_id,
            _A.map_index == map_index,
        )
        .order_by(_A.id.desc())
        .limit(limit)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()[::-1]
    return [(_delivery(*row[: len(_ROW)]), AttemptRow(*row[len(_ROW) :])) for row in rows]


def made_by_dags(store: Store, ids: Sequence[int]) -> dict[int, str]:
    """Those of these deliveries whose event is not in the inbox, because a DAG made it: the event as JSON."""
    query = sa.select(_C.id, _C.payload).where(_C.id.in_(list(ids)), _C.payload.is_not(None))
    with store.read() as connection:
        return {row.id: row.payload for row in connection.execute(query)}


def routes_of(store: Store, dags: frozenset[str]) -> list[str]:
    """Routes that tasks of these DAGs tried lately, by name: what a filter can offer them."""
    latest = sa.select(_A.delivery_id, _A.dag_id).order_by(_A.id.desc()).limit(DEPTH).subquery()
    query = sa.select(_C.route).distinct().join(latest, latest.c.delivery_id == _C.id)
    with store.read() as connection:
        found = connection.execute(query.where(latest.c.dag_id.in_(sorted(dags))))
        return sorted(str(name) for name in found.scalars())


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


def resend_states(store: Store, resend: int, most: int) -> dict[str, int]:
    """What became of what one action sent again, by state, each counted no further than ``most`` + 1."""
    with store.read() as connection:
        counts = {
            state.value: capped_count(connection, sa.select(_C.id).where(*_resent(resend, state)), most)
            for state in DeliveryState
        }
    return {state: n for state, n in counts.items() if n}


def states_of_routes(store: Store, routes: Sequence[str], most: int = 1000) -> dict[str, dict[str, int]]:
    """What of each of these routes is not delivered, by state, counted no further than ``most`` + 1."""
    states = (DeliveryState.PENDING, DeliveryState.FAILED, DeliveryState.HELD, DeliveryState.DEAD)
    found: dict[str, dict[str, int]] = {}
    with store.read() as connection:
        for state in states:
            there = distinct(connection, _C.route, _is(state), 1000)
            for route in routes:
                if there is None or route in there:
                    query = sa.select(_C.id).where(*_is(state), _C.route == route)
                    found.setdefault(route, {})[state.value] = capped_count(connection, query, most)
    return found


def failed_tries(store: Store, route: str, most: int) -> list[tuple[int, datetime]]:
    """(delivery, when it was tried in vain) of what of a route failed for good, of the latest ``most`` of these."""
    dead = (
        sa.select(_C.id).where(*_is(DeliveryState.DEAD), _C.route == route).order_by(_C.id.desc()).limit(most)
    )
    some = dead.subquery()
    query = sa.select(some.c.id, _A.at).join(delivery_attempts, _A.delivery_id == some.c.id)
    with store.read() as connection:
        probe(connection)
        rows = connection.execute(query.where(_A.verdict != DeliveryVerdict.DELIVERED.value))
        return [(int(row.id), row.at) for row in rows]


def attempted_between(store: Store, bounds: list[datetime]) -> list[tuple[int, int]]:
    """(attempts, failed ones) between each two neighbours of ``bounds``; busy hours are estimated."""
    failed = sa.text("delivery_attempts.verdict <> 'delivered'")
    with store.read() as connection:
        all_of_them = counts_between(connection, _A.at, _A.id, bounds)
        bad = counts_between(connection, _A.at, _A.id, bounds, condition=failed)  # type: ignore[arg-type]
    return [(max(n, failures), failures) for n, failures in zip(all_of_them, bad, strict=True)]


def tries_of(store: Store, ids: Sequence[int]) -> dict[int, int]:
    """How often each of these deliveries was tried, over all times it was sent again."""
    query = sa.select(_A.delivery_id, sa.func.count()).where(
        _A.delivery_id.in_(list(ids)), _A.verdict != DeliveryVerdict.ENDPOINT.value
    )
    with store.read() as connection:
        return {int(row[0]): int(row[1]) for row in connection.execute(query.group_by(_A.delivery_id))}


def last_attempts(store: Store, ids: list[int]) -> dict[int, AttemptRow]:
    """The latest attempt of each of these deliveries."""
    if not ids:
        return {}
    newest = sa.select(sa.func.max(_A.id)).where(_A.delivery_id.in_(ids)).group_by(_A.delivery_id)
    query = sa.select(*_ATTEMPT).where(_A.id.in_(newest))
    with store.read() as connection:
        return {row.delivery_id: AttemptRow(*row) for row in connection.execute(query)}


def _is(state: DeliveryState) -> list[sa.ColumnElement[bool]]:
    """Spelt as in the partial indexes: with bound parameters neither database would use them."""
    spelt: list[Any] = [
        _C.state == sa.literal_column(f"'{state.value}'"),
        sa.text("deliveries.state <> 'delivered'"),
    ]
    return spelt


def conditions(wanted: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    """What tells the deliveries that are meant from others."""
    return [condition(_C) for condition in _conditions(wanted).values()]


def _conditions(wanted: DeliveryFilter) -> dict[str, Condition]:
    """The same, by what it asks for."""
    found: dict[str, Condition] = {}
    if wanted.ids:
        found["ids"] = lambda c: c.id.in_(list(wanted.ids))
    if wanted.event_ids:
        found["event_ids"] = lambda c: c.event_id.in_(list(wanted.event_ids))
    if wanted.route is not None:
        found["route"] = lambda c: c.route == wanted.route
    if wanted.endpoint is not None:
        found["endpoint"] = lambda c: c.endpoint == wanted.endpoint
    if wanted.states:
        found["states"] = lambda c: c.state.in_([state.value for state in wanted.states])
    if wanted.kinds:
        found["kinds"] = lambda c: c.kind.in_(list(wanted.kinds))
    if wanted.since is not None:
        found["since"] = lambda c: c.created_at >= wanted.since
    if wanted.until is not None:
        found["until"] = lambda c: c.created_at < wanted.until
    if wanted.dags is not None:
        found["dags"] = _tried_last_by(wanted.dags)
    if wanted.by_attempt:
        found["tried"] = was_tried(wanted.tried_since, wanted.tried_until, wanted.tried_failed)
    if wanted.resend is not None:
        found["resend"] = lambda c: c.resend == wanted.resend
    if wanted.campaign is not None:
        found["campaign"] = lambda c: sa.exists().where(
            inbox_events.c.event_id == c.event_id, inbox_events.c.campaign_id == wanted.campaign
        )
    return found


def _branches(connection: sa.Connection, wanted: DeliveryFilter) -> tuple[list[Branch], set[str]]:
    """What an index answers, and which conditions that are."""
    if wanted.ids:
        return [Few([_C.id.in_(list(wanted.ids))])], {"ids"}
    if wanted.event_ids:
        return [Few([_C.event_id.in_(list(wanted.event_ids))])], {"event_ids"}
    if wanted.resend is not None:
        states = wanted.states or tuple(DeliveryState)
        return [_resent(wanted.resend, each) for each in states], {"resend", "states"}
    if not wanted.states or DeliveryState.DELIVERED in wanted.states:
        return [[]], set()  # what was delivered is listed by id, without an index of its own: looked through
    if wanted.endpoint is not None:
        return [[*_is(state), _C.endpoint == wanted.endpoint] for state in wanted.states], {
            "states",
            "endpoint",
        }
    branches: list[Branch] = []
    for state in wanted.states:
        names = (
            [wanted.route] if wanted.route is not None else distinct(connection, _C.route, _is(state), 1000)
        )
        # So many routes that merging them costs more than looking through.
        branches += [_is(state)] if names is None else [[*_is(state), _C.route == name] for name in names]
    return branches, {"states", "route"}


def _resent(resend: int, state: DeliveryState) -> list[Any]:
    """What one action sent again and is in this state, spelt as the index of it is."""
    spelt: sa.ColumnElement[str] = sa.literal_column(f"'{state.value}'")
    return [sa.text("deliveries.resend IS NOT NULL"), _C.resend == resend, _C.state == spelt]


def _delivery(*values: Any) -> DeliveryRow:
    named = dict(zip(DeliveryRow.__slots__, values, strict=True))
    return DeliveryRow(**{**named, "state": DeliveryState(str(named["state"]))})
