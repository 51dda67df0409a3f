"""Who did what by hand: one row for every action of a person in the UI or the CLI.

Rows are added and never changed: what came of an action is a row of its own that ``settles`` the first, and lists show
both as one. The database refuses everything else, whoever asks for it, but removing rows older than ``KEPT`` and taking
somebody who is being forgotten out of ``subject`` and ``note``: triggers of revision 0009.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import PAGE_SIZE, Page, Scan
from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata, where

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
    sa.Column("settles", sa.BigInteger, comment="the row of the action that this one says the end of"),
    sa.Index("ix_audit_at", "at"),
    sa.Index("uq_audit_settles", "settles", unique=True, **where("settles IS NOT NULL")),
)

KEPT = timedelta(days=365)
"""No row is removed before, by no purge: the age of its own that the database holds too."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One action.

    :ivar subject: what it was done to, personal data masked. :ivar count: how many rows it changed. :ivar note: what came
    of it; ``begun`` where nobody said.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    count: int
    note: str


_AT_ONCE = 1_000
_FIRST = audit.c.settles.is_(None)
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


def settle(store: Store, audit_id: int, *, count: int, note: str) -> None:
    """Write down what came of an action that was written down beforehand."""

    def work(connection: sa.Connection) -> None:
        begun = sa.select(
            sa.literal(store.now(connection), UtcTime), audit.c.actor, audit.c.action,
            sa.literal(count, sa.BigInteger), sa.literal(note[:500]), audit.c.id,
        ).where(audit.c.id == audit_id)  # fmt: skip
        columns = ["at", "actor", "action", "count", "note", "settles"]
        connection.execute(audit.insert().from_select(columns, begun))

    store.retrying(work)


def purge(store: Store, before: datetime) -> int:
    """Delete what was done before a time, and longer ago than ``KEPT``; how many actions."""
    before = min(before, store.now() - KEPT)
    some = sa.select(audit.c.id).where(audit.c.at < before).order_by(audit.c.id).limit(_AT_ONCE)
    actions = 0

    def work(connection: sa.Connection) -> int:
        nonlocal actions
        ids = list(connection.execute(some).scalars())
        first = sa.select(sa.func.count()).where(audit.c.id.in_(ids), _FIRST)
        count = int(connection.execute(first).scalar_one())
        gone = connection.execute(audit.delete().where(audit.c.id.in_(ids))).rowcount
        actions += count
        return gone

    store.in_groups(work)
    return actions


def find(store: Store, audit_id: int) -> AuditRow | None:
    """One action with what came of it, or None."""
    columns = [audit.c[name] for name in AuditRow.__slots__]
    end = sa.select(audit.c.count, audit.c.note).where(audit.c.settles == audit_id)
    with store.read() as connection:
        row = connection.execute(sa.select(*columns).where(audit.c.id == audit_id, _FIRST)).first()
        came = connection.execute(end).first()
    if row is None:
        return None
    return AuditRow(*row) if came is None else replace(AuditRow(*row), count=came[0], note=came[1])


def entries(store: Store, *, cursor: str | None = None, limit: int = PAGE_SIZE) -> Page[AuditRow]:
    """Actions with what came of them, newest first."""
    with store.read() as connection:
        walk(connection)
        page = _SCAN.page(connection, branches=[[_FIRST]], cursor=cursor, limit=limit).of(AuditRow)
        ends = sa.select(audit.c.settles, audit.c.count, audit.c.note).where(
            audit.c.settles.in_([row.id for row in page.rows])
        )
        known = {begun: (count, note) for begun, count, note in connection.execute(ends)}
    came_of = ((row, *known.get(row.id, (row.count, row.note))) for row in page.rows)
    return replace(page, rows=[replace(row, count=count, note=note) for row, count, note in came_of])
