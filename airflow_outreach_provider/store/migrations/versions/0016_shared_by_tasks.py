"""What one task is asked to wait, all tasks of its connection do; and one of them looks up held leads for all.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    comment = "nobody sends before that: one of the tasks was asked to wait"
    op.add_column("rates", sa.Column("held_until", sa.BigInteger(), nullable=True, comment=comment))
    op.create_table(
        "look_ups",
        sa.Column("conn_id", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False, comment="'' for all"),
        sa.Column("token", sa.Text(), nullable=False, comment="whose look it is"),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="nobody else looks before that"),
        sa.PrimaryKeyConstraint("conn_id", "campaign", name=op.f("pk_look_ups")),
    )
