"""Exports to a warehouse write each change once, so how far each has come has to be kept.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "export_marks",
        sa.Column("export", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False, comment="leads, events, deliveries, outcomes"),
        sa.Column(
            "reached_ms", sa.BigInteger(), nullable=False, comment="changes up to this time are written"
        ),
        sa.Column("reached_id", sa.BigInteger(), nullable=False, comment="and of this time up to this row"),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("export", "data", name=op.f("pk_export_marks")),
    )
