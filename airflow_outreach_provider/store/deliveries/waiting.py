"""What may be sent now and is in nobody's hands, found by indexes that hold no more than what waits.

An open delivery is *waiting* (nobody was ever handed it, and it is due at once), *due* (its time has come), or *left* (a
plan for it has run out). Each of the three is read in order from an index of its own, so that a look costs what it
finds, however many deliveries are in somebody's hands, wait for their time, or were done long ago.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.store.by_index import is_one, narrowly, walk
from airflow_outreach_provider.store.deliveries.attempts import is_open, listed, unclaimed
from airflow_outreach_provider.store.deliveries.rests import resting_routes
from airflow_outreach_provider.store.deliveries.tables import deliveries, served_routes
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import lasts

Condition = sa.ColumnElement[bool]

# Who serves a route says so every second, and for no longer than this.
_LONGEST_STAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at what waits, in one transaction.

    :ivar resting_routes: routes whose endpoint rests: nobody may send theirs now.
    :ivar served: routes that a task goes on serving with what comes in.
    """

    store: Store
    now: datetime
    resting_routes: tuple[str, ...]
    served: frozenset[str]


def look(store: Store, connection: sa.Connection) -> Look:
    """Begin a look; until the end of its transaction plans do not depend on statistics."""
    walk(connection)
    now = store.now(connection)
    return Look(store, now, tuple(resting_routes(connection, now)), served(connection, now))


def served(connection: sa.Connection, now: datetime) -> frozenset[str]:
    """Routes that a task goes on serving with what comes in."""
    query = sa.select(served_routes.c.route).where(is_serving(now))
    return frozenset(connection.execute(query).scalars())


def is_serving(now: datetime) -> Condition:
    """Whether who serves a route still does."""
    return lasts(served_routes.c.until, now, _LONGEST_STAY)


# Of the branches the first is long and walked by its index of ids; the others are few, and put in order when found.
_ORDERS = (deliveries.c.id, deliveries.c.id + 0, deliveries.c.id + 0)


def free(
    seen: Look, route: str, *columns: sa.Column[Any], limit: int, such: Sequence[Condition] = ()
) -> sa.Select[Any]:
    """Open deliveries of a route that may be sent now and are in nobody's hands, oldest first.

    So they are due, their endpoint does not rest, and no earlier one of their lane is with somebody or not yet due.
    """
    wanted = _with_id(columns)
    oldest = [
        sa.select(*wanted).where(*branch, *such).order_by(order).limit(limit).subquery()
        for branch, order in zip(branches(seen, route), _ORDERS, strict=True)
    ]
    return _merged(oldest, columns, limit)


def free_for_runs(
    seen: Look, route: str, *columns: sa.Column[Any], limit: int, such: Sequence[Condition] = ()
) -> sa.Select[Any]:
    """The same without what the task takes that serves the route already: what failed has a run of its own."""
    if route not in seen.served:
        return free(seen, route, *columns, limit=limit, such=such)
    tried = deliveries.alias()
    first = (
        sa.select(tried.c.lane, sa.func.min(tried.c.id).label("first"))
        .where(narrowly(tried.c.route == route), is_open(tried), tried.c.tries > 0)
        .group_by(tried.c.lane)
        .subquery()
    )
    behind = sa.and_(deliveries.c.lane == first.c.lane, deliveries.c.id >= first.c.first)
    query = sa.select(*columns).select_from(first.join(deliveries, behind))
    of_route = deliveries.c.route == route
    return query.where(of_route, *_may_go(seen, route), *such).order_by(deliveries.c.id + 0).limit(limit)


def free_in_lanes(seen: Look, route: str, lanes: Collection[str], limit: int) -> sa.Select[Any]:
    """The ids of the same of these lanes."""
    return in_lanes(seen.store, route, lanes, *_may_go(seen, route)).limit(limit)


