"""Exports that write into one folder write files of different names, so whose names are the plain ones there is kept.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "export_places",
        sa.Column("place", sa.Text(), nullable=False, comment="folder and ending of the files"),
        sa.Column("data", sa.Text(), nullable=False, comment="leads, events, deliveries, outcomes"),
        sa.Column("export", sa.Text(), nullable=False, comment="the first that wrote there"),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", "data", name=op.f("pk_export_places")),
    )
