"""Plans that do not depend on statistics: what is asked again and again is found by indexes, on a database nobody analysed.

SQLite does so anyway. PostgreSQL guesses without statistics, or with those of a small table that has grown since: that
nearly all of a table is wanted, and reads it from end to end; or that next to nothing is, and sorts what it finds.
"""

from __future__ import annotations

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