def in_lanes(store: Store, route: str, lanes: Collection[str], *such: Condition) -> sa.Select[Any]:
    """The ids of such deliveries of these lanes, oldest first: lane by lane, not of all that waits for the route."""
    c, ours = deliveries.c, listed(store, "text", set(lanes))
    if store.dialect != "postgresql":
        # Not by an index of ids: those of the few lanes are put in order when they are found.
        query = sa.select(c.id).where(narrowly(c.route == route), c.lane.in_(ours), *such)
        return query.order_by(c.id + 0)
    lane = ours.subquery()
    each = sa.select(c.id).where(c.route == route, c.lane == lane.c.v, *such)
    found = each.offset(sa.literal_column("0")).lateral()  # or it would become the join that it is not to be
    return sa.select(found.c.id).select_from(lane.join(found, sa.true())).order_by(found.c.id)


def free_and_untried(
    seen: Look, route: str, *columns: sa.Column[Any], limit: int, lying: timedelta | None = None
) -> sa.Select[Any]:
    """Those of which nothing of their contact has failed.

    :param lying: as if nothing were planned: with somebody is what a task is at. And of what failed what was handed out
        to be tried again, with less than this left of its plan, and no task has begun.
    """
    if lying is None:
        return free(seen, route, *columns, limit=limit, such=[untried(deliveries.c.tries + 0)])
    wanted = sa.select(*_with_id(columns))
    untouched = wanted.where(*_not_begun(seen, route), untried()).order_by(deliveries.c.id)
    again = _lying(seen, wanted, route, lying, _to_be_tried_again())
    return _merged([each.limit(limit).subquery() for each in (untouched, again)], columns, limit)


def is_overdue(seen: Look, connection: sa.Connection, route: str, left: timedelta) -> bool:
    """Whether something was handed out that no task has begun, with less than ``left`` of its plan left."""
    late = _lying(seen, sa.select(deliveries.c.id), route, left, sa.or_(untried(), _to_be_tried_again()))
    return connection.execute(late.limit(1)).first() is not None


def _lying(seen: Look, query: sa.Select[Any], route: str, left: timedelta, such: Condition) -> sa.Select[Any]:
    """Of this query such as were handed out, have less than ``left`` of their plan left, and no task has begun."""
    until = deliveries.c.plan_until
    late = until >= seen.now, until < seen.now + left
    return query.where(*_not_begun(seen, route), *late, such).order_by(until)


def _to_be_tried_again() -> Condition:
    """That a task has it and has not begun with it: that takes its time away. It was handed out when that had come, or is
    kept until it comes.

    And that it is the first of its contact: what failed holds the others back.
    """
    return sa.and_(deliveries.c.due_at.is_not(None), deliveries.c.tries > 0, ~is_behind())


def _not_begun(seen: Look, route: str) -> list[Condition]:
    """That no task is at it, planned or not, and it may go."""
    now = seen.now
    in_the_way = is_behind(lambda each: sa.or_(each.c.claim_until >= now, _is_late(each, now)), taken=True)
    return [
        narrowly(deliveries.c.route == route), is_open(), is_due(deliveries, now), unclaimed(now),
        *_not_resting(seen, route), ~in_the_way,
    ]  # fmt: skip


def routes_with_free(seen: Look, connection: sa.Connection) -> frozenset[str]:
    """All routes of which a run may take something now."""
    found = set()
    routes_open = open_routes(connection)
    known = sa.select(sa.column("v", sa.Text)).select_from(listed(seen.store, "text", routes_open).subquery())
    unserved = known.where(sa.column("v").not_in(seen.served)) if seen.served else known
    routes = unserved.subquery()
    any_of = [
        is_one(routes, *branch, order=order)
        for branch, order in zip(branches(seen, routes.c.v), _ORDERS, strict=True)
    ]
    found |= set(connection.execute(sa.select(routes.c.v).where(sa.or_(*any_of))).scalars())
    for route in seen.served.intersection(routes_open):
        if connection.execute(free_for_runs(seen, route, deliveries.c.id, limit=1)).first() is not None:
            found.add(route)
    return frozenset(found)


def branches(seen: Look, route: str | sa.ColumnElement[str]) -> list[list[Condition]]:
    """What is free of a route, in three kinds, each with an index in the order of ids, or of few."""
    c, now = deliveries.c, seen.now
    of_all = [
        narrowly(c.route == route), is_open(), unclaimed(now), *_not_resting(seen, route),
        ~is_behind(lambda each: _is_taken(each, now), taken=True),
    ]  # fmt: skip
    nobody = sa.or_(c.plan_until.is_(None), c.plan_until < now)
    return [
        [*of_all, c.plan_until.is_(None), c.due_at.is_(None)],
        [*of_all, narrowly(c.due_at <= now), nobody],
        [*of_all, narrowly(c.plan_until < now), c.due_at.is_(None)],
    ]


