"""The seam between inbox and deliveries: events become deliveries in the transaction that acknowledges them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState, label_of, lane_of
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.deliveries.attempts import NewDelivery, listed, record
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events, inbox_pending


def new_delivery(event: ContactEvent, route: str, payload: str | None = None) -> NewDelivery:
    """The delivery of ``event`` to ``route``, before anything was tried."""
    return NewDelivery(
        event.id, route, lane_of(event), event.source, event.kind.value, label_of(event), payload
    )


def fan_out(
    store: Store,
    consumer: str,
    events: Sequence[ContactEvent],
    routes: Sequence[str],
    *,
    handed_to: str | None = None,
    plan_for: timedelta = timedelta(0),
) -> int:
    """Record each event for each route and acknowledge it for the consumer, in one transaction.

    Deliveries of an event that somebody had replayed start anew. Others that are there already stay as they
    are: another consumer of the route, or a task given the event directly, was first. Only what was not
    recognised then is told to the route for the first time now.

    :param events: from ``inbox.read_new``, each with its ``seq``.
    :param handed_to: the plan key of a task that does not report back; its deliveries end as ``handed``.
    :return: how many events were taken; others have been taken by another reader meanwhile.
    """
    by_seq = {event.seq: event for event in events if event.seq is not None}

    def work(connection: sa.Connection) -> int:
        probe(connection)
        now = store.now(connection)
        # Whoever deletes the row owns the event: a second reader waits here and then finds nothing.
        taken = connection.execute(
            sa.delete(inbox_pending)
            .where(_those(store, consumer, by_seq))
            .returning(inbox_pending.c.seq, inbox_pending.c.replayed)
        ).all()
        mine = [by_seq[row.seq] for row in sorted(taken)]
        rows = [new_delivery(event, route) for event in mine for route in routes]
        state = DeliveryState.HANDED if handed_to else DeliveryState.PENDING
        replayed = [by_seq[row.seq].id for row in taken if row.replayed]
        again = [*replayed, *_recognised(connection, store, rows)]
        _restart(connection, store, again, routes, state, handed_to)
        until = now + plan_for if handed_to else None
        record(connection, rows, now, state=state, plan=handed_to, plan_until=until)
        return len(mine)

    took = store.retrying(work) if by_seq else 0
    store.added("deliveries", took * len(routes))
    return took


def _those(store: Store, consumer: str, seqs: Collection[int]) -> sa.ColumnElement[bool]:
    """Whether a pending event of the consumer is one of these."""
    pending, some = inbox_pending.c, listed(store, "int", seqs)
    if store.dialect != "postgresql":
        return sa.and_(pending.consumer == consumer, pending.seq.in_(some))
    # Of a consumer that it knew to be the same for all, PostgreSQL would look through all that is pending.
    pair: list[sa.ColumnElement[Any]] = [sa.literal(consumer), sa.column("v")]
    pairs = sa.select(*pair).select_from(some.subquery())
    return sa.tuple_(pending.consumer, pending.seq).in_(pairs.offset(sa.literal_column("0")))


def _recognised(connection: sa.Connection, store: Store, rows: Sequence[NewDelivery]) -> list[str]:
    """Ids of events that were unrecognised when these deliveries were recorded; what they are now is written."""
    known = {(row.event_id, row.route): row for row in rows if row.kind != EventKind.UNRECOGNISED}
    stale = connection.execute(
        sa.select(deliveries.c.id, deliveries.c.event_id, deliveries.c.route).where(
            deliveries.c.event_id.in_(listed(store, "text", {event_id for event_id, _ in known})),
            deliveries.c.kind == EventKind.UNRECOGNISED,
        )
    ).all()
    found = [(row.id, known[row.event_id, row.route]) for row in stale if (row.event_id, row.route) in known]
    for number, now in found:
        values = {"kind": now.kind, "label": now.label, "lane": now.lane}
        connection.execute(deliveries.update().where(deliveries.c.id == number).values(values))
    return [now.event_id for _, now in found]


def _restart(
    connection: sa.Connection,
    store: Store,
    event_ids: Sequence[str],
    routes: Sequence[str],
    state: DeliveryState,
    plan: str | None,
) -> None:
    if not event_ids:
        return
    connection.execute(
        deliveries.update()
        .where(
            deliveries.c.event_id.in_(listed(store, "text", event_ids)),
            deliveries.c.route.in_(list(routes)),
        )
        .values(
            state=state,
            tries=0,
            plan=plan,
            plan_until=None,
            due_at=None,
            updated_at=store.now(connection),
            resend=None,
            resent_from=None,  # who has an earlier resend taken back does not mean this
        )
    )


def send(store: Store, event: ContactEvent, route: str) -> int:
    """Make a delivery of an event to a route, whatever its consumer reads; 0 where there is one."""

    def work(connection: sa.Connection) -> int:
        there = sa.select(deliveries.c.id).where(
            deliveries.c.event_id == event.id, deliveries.c.route == route
        )
        if connection.execute(there).first() is not None:
            return 0
        record(connection, [new_delivery(event, route)], store.now(connection))
        return 1

    return store.retrying(work)


def bodies(store: Store, event_ids: Sequence[str]) -> dict[str, bytes]:
    """The raw bodies of events, as received."""
    with store.read() as connection:
        rows = connection.execute(
            sa.select(inbox_events.c.event_id, inbox_events.c.body).where(
                inbox_events.c.event_id.in_(listed(store, "text", event_ids))
            )
        )
        return {row.event_id: bytes(row.body) for row in rows}
