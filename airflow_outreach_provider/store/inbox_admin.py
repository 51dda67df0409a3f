"""Consumers as a person looks after them: list, replay, remove."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox_order import last_numbered, number_events
from airflow_outreach_provider.store.inbox_rows import matching
from airflow_outreach_provider.store.inbox_schema import inbox_consumers, inbox_events, inbox_pending


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer's progress.

    :param pending: events handed out and not acknowledged.
    :param behind: numbered events it has not looked at yet.
    """

    name: str
    position: int
    pending: int
    behind: int
    created_at: datetime
    read_at: datetime


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
                row.consumer,
                row.position,
                row.pending,
                max(0, last - row.position),
                row.created_at,
                row.read_at,
            )
            for row in connection.execute(query.order_by(inbox_consumers.c.consumer))
        ]


def replay(
    store: Store,
    consumer: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    event_ids: Collection[str] | None = None,
    dry_run: bool = False,
) -> int:
    """Let a consumer read events again, and those its filter once turned away for the first time.

    Its next reads bring them, filtered by what those reads ask for. What the consumer has not reached yet
    comes by itself and is not counted.

    :param since: received at or after; :param until: received before; timezone-aware.
    :param dry_run: only count.
    :return: how many events.
    :raises ConfigurationError: there is no such consumer, or nothing says which events.
    """
    if since is None and until is None and source is None and kinds is None and event_ids is None:
        raise ConfigurationError("nothing says which events to replay", "give a time, a source, kinds or ids")
    conditions = matching(source=source, kinds=kinds, since=since, until=until)
    if event_ids is not None:
        conditions.append(inbox_events.c.event_id.in_(list(event_ids)))
    number_events(store)
    position = _existing(store, consumer)
    chosen = sa.select(inbox_events.c.seq).where(inbox_events.c.seq <= position, *conditions)
    if dry_run:
        with store.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(chosen.subquery())).scalar_one()

    def work(connection: sa.Connection) -> int:
        again = sa.select(sa.literal(consumer), inbox_events.c.seq, sa.true()).where(
            inbox_events.c.seq <= position, *conditions
        )
        # In one order, so that two replays at once wait for each other and not both.
        rows = again.order_by(inbox_events.c.seq)
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(inbox_pending).from_select(["consumer", "seq", "replayed"], rows)
        count = connection.execute(sa.select(sa.func.count()).select_from(chosen.subquery())).scalar_one()
        connection.execute(
            insert.on_conflict_do_update(index_elements=["consumer", "seq"], set_={"replayed": sa.true()})
        )
        return count

    return store.retrying(work)


def forget_consumer(store: Store, consumer: str) -> bool:
    """Remove a consumer's progress: under this name it would start anew. Whether there was one."""

    def work(connection: sa.Connection) -> bool:
        connection.execute(sa.delete(inbox_pending).where(inbox_pending.c.consumer == consumer))
        gone = connection.execute(sa.delete(inbox_consumers).where(inbox_consumers.c.consumer == consumer))
        return gone.rowcount > 0

    return store.retrying(work)


def _existing(store: Store, consumer: str) -> int:
    with store.read() as connection:
        found = connection.execute(sa.select(inbox_consumers.c.consumer, inbox_consumers.c.position))
        positions = {row.consumer: row.position for row in found}
    if consumer in positions:
        return int(positions[consumer])
    close = get_close_matches(consumer, positions, n=1)
    known = ", ".join(sorted(positions)) or "none: a consumer appears with its first read"
    raise ConfigurationError(
        f"there is no consumer {consumer!r}",
        f"did you mean {close[0]!r}?" if close else f"known consumers: {known}",
    )
