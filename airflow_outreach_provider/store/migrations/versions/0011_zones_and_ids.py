"""A lead keeps the time zone its row names while it waits, and events are found by their contact's id.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column(
        "leads",
        sa.Column(
            "time_zone", sa.Text(), nullable=True, comment="as its row names it; erased with the payload"
        ),
    )
    op.create_index(
        "ix_inbox_events_external_id",
        "inbox_events",
        ["external_id"],
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
