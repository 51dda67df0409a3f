"""Who delivers what: open deliveries are handed to one task instance's batches at a time.

A plan is kept until it runs out, and work at it keeps it. So a delivery whose run was deleted, or whose
sensor died before anyone saw its batches, comes back by itself; and while an earlier delivery of a lane is
still with some task, the later ones wait here, where they block no worker and use up no try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.deliveries.attempts import is_open, listed, unclaimed
from airflow_outreach_provider.store.deliveries.rests import asking_first, kept_back
from airflow_outreach_provider.store.deliveries.tables import deliveries, route_endpoints, served_routes
from airflow_outreach_provider.store.engine import Store

# So many contacts wait for task instances of other runs when Airflow cannot keep up with one for each.
_MANY = 8
# Whoever looks at lanes as a whole takes turns on PostgreSQL ("fano").
_ADVISORY_LOCK = 0x66616E6F


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery in a plan."""

    event_id: str
    lane: str
    label: str


def take_turns(connection: sa.Connection) -> None:
    """Until this transaction ends, nobody else plans or takes deliveries that are with nobody."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def plan(
    store: Store, routes: Sequence[str], key: str, *, limit: int, lease: timedelta
) -> list[PlannedDelivery] | None:
    """Plan up to ``limit`` deliveries under ``key``, oldest first.

    :param key: the task instance that hands the work out. Asked again by a retry or after Clear, it gets
        back what is left of its own plan and nothing new.
    :return: None when there is nothing to do yet; an empty list when everything of this plan is done.
    """

    def work(connection: sa.Connection) -> list[PlannedDelivery] | None:
        take_turns(connection)
        earlier = _own(connection, key)
        if earlier is not None:
            return earlier
        now = store.now(connection)
        asking = asking_first(connection, routes)
        others = [each for each in routes if each not in asking]
        of_others = _free(others, now).where(left_to_runs(now)).limit(limit * len(others))
        rows = list(connection.execute(of_others)) if others else []
        rows += [row for each in asking for row in connection.execute(_to_ask(each, now))]
        rows.sort(key=lambda row: row.id)
        if not rows:
            return None
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id.in_(listed(store, "int", [row.id for row in rows])))
            .values(plan=key, plan_until=now + lease)
        )
        return [PlannedDelivery(row.event_id, row.lane, row.label) for row in rows]

    return store.retrying(work)


def own(store: Store, key: str) -> list[PlannedDelivery] | None:
    """What is left of the plan under ``key``, in order; None when there never was one."""
    with store.read() as connection:
        return _own(connection, key)


def ready(store: Store, routes: Sequence[str]) -> bool:
    """Whether :func:`plan` would find something; reads an index that holds only open deliveries."""
    with store.read() as connection:
        now = store.now(connection)
        return connection.execute(_free(routes, now).where(left_to_runs(now)).limit(1)).first() is not None


def _own(connection: sa.Connection, key: str) -> list[PlannedDelivery] | None:
    rows = connection.execute(
        sa.select(deliveries.c.event_id, deliveries.c.lane, deliveries.c.label, deliveries.c.state)
        .where(deliveries.c.plan == key)
        .order_by(deliveries.c.id)
    ).all()
    done = {DeliveryState.DELIVERED, DeliveryState.IGNORED}
    return [PlannedDelivery(*row[:3]) for row in rows if row.state not in done] if rows else None


def _free(routes: Sequence[str], now: datetime) -> sa.Select[Any]:
    c = deliveries.c
    return free(routes, now, c.id, c.event_id, c.lane, c.label)


def _to_ask(route: str, now: datetime) -> sa.Select[Any]:
    """One whose turn it is in its lane, what was never tried first: not for ever the same that fails by itself."""
    tried = sa.or_(deliveries.c.last_status.is_not(None), deliveries.c.last_error != "")
    turn = (sa.case((tried, 1), else_=0), deliveries.c.updated_at, deliveries.c.id)
    return _free([route], now).where(~is_behind()).order_by(None).order_by(*turn).limit(1)


def free(
    routes: Sequence[str] | None, now: datetime, *columns: sa.ColumnElement[Any], planned_too: bool = False
) -> sa.Select[Any]:
    """Open deliveries that may be sent now and are in nobody's hands, oldest first.

    So they are due, their endpoint does not rest, and no earlier one of their lane is with somebody or not yet due.

    :param routes: None for all.
    :param planned_too: as if nothing were planned: with somebody is what a task is at.
    """

    def with_them(table: sa.FromClause) -> sa.ColumnElement[bool]:
        return table.c.claim_until >= now if planned_too else with_somebody(table, now)

    in_the_way = is_behind(lambda earlier: sa.or_(with_them(earlier), sa.not_(is_due(earlier, now))))
    unplanned = sa.or_(deliveries.c.plan_until.is_(None), deliveries.c.plan_until < now)
    query = (
        sa.select(*columns)
        .where(
            is_open(),
            sa.true() if planned_too else unplanned,
            unclaimed(now),
            is_due(deliveries, now),
            ~kept_back(now),
            ~in_the_way,
        )
        .order_by(deliveries.c.id)
    )
    return query if routes is None else query.where(deliveries.c.route.in_(list(routes)))


def is_behind(
    such: Callable[[sa.FromClause], sa.ColumnElement[bool]] = lambda _: sa.true(),
) -> sa.ColumnElement[bool]:
    """Whether an earlier open delivery of the same lane is such a one; any, where nothing is said."""
    earlier = deliveries.alias()
    return sa.exists().where(
        earlier.c.route == deliveries.c.route,
        earlier.c.lane == deliveries.c.lane,
        earlier.c.id < deliveries.c.id,
        is_open(earlier),
        such(earlier),
    )


def untried() -> sa.ColumnElement[bool]:
    """Whether neither a delivery nor an earlier open one of its lane has failed by itself."""
    return sa.and_(deliveries.c.tries == 0, ~is_behind(lambda earlier: earlier.c.tries > 0))


def untried_wait(store: Store, conn_id: str) -> bool:
    """Whether any delivery to an endpoint waits that neither failed nor follows one that did."""
    routes = sa.select(route_endpoints.c.route).where(route_endpoints.c.endpoint == conn_id)
    theirs = sa.or_(
        deliveries.c.endpoint == conn_id, sa.and_(deliveries.c.endpoint == "", deliveries.c.route.in_(routes))
    )
    with store.read() as connection:
        query = sa.select(deliveries.c.id).where(theirs, is_open(), untried()).limit(1)
        return connection.execute(query).first() is not None


def served(now: datetime) -> sa.Select[Any]:
    """Routes that a task goes on serving with what comes in, for an ``IN``."""
    return sa.select(served_routes.c.route).where(served_routes.c.until > now)


def all_served(store: Store, routes: Sequence[str]) -> bool:
    """Whether tasks go on serving all these routes."""
    with store.read() as connection:
        tended = set(connection.execute(served(store.now(connection))).scalars())
    return tended.issuperset(routes)


def left_to_runs(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a delivery is not for the task that serves its route already: what failed has a run of its own."""
    return sa.or_(deliveries.c.route.not_in(served(now)), ~untried())


