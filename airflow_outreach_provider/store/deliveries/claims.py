"""Claiming: which deliveries of a batch are one task instance's, to be done now and in this order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.by_index import is_one, narrowly, probe, walk
from airflow_outreach_provider.store.deliveries.attempts import (
    Delivery,
    again,
    is_in,
    is_open,
    listed,
    of_batch,
    unclaimed,
)
from airflow_outreach_provider.store.deliveries.plans import take_turns
from airflow_outreach_provider.store.deliveries.tables import deliveries, endpoints
from airflow_outreach_provider.store.deliveries.waiting import (
    Look,
    free_and_untried,
    free_in_lanes,
    in_lanes,
    is_behind,
    is_due,
    look,
)
from airflow_outreach_provider.store.engine import Store

# What a task takes along besides its own batch, so that a long row of them is worked off over several runs.
MOST_TAKEN_ALONG = 1000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a task instance got of its batch.

    :param mine: to be delivered now, in order; for events given directly with others of the route that are
        with nobody.
    :param busy_until: when the last claim of another task instance on this batch runs out; None without one.
    """

    mine: list[Delivery]
    busy_until: datetime | None = None


def claim(
    store: Store,
    *,
    route: str,
    event_ids: Sequence[str],
    owner: Owner,
    plan: str | None,
    endpoint: str,
    lease: timedelta,
    revive: bool,
) -> Claim:
    """Take the open deliveries of a batch, in one transaction.

    Of a sensor's batch only what is in its plan: what another plan has, and what planning left out because
    an earlier delivery of its contact is open, is not this task's; nor is what an earlier one, released or
    redelivered since, has come before: the next run takes both, in order. An earlier try of the same task instance
    is dead, so its claims are taken over.

    :param plan: the key of the sensor's plan. None when the events were given directly: no sensor keeps the
        order or takes what is left over, so what waits behind another task's delivery is left out here, and
        what else of the route is with nobody (redelivered, released) is taken along.
    :param revive: dead ones become pending first, and what is with nobody is the plan's: a person cleared the task.
    """
    key = plan or owner.key
    batch = of_batch(store, route, event_ids)

    def work(connection: sa.Connection) -> Claim:
        # Of a batch too: whoever serves the route takes what was handed out, and of a contact perhaps the first alone.
        take_turns(connection, route)
        if plan is None:
            walk(connection)
        else:
            probe(connection)
        now = store.now(connection)
        if revive:
            dead = deliveries.update().where(*batch, is_in(DeliveryState.DEAD))
            connection.execute(dead.values(**again(now), plan=key, plan_until=now + lease))
        if revive and plan is not None:
            # Its last try handed back what it did not come to; a run that nobody begins would have to take it.
            nobodys = deliveries.update().where(
                *batch, is_open(), deliveries.c.plan.is_(None), unclaimed(now)
            )
            connection.execute(nobodys.values(plan=key, plan_until=now + lease))
        others = _with_another(deliveries, owner, now)
        busy = sa.select(sa.func.max(deliveries.c.claim_until)).where(*batch, is_in(*OPEN_STATES), others)
        if plan is None:
            free_for_us = _is_free(deliveries, owner.key, now)
            ids = _with_nobody(store, connection, batch, route, endpoint, owner, now)
            chosen: list[sa.ColumnElement[bool]] = [deliveries.c.id.in_(listed(store, "int", ids))]
        else:
            chosen = [deliveries.c.plan == key, sa.or_(sa.and_(*batch), _taken_along(batch, owner))]
            _hand_back_whatis_behind(connection, chosen, key, owner, now)
            free_for_us = sa.or_(deliveries.c.claim.is_(None), sa.not_(others))
            busy = busy.where(deliveries.c.plan == key)
        busy_until = connection.execute(busy).scalar_one()
        mine = _take(connection, sa.and_(*chosen, free_for_us), owner, plan, endpoint, now, lease)
        return Claim(mine, busy_until)

    return store.retrying(work)


