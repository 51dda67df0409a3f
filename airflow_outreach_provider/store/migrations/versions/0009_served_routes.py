"""A task may go on serving its route with what comes in, so it has to know all that its sensor reads.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "served_routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="the task instance"),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_served_routes")),
    )
    op.add_column(
        "inbox_consumers",
        sa.Column(
            "reads_where",
            sa.Text(),
            nullable=True,
            comment="its sensor's expression; '': none; NULL: no sensor ever said",
        ),
    )
