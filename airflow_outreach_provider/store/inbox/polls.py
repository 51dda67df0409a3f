"""When contact lists were read, so that the next reading looks far enough back, and no further than it must."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_polls
from airflow_outreach_provider.store.schema import to_ms


@dataclass(frozen=True, slots=True)
class PollTimes:
    """When the complete readings of one list began.

    :param first_at: what this source's polling goes back to.
    :param previous_at: the reading before the last one.
    :param last_at: the last one.
    :param whole_at: the last one of the whole list; None where that is not known.
    :param trusted: for so long from then the list's order is relied on.
    :param unfinished: a reading was begun since then that did not end, or has not yet.
    """

    first_at: datetime
    previous_at: datetime
    last_at: datetime
    whole_at: datetime | None = None
    trusted: timedelta = timedelta(0)
    unfinished: bool = False


def poll_times(store: Store, source: str) -> PollTimes | None:
    """The times of a source; None before its first complete reading."""
    with store.read() as connection:
        row = connection.execute(sa.select(inbox_polls).where(inbox_polls.c.source == source)).first()
    if row is None:
        return None
    return PollTimes(
        row.first_at, row.previous_at, row.last_at, row.whole_at, timedelta(milliseconds=row.trusted_ms),
        row.unfinished,
    )  # fmt: skip


def begin_poll(store: Store, source: str) -> None:
    """Note that a reading begins: until one is recorded, what the inbox has is no sign that a reading came so far."""
    mine = sa.update(inbox_polls).where(inbox_polls.c.source == source).values(unfinished=True)
    store.retrying(lambda connection: connection.execute(mine))


def record_poll(
    store: Store, source: str, *, first_at: datetime, started_at: datetime, trusted: timedelta | None = None
) -> None:
    """Note a complete reading that began at ``started_at``.

    Moves backwards only where the clock did: behind the reading before the last one. Of two readings at once the
    later counts.

    :param first_at: noted with the first reading only.
    :param trusted: how long the order is relied on, after a reading of the whole list; None after another.
    """
    values = {"source": source, "first": to_ms(first_at), "started": to_ms(started_at)}
    values |= {"trusted": None if trusted is None else trusted // timedelta(milliseconds=1)}
    store.retrying(lambda connection: connection.execute(_RECORD, values))


_RECORD = sa.text(
    "INSERT INTO inbox_polls (source, first_at, previous_at, last_at, whole_at, trusted_ms, unfinished) "
    "VALUES (:source, :first, :first, :started, :started, COALESCE(CAST(:trusted AS BIGINT), 0), FALSE) "
    "ON CONFLICT (source) DO UPDATE SET "
    "previous_at = CASE WHEN excluded.last_at > inbox_polls.last_at THEN inbox_polls.last_at "
    "WHEN excluded.last_at = inbox_polls.last_at THEN inbox_polls.previous_at ELSE excluded.last_at END, "
    "last_at = excluded.last_at, unfinished = FALSE, "
    "whole_at = CASE WHEN CAST(:trusted AS BIGINT) IS NULL THEN inbox_polls.whole_at ELSE excluded.whole_at END, "
    "trusted_ms = CASE WHEN CAST(:trusted AS BIGINT) IS NULL THEN inbox_polls.trusted_ms ELSE excluded.trusted_ms END "
    "WHERE excluded.last_at >= inbox_polls.last_at OR excluded.last_at < inbox_polls.previous_at"
)