def claim_freed(
    store: Store,
    *,
    route: str,
    lanes: Collection[str],
    owner: Owner,
    plan: str | None,
    endpoint: str,
    lease: timedelta,
) -> list[Delivery]:
    """Take what these lanes, which have become free, hold next and nobody has: in order, as much as may be sent now."""
    if not lanes:
        return []

    def freed(seen: Look) -> sa.Select[Any]:
        return free_in_lanes(seen, route, lanes, limit=MOST_TAKEN_ALONG)

    return _claim_free(store, route, freed, owner, plan, endpoint, lease)


def claim_untried(
    store: Store, *, route: str, owner: Owner, plan: str | None, endpoint: str, lease: timedelta, limit: int,
    lying: timedelta | None = None,
) -> list[Delivery]:  # fmt: skip
    """Take what nobody has and nothing of its contact has failed, oldest first.

    :param lying: also what was handed out to tasks that have not begun; of what failed what has less than this left of
        its plan.
    """

    def those(seen: Look) -> sa.Select[Any]:
        return free_and_untried(seen, route, deliveries.c.id, limit=limit, lying=lying)

    return _claim_free(store, route, those, owner, plan, endpoint, lease)


def _claim_free(
    store: Store, route: str, those: Callable[[Look], sa.Select[Any]], owner: Owner, plan: str | None, endpoint: str,
    lease: timedelta,
) -> list[Delivery]:  # fmt: skip
    def work(connection: sa.Connection) -> list[Delivery]:
        take_turns(connection, route)
        seen = look(store, connection)
        now = seen.now
        found = connection.execute(those(seen)).scalars().all()
        # Whoever was handed them may have begun since they were looked for.
        chosen = sa.and_(deliveries.c.id.in_(listed(store, "int", found)), unclaimed(now))
        return _take(connection, chosen, owner, plan, endpoint, now, lease) if found else []

    return store.retrying(work)


def _take(
    connection: sa.Connection, chosen: sa.ColumnElement[bool], owner: Owner, plan: str | None, endpoint: str,
    now: datetime, lease: timedelta,
) -> list[Delivery]:  # fmt: skip
    """Of those that were chosen what is still open."""
    c = deliveries.c
    rows = connection.execute(
        deliveries.update()
        .where(chosen, is_in(*OPEN_STATES))
        .values(
            claim=owner.key, claim_until=now + lease, plan=plan or owner.key, plan_until=now + lease, due_at=None,
            endpoint=endpoint, updated_at=now,
        )
        .returning(c.id, c.event_id, c.lane, c.kind, c.tries, c.payload)
    ).all()  # fmt: skip
    return sorted((Delivery(*row) for row in rows), key=lambda each: each.id)


def _hand_back_whatis_behind(
    connection: sa.Connection, batch: Sequence[sa.ColumnElement[bool]], key: str, owner: Owner, now: datetime
) -> None:
    """Leave to the next run what would overtake an earlier open delivery of its lane that this plan has not, or another
    task of it is at: who serves the route is of some run, too."""
    c, other = deliveries.c, deliveries.alias()
    its_lanes = sa.select(c.route, c.lane).where(*batch).distinct().subquery()
    same = sa.and_(other.c.route == its_lanes.c.route, other.c.lane == its_lanes.c.lane)
    others = sa.select(other.c.route, other.c.lane, sa.func.min(other.c.id)).select_from(
        its_lanes.join(other, same)
    )
    elsewhere = sa.or_(other.c.plan.is_distinct_from(key), _with_another(other, owner, now))
    others = others.where(is_open(other), elsewhere).group_by(other.c.route, other.c.lane)
    for route, lane, first in connection.execute(others).all():
        # What another is at keeps the plan that its retry finds it by.
        ours = sa.or_(unclaimed(now), c.claim == owner.key)
        overtaking = (c.route == route, c.lane == lane, c.id > first, c.plan == key, is_open(), ours)
        connection.execute(
            deliveries.update().where(*batch, *overtaking).values(plan=None, plan_until=None, updated_at=now)
        )


def _with_another(table: sa.FromClause, owner: Owner, now: datetime) -> sa.ColumnElement[bool]:
    """Whether another task instance is at a delivery."""
    # As an inequality of claims it would lead PostgreSQL to all that is claimed.
    return sa.and_(table.c.claim.is_distinct_from(owner.key), table.c.claim_until >= now)


