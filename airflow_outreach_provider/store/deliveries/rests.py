"""Endpoints at rest: an endpoint's own fault makes all its deliveries wait, and uses up none of them.

Nothing goes to it until the rest is over. Then one task asks with one request: when that fails the next rest is
longer, and when it is answered everything goes out, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.delivery_rules import OF_ADDRESS, DeliveryVerdict
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rests import pause
from airflow_outreach_provider.core.retry_after import LONGEST_WAIT_SECONDS
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.by_index import probe, walk
from airflow_outreach_provider.store.deliveries.attempts import is_open, listed, unclaimed
from airflow_outreach_provider.store.deliveries.endpoints import AWAKE, EndpointStatus, ensure, status
from airflow_outreach_provider.store.deliveries.tables import (
    deliveries,
    delivery_attempts,
    endpoints,
    route_endpoints,
)
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import capped_count
from airflow_outreach_provider.store.schema import insert_into, lasts, to_ms

MOST_WAITING = 1000
# Of what has failed so many, the newest, say whose the failures are.
_LOOKED_AT = 1000
# A question of attempts inside another names its own table.
_TRIED = delivery_attempts.alias()
# Longer than a request takes; whoever asks and dies is followed by another.
_ASKING = timedelta(minutes=2)
_LONGEST = timedelta(seconds=LONGEST_WAIT_SECONDS)
_lasts = partial(lasts, longest=_LONGEST)


class Leave(Enum):
    """Whether a task may send to an endpoint now."""

    FREELY = auto()
    ONE = auto()
    """The rest is over: one request, to see whether it answers; nobody else asks meanwhile."""
    NOT = auto()


@dataclass(frozen=True, slots=True)
class Rest:
    """:ivar began: it is a new one; False where it was only made longer."""

    since: datetime
    until: datetime
    began: bool


def rest(store: Store, conn_id: str, reason: str, asked_for: float | None = None) -> Rest:
    """Let an endpoint rest, or rest on, longer each time.

    :param asked_for: seconds, where it says itself how long.
    """

    def work(connection: sa.Connection) -> Rest:
        ensure(connection, conn_id)
        now = store.now(connection)
        mine = endpoints.c.conn_id == conn_id
        row = connection.execute(sa.select(endpoints).where(mine).with_for_update()).one()
        since, resting = row.resting_since or now, row.resting_since is not None
        # Several tasks notice the same outage: only the one that asked makes it longer.
        asked = not resting or row.asked_until is not None or not now < row.rest_until <= now + _LONGEST
        rests = row.rests + 1 if asked else row.rests
        length = pause(rests) if asked_for is None else timedelta(seconds=asked_for)
        until = now + length if asked else row.rest_until
        connection.execute(
            endpoints.update()
            .where(mine)
            .values(
                resting_since=since, rest_until=until, rest_reason=reason[:500], rests=rests, asked_until=None
            )
        )
        if not resting:
            notices.note(
                store,
                NoticeKind.ENDPOINT_RESTING,
                conn_id,
                reason,
                once=str(to_ms(since)),
                connection=connection,
            )
        return Rest(since, until, not resting)

    return store.retrying(work)


def leave(
    store: Store, conn_id: str, may_ask: Callable[[], bool] = lambda: True
) -> tuple[Leave, EndpointStatus]:
    """Ask to send to an endpoint; what is known of it. Writes only where it rests and is to be asked.

    :param may_ask: where it rests, whether this task is one to ask it.
    """
    known = status(store, conn_id)
    if known.resting_since is None:
        return Leave.FREELY, known
    if not may_ask():
        return Leave.NOT, known

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        over = sa.and_(
            endpoints.c.conn_id == conn_id,
            sa.not_(_lasts(endpoints.c.rest_until, now)),
            sa.or_(endpoints.c.asked_until.is_(None), sa.not_(_lasts(endpoints.c.asked_until, now))),
        )
        asking = endpoints.update().where(over).values(asked_until=now + _ASKING)
        return connection.execute(asking).rowcount > 0

    return (Leave.ONE if store.retrying(work) else Leave.NOT), known


def recover(store: Store, conn_id: str) -> bool:
    """It answers: end its rest, and let go at once what waited for it; whether it was resting.

    What tasks keep for their own retry, and are not at now, goes too: nothing waits for hours for an endpoint that
    is back. What failed before by a fault of its own keeps its time, or an endpoint that comes and goes would use
    up its tries within minutes.
    """

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        resting = sa.and_(endpoints.c.conn_id == conn_id, endpoints.c.resting_since.is_not(None))
        since = sa.func.coalesce(endpoints.c.failing_since, endpoints.c.resting_since)
        began = connection.execute(sa.select(since).where(resting).with_for_update()).scalar()
        woken = began is not None
        if woken:
            connection.execute(
                endpoints.update().where(resting).values(**AWAKE, failing_since=None, recovered_at=now)
            )
            notices.note(
                store, NoticeKind.ENDPOINT_RECOVERED, conn_id, "it answers again; what waited goes out",
                once=str(to_ms(now)), connection=connection,
            )  # fmt: skip
            connection.execute(
                deliveries.update()
                .where(deliveries.c.endpoint == conn_id, is_open(), unclaimed(now), ~_failed_before(began))
                .values(plan=None, plan_until=None, due_at=None, updated_at=now)
            )
        return woken

    return store.retrying(work)


def own_faults(store: Store, conn_id: str, ids: Sequence[int]) -> frozenset[int]:
    """Those of these deliveries that failed before while the endpoint answered others.

    Their next failure says nothing of the endpoint.
    """
    chosen = deliveries.c.id.in_(listed(store, "int", ids))
    with store.read() as connection:
        probe(connection)
        since = _failing_since(connection, conn_id)
        query = sa.select(deliveries.c.id).where(chosen, _failed_before(since))
        return frozenset(connection.execute(query).scalars())


def was_answered_alone(store: Store, conn_id: str, delivery_id: int, status: int) -> bool:
    """Whether a delivery had this answer before the endpoint's failures in a row: it took others since."""
    with store.read() as connection:
        since = _failing_since(connection, conn_id)
        before = [_TRIED.c.at + sa.literal_column("0") < to_ms(since)] if since is not None else []
        such = _TRIED.c.delivery_id == delivery_id, _TRIED.c.status == status, *before
        return connection.execute(sa.select(_TRIED.c.id).where(*such).limit(1)).first() is not None


