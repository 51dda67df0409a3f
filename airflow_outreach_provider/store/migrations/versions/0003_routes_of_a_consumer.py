"""A consumer knows for which routes its events are handed out, so that a doorbell looks at their deliveries too."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "inbox_consumers",
        sa.Column(
            "routes",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="names, space-separated, as its sensor last said",
        ),
    )
