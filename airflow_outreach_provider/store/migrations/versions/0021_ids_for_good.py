"""On SQLite too, the id of a run, lead or delivery is given out once, also where the last one was removed.

PostgreSQL never does otherwise. Whoever holds an id while its row is purged or forgotten finds nothing there, and not
somebody else.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

# Of each table who names its ids: what was removed lately may still be known there.
_NAMED_BY = {
    "runs": (("leads", "run_id"), ("attempts", "run_id")),
    "leads": (("attempts", "lead_id"), ("consents", "lead_id")),
    "deliveries": (("delivery_attempts", "delivery_id"),),
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    for table, named_by in _NAMED_BY.items():
        _make_anew(connection, table)
        highest = [
            f"COALESCE((SELECT MAX({column}) FROM {place}), 0)"
            for place, column in ((table, "id"), *named_by)
        ]
        op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{table}'")
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) SELECT '{table}', MAX({', '.join(highest)})")


def _make_anew(connection: sa.Connection, table: str) -> None:
    """SQLite adds this to no table that is there."""
    made = "SELECT sql FROM sqlite_master WHERE type = :type AND tbl_name = :table AND sql IS NOT NULL"
    asked = sa.text(made)
    [as_it_was] = connection.execute(asked, {"type": "table", "table": table}).scalars().all()
    indexes = connection.execute(asked, {"type": "index", "table": table}).scalars().all()
    named = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_anew", as_it_was)
    connection.exec_driver_sql(named.replace("PRIMARY KEY (id)", "PRIMARY KEY (id AUTOINCREMENT)"))
    connection.exec_driver_sql(f"INSERT INTO {table}_anew SELECT * FROM {table}")
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_anew RENAME TO {table}")
    for index in indexes:
        connection.exec_driver_sql(index)
