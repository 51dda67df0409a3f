"""Who did what by hand: one row for every action of a person in the UI or the CLI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import audit
from airflow_outreach_provider.store.paging import PAGE_SIZE, Page, Scan


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


def entries(store: Store, *, cursor: str | None = None, limit: int = PAGE_SIZE) -> Page[AuditRow]:
    """Actions, newest first."""
    with store.read() as connection:
        page = _SCAN.page(connection, cursor=cursor, limit=limit)
    return page.of(AuditRow)