def _failing_since(connection: sa.Connection, conn_id: str) -> datetime | None:
    """The first of an endpoint's failures in a row; None where its last answer was good."""
    since = sa.select(endpoints.c.failing_since).where(endpoints.c.conn_id == conn_id)
    return connection.execute(since).scalar()


def _failed_before(since: datetime | None, table: sa.FromClause = deliveries) -> sa.ColumnElement[bool]:
    """Whether a delivery has tries from before the endpoint's failures in a row, after which it answered others."""
    recent = (
        sa.select(sa.func.count()).where(*_attempts_since(since, table)).scalar_subquery()
        if since is not None
        else sa.literal(0)
    )
    return sa.and_(table.c.tries > 0, table.c.tries > recent)


def _attempts_since(since: datetime, table: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    """The conditions of a delivery's attempts since then, of which there are few: found by it, and not by the time."""
    return [_TRIED.c.delivery_id == table.c.id, _TRIED.c.at + sa.literal_column("0") >= to_ms(since)]


def failing_contacts(store: Store, conn_id: str, most: int) -> int:
    """Of how many contacts deliveries have failed since the endpoint's last success; counted up to ``most``.

    Not counted is who failed before that success: a contact that is refused again and again is no outage.
    """
    with store.read() as connection:
        return len(
            _failing(connection, conn_id, "failed", _TRIED.c.verdict != DeliveryVerdict.DELIVERED, most)
        )


def refused_contacts(store: Store, conn_id: str, most: int) -> int:
    """The same of those whom it refused as a wrong address does, for good or not."""
    refused = _TRIED.c.status.in_(OF_ADDRESS)
    with store.read() as connection:
        found = _failing(connection, conn_id, "failed", refused, most)
        return len({*found, *_failing(connection, conn_id, "dead", refused, most)})


def _failing(
    connection: sa.Connection, conn_id: str, state: str, bad: sa.ColumnElement[bool], most: int
) -> list[str]:
    newest = (
        sa.select(deliveries.c.id, deliveries.c.lane, deliveries.c.tries)
        .where(
            # Spelt as in the index.
            deliveries.c.endpoint == conn_id, deliveries.c.state == sa.literal_column(f"'{state}'"),
            sa.text("deliveries.state <> 'delivered'"),
        )
        .order_by(deliveries.c.id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )  # fmt: skip
    since = _failing_since(connection, conn_id)
    if since is None:
        return []
    walk(connection)
    any_bad: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).where(*_attempts_since(since, newest), bad).limit(1)
    )
    query = sa.select(newest.c.lane).where(
        any_bad.scalar_subquery().is_not(None), ~_failed_before(since, newest)
    )
    found: list[str] = []
    while len(found) < most:
        lane = connection.execute(query.where(newest.c.lane.not_in(found)).limit(1)).scalar()
        if lane is None:
            break
        found.append(lane)
    return found


