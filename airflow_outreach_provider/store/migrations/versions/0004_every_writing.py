"""The do-not-contact list holds every writing of a line, addresses by hash, and knows what START may lift.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "suppressions",
        sa.Column(
            "row_of",
            sa.BigInteger(),
            nullable=True,
            comment="the entry whose number this is in another writing; NULL for entries themselves",
        ),
    )
    op.add_column(
        "suppressions",
        sa.Column(
            "spread",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="whether its other writings were written",
        ),
    )
    op.add_column(
        "suppressions",
        sa.Column(
            "by_stop_word",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="set by a message that was a stop word: START lifts it",
        ),
    )
    for name, columns, condition in (
        ("ix_suppressions_row_of", ["row_of"], "row_of IS NOT NULL"),
        ("ix_suppressions_unspread", ["id"], "NOT spread"),
        ("ix_suppressions_by_stop_word", ["source"], "by_stop_word"),
    ):
        op.create_index(
            name,
            "suppressions",
            columns,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
