"""Each consumer's own progress through the inbox.

A consumer has a ``position`` (everything up to it was handed out or filtered away) and its
pending events (handed out, not acknowledged). A poll costs what is pending and what is new.

A consumer's filter is part of it: what its filter turned away is passed for good. To widen a filter over
what has passed, use :func:`store.inbox.consumers.replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.route_verdict import EventReader
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.store.bulk import values_param, valueset
from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.filters import conditions_of, note_filter, replayed_in_vain
from airflow_outreach_provider.store.inbox.order import last_numbered, number_events
from airflow_outreach_provider.store.inbox.rows import EVENT_COLUMNS, matching, to_event
from airflow_outreach_provider.store.inbox.tables import inbox_consumers, inbox_events, inbox_pending
from airflow_outreach_provider.store.schema import insert_into

Where = Callable[[ContactEvent], bool]
Start = Literal["beginning", "now"]

_CHUNK = 500
_MAX_NAME = 250


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a consumer, its ``where`` left aside.

    :param count: events, at most the ``limit`` asked for.
    :param newest: seq of the newest of them, 0 when nothing waits.
    :param reached: no event up to this seq waits but those handed out before.
    """

    count: int
    newest: int
    reached: int


def read_new(
    store: Store,
    consumer: str,
    *,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    where: Where | None = None,
    limit: int = 1000,
    start: Start = "beginning",
) -> list[ContactEvent]:
    """Events for this consumer in reading order: first those read before and not acknowledged, then new ones.

    :param kinds: None is every kind but ``unrecognised``, which comes to those who ask for it.
    :param where: asked for each event that passes ``source`` and ``kinds``; what it turns away is done with.
    :param limit: at most so many events.
    :param start: where a consumer seen for the first time begins: with the oldest stored event, so that
        nothing is lost, or with what comes from now on.
    :raises ConfigurationError: an unknown kind, or a name that cannot be a consumer's.
    """
    conditions = conditions_of(source, kinds)
    number_events(store)
    position = register(store, consumer, start)
    note_filter(store, consumer, source, kinds)
    events = _pending(store, consumer, conditions, where, limit)
    while len(events) < limit:
        wanted = min(_CHUNK, limit - len(events))
        found, reached = _after(store, position, conditions, wanted)
        kept = [event for event in found if where is None or where(event)]
        if reached == position:
            break
        if not _hand_out(store, consumer, position, reached, kept):
            break  # the same consumer is being read elsewhere; what that one takes comes again if need be
        events += kept
        position = reached
        if len(found) < wanted:
            break
    return events


def acknowledge(store: Store, consumer: str, seqs: Iterable[int]) -> None:
    """These events are done for this consumer; acknowledging twice is harmless."""
    done = sorted(set(seqs))

    def work(connection: sa.Connection) -> None:
        for start in range(0, len(done), _CHUNK):
            connection.execute(
                sa.delete(inbox_pending).where(
                    inbox_pending.c.consumer == consumer,
                    inbox_pending.c.seq.in_(done[start : start + _CHUNK]),
                )
            )

    if done:
        store.retrying(work)


def waiting(
    store: Store,
    consumer: str,
    *,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    limit: int = 1000,
    start: Start = "beginning",
    after: int | None = None,
) -> Waiting:
    """How many events :func:`read_new` would look at, without handing any out.

    :param after: None when this is the consumer's own filter: what it turns away is passed on the way. A
        doorbell, whose filter may be narrower than its consumer's, gives the ``reached`` of its last call (0
        the first time) instead: new events up to there are not looked at again, and nothing is changed.
    """
    conditions = conditions_of(source, kinds)
    number_events(store)
    position = register(store, consumer, start)
    if after is None:
        note_filter(store, consumer, source, kinds)
    seq = inbox_events.c.seq
    floor = max(position, after or 0)
    pending = (
        sa.select(seq)
        .join(inbox_pending, inbox_pending.c.seq == seq)
        .where(inbox_pending.c.consumer == consumer, *conditions)
    )
    new = sa.select(seq).where(seq > floor, *conditions)
    with store.read() as connection:
        walk(connection)
        last = last_numbered(connection)
        held = connection.execute(pending.order_by(inbox_pending.c.seq).limit(limit)).scalars().all()
        fresh: Sequence[int] = []
        if last > floor:
            fresh = connection.execute(new.where(seq <= last).order_by(seq).limit(limit)).scalars().all()
    if not fresh and after is None:
        pass_by(store, consumer, position, last)
    reached = fresh[0] - 1 if fresh else last
    return Waiting(min(limit, len(held) + len(fresh)), max([*held, *fresh], default=0), max(floor, reached))


