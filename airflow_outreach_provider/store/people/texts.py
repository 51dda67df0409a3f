"""Every text the store holds, whatever its table: so that what names a person is found where nobody thought of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.tables import metadata

_AT_ONCE = 500
# Hashes, ids, words and names of ours: nobody is in them.
_NO_TEXT = frozenset({
    "campaign", "contact_id", "conversation_id", "application_id", "row_hash", "content_hash", "email_hash", "state", "outcome", "event_id", "platform", "kind", "origin", "lane", "plan",
    "claim", "verdict", "fingerprint", "consumer", "kinds", "digest", "resent_from",
})  # fmt: skip
# A lead's number is its identity, an entry's the reason it is there.
# Who acted by hand stays known: nobody forgets their own doings.
_KEYS = frozenset({("leads", "phone"), ("suppressions", "phone"), ("audit", "actor"), ("audit", "action")})


class TextPlace(NamedTuple):
    """A row, and those of its texts that were asked for."""

    table: sa.Table
    key: tuple[Any, ...]
    texts: Mapping[str, str]


def every_text(store: Store, wanted: Callable[[str], bool]) -> Iterator[TextPlace]:
    """The texts for which ``wanted`` is true, row by row; bodies as text."""
    for table in metadata.sorted_tables:
        keys = list(table.primary_key)
        columns = [column for column in table.columns if _is_text(column)]
        if columns:
            yield from _of_table(store, table, keys, columns, wanted)


def rewrite(store: Store, place: TextPlace, texts: Mapping[str, str]) -> None:
    """Put other texts in the place of these."""
    table = place.table
    values = {
        name: text.encode() if isinstance(table.columns[name].type, sa.LargeBinary) else text
        for name, text in texts.items()
    }
    row = [column == value for column, value in zip(table.primary_key, place.key, strict=True)]
    store.retrying(lambda connection: connection.execute(table.update().where(*row).values(values)))


def _is_text(column: sa.Column[Any]) -> bool:
    if column.primary_key or column.name in _NO_TEXT or (column.table.name, column.name) in _KEYS:
        return False
    return isinstance(column.type, sa.String | sa.LargeBinary)


def _of_table(
    store: Store,
    table: sa.Table,
    keys: list[sa.Column[Any]],
    columns: list[sa.Column[Any]],
    wanted: Callable[[str], bool],
) -> Iterator[TextPlace]:
    holds = sa.or_(*(c.is_not(None) if isinstance(c.type, sa.LargeBinary) else c != "" for c in columns))
    query = sa.select(*keys, *columns).where(holds).order_by(*keys).limit(_AT_ONCE)
    after: tuple[Any, ...] | None = None
    while True:
        with store.read() as connection:
            further = query if after is None else query.where(sa.tuple_(*keys) > sa.tuple_(*after))
            rows = connection.execute(further).all()
        for row in rows:
            values = [_plain(value) for value in row[len(keys) :]]
            if not wanted("\n\n".join(values)):  # one look a row: nearly all of them name nobody
                continue
            texts = {
                column.name: text
                for column, text in zip(columns, values, strict=True)
                if text and wanted(text)
            }
            if texts:
                yield TextPlace(table, tuple(row[: len(keys)]), texts)
        if len(rows) < _AT_ONCE:
            return
        after = tuple(rows[-1][: len(keys)])


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
