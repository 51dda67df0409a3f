"""How far each consumer is, and which of them nobody seems to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.filters import can_read, readable
from airflow_outreach_provider.store.inbox.order import last_numbered, number_events
from airflow_outreach_provider.store.inbox.tables import inbox_consumers, inbox_events, inbox_pending

_COUNTED = 2_000


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer's progress.

    :param pending: events handed out, or replayed, that it can read and has not acknowledged.
    :param behind: numbered events it can read and has not looked at yet, counted among the next 2,000 events.
        Of what is rarer than that the latest are looked at: it is not 0 where something waits.
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
        .join(inbox_consumers, inbox_consumers.c.consumer == inbox_pending.c.consumer)
        .join(inbox_events, inbox_events.c.seq == inbox_pending.c.seq)
        .where(can_read())
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
                _unread(connection, row)[0] if row.position < last else 0,
                row.created_at, row.read_at, row.looked_at,
            )
            for row in connection.execute(query.order_by(inbox_consumers.c.consumer)).all()
        ]  # fmt: skip


def _unread(connection: sa.Connection, consumer: Any) -> tuple[int, datetime | None]:
    """How many events a consumer can read and has not looked at, as far as is counted, and when the oldest of them came.

    :param consumer: its row.
    """
    e = inbox_events.c
    following = e.seq > consumer.position
    looked, count, oldest = _counted(connection, consumer, [following], e.seq)
    if count or looked < _COUNTED:
        return count, oldest
    # Nothing among the next: what it reads is rare, and has an index of its own, in which unread ones are the latest.
    kinds = (consumer.kinds or "").split()
    if not kinds and consumer.source is None:
        return 0, None
    for such in [e.kind == kind for kind in kinds] or [e.source == consumer.source]:
        _, some, first = _counted(connection, consumer, [such], e.received_at.desc())
        count, oldest = (
            count + some,
            min((each for each in (oldest, first) if each is not None), default=None),
        )
    return count, oldest


def _counted(
    connection: sa.Connection, consumer: Any, where: Sequence[sa.ColumnElement[bool]], order: Any
) -> tuple[int, int, datetime | None]:
    """Of the first events of an index: how many there are, how many it has not read, when the oldest of these came."""
    e = inbox_events.c
    columns = (e.seq, e.kind, e.source, e.received_at)
    some = sa.select(*columns).where(*where).order_by(order).limit(_COUNTED).subquery()
    passes = sa.and_(some.c.seq > consumer.position, *readable(consumer, some.c))
    counts = (sa.func.count(sa.case((passes, 1))), sa.func.min(sa.case((passes, some.c.received_at))))
    looked, count, oldest = connection.execute(sa.select(sa.func.count(), *counts).select_from(some)).one()
    return looked, count, oldest


def oldest_unread(store: Store, names: Iterable[str]) -> dict[str, datetime]:
    """When the oldest event came that each of these consumers has not done with; those without one are left out."""
    c, pending = inbox_consumers.c, inbox_pending.c
    found: dict[str, datetime] = {}
    with store.read() as connection:
        for row in connection.execute(sa.select(inbox_consumers).where(c.consumer.in_(list(names)))).all():
            held = sa.select(inbox_events.c.received_at).join(
                inbox_pending, pending.seq == inbox_events.c.seq
            )
            held = held.where(pending.consumer == row.consumer, *readable(row, inbox_events.c))
            held = held.order_by(pending.seq).limit(1)
            both = connection.execute(held).scalar(), _unread(connection, row)[1]
            if oldest := [moment for moment in both if moment is not None]:
                found[row.consumer] = min(oldest)
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
        behind = sa.select(inbox_consumers).where(c.rung_for, c.position < last).order_by(c.consumer)
        found = []
        for row in connection.execute(behind).all():
            count, oldest = _unread(connection, row)
            if oldest is not None and oldest < received_before:
                found.append(Stalled(row.consumer, count, oldest))
        return found