def register(store: Store, consumer: str, start: Start = "beginning") -> int:
    """The consumer's position; a new consumer gets one.

    :raises ConfigurationError: a name that cannot be a consumer's.
    """
    query = sa.select(inbox_consumers.c.position).where(inbox_consumers.c.consumer == consumer)
    with store.read() as connection:
        position = connection.execute(query).scalar()
    if position is not None:
        return int(position)
    check_consumer(consumer)

    def work(connection: sa.Connection) -> int:
        values = {
            "consumer": consumer,
            "position": last_numbered(connection) if start == "now" else 0,
            "now": connection.execute(sa.select(store.now_ms())).scalar_one(),
        }
        connection.execute(_NEW_CONSUMER, values)
        return int(connection.execute(query).scalar_one())

    return store.retrying(work)


def check_consumer(consumer: str) -> str:
    """The name, if it can be a consumer's.

    :raises ConfigurationError: it cannot.
    """
    if not consumer or len(consumer) > _MAX_NAME or not consumer.isprintable():
        raise ConfigurationError(
            f"a consumer cannot be called {consumer[:50]!r}", f"use 1 to {_MAX_NAME} printable characters"
        )
    return consumer


def note_routes(store: Store, consumer: str, routes: Sequence[str], where: str | None) -> None:
    """Write down for which routes this consumer's events are handed out, and which of them, where that is news.

    :param where: its expression; its source and kinds are noted with each look.
    """
    said = (" ".join(sorted(routes)), where or "")
    mine = inbox_consumers.c.consumer == consumer
    columns = inbox_consumers.c.routes, inbox_consumers.c.reads_where
    with store.read() as connection:
        known = connection.execute(sa.select(*columns).where(mine)).first()
    if known is None or tuple(known) == said:
        return
    values = dict(zip(("routes", "reads_where"), said, strict=True))
    store.retrying(lambda c: c.execute(sa.update(inbox_consumers).where(mine).values(values)))


@dataclass(frozen=True, slots=True)
class Reads:
    """What a consumer's sensor reads, as it last said."""

    routes: tuple[str, ...]
    source: str | None
    kinds: tuple[str, ...] | None
    where: str | None


def reads(store: Store, consumer: str) -> Reads | None:
    """What a consumer reads; None where its sensor never said."""
    query = sa.select(inbox_consumers).where(inbox_consumers.c.consumer == consumer)
    with store.read() as connection:
        row = connection.execute(query).first()
    if row is None or row.reads_where is None or row.kinds is None:
        return None
    return Reads(
        tuple(row.routes.split()), row.source, tuple(row.kinds.split()) or None, row.reads_where or None
    )


def readers_of(store: Store, seq: int | None) -> list[EventReader]:
    """Every consumer as it stands to the event of this place in the reading order, by name. :param seq: None: it has none yet."""
    held = sa.select(inbox_pending.c.consumer).where(inbox_pending.c.seq == seq)
    with store.read() as connection:
        pending = set(connection.execute(held).scalars()) if seq is not None else set()
        rows = connection.execute(sa.select(inbox_consumers).order_by(inbox_consumers.c.consumer)).all()
    return [
        EventReader(
            row.consumer, tuple(row.routes.split()) or (row.consumer,),
            row.reads_where is not None and row.kinds is not None, row.source,
            tuple((row.kinds or "").split()) or None, row.reads_where or None,
            seq is None or seq > row.position or row.consumer in pending,
        )
        for row in rows
    ]  # fmt: skip


def pass_by(store: Store, consumer: str, position: int, reached: int) -> None:
    """Nothing from ``position`` up to ``reached`` is for this consumer: it need not be looked at again."""
    if reached > position:
        _hand_out(store, consumer, position, reached, [])


_HAND_OUT = {
    dialect: sa.text(
        "INSERT INTO inbox_pending (consumer, seq) "
        f"SELECT CAST(:consumer AS text), r.v FROM {valueset(dialect, 'int')} AS r"
    )
    for dialect in ("sqlite", "postgresql")
}
_NEW_CONSUMER = sa.text(
    "INSERT INTO inbox_consumers (consumer, position, created_at, read_at) "
    "VALUES (:consumer, :position, :now, :now) ON CONFLICT (consumer) DO NOTHING"
)


