"""Leads are found by their address: a sync may say that a person has one text, whatever number they left.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index(
        "ix_leads_email_hash",
        "leads",
        ["email_hash", "campaign"],
        sqlite_where=sa.text("email_hash IS NOT NULL"),
        postgresql_where=sa.text("email_hash IS NOT NULL"),
    )
    op.create_table(
        "watermarks",
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("column", sa.Text(), nullable=False, comment="of the source, whose largest value this is"),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "campaign", "column"),
    )
