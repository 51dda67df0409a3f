"""What a row said of consent stays with its lead.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("column", sa.Text(), nullable=False, comment="of the source"),
        sa.Column("value", sa.Text(), nullable=False, comment="as it was read"),
        sa.Column("source", sa.Text(), server_default="", nullable=False, comment="where the row came from"),
        sa.Column("line", sa.BigInteger(), nullable=True, comment="of the source"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_lead_id", "consents", ["lead_id", "id"])
