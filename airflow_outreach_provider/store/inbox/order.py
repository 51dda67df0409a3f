"""The inbox's reading order.

``row_id`` is given out before a transaction commits, so a reader that remembers "up to row 7"
would skip row 6 when that commits later. Instead readers number what they can see: under the lock of one
row, every committed event without a ``seq`` gets the next ones. The number says "seen committed before", on
every database, after a restore too, and a transaction that stays open holds nobody back.
"""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events, inbox_sequence

_NUMBERED_AT_ONCE = 10_000


def number_events(store: Store) -> int:
    """Give every committed event that has none its place in the reading order; how many got one."""
    unnumbered = sa.select(inbox_events.c.row_id).where(inbox_events.c.seq.is_(None)).limit(1)
    total = 0
    while True:
        with store.read() as connection:
            if connection.execute(unnumbered).first() is None:
                return total
        total += store.retrying(_number_some)


def _number_some(connection: sa.Connection) -> int:
    locked = sa.select(inbox_sequence.c.last).where(inbox_sequence.c.id == 1).with_for_update()
    last = connection.execute(locked).scalar()
    if last is None:
        connection.execute(_FIRST_SEQUENCE)
        last = connection.execute(locked).scalar_one()
    # A statement of its own after the lock: it sees what the lock's last holder committed.
    batch = (
        sa.select(
            inbox_events.c.row_id, sa.func.row_number().over(order_by=inbox_events.c.row_id).label("place")
        )
        .where(inbox_events.c.seq.is_(None))
        .order_by(inbox_events.c.row_id)
        .limit(_NUMBERED_AT_ONCE)
        .subquery()
    )
    # Each found by its id: SQLite from 3.46 on would go through all that have none for each of them.
    numbered = connection.execute(
        sa.update(inbox_events)
        .where(inbox_events.c.row_id == batch.c.row_id, (inbox_events.c.seq + 0).is_(None))
        .values(seq=last + batch.c.place)
    ).rowcount
    # Not last + numbered: a row that was removed meanwhile leaves a gap, and no number is used twice.
    highest = connection.execute(sa.select(sa.func.max(inbox_events.c.seq))).scalar() or 0
    advance = sa.update(inbox_sequence).where(inbox_sequence.c.id == 1)
    connection.execute(advance.values(last=max(last, highest)))
    return numbered


_FIRST_SEQUENCE = sa.text("INSERT INTO inbox_sequence (id, last) VALUES (1, 0) ON CONFLICT (id) DO NOTHING")


def last_numbered(connection: sa.Connection) -> int:
    """The last seq given out; 0 before the first."""
    return connection.execute(sa.select(inbox_sequence.c.last)).scalar() or 0
