"""Removing events, by what they are about; and reading again those an older version did not recognise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.opt_outs import OptOut
from airflow_outreach_provider.core.request_headers import stored_headers
from airflow_outreach_provider.store.by_index import in_passing
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import keep_late_opt_out, keep_opt_out, keep_told
from airflow_outreach_provider.store.inbox.filters import can_read
from airflow_outreach_provider.store.inbox.rows import EVENT_COLUMNS, to_event
from airflow_outreach_provider.store.inbox.tables import (
    inbox_consumers,
    inbox_events,
    inbox_fingerprints,
    inbox_pending,
)
from airflow_outreach_provider.store.schema import to_ms

_CHUNK = 1_000
# Committed just now: behind everything that has a place in the reading order.
_NOT_NUMBERED = 2**62
_LONGEST_WINDOW_MS = 7 * 86_400_000


class ReadAgain(NamedTuple):
    """A stored event as it reads now, and what it says about being contacted: also of one that is unrecognised still."""

    event: ContactEvent
    opt_out: OptOut | None


def reparse(
    store: Store, read_again: Callable[[ContactEvent, bytes, Mapping[str, str]], ReadAgain | None]
) -> int:
    """Give unrecognised events to ``read_again``; what it recognises is new to every consumer. How many.

    :param read_again: (event as stored, raw body, headers) → as it reads now, or None when it still does not. Its id and
        received_at must stay.
    """
    query = (
        sa.select(*EVENT_COLUMNS, inbox_events.c.headers)
        .where(inbox_events.c.kind == EventKind.UNRECOGNISED.value)
        .order_by(inbox_events.c.row_id)
        .limit(_CHUNK)
    )
    total = after = 0
    while True:
        with store.read() as connection:
            rows = connection.execute(query.where(inbox_events.c.row_id > after)).all()
        if not rows:
            return total
        after = rows[-1].row_id
        for row in rows:
            read = read_again(to_event(row), row.body, stored_headers(row.headers))
            if read is not None:
                work = (
                    _listing(store, read) if _is_unrecognised(read) else _rewriter(row.row_id, row.seq, read)
                )
                total += store.retrying(work)


def _is_unrecognised(read: ReadAgain) -> bool:
    return read.event.kind is EventKind.UNRECOGNISED


def _listing(store: Store, read: ReadAgain) -> Callable[[sa.Connection], int]:
    """Lists who says no in what stays as it is: read a hundred times, it undoes nothing that somebody did since."""
    event, said = read

    def work(connection: sa.Connection) -> int:
        if said is not None:
            keep_late_opt_out(connection, event, said, store.now(connection))
        return 0

    return work


def _rewriter(row_id: int, seq: int | None, read: ReadAgain) -> Callable[[sa.Connection], int]:
    event, said = read

    def work(connection: sa.Connection) -> int:
        connection.execute(sa.delete(inbox_pending).where(inbox_pending.c.seq == seq))
        if said is not None:
            keep_opt_out(connection, event, said)
        else:
            keep_told(connection, [event])
        return connection.execute(
            sa.update(inbox_events)
            .where(inbox_events.c.row_id == row_id, inbox_events.c.kind == EventKind.UNRECOGNISED.value)
            .values(
                seq=None,
                type=event.type,
                kind=event.kind.value,
                occurred_at=event.occurred_at,
                campaign_id=event.campaign_id,
                name=event.contact.name,
                first_name=event.contact.first_name,
                last_name=event.contact.last_name,
                email=event.contact.email,
                phone=event.contact.phone,
                external_id=event.contact.external_id,
            )
        ).rowcount

    return work


def remove_events(store: Store, *conditions: sa.ColumnElement[bool]) -> int:
    """Remove the events that meet all of these, oldest first, with what waits for being acknowledged; how many."""
    row_id = inbox_events.c.row_id

    def some(after: int) -> sa.Select[Any]:
        return sa.select(row_id).where(row_id > after, *conditions).order_by(row_id).limit(_CHUNK)

    def work(ids: Sequence[int], connection: sa.Connection) -> int:
        still = sa.select(row_id, inbox_events.c.seq).where(row_id.in_(ids), *conditions)
        seqs = {row.row_id: row.seq for row in connection.execute(still)}
        connection.execute(sa.delete(inbox_pending).where(inbox_pending.c.seq.in_(list(seqs.values()))))
        return connection.execute(sa.delete(inbox_events).where(row_id.in_(list(seqs)))).rowcount

    return in_passing(store, some, work)


def purge_fingerprints(store: Store, received_before: datetime) -> None:
    """Forget bodies and signatures that no event received from then on can repeat."""
    column = inbox_fingerprints.c.fingerprint
    aged = inbox_fingerprints.c.seen_at < to_ms(received_before) - _LONGEST_WINDOW_MS
    some = sa.select(column).where(aged).limit(_CHUNK)
    store.in_groups(
        lambda connection: connection.execute(sa.delete(inbox_fingerprints).where(column.in_(some))).rowcount
    )


def unread_or_unacknowledged(looked_since: datetime) -> sa.ColumnElement[bool]:
    """The condition that a consumer still needs an event. Events have their places once they are numbered.

    :param looked_since: a consumer that has not looked since then is abandoned, and keeps nothing.
    """
    place = sa.func.coalesce(inbox_events.c.seq, _NOT_NUMBERED)
    alive = sa.func.coalesce(inbox_consumers.c.looked_at, inbox_consumers.c.read_at) >= to_ms(looked_since)
    unread = sa.exists().where(alive, inbox_consumers.c.position < place, can_read())
    pending = sa.exists().where(
        alive,
        inbox_pending.c.consumer == inbox_consumers.c.consumer,
        inbox_pending.c.seq == place,
        can_read(),
    )
    return sa.or_(unread, pending)