def _pending(
    store: Store, consumer: str, conditions: list[sa.ColumnElement[bool]], where: Where | None, limit: int
) -> list[ContactEvent]:
    query = (
        sa.select(*EVENT_COLUMNS)
        .join(inbox_pending, inbox_pending.c.seq == inbox_events.c.seq)
        .where(inbox_pending.c.consumer == consumer, *conditions)
        .order_by(inbox_pending.c.seq)  # of the two the one whose index has the consumer in it
        .limit(limit)
    )
    with store.read() as connection:
        walk(connection)
        events = [to_event(row) for row in connection.execute(query)]
        until = events[-1].seq if 0 < len(events) == limit else None
        unread = replayed_in_vain(consumer, conditions, until)
        in_vain = limit > 0 and connection.execute(sa.select(unread.exists())).scalar_one()
    if in_vain:
        done = inbox_pending.c.consumer == consumer, inbox_pending.c.seq.in_(unread)
        store.retrying(lambda connection: connection.execute(sa.delete(inbox_pending).where(*done)))
    if where is None:
        return events
    kept = [event for event in events if where(event)]
    acknowledge(store, consumer, {event.seq or 0 for event in events} - {event.seq or 0 for event in kept})
    return kept


def _after(
    store: Store, position: int, conditions: list[sa.ColumnElement[bool]], wanted: int
) -> tuple[list[ContactEvent], int]:
    """Up to ``wanted`` events behind ``position``, and how far that looked."""
    query = sa.select(*EVENT_COLUMNS).where(inbox_events.c.seq > position, *conditions)
    with store.read() as connection:
        walk(connection)
        # First how far, then what: numbers and the mark are committed together, so nothing hides below it.
        last = last_numbered(connection)
        if last <= position:
            return [], position
        bounded = query.where(inbox_events.c.seq <= last).order_by(inbox_events.c.seq).limit(wanted)
        events = [to_event(row) for row in connection.execute(bounded)]
    reached = events[-1].seq if len(events) == wanted else last
    return events, reached or position


def _hand_out(store: Store, consumer: str, position: int, reached: int, events: list[ContactEvent]) -> bool:
    """Move on from ``position`` and note the events as pending; False when somebody else has moved it."""

    def work(connection: sa.Connection) -> bool:
        moved = connection.execute(
            sa.update(inbox_consumers)
            .where(inbox_consumers.c.consumer == consumer, inbox_consumers.c.position == position)
            .values(position=reached, read_at=store.now_ms())
        )
        if moved.rowcount != 1:
            return False
        if events:
            values = values_param([event.seq or 0 for event in events])
            connection.execute(_HAND_OUT[store.dialect], {"consumer": consumer, "values": values})
        return True

    return store.retrying(work)


def replay(
    store: Store,
    consumer: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    event_ids: Collection[str] | None = None,
    campaign: str | None = None,
    dry_run: bool = False,
) -> int:
    """Let a consumer read events again, and those its filter once turned away for the first time.

    Its next reads bring them, filtered by what those reads ask for. What the consumer has not reached yet
    comes by itself and is not counted.

    :param since: received at or after; :param until: received before; timezone-aware. :param campaign: the platform's.
    :param dry_run: only count.
    :return: how many events.
    :raises ConfigurationError: there is no such consumer, or nothing says which events.
    """
    if all(each is None for each in (since, until, source, kinds, event_ids, campaign)):
        raise ConfigurationError("nothing says which events to replay", "give a time, a source, kinds or ids")
    conditions = matching(source=source, kinds=kinds, since=since, until=until)
    if event_ids is not None:
        conditions.append(inbox_events.c.event_id.in_(list(event_ids)))
    if campaign is not None:
        conditions.append(inbox_events.c.campaign_id == campaign)
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
        insert = insert_into(connection, inbox_pending).from_select(["consumer", "seq", "replayed"], rows)
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
    known = ", ".join(sorted(positions)) or "none: a consumer appears with its first read"
    hint = did_you_mean(consumer, positions, f"known consumers: {known}")
    raise ConfigurationError(f"there is no consumer {consumer!r}", hint)
