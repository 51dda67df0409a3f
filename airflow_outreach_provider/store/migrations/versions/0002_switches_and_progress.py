"""Sources can be switched off and show what was refused; runs show their connection and how far they are.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column("fraction", sa.Float(), nullable=True, comment="how much of the source was read, 0 to 1"),
    )
    op.add_column(
        "runs",
        sa.Column(
            "conn_id",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="the connection it submitted through",
        ),
    )
    op.create_table(
        "sources",
        sa.Column("conn_id", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("disabled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default="0", nullable=False, comment="requests refused"),
        sa.Column("refused_at", sa.BigInteger(), nullable=True, comment="the last of them"),
        sa.Column("refused_status", sa.Integer(), nullable=True, comment="what it was answered"),
        sa.Column("refused_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("conn_id", name=op.f("pk_sources")),
    )
    op.add_column(
        "inbox_pending",
        sa.Column(
            "replayed", sa.Boolean(), server_default=sa.false(), nullable=False, comment="read again by wish"
        ),
    )
