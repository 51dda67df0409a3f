"""Stores as full as one likes, within seconds, and work on them that leaves no trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

PENDING = 100_000
"""No more than so many deliveries, events and leads wait, however many there are."""
NOW = "1900000000000"
FREE, HANDED, LATER, LONG, SLOW = "free", "handed", "later", "long", "slow"
"""Routes: with nobody; in tasks' hands; failed and not yet due; all of one contact, behind one in a task's hands. The last
is a consumer that does nothing with what it reads."""
ROUTES = (FREE, HANDED, LATER, LONG)

_ROUTE = (
    "CASE WHEN n % 8 < 4 THEN 'free' WHEN n % 8 < 6 THEN 'handed' WHEN n % 8 = 6 THEN 'later' ELSE 'long' END"
)
_OPEN = "n > :size - :open"
# Of each of five rows that are done one was held for another endpoint, and of each eight one failed at first.
_STATE = (
    "CASE WHEN NOT ({open}) THEN CASE WHEN n % 5 = 0 THEN 'held' ELSE 'delivered' END "
    "WHEN n % 8 = 6 THEN 'failed' ELSE 'pending' END"
)
# Table → columns and what is in the n-th of :size rows; the last :open of them wait.
_ROWS = {
    "runs": {
        "campaign": "'c'", "owner": "'o' || n", "dag_id": "'dag' || (n % 10)", "state": "'succeeded'", "conn_id": "CASE WHEN n % 10 = 2 THEN 'other' ELSE 'api' END",
        "started_at": "n", "heartbeat_at": "n", "lease_until": "n", "source": "'list'", "rows_read": "1000",
        "counts": "'{}'", "reasons": "'{}'",
    },
    "leads": {
        "campaign": "'c' || (n % 4)", "phone": "'+1416' || (1000000 + n)", "row_hash": "'r' || n", "content_hash": "'h' || n",
        "state": f"CASE WHEN NOT ({_OPEN}) THEN 'accepted' WHEN n % 2 = 0 THEN 'planned' ELSE 'held' END",
        "payload": f"CASE WHEN {_OPEN} THEN '{{}}' END", "email_hash": "'e' || n", "run_id": "1 + n % 10",
        "rev": "1", "created_at": "n", "updated_at": "n", "sent_at": "n", "contact_id": "'p' || n",
    },
    "attempts": {"lead_id": "n", "run_id": "1 + n % 10", "at": "n", "outcome": "'accepted'"},
    "suppressions": {"phone": "'+1647' || (1000000 + n)", "reason": "'unsubscribed'", "added_at": "n", "spread": "true"},
    "rates": {"key": "'k' || n", "next_free_at": "n"},
    "audit": {"at": "n", "actor": "'a'", "action": "'x'"},
    "inbox_events": {
        "event_id": "'evt_' || n", "seq": "n", "source": "'s' || (n % 4)", "platform": "'varda'", "type": "'reply'",
        "kind": "'replied'", "origin": "'webhook'", "occurred_at": "n", "received_at": "n", "headers": "'[]'",
        "phone": "'+1416' || (1000000 + n / 4)", "email": "'p' || (n / 4) || '@example.com'", "external_id": "'p' || (n / 4)",
        "body": "{body}",
    },
    "inbox_fingerprints": {"fingerprint": "'f' || n", "event_id": "'evt_' || n", "seen_at": "n", "window_ms": "1000"},
    "deliveries": {
        "event_id": "'evt_' || n", "route": _ROUTE,
        "endpoint": "CASE WHEN NOT ({open}) AND n % 5 = 0 THEN 'shop' ELSE 'crm' END",
        "lane": "CASE WHEN n % 8 = 7 AND n > :size - 400 THEN 'one' ELSE 'lane' || (n / 32) || '.' || (n % 8) END",
        "source": "'s'", "kind": "'replied'", "label": "'replied +1'", "created_at": "n", "updated_at": "n",
        "state": _STATE,
        "tries": "CASE WHEN n % 8 = 6 THEN 1 ELSE 0 END",
        "due_at": "CASE WHEN {open} AND n % 8 = 6 THEN {later} END",
        "plan": "CASE WHEN {open} AND n % 8 IN (4, 5) THEN 'run' || (n / 1000) || ' sensor' END",
        "plan_until": "CASE WHEN {open} AND n % 8 IN (4, 5) THEN {later} END",
        "claim": "CASE WHEN {open} AND n % 8 = 5 THEN 'run' || (n / 1000) || ' task' END",
        "claim_until": "CASE WHEN {open} AND n % 8 = 5 THEN {later} END",
    },
    "delivery_attempts": {
        "delivery_id": "n", "at": "n", "airflow_run_id": "'r' || (n / 100)",
        "verdict": "CASE WHEN n % 8 = 6 THEN 'retry' ELSE 'delivered' END",
    },
}  # fmt: skip
_LAST = (
    "INSERT INTO inbox_sequence (id, last) VALUES (1, :size)",
    "INSERT INTO inbox_consumers (consumer, position, created_at, read_at, routes, kinds, reads_where, looked_at) "
    f"SELECT route, :size - :open, 1, 1, route, '', '', {NOW} FROM (SELECT 'free' AS route UNION ALL SELECT 'handed' "
    "UNION ALL SELECT 'later' UNION ALL SELECT 'long') AS r",
    "INSERT INTO route_endpoints (route, endpoint) SELECT consumer, 'crm' FROM inbox_consumers",
    # One has read everything, and has nothing of it done.
    "INSERT INTO inbox_consumers (consumer, position, created_at, read_at, routes, kinds, reads_where, looked_at) "
    f"VALUES ('slow', :size, 1, 1, 'free', '', '', {NOW})",
    "INSERT INTO inbox_pending (consumer, seq) SELECT 'slow', n FROM {rows} WHERE n <= :open",
    f"UPDATE deliveries SET plan = 'run of one', plan_until = {NOW} WHERE id = "
    "(SELECT MIN(id) FROM deliveries WHERE lane = 'one')",
    "INSERT INTO endpoints (conn_id, failures, failing_since) VALUES ('crm', 9, :size - :open)",
    "UPDATE runs SET state = 'running', lease_until = " + NOW + " WHERE id = 1",
)


class Undone(Store):
    """A store in which whatever is written is rolled back at the end of its transaction."""

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        with self.read() as connection:
            connection = connection.execution_options(outreach_write=True)
            with connection.begin() as transaction:
                yield connection
                transaction.rollback()


def waiting(size: int) -> int:
    """How many wait in a store of this size."""
    return min(size, PENDING)


def statements(size: int) -> list[str]:
    """What fills a store, in SQL of both databases but for ``{rows}`` and ``{body}``."""
    marks = {"{open}": _OPEN, "{later}": NOW}
    filling = []
    for table, columns in _ROWS.items():
        values = ", ".join(columns.values())
        for mark, text in marks.items():
            values = values.replace(mark, text)
        filling.append(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {{rows}}")
    return [
        each.replace(":size", str(size)).replace(":open", str(waiting(size))) for each in [*filling, *_LAST]
    ]


def filled(url: str, size: int) -> Undone:
    """A migrated store with ``size`` rows a table, of which nothing was ever analysed and never is by itself."""
    store = Undone(url)
    first = Store(url)
    upgrade(first)
    first.close()
    pour(store, size, statements(size))
    return store


def pour(store: Store, size: int, insertions: Sequence[str]) -> None:
    """Run these insertions as fast as the database can; its indexes are made when everything is in.

    :param insertions: in SQL of both databases; ``{rows}`` has a column ``n`` that counts up to ``size``, ``{body}`` is
        some bytes.
    """
    store.close()
    if store.dialect == "sqlite":
        _pour_sqlite(Path(store.url.database or ""), size, insertions)
    else:
        _pour_postgresql(store, size, insertions)


def _pour_sqlite(path: Path, size: int, insertions: Sequence[str]) -> None:
    rows = (
        f"(WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {size}) SELECT n FROM g)"
    )
    connection = sqlite3.connect(path, isolation_level=None)
    for each in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {each}")
    # A trigger may look something up with each row.
    found = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        "AND tbl_name NOT IN (SELECT tbl_name FROM sqlite_master WHERE type = 'trigger')"
    )
    indexes = connection.execute(found).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for each in insertions:
        connection.execute(each.replace("{rows}", rows).replace("{body}", "CAST('{\"data\": 1}' AS BLOB)"))
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


# What is not made for a constraint.
_INDEXES = sa.text(
    "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = current_schema() AND NOT EXISTS "
    "(SELECT 1 FROM pg_constraint c WHERE c.conindid = (quote_ident(i.schemaname) || '.' || quote_ident(i.indexname))::regclass)"
)
# As if nothing had been counted when the indexes were made.
_FORGET = sa.text(
    "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = current_schema()::regnamespace "
    "AND relkind IN ('r', 'i')"
)


def _pour_postgresql(store: Store, size: int, insertions: Sequence[str]) -> None:
    rows = f"generate_series(1, {size}) AS g(n)"
    with store.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
        connection.execute(sa.text("SET LOCAL maintenance_work_mem = '512MB'"))
        for table in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        indexes = connection.execute(_INDEXES).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for each in insertions:
            filling = each.replace("{rows}", rows).replace("{body}", "'{\"data\": 1}'::bytea")
            connection.exec_driver_sql(filling.replace("%", "%%"), {})
        for _, sql in indexes:
            connection.exec_driver_sql(sql.replace("%", "%%"), {})
        connection.execute(_FORGET)


def analyse(store: Store) -> None:
    """Let the database gather what it wants to know."""
    store.outside_transactions("ANALYZE")
    store.close()
