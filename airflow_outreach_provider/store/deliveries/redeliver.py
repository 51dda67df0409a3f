"""Deliveries looked at and put right by people: list, count, redeliver, purge, forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.deliveries.attempts import listed
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.engine import Store

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RedeliveryFilter:
    """Which deliveries are meant; what is left out does not restrict.

    :ivar since: recorded at or after; :ivar until: recorded before; timezone-aware.
    """

    ids: Sequence[int] = ()
    event_ids: Sequence[str] = ()
    route: str | None = None
    endpoint: str | None = None
    states: Sequence[DeliveryState] = ()
    kinds: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


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


_ROW = tuple(deliveries.c[name] for name in DeliveryRow.__slots__)
_ATTEMPT = tuple(delivery_attempts.c[name] for name in AttemptRow.__slots__)


def list_deliveries(
    store: Store, wanted: RedeliveryFilter, *, limit: int = 100, before: int | None = None
) -> list[DeliveryRow]:
    """Deliveries, newest first. :param before: an id; only what was recorded before it (the next page)."""
    query = sa.select(*_ROW).where(*_conditions(store, wanted)).order_by(deliveries.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    with store.read() as connection:
        return [_row(row) for row in connection.execute(query)]


def count(store: Store, wanted: RedeliveryFilter) -> dict[str, int]:
    """How many deliveries are meant, by state."""
    query = sa.select(deliveries.c.state, sa.func.count()).where(*_conditions(store, wanted))
    with store.read() as connection:
        return {str(state): int(n) for state, n in connection.execute(query.group_by(deliveries.c.state))}


def attempts_of(store: Store, delivery_id: int) -> list[AttemptRow]:
    """Every attempt of one delivery, oldest first."""
    query = sa.select(*_ATTEMPT).where(delivery_attempts.c.delivery_id == delivery_id)
    with store.read() as connection:
        return [AttemptRow(*row) for row in connection.execute(query.order_by(delivery_attempts.c.id))]


def attempts_of_task(
    store: Store, *, dag_id: str, run_id: str, task_id: str, map_index: int = -1, limit: int = 1000
) -> list[tuple[DeliveryRow, AttemptRow]]:
    """What one task instance tried last, over all its tries, oldest first: for its tab in the UI."""
    query = (
        sa.select(*_ROW, *(column.label(f"attempt_{column.name}") for column in _ATTEMPT))
        .join(delivery_attempts, delivery_attempts.c.delivery_id == deliveries.c.id)
        .where(
            delivery_attempts.c.dag_id == dag_id,
            delivery_attempts.c.airflow_run_id == run_id,
            delivery_attempts.c.task_id == task_id,
            delivery_attempts.c.map_index == map_index,
        )
        .order_by(delivery_attempts.c.id.desc())
        .limit(limit)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()[::-1]
    return [(_row(row[: len(_ROW)]), AttemptRow(*row[len(_ROW) :])) for row in rows]


def redeliver(store: Store, wanted: RedeliveryFilter) -> int:
    """Make deliveries pending again, with all their tries; how many.

    The next run of the route takes them, at the endpoint's rate. What is held stays held: enable the
    endpoint. What is open is on its way already.
    """
    again = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)

    def work(connection: sa.Connection) -> int:
        return connection.execute(
            deliveries.update()
            .where(*_conditions(store, wanted), deliveries.c.state.in_(again))
            .values(
                state=DeliveryState.PENDING, tries=0, plan=None, plan_until=None, claim=None, claim_until=None,
                updated_at=store.now(connection),
            )
        ).rowcount  # fmt: skip

    return store.retrying(work)


def purge(store: Store, before: datetime) -> int:
    """Delete deliveries that ended before this time, with their attempts; open and held ones stay."""
    ended = [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.IGNORED, DeliveryState.HANDED]
    return _delete(store, [deliveries.c.state.in_(ended), deliveries.c.updated_at < before])


def forget(store: Store, event_ids: Sequence[str]) -> int:
    """Delete every delivery of these events, with their attempts."""
    return _delete(store, [deliveries.c.event_id.in_(listed(store, "text", event_ids))])


def _delete(store: Store, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
    some = sa.select(deliveries.c.id).where(*conditions).limit(_AT_ONCE)

    def work(connection: sa.Connection) -> int:
        ids = list(connection.execute(some).scalars())
        connection.execute(delivery_attempts.delete().where(delivery_attempts.c.delivery_id.in_(ids)))
        connection.execute(deliveries.delete().where(deliveries.c.id.in_(ids)))
        return len(ids)

    return store.in_groups(work)


def _row(values: sa.Row[tuple[object, ...]] | Sequence[object]) -> DeliveryRow:
    named = dict(zip(DeliveryRow.__slots__, values, strict=True))
    return DeliveryRow(**{**named, "state": DeliveryState(str(named["state"]))})  # type: ignore[arg-type]


def _conditions(store: Store, wanted: RedeliveryFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.ids:
        conditions.append(deliveries.c.id.in_(list(wanted.ids)))
    if wanted.event_ids:
        conditions.append(deliveries.c.event_id.in_(list(wanted.event_ids)))
    if wanted.route is not None:
        conditions.append(deliveries.c.route == wanted.route)
    if wanted.endpoint is not None:
        conditions.append(deliveries.c.endpoint == wanted.endpoint)
    if wanted.states:
        conditions.append(deliveries.c.state.in_([state.value for state in wanted.states]))
    if wanted.kinds:
        conditions.append(deliveries.c.kind.in_(list(wanted.kinds)))
    if wanted.since is not None:
        conditions.append(deliveries.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(deliveries.c.created_at < wanted.until)
    return conditions
