"""How the do-not-contact list is written: numbers with their other writings, e-mail addresses by hash.

Everything here runs on a connection, so that an opt-out is on the list in the transaction that stores its event.

A number that could be the same line in another writing gets a row for each of those, which points at the one
people see (``row_of``). So whoever asks about a lead asks for its number alone. Rows that came here without
(of former versions, or written by hand) are ``spread`` before anybody relies on the list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.phone_lines import other_writings
from airflow_outreach_provider.store.bulk import rows_param, rowset
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata, where

EMAIL = "email:"
"""Before the hash of an address that stands where numbers stand."""

CONTACT = "contact:"
"""Before a source and its id of a contact that stand there, see :mod:`store.suppressions_said`."""

UNSPREAD = sa.text("SELECT 1 FROM suppressions WHERE NOT spread LIMIT 1")
"""Whether any row lacks its other writings; answered by an index that is empty then."""

suppressions = sa.Table(
    "suppressions",
    metadata,
    # The do-not-contact list. campaign '' is every campaign. See above for row_of.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("campaign", sa.Text, nullable=False, server_default=""),
    # E.164, or "email:" and the SHA-256 of an address.
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="who or what added it"),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.Column(
        "row_of",
        sa.BigInteger,
        comment="the entry whose number this is in another writing; NULL for entries themselves",
    ),
    sa.Column(
        "spread",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether its other writings were written",
    ),
    sa.Column(
        "by_stop_word",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="set by a message that was a stop word: START lifts it",
    ),
    sa.UniqueConstraint("phone", "campaign"),
    sa.Index("ix_suppressions_row_of", "row_of", **where("row_of IS NOT NULL")),
    sa.Index("ix_suppressions_unspread", "id", **where("NOT spread")),
    sa.Index("ix_suppressions_by_stop_word", "source", **where("by_stop_word")),
    sqlite_autoincrement=True,
)

_C = suppressions.c
_SPREAD_AT_ONCE = 1000
_INSERT = sa.text(
    "INSERT INTO suppressions (campaign, phone, reason, source, added_at, by_stop_word, spread) "
    "VALUES (:campaign, :phone, :reason, :source, :now, :by_stop_word, :yes) ON CONFLICT (phone, campaign) DO NOTHING"
)
_INSERT_WRITING = sa.text(
    "INSERT INTO suppressions (campaign, phone, reason, source, added_at, by_stop_word, spread, row_of) "
    "SELECT campaign, CAST(:writing AS text), reason, source, added_at, by_stop_word, spread, COALESCE(row_of, id) "
    "FROM suppressions WHERE phone = :phone AND campaign = :campaign ON CONFLICT (phone, campaign) DO NOTHING"
)

_INSERT_WRITINGS = {
    dialect: sa.text(
        "INSERT INTO suppressions (campaign, phone, reason, source, added_at, by_stop_word, spread, row_of) "
        "SELECT s.campaign, r.writing, s.reason, s.source, s.added_at, s.by_stop_word, s.spread, COALESCE(s.row_of, s.id) "
        f"FROM {rowset(dialect, [('id', 'int'), ('writing', 'text')])} AS r CROSS JOIN suppressions s WHERE s.id = r.id "
        "ORDER BY r.ord ON CONFLICT (phone, campaign) DO NOTHING"
    )
    for dialect in ("sqlite", "postgresql")
}


def insert(
    connection: sa.Connection,
    now_ms: int,
    listed: Iterable[str],
    *,
    reason: str,
    source: str,
    campaign: str = "",
    by_stop_word: bool = False,
) -> int:
    """Put numbers (E.164) and addresses (``EMAIL`` and their hash) on the list; how many were new.

    What is on it keeps its first reason, unless that was a stop word, which START would lift.
    """
    added = 0
    values = {"campaign": campaign, "reason": reason, "source": source, "now": now_ms}
    values |= {"by_stop_word": by_stop_word, "yes": True}
    for each in sorted(set(listed)):
        new = connection.execute(_INSERT, {**values, "phone": each}).rowcount
        added += new
        if not new and not by_stop_word:
            _confirm(connection, each, campaign, reason, source)
        for writing in _writings(each):
            connection.execute(_INSERT_WRITING, {"writing": writing, "phone": each, "campaign": campaign})
    return added


def remove(connection: sa.Connection, listed: Collection[str], campaign: str) -> int:
    """Take numbers off the list, in whatever writing they are on it; how many entries that were."""
    return delete(connection, entries_of(connection, listed, campaign))


def entries_of(connection: sa.Connection, listed: Collection[str], campaign: str) -> set[int]:
    """The ids of the entries that name these, in whatever writing."""
    query = sa.select(sa.func.coalesce(_C.row_of, _C.id)).where(_names(listed), _C.campaign == campaign)
    return set(connection.execute(query).scalars())


def spread(connection: sa.Connection) -> int:
    """Give some rows that have none their other writings; how many rows, 0 when every row has them."""
    query = sa.select(_C.id, _C.phone).where(_C.spread.is_(sa.false())).limit(_SPREAD_AT_ONCE)
    rows = connection.execute(query).all()
    if not rows:
        return 0
    connection.execute(
        suppressions.update().where(_C.id.in_([row.id for row in rows])).values(spread=sa.true())
    )
    if writings := [(row.id, writing) for row in rows for writing in _writings(row.phone)]:
        probe(connection)
        connection.execute(_INSERT_WRITINGS[connection.dialect.name], {"rows": rows_param(writings)})
    return len(rows)


def event_source(event_id: str, source: str) -> str:
    """How an entry names the event it came from."""
    return f"event {event_id} of {source}"


def in_every_writing(phone: str) -> sa.ColumnElement[bool]:
    """The condition that an entry is about a line."""
    return _C.id.in_(sa.select(sa.func.coalesce(_C.row_of, _C.id)).where(_names([phone])))


def _names(listed: Collection[str]) -> sa.ColumnElement[bool]:
    """The condition that a row tells of an entry about these lines.

    A former writing that they have may be another line's too, and belong to that one's entry: +225 12345678 was one of six.
    """
    themselves = sa.or_(_C.row_of.is_(None), _C.phone.in_(list(listed)))
    return sa.and_(_C.phone.in_(all_writings(listed)), themselves)


def _confirm(connection: sa.Connection, listed: str, campaign: str, reason: str, source: str) -> None:
    """What a stop word alone had set is meant in earnest now. The same event said again changes nothing."""
    connection.execute(
        suppressions.update()
        .where(
            _C.phone.in_(all_writings([listed])),
            _C.campaign == campaign,
            _C.by_stop_word.is_(sa.true()),
            _C.source != source,
        )
        .values(reason=reason, source=source, by_stop_word=False)
    )


def delete(connection: sa.Connection, ids: Collection[int]) -> int:
    """Take entries off the list, with their other writings; how many."""
    chosen: Sequence[Any] = list(ids)
    if chosen:
        connection.execute(suppressions.delete().where(_C.id.in_(chosen) | _C.row_of.in_(chosen)))
    return len(chosen)


def all_writings(listed: Iterable[str]) -> frozenset[str]:
    """These and every other writing of their lines."""
    return frozenset(writing for each in listed for writing in (each, *_writings(each)))


def _writings(listed: str) -> tuple[str, ...]:
    return () if listed.startswith((EMAIL, CONTACT)) else other_writings(listed)


__all__ = [
    "CONTACT",
    "EMAIL",
    "UNSPREAD",
    "all_writings",
    "delete",
    "entries_of",
    "event_source",
    "in_every_writing",
    "insert",
    "remove",
    "spread",
    "suppressions",
]
