"""A run's leads wait until its source is judged, and what a person was last texted with is remembered.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "withheld",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="its source is not judged yet: nothing it planned may be sent",
        ),
    )
    op.add_column(
        "runs",
        sa.Column(
            "partial",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="only its first rows were wanted: no measure for later runs",
        ),
    )
    op.create_index(
        "ix_runs_withheld",
        "runs",
        ["id"],
        sqlite_where=sa.text("withheld"),
        postgresql_where=sa.text("withheld"),
    )
    op.add_column(
        "leads",
        sa.Column(
            "texted_hash",
            sa.Text(),
            nullable=True,
            comment="content_hash as it was accepted, once another is staged",
        ),
    )
