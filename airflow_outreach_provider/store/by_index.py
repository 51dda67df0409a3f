"""Plans that do not depend on statistics: what is asked again and again is found by indexes, on a database nobody analysed.

SQLite does so anyway. PostgreSQL guesses without statistics, or with those of a small table that has grown since: that
nearly all of a table is wanted, and reads it from end to end; or that next to nothing is, and sorts what it finds.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def _off(*names: str) -> sa.TextClause:
    # What is off still happens where there is no other way, and counts as so dear that it would be compiled first.
    settings = ("jit", *(f"enable_{name}" for name in names))
    return sa.text("SELECT " + ", ".join(f"set_config('{each}', 'off', true)" for each in settings))


PROBE = _off("seqscan", "hashjoin", "mergejoin")
"""What :func:`probe` asks of PostgreSQL."""
_WALK = _off("seqscan", "hashjoin", "mergejoin", "bitmapscan", "sort")


def probe(connection: sa.Connection) -> None:
    """Until this transaction ends, rows are looked up one by one: for a few keys of a large table."""
    if connection.dialect.name == "postgresql":
        connection.execute(PROBE)


def walk(connection: sa.Connection) -> None:
    """Until this transaction ends, indexes are walked in their order until enough is found: for a few of many rows."""
    if connection.dialect.name == "postgresql":
        connection.execute(_WALK)


def is_one(of: sa.FromClause, *where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether there is such a row, looked for anew for each row of ``of``.

    Not EXISTS: PostgreSQL would make a join or a hash of it, and read all there is where it has no statistics.
    """
    one: sa.ColumnElement[Any] = sa.literal_column("1")
    return sa.select(one).where(*where).limit(one).correlate(of).scalar_subquery().is_not(None)