def _taken_along(batch: Sequence[sa.ColumnElement[bool]], owner: Owner) -> sa.ColumnElement[bool]:
    """What an earlier try took along and did not get through: it failed behind this batch, or died with that try.

    A lane is in one batch of a plan, so nobody else would take these.
    """
    c = deliveries.c
    its_lanes = sa.select(c.route, c.lane).where(*batch)
    behind_it = sa.and_(c.state == DeliveryState.FAILED, sa.tuple_(c.route, c.lane).in_(its_lanes))
    return sa.or_(behind_it, c.claim == owner.key)


def _is_free(table: sa.FromClause, key: str, now: datetime) -> sa.ColumnElement[bool]:
    """Whether a delivery is with nobody but the task instance ``key``."""
    planned = sa.or_(table.c.plan_until.is_(None), table.c.plan_until < now, table.c.plan == key)
    claimed = sa.or_(table.c.claim_until.is_(None), table.c.claim_until < now, table.c.claim == key)
    return sa.and_(planned, claimed, sa.or_(is_due(table, now), table.c.plan == key))


def _with_nobody(
    store: Store, connection: sa.Connection, batch: Sequence[sa.ColumnElement[bool]], route: str, endpoint: str,
    owner: Owner, now: datetime,
) -> list[int]:  # fmt: skip
    """The free deliveries of the batch and of its contacts, and as many others of the route as may come along.

    Not those whose contact has an earlier one with another task.
    """
    c, key = deliveries.c, owner.key
    behind = is_behind(lambda earlier: sa.not_(_is_free(earlier, key, now)), taken=True)
    same_place = sa.or_(c.endpoint.in_(["", endpoint]), sa.and_(*batch))
    of_route = narrowly(c.route == route)
    free = [is_open(), _is_free(deliveries, key, now), ~behind, same_place]
    lanes = connection.execute(sa.select(c.lane).where(*batch)).scalars().all()
    found = set(connection.execute(in_lanes(store, route, lanes, *free)).scalars())
    # What waits, what is due, what was left and what was ours each have an index of their own: all that is in other
    # hands or not yet due is not looked at.
    along: set[int] = set()
    for such, order in (
        ((of_route, c.plan_until.is_(None), c.due_at.is_(None)), c.id),
        ((of_route, narrowly(c.due_at <= now)), c.id + 0),
        ((of_route, narrowly(c.plan_until < now)), c.id + 0),
        ((c.plan == key, c.route + "" == route), c.id + 0),
    ):
        query = sa.select(c.id).where(*free, *such).order_by(order).limit(MOST_TAKEN_ALONG)
        along.update(connection.execute(query).scalars())
    return sorted({*found, *sorted(along)[:MOST_TAKEN_ALONG]})


def hold_behind(store: Store, route: str, endpoint: str, mine: Sequence[Delivery]) -> set[int]:
    """Hold those whose contact has a held delivery to the same endpoint, which they would overtake; their ids.

    One transaction: whoever enables the endpoint just now finds them held, or they are not held any more.
    """
    lanes = {each.lane for each in mine}

    def work(connection: sa.Connection) -> set[int]:
        its_row = sa.select(endpoints.c.conn_id).where(endpoints.c.conn_id == endpoint)
        connection.execute(its_row.with_for_update())
        held = _lanes_held(connection, store, route, endpoint, lanes)
        behind = {each.id for each in mine if each.lane in held}
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id.in_(listed(store, "int", behind)))
            .values(
                state=DeliveryState.HELD, last_error="held: an earlier event of this contact is held",
                due_at=None, updated_at=store.now(connection),
            )
        )  # fmt: skip
        return behind

    with store.read() as connection:  # as a rule there is none, and nobody is waited for
        if not lanes or not _lanes_held(connection, store, route, endpoint, lanes):
            return set()
    return store.retrying(work)


def _lanes_held(
    connection: sa.Connection, store: Store, route: str, endpoint: str, lanes: Collection[str]
) -> set[str]:
    ours = listed(store, "text", lanes).subquery()
    is_held = is_one(
        ours,
        deliveries.c.state == sa.literal_column("'held'"),  # spelt as in the index
        deliveries.c.route == route,
        deliveries.c.lane == ours.c.v,
        deliveries.c.endpoint == endpoint,
    )
    probe(connection)
    return set(connection.execute(sa.select(ours.c.v).where(is_held)).scalars())