def others_wait(store: Store, conn_id: str, owner: Owner) -> bool:
    """Whether deliveries to an endpoint wait of other contacts than those whose deliveries are in this one's hands."""
    c, mine = deliveries.c, deliveries.alias()
    lanes = sa.select(mine.c.route, mine.c.lane).where(mine.c.claim == owner.key)
    open_ones = is_open(), sa.text("deliveries.state <> 'delivered'")  # spelt as in the index
    others = sa.select(c.id).where(
        c.endpoint == conn_id, *open_ones, sa.tuple_(c.route, c.lane).not_in(lanes)
    )
    with store.read() as connection:
        walk(connection)
        return connection.execute(others.limit(1)).first() is not None


def lead_to(store: Store, route: str, conn_id: str) -> None:
    """Remember where a route's deliveries go."""
    with store.read() as connection:
        known = connection.execute(
            sa.select(route_endpoints.c.endpoint).where(route_endpoints.c.route == route)
        ).scalar()
    if known == conn_id:
        return

    def work(connection: sa.Connection) -> None:
        insert = insert_into(connection, route_endpoints).values(route=route, endpoint=conn_id)
        connection.execute(insert.on_conflict_do_update(index_elements=["route"], set_={"endpoint": conn_id}))

    store.retrying(work)


def at_rest(now: datetime) -> sa.Select[tuple[str]]:
    """Connection ids of endpoints that nobody may send to now, for an ``IN``."""
    return sa.select(endpoints.c.conn_id).where(
        endpoints.c.resting_since.is_not(None),
        sa.or_(_lasts(endpoints.c.rest_until, now), _lasts(endpoints.c.asked_until, now)),
    )


def resting_routes(connection: sa.Connection, now: datetime) -> frozenset[str]:
    """Routes whose endpoint rests."""
    query = sa.select(route_endpoints.c.route).where(route_endpoints.c.endpoint.in_(at_rest(now)))
    return frozenset(connection.execute(query).scalars())


def asking_first(connection: sa.Connection, routes: Sequence[str]) -> list[str]:
    """Those of these routes that lead to an endpoint that is to be asked before it gets more."""
    resting = sa.select(endpoints.c.conn_id).where(endpoints.c.resting_since.is_not(None))
    query = sa.select(route_endpoints.c.route).where(
        route_endpoints.c.route.in_(list(routes)), route_endpoints.c.endpoint.in_(resting)
    )
    return list(connection.execute(query).scalars())


def waiting(store: Store, conn_ids: Sequence[str], most: int = MOST_WAITING) -> dict[str, int]:
    """How many open deliveries each of these endpoints has, counted no further than ``most`` + 1."""
    with store.read() as connection:
        walk(connection)
        return {
            conn_id: capped_count(
                connection,
                sa.select(deliveries.c.id).where(
                    deliveries.c.endpoint == conn_id,
                    is_open(),
                    sa.text("deliveries.state <> 'delivered'"),  # spelt as in the index of these alone
                ),
                most,
            )
            for conn_id in conn_ids
        }
