"""What one task is asked to wait, all tasks of its connection do.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    comment = "nobody sends before that: one of the tasks was asked to wait"
    op.add_column("rates", sa.Column("held_until", sa.BigInteger(), nullable=True, comment=comment))
