"""A person is found by indexes alone: events by number and address, leads by address and the platform's id.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    for table, column, key in (
        ("inbox_events", "phone", "row_id"),
        ("leads", "contact_id", "id"),
    ):
        known = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_{table}_{column}", table, [column, key], sqlite_where=known, postgresql_where=known
        )
    op.create_index("ix_inbox_events_email", "inbox_events", [sa.text("lower(email)"), "row_id"])
