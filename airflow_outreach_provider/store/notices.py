"""Operational events, each noted once and told once."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.notices import EVERYBODYS, Notice, NoticeKind
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import BigId, UtcTime, insert_into, metadata

_UNTOLD = sa.text("told_at IS NULL")
_MOST = 100

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True, comment="the same thing is noted once"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("told_at", UtcTime),
    sa.Index("ix_notices_untold", "id", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
)


def note(
    store: Store, kind: NoticeKind, subject: str, detail: str, *, once: str, count: int = 1,
    connection: sa.Connection | None = None,
) -> None:  # fmt: skip
    """Write down that something happened.

    :param once: with kind and subject, what makes it the same thing: the start of a rest, a task's try.
    :param connection: of the transaction it happened in.
    """
    if connection is None:
        return store.retrying(
            lambda c: note(store, kind, subject, detail, once=once, count=count, connection=c)
        )
    row = {
        "key": f"{kind.value} {subject} {once}"[:500], "kind": kind, "subject": subject, "count": count,
        "detail": mask_text(detail)[:500], "at": store.now(connection),
    }  # fmt: skip
    connection.execute(
        insert_into(connection, notices).values(row).on_conflict_do_nothing(index_elements=["key"])
    )
    return None


def take_untold(store: Store, subjects: Collection[str]) -> dict[int, Notice]:
    """What nobody was told yet of these subjects, and of what is everybody's; the caller tells it now.

    A kind that only a newer version knows, whose tasks began beside ours, is left to those.
    """
    mine = sa.and_(
        sa.or_(
            notices.c.subject.in_(list(subjects)), notices.c.kind.in_([each.value for each in EVERYBODYS])
        ),
        notices.c.kind.in_([each.value for each in NoticeKind]),
    )
    c = notices.c

    def work(connection: sa.Connection) -> dict[int, Notice]:
        ids = sa.select(c.id).where(c.told_at.is_(None), mine).order_by(c.id).limit(_MOST)
        rows = connection.execute(
            notices.update()
            .where(c.id.in_(ids), c.told_at.is_(None))
            .values(told_at=store.now(connection))
            .returning(c.id, c.kind, c.subject, c.detail, c.at, c.count)
        ).all()
        return {
            number: Notice(NoticeKind(kind), subject, detail, at, count)
            for number, kind, subject, detail, at, count in sorted(rows)
        }

    with store.read() as connection:
        if connection.execute(sa.select(c.id).where(c.told_at.is_(None), mine).limit(1)).first() is None:
            return {}
    return store.retrying(work)


def untell(store: Store, ids: Collection[int]) -> None:
    """Telling failed: somebody else shall."""
    chosen = notices.c.id.in_(list(ids))
    store.retrying(lambda connection: connection.execute(notices.update().where(chosen).values(told_at=None)))