def is_behind(
    such: Callable[[sa.FromClause], Condition] = lambda _: sa.true(), *, taken: bool = False
) -> Condition:
    """Whether an earlier open delivery of the same lane is such a one; any, where nothing is said.

    :param taken: such ones have a plan, a claim or a time: an index of these alone is asked.
    """
    earlier = deliveries.alias()
    c = earlier.c
    ever = sa.or_(c.plan_until.is_not(None), c.claim_until.is_not(None), c.due_at.is_not(None))
    return is_one(
        deliveries,
        narrowly(c.route == deliveries.c.route),
        narrowly(c.lane == deliveries.c.lane),
        c.id < deliveries.c.id,
        is_open(earlier),
        *([ever] if taken else []),
        such(earlier),
    )


def untried(tries: sa.ColumnElement[int] = deliveries.c.tries) -> Condition:
    """Whether neither a delivery nor an earlier open one of its lane has failed by itself.

    :param tries: of the delivery; as an expression where another index than that of untried ones is to be walked.
    """
    return sa.and_(
        tries == sa.literal_column("0"),
        ~is_behind(lambda earlier: earlier.c.tries > sa.literal_column("0")),
    )


def is_due(table: sa.FromClause, now: datetime) -> Condition:
    """Whether a delivery's time has come."""
    return sa.or_(table.c.due_at.is_(None), table.c.due_at <= now)


def _is_late(table: sa.FromClause, now: datetime) -> Condition:
    return sa.and_(table.c.due_at.is_not(None), table.c.due_at > now)


def with_somebody(table: sa.FromClause, now: datetime) -> Condition:
    """Whether a delivery is planned for a task, or one is at it."""
    return sa.or_(table.c.plan_until >= now, table.c.claim_until >= now)


def _is_taken(table: sa.FromClause, now: datetime) -> Condition:
    """Whether what comes behind this one has to wait for it."""
    return sa.or_(with_somebody(table, now), _is_late(table, now))


def _may_go(seen: Look, route: str) -> list[Condition]:
    """The conditions of all branches as one, but that a delivery is of the route."""
    c, now = deliveries.c, seen.now
    return [
        is_open(), sa.or_(c.plan_until.is_(None), c.plan_until < now), unclaimed(now),
        is_due(deliveries, now), *_not_resting(seen, route),
        ~is_behind(lambda each: _is_taken(each, now), taken=True),
    ]  # fmt: skip


def _not_resting(seen: Look, route: str | sa.ColumnElement[str]) -> list[Condition]:
    """That the route's endpoint does not rest. Its present one, wherever a delivery went before: one that waited for a place
    which the route has left would be overtaken."""
    if isinstance(route, str):
        return [sa.false()] if route in seen.resting_routes else []
    return [route.not_in(seen.resting_routes)] if seen.resting_routes else []


def _with_id(columns: Sequence[sa.Column[Any]]) -> list[sa.Column[Any]]:
    """What parts that are to be merged have to give: they are put in order by it."""
    return [deliveries.c.id, *(each for each in columns if each is not deliveries.c.id)]


def _merged(parts: Sequence[sa.Subquery], columns: Sequence[sa.Column[Any]], limit: int) -> sa.Select[Any]:
    merged = sa.union_all(*(sa.select(each) for each in parts)).subquery()
    chosen = [merged.c[each.name] for each in columns]
    return sa.select(*chosen).order_by(merged.c.id).limit(limit)


def open_routes(connection: sa.Connection) -> list[str]:
    """Routes with open deliveries, hopping from one to the next in their index."""
    return list(connection.execute(_HOPPING).scalars())


_HOPPING = sa.text(
    "WITH RECURSIVE hop(route) AS (SELECT MIN(route) FROM deliveries WHERE state IN ('pending', 'failed') "
    "UNION ALL SELECT (SELECT MIN(route) FROM deliveries WHERE state IN ('pending', 'failed') AND route > hop.route) "
    "FROM hop WHERE hop.route IS NOT NULL) SELECT route FROM hop WHERE route IS NOT NULL"
)
