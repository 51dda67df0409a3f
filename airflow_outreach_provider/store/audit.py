"""Who did what by hand: one row for every action of a person in the UI or the CLI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import PAGE_SIZE, Page, Scan
from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, server_default="", comment="what it was done to, masked"),
    sa.Column("count", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_audit_at", "at"),
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One action.

    :ivar subject: what it was done to, personal data masked. :ivar count: how many rows it changed.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    count: int
    note: str


_AT_ONCE = 1_000
_SCAN = Scan(audit, [audit.c.id], [audit.c[name] for name in AuditRow.__slots__])


def record(
    store: Store, actor: str, action: str, *, subject: str = "", count: int = 1, note: str = ""
) -> int:
    """Write down an action before it is done; its id.

    :param subject: masked; :param count: rows it is expected to change.
    """
    return store.retrying(
        lambda connection: record_with(
            connection, store.now(connection), actor, action, subject=subject, count=count, note=note
        )
    )


def record_with(
    connection: sa.Connection,
    now: datetime,
    actor: str,
    action: str,
    *,
    subject: str = "",
    count: int = 1,
    note: str = "",
) -> int:
    """The same in the transaction of the action itself."""
    values = {
        "at": now, "actor": actor[:200], "action": action, "subject": subject[:500], "count": count, "note": note[:500],
    }  # fmt: skip
    return int(connection.execute(audit.insert().returning(audit.c.id), values).scalar_one())


def settle(store: Store, audit_id: int, *, count: int, note: str = "") -> None:
    """Correct a row written beforehand by what really happened."""
    values: dict[str, object] = {"count": count} | ({"note": note[:500]} if note else {})
    store.retrying(
        lambda connection: connection.execute(audit.update().where(audit.c.id == audit_id).values(values))
    )


def purge(store: Store, before: datetime) -> int:
    """Delete what was done before a time; how many rows."""
    some = sa.select(audit.c.id).where(audit.c.at < before).order_by(audit.c.id).limit(_AT_ONCE)
    return store.in_groups(
        lambda connection: connection.execute(audit.delete().where(audit.c.id.in_(some))).rowcount
    )


def entries(store: Store, *, cursor: str | None = None, limit: int = PAGE_SIZE) -> Page[AuditRow]:
    """Actions, newest first."""
    with store.read() as connection:
        page = _SCAN.page(connection, cursor=cursor, limit=limit)
    return page.of(AuditRow)
