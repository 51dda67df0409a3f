"""Entries of the do-not-contact list get the writings that are known today, and on SQLite too each id is given out once.

Whoever takes an entry off by its id takes off that one, or none, and not that of somebody who opted out since.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    connection = op.get_bind()
    # The upgrade spreads them before it ends, see store.migrate.
    op.execute("UPDATE suppressions SET spread = FALSE WHERE row_of IS NULL AND phone LIKE '+%'")
    if connection.dialect.name == "sqlite":
        _make_anew(connection)


def _make_anew(connection: sa.Connection) -> None:
    """SQLite adds AUTOINCREMENT to no table that is there."""
    made = (
        "SELECT sql FROM sqlite_master WHERE type = :type AND tbl_name = 'suppressions' AND sql IS NOT NULL"
    )
    [as_it_was] = connection.execute(sa.text(made), {"type": "table"}).scalars().all()
    indexes = connection.execute(sa.text(made), {"type": "index"}).scalars().all()
    named = re.sub(r'^CREATE TABLE "?suppressions"?', "CREATE TABLE suppressions_anew", as_it_was)
    connection.exec_driver_sql(named.replace("PRIMARY KEY (id)", "PRIMARY KEY (id AUTOINCREMENT)"))
    connection.exec_driver_sql("INSERT INTO suppressions_anew SELECT * FROM suppressions")
    connection.exec_driver_sql("DROP TABLE suppressions")
    connection.exec_driver_sql("ALTER TABLE suppressions_anew RENAME TO suppressions")
    for index in indexes:
        connection.exec_driver_sql(index)