def is_due(table: sa.FromClause, now: datetime) -> sa.ColumnElement[bool]:
    """Whether a delivery's time has come."""
    return sa.or_(table.c.due_at.is_(None), table.c.due_at <= now)


def with_somebody(table: sa.FromClause, now: datetime) -> sa.ColumnElement[bool]:
    """Whether a delivery is planned for a task, or one is at it."""
    return sa.or_(table.c.plan_until >= now, table.c.claim_until >= now)


def is_busy(store: Store, routes: Sequence[str], besides: str) -> bool:
    """Whether many contacts' deliveries that other plans handed out have not been tried yet."""
    with store.read() as connection:
        query = sa.select(deliveries.c.id).where(
            deliveries.c.route.in_(list(routes)),
            is_open(),
            deliveries.c.state == DeliveryState.PENDING,
            deliveries.c.plan_until >= store.now(connection),
            deliveries.c.plan != besides,
            ~is_behind(),
        )
        return len(connection.execute(query.limit(_MANY)).all()) == _MANY


def waiting_runs(store: Store, route: str, besides: str) -> int:
    """How many plans of a route, besides this one, keep failed deliveries for their tasks' own retries."""
    with store.read() as connection:
        now = store.now(connection)
        query = sa.select(sa.func.count(sa.distinct(deliveries.c.plan))).where(
            deliveries.c.route == route,
            is_open(),
            deliveries.c.state == DeliveryState.FAILED,
            deliveries.c.plan_until >= now,
            deliveries.c.plan != besides,
            unclaimed(now),
        )
        return int(connection.execute(query).scalar_one())
