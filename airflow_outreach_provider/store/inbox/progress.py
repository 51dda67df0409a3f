"""How far each consumer is, and which of them nobody seems to run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.filters import can_read
from airflow_outreach_provider.store.inbox.order import last_numbered, number_events
from airflow_outreach_provider.store.inbox.tables import inbox_consumers, inbox_events, inbox_pending

_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer's progress.

    :param pending: events handed out and not acknowledged.
    :param behind: numbered events it can read and has not looked at yet, counted up to 10,000.
    :param looked_at: when it last asked, to the hour; None where it has not for as long as that is kept.
    """

    name: str
    position: int
    pending: int
    behind: int
    created_at: datetime
    read_at: datetime
    looked_at: datetime | None = None

    def abandoned(self, now: datetime, after: timedelta) -> bool:
        """Whether it has not looked for so long that it keeps no events any more."""
        return now - (self.looked_at or self.read_at) > after


def consumers(store: Store) -> list[Consumer]:
    """Every consumer with its progress, by name."""
    held = (
        sa.select(inbox_pending.c.consumer, sa.func.count().label("pending"))
        .group_by(inbox_pending.c.consumer)
        .subquery()
    )
    query = sa.select(inbox_consumers, sa.func.coalesce(held.c.pending, 0).label("pending")).outerjoin(
        held, held.c.consumer == inbox_consumers.c.consumer
    )
    with store.read() as connection:
        last = last_numbered(connection)
        return [
            Consumer(
                row.consumer, row.position, row.pending,
                _behind(connection, row.consumer) if row.position < last else 0,
                row.created_at, row.read_at, row.looked_at,
            )
            for row in connection.execute(query.order_by(inbox_consumers.c.consumer)).all()
        ]  # fmt: skip


def _behind(connection: sa.Connection, consumer: str) -> int:
    some = (
        sa.select(inbox_events.c.row_id)
        .join(inbox_consumers, sa.and_(inbox_events.c.seq > inbox_consumers.c.position, can_read()))
        .where(inbox_consumers.c.consumer == consumer)
        .limit(_COUNTED)
        .subquery()
    )
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def oldest_unread(store: Store, names: Iterable[str]) -> dict[str, datetime]:
    """When the oldest event came that each of these consumers has not done with; those without one are left out."""
    c, pending = inbox_consumers.c, inbox_pending.c
    at = inbox_events.c.received_at
    found: dict[str, datetime] = {}
    with store.read() as connection:
        for name in names:
            held = sa.select(at).join(inbox_pending, pending.seq == inbox_events.c.seq)
            held = held.where(pending.consumer == name).order_by(pending.seq).limit(1)
            new = sa.select(at).join(inbox_consumers, sa.and_(inbox_events.c.seq > c.position, can_read()))
            new = new.where(c.consumer == name).order_by(inbox_events.c.seq).limit(1)
            oldest = [moment for query in (held, new) if (moment := connection.execute(query).scalar())]
            if oldest:
                found[name] = min(oldest)
    return found


@dataclass(frozen=True, slots=True)
class Stalled:
    """A consumer that doorbells ring for and that reads nothing. :param since: when the oldest event came."""

    consumer: str
    count: int
    since: datetime


def stalled(store: Store, received_before: datetime) -> list[Stalled]:
    """Consumers with a doorbell for which an event received before a time is still unread."""
    c = inbox_consumers.c
    number_events(store)
    with store.read() as connection:
        last = last_numbered(connection)
        behind = connection.execute(
            sa.select(c.consumer).where(c.rung_for, c.position < last).order_by(c.consumer)
        ).scalars()
        found = []
        for name in behind.all():
            oldest = connection.execute(
                sa.select(inbox_events.c.received_at)
                .join(inbox_consumers, sa.and_(inbox_events.c.seq > c.position, can_read()))
                .where(c.consumer == name)
                .order_by(inbox_events.c.seq)
                .limit(1)
            ).scalar()
            if oldest is not None and oldest < received_before:
                found.append(Stalled(name, _behind(connection, name), oldest))
        return found
