"""What receiving taught us about a source, and whether somebody switched it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import sources

_REFUSING_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The row of one source; times are UTC.

    :ivar refused: requests turned away so far, :ivar refused_at: the last of them.
    """

    conn_id: str
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    disabled_by: str = ""
    refused: int = 0
    refused_at: datetime | None = None
    refused_status: int | None = None
    refused_reason: str = ""

    def is_refusing(self, last_event_at: datetime | None) -> bool:
        """Nothing but refusals for a while. A stranger's forgery between two real events is no alarm."""
        return self.refused_at is not None and (
            last_event_at is None or self.refused_at - last_event_at >= _REFUSING_AFTER
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the last of ``count`` requests was turned away; ``reason`` holds nothing of the request."""

    count: int
    status: int
    reason: str


def statuses(store: Store) -> dict[str, SourceStatus]:
    """Every source that was ever switched or turned a request away, by name."""
    with store.read() as connection:
        rows = connection.execute(sa.select(sources))
        return {row.conn_id: SourceStatus(*row) for row in rows}


def disabled(store: Store) -> frozenset[str]:
    """The names of the sources that are switched off."""
    query = sa.select(sources.c.conn_id).where(sources.c.disabled_at.is_not(None))
    with store.read() as connection:
        return frozenset(connection.execute(query).scalars())


def disable(store: Store, conn_id: str, *, reason: str, by: str) -> bool:
    """Take no more events of a source; whether it was on before."""

    def work(connection: sa.Connection) -> bool:
        _ensure(connection, conn_id)
        values = {"disabled_at": store.now(connection), "disabled_reason": reason, "disabled_by": by}
        query = sources.update().where(sources.c.conn_id == conn_id, sources.c.disabled_at.is_(None))
        return connection.execute(query.values(values)).rowcount == 1

    return store.retrying(work)


def enable(store: Store, conn_id: str) -> bool:
    """Take events of a source again; whether it was off before."""

    def work(connection: sa.Connection) -> bool:
        values = {"disabled_at": None, "disabled_reason": "", "disabled_by": ""}
        query = sources.update().where(sources.c.conn_id == conn_id, sources.c.disabled_at.is_not(None))
        return connection.execute(query.values(values)).rowcount == 1

    return store.retrying(work)


def note_refusals(store: Store, refusals: Mapping[str, Refusal]) -> None:
    """Add what was turned away since the last time, by source."""

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        for conn_id, refusal in sorted(refusals.items()):
            _ensure(connection, conn_id)
            connection.execute(
                sources.update()
                .where(sources.c.conn_id == conn_id)
                .values(
                    refused=sources.c.refused + refusal.count, refused_at=now, refused_status=refusal.status,
                    refused_reason=refusal.reason[:500],
                )
            )  # fmt: skip

    store.retrying(work)


def _ensure(connection: sa.Connection, conn_id: str) -> None:
    connection.execute(
        sa.text("INSERT INTO sources (conn_id) VALUES (:conn_id) ON CONFLICT (conn_id) DO NOTHING"),
        {"conn_id": conn_id},
    )
