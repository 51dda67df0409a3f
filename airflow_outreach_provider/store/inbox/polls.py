"""When contact lists were read, so that the next reading looks far enough back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
    """

    first_at: datetime
    previous_at: datetime
    last_at: datetime


def poll_times(store: Store, source: str) -> PollTimes | None:
    """The times of a source; None before its first complete reading."""
    with store.read() as connection:
        row = connection.execute(sa.select(inbox_polls).where(inbox_polls.c.source == source)).first()
    return PollTimes(row.first_at, row.previous_at, row.last_at) if row else None


def record_poll(store: Store, source: str, *, first_at: datetime, started_at: datetime) -> None:
    """Note a complete reading that began at ``started_at``; never moves backwards.

    :param first_at: noted with the first reading only.
    """
    values = {"source": source, "first": to_ms(first_at), "started": to_ms(started_at)}
    store.retrying(lambda connection: connection.execute(_RECORD, values))


_RECORD = sa.text(
    "INSERT INTO inbox_polls (source, first_at, previous_at, last_at) VALUES (:source, :first, :first, :started) "
    "ON CONFLICT (source) DO UPDATE SET previous_at = inbox_polls.last_at, last_at = excluded.last_at "
    "WHERE excluded.last_at > inbox_polls.last_at"
)
