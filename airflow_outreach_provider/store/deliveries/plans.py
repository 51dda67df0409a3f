"""Who delivers what: open deliveries are handed to one task instance's batches at a time.

A plan is kept until it runs out, and work at it keeps it. So a delivery whose run was deleted, or whose
sensor died before anyone saw its batches, comes back by itself; and while an earlier delivery of a lane is
still with some task, the later ones wait here, where they block no worker and use up no try.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.by_index import narrowly, walk
from airflow_outreach_provider.store.deliveries.attempts import is_in, is_open, listed, unclaimed
from airflow_outreach_provider.store.deliveries.rests import asking_first
from airflow_outreach_provider.store.deliveries.tables import deliveries, route_endpoints
from airflow_outreach_provider.store.deliveries.waiting import (
    Look,
    branches,
    free_for_runs,
    is_behind,
    look,
    served,
    untried,
)
from airflow_outreach_provider.store.engine import Store

# So many contacts wait for task instances of other runs when Airflow cannot keep up with one for each.
_MANY = 8
# Whoever looks at the lanes of a route as a whole takes turns on PostgreSQL ("fano").
_ADVISORY_LOCK = 0x66616E6F
_TURN = sa.text("SELECT pg_advisory_xact_lock(:key, hashtext(:route))")
_PLANNED = (deliveries.c.id, deliveries.c.event_id, deliveries.c.lane, deliveries.c.label)


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery in a plan."""

    event_id: str
    lane: str
    label: str


def take_turns(connection: sa.Connection, *routes: str) -> None:
    """Until this transaction ends, nobody else plans or takes deliveries of these routes."""
    if connection.dialect.name != "postgresql":
        return
    for route in sorted(set(routes)):  # in one order, so that two who want both do not wait for each other
        connection.execute(_TURN, {"key": _ADVISORY_LOCK, "route": route})


def plan(
    store: Store, routes: Sequence[str], key: str, *, limit: int, lease: timedelta
) -> list[PlannedDelivery] | None:
    """Plan up to ``limit`` deliveries under ``key``, oldest first.

    :param key: the task instance that hands the work out. Asked again by a retry or after Clear, it gets
        back what is left of its own plan and nothing new.
    :return: None when there is nothing to do yet; an empty list when everything of this plan is done.
    """

    def work(connection: sa.Connection) -> list[PlannedDelivery] | None:
        take_turns(connection, *routes)
        earlier = _own(connection, key)
        if earlier is not None:
            return earlier
        seen = look(store, connection)
        now = seen.now
        asking = asking_first(connection, routes)
        others = [each for each in routes if each not in asking]
        most = limit * len(others)
        rows = [
            row
            for each in others
            for row in connection.execute(free_for_runs(seen, each, *_PLANNED, limit=most))
        ]
        rows = sorted(rows, key=lambda row: row.id)[:most]
        rows += [row for each in asking for row in connection.execute(_to_ask(seen, each))]
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
    """Whether :func:`plan` would find something; its cost does not depend on how much waits."""
    with store.read() as connection:
        seen = look(store, connection)
        some = (free_for_runs(seen, each, deliveries.c.id, limit=1) for each in routes)
        return any(connection.execute(query).first() is not None for query in some)


def _own(connection: sa.Connection, key: str) -> list[PlannedDelivery] | None:
    rows = connection.execute(
        sa.select(deliveries.c.event_id, deliveries.c.lane, deliveries.c.label, deliveries.c.state)
        .where(deliveries.c.plan == key)
        .order_by(deliveries.c.id)
    ).all()
    done = {DeliveryState.DELIVERED, DeliveryState.IGNORED}
    return [PlannedDelivery(*row[:3]) for row in rows if row.state not in done] if rows else None


def _to_ask(seen: Look, route: str) -> sa.Select[Any]:
    """One whose turn it is in its lane, what was never tried first: not for ever the same that fails by itself."""
    c = deliveries.c
    tried = sa.or_(c.last_status.is_not(None), c.last_error != "")
    turn = (sa.case((tried, 1), else_=0), c.updated_at, c.id)
    heads = sa.union_all(
        *(
            sa.select(*_PLANNED).where(*branch, ~is_behind()).order_by(*turn).limit(1).subquery().select()
            for branch in branches(seen, route)
        )
    ).subquery()
    again = sa.select(*_PLANNED).join(heads, heads.c.id == c.id)
    return again.order_by(*turn).limit(1)


def untried_wait(store: Store, conn_id: str, lying: timedelta) -> bool:
    """Whether any delivery to an endpoint waits that neither failed nor follows one that did.

    :param lying: what was handed out does not, with less than this left of its plan: its task has not begun and may never.
        Nor does what a task is at: it has asked, or it is dead.
    """
    c = deliveries.c
    routes = sa.select(route_endpoints.c.route).where(route_endpoints.c.endpoint == conn_id)
    with store.read() as connection:
        walk(connection)
        now = store.now(connection)
        begins = sa.or_(c.plan_until.is_(None), sa.not_(c.plan_until.between(now, now + lying)))
        mine = is_open(), untried(), unclaimed(now), begins
        # Route by route, each by its own index: all that waits for other endpoints is no concern.
        return any(
            connection.execute(
                sa.select(c.id).where(narrowly(c.route == route), *mine).order_by(c.id).limit(1)
            ).first()
            is not None
            for route in connection.execute(routes).scalars().all()
        )


def all_served(store: Store, routes: Sequence[str]) -> bool:
    """Whether tasks go on serving all these routes."""
    with store.read() as connection:
        return served(connection, store.now(connection)).issuperset(routes)


def is_busy(store: Store, routes: Sequence[str], besides: str) -> bool:
    """Whether many contacts' deliveries that other plans have and that are due have not been begun: not tried yet, or not
    again. One that failed loses its time when a task begins with it.
    """
    with store.read() as connection:
        walk(connection)
        now = store.now(connection)
        new = sa.select(deliveries.c.id).where(
            is_open(),
            sa.or_(
                sa.and_(is_in(DeliveryState.PENDING), deliveries.c.due_at.is_(None)),
                deliveries.c.due_at <= now,
            ),
            deliveries.c.plan_until >= now,
            deliveries.c.plan != besides,
            ~is_behind(),
        )
        # By the index of what is planned, route by route: it is in this order for each.
        some = new.order_by(deliveries.c.plan_until).limit(_MANY)
        found = (connection.execute(some.where(deliveries.c.route == each)).all() for each in routes)
        return sum(map(len, found)) >= _MANY


def waiting_runs(store: Store, route: str, besides: str) -> int:
    """How many plans of a route, besides this one, keep failed deliveries for their tasks' own retries."""
    with store.read() as connection:
        walk(connection)
        now = store.now(connection)
        kept = sa.select(deliveries.c.plan).where(
            deliveries.c.route == route,
            is_open(),
            is_in(DeliveryState.FAILED),
            deliveries.c.plan_until >= now,
            deliveries.c.plan != besides,
            unclaimed(now),
        )
        some = kept.order_by(deliveries.c.plan_until).subquery()  # by the index of what is planned
        query = sa.select(sa.func.count(sa.distinct(some.c.plan)))
        return int(connection.execute(query).scalar_one())
