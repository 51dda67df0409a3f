"""What PostgreSQL takes our tables for, put right where it is far from what they hold.

It plans by what its autovacuum counted, a minute ago or longer. Of a table that was emptied then, it believes for as long
that there is next to nothing in it, however much was written since: any index seems as good as another, and claiming a
hundred leads of two thousand takes half a minute. A table that was never counted is taken for what its size says, which
will do.
"""

from __future__ import annotations

import time
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy import exc

from airflow_outreach_provider.store.schema import metadata

SECONDS_BETWEEN = 10.0
_TIMES, _ROWS = 10, 100
"""So many times what was counted, and so many rows more, are far from it."""

_COUNTED = sa.text(
    "SELECT c.relname, GREATEST(c.reltuples, 0), COALESCE(pg_stat_get_live_tuples(c.oid), 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relpages > 0"
)


class TableStatistics:
    """When this process looks at them, and what it wrote itself: the server is told of that a second later."""

    def __init__(self) -> None:
        self._next = 0.0
        self._added: dict[str, int] = {}
        self._look_at: dict[str, int] = {}

    def added(self, table: str, rows: int) -> None:
        """So many rows were written: those that double what was are looked at before the next transaction."""
        self._added[table] = written = self._added.get(table, 0) + rows
        if written > self._look_at.get(table, _ROWS):
            self._look_at[table] = 2 * written
            self._next = 0.0

    def look_after(self, connection: sa.Connection) -> None:
        """Have tables counted that hold far more than was counted, if it is time to look. Nothing has begun there yet."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS_BETWEEN
        # Who may not have it done, or has no time for it, goes on as before; whoever is at it already does it for all.
        with suppress(exc.DBAPIError), connection.begin():
            for table, counted, living in connection.execute(_COUNTED).all():
                there = max(living, self._added.get(table, 0))
                if table in metadata.tables and there > _TIMES * counted + _ROWS:
                    connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {table}")
