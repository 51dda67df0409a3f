"""How far the order of a contact list is trusted, and whether a reading of it was broken off.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for column in (
        sa.Column(
            "whole_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the whole list was last read; NULL: not since it is kept",
        ),
        sa.Column(
            "trusted_ms",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="from then: its order is",
        ),
        sa.Column(
            "unfinished", sa.Boolean(), server_default=sa.false(), nullable=False, comment="a reading began"
        ),
    ):
        op.add_column("inbox_polls", column)
