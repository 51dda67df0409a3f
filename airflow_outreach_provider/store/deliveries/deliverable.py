"""What may be delivered now and is in nobody's hands, as the doorbells see it: cheap, and without effect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import sqlalchemy as sa

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.store.bulk import rows_param, rowset
from airflow_outreach_provider.store.by_index import is_one, narrowly, probe, walk
from airflow_outreach_provider.store.deliveries.attempts import is_open
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.deliveries.waiting import (
    free_for_runs,
    is_due,
    look,
    routes_with_free,
    with_somebody,
)
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.filters import conditions_of
from airflow_outreach_provider.store.inbox.order import last_numbered, number_events
from airflow_outreach_provider.store.inbox.rows import EVENT_COLUMNS, to_event
from airflow_outreach_provider.store.inbox.tables import inbox_consumers, inbox_events, inbox_pending

_NEWS_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class ConsumerProgress:
    """How far a consumer is.

    :param position: as of :mod:`store.inbox.consumers`. :param pending: whether it has pending events.
    :param routes: for which its sensor hands events out; empty where none ever said.
    """

    position: int
    pending: bool
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Glance:
    """What all doorbells of a triggerer need to know whether to look closer.

    :param last: the last number given to an event. :param routes: those with deliveries that are with nobody.
    :param resting: those whose endpoint rests: nothing of theirs may be sent now.
    :param served: those that a task goes on serving: what is new there needs no run.
    :param news: every event numbered behind the first and up to the second number of ``news_of``, in their order.
    """

    last: int
    consumers: Mapping[str, ConsumerProgress]
    routes: frozenset[str]
    resting: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    news: Sequence[ContactEvent] = ()
    news_of: tuple[int, int] = (0, 0)


class FreeDelivery(NamedTuple):
    """A delivery that is with nobody: the same until it is tried, or somebody has it sent again.

    :ivar resend: the audit row of who had it sent again.
    """

    id: int
    tries: int
    resend: int | None


def glance(store: Store, after: int | None = None) -> Glance:
    """One look for all consumers and routes: its cost does not depend on how many there are.

    :param after: the ``last`` of the look before: what came since is read once for all, a little more of it at a time.
    """
    number_events(store)
    pending = is_one(inbox_consumers, narrowly(inbox_pending.c.consumer == inbox_consumers.c.consumer))
    columns = inbox_consumers.c.consumer, inbox_consumers.c.position, inbox_consumers.c.routes
    with store.read() as connection:
        seen = look(store, connection)
        last = last_numbered(connection)
        known = {
            row.consumer: ConsumerProgress(row.position, bool(row.pending), tuple(row.routes.split()))
            for row in connection.execute(sa.select(*columns, pending.label("pending")))
        }
        free_routes = routes_with_free(seen, connection)
        resting, tended = frozenset(seen.resting_routes), seen.served
        if after is None or last <= after:
            return Glance(last, known, free_routes, resting, tended)
        news = _news(connection, after, last)
    upto = (news[-1].seq or last) if len(news) == _NEWS_AT_MOST else last
    return Glance(last, known, free_routes, resting, tended, news, (after, upto))


def _news(connection: sa.Connection, after: int, upto: int) -> list[ContactEvent]:
    seq = inbox_events.c.seq
    query = sa.select(*EVENT_COLUMNS).where(seq > after, seq <= upto).order_by(seq)
    return [to_event(row) for row in connection.execute(query.limit(_NEWS_AT_MOST))]


def free_deliveries(store: Store, routes: Sequence[str], limit: int) -> list[FreeDelivery]:
    """The oldest deliveries that :func:`store.deliveries.plans.plan` would hand out."""
    with store.read() as connection:
        seen, columns = look(store, connection), (deliveries.c.id, deliveries.c.tries, deliveries.c.resend)
        some = (free_for_runs(seen, each, *columns, limit=limit) for each in routes)
        found = [FreeDelivery(*row) for query in some for row in connection.execute(query)]
    return sorted(found, key=lambda each: each.id)[:limit]


def busy_lanes(store: Store, routes: Sequence[str], lanes: Collection[str]) -> set[tuple[str, str]]:
    """Which of these lanes have an open delivery with some task, or one that is not due: ``(route, lane)``."""
    pairs = _pairs(store, routes, lanes)
    with store.read() as connection:
        probe(connection)
        now = store.now(connection)
        is_busy = is_one(
            pairs,
            deliveries.c.route == pairs.c.route,
            deliveries.c.lane == pairs.c.lane,
            is_open(),
            sa.or_(with_somebody(deliveries, now), sa.not_(is_due(deliveries, now))),
        )
        return {(row.route, row.lane) for row in connection.execute(sa.select(pairs).where(is_busy))}


def _pairs(store: Store, routes: Sequence[str], lanes: Collection[str]) -> sa.Subquery:
    """Each route with each lane."""
    columns = ("route", "lane")
    table = sa.text(f"{rowset(store.dialect, [(name, 'text') for name in columns])} AS given")
    given = table.bindparams(rows=rows_param(product(routes, lanes)))
    return sa.select(*map(sa.column, columns)).select_from(given).subquery()


def unread(
    store: Store,
    *,
    source: str | None,
    kinds: Collection[str] | None,
    after: int,
    upto: int,
    limit: int,
) -> list[ContactEvent]:
    """Events numbered behind ``after`` and up to ``upto`` that pass a filter; nobody's progress moves."""
    seq = inbox_events.c.seq
    query = sa.select(*EVENT_COLUMNS).where(seq > after, seq <= upto, *conditions_of(source, kinds))
    with store.read() as connection:
        walk(connection)
        return [to_event(row) for row in connection.execute(query.order_by(seq).limit(limit))]


def handed_out(
    store: Store, consumer: str, *, source: str | None, kinds: Collection[str] | None, limit: int
) -> list[tuple[ContactEvent, bool]]:
    """A consumer's pending events that pass a filter, and whether somebody wished to have each read again."""
    query = (
        sa.select(*EVENT_COLUMNS, inbox_pending.c.replayed)
        .join(inbox_pending, inbox_pending.c.seq == inbox_events.c.seq)
        .where(inbox_pending.c.consumer == consumer, *conditions_of(source, kinds))
        .order_by(inbox_pending.c.seq)
    )
    with store.read() as connection:
        walk(connection)
        return [(to_event(row), bool(row.replayed)) for row in connection.execute(query.limit(limit))]
