"""What was sent can be shown: the form of a request once, its digest and its answer's headers with each attempt. And who
sends again can follow it to its end, and take back what has not gone yet.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "request_forms",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False, comment="as JSON, secrets hidden"),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_request_forms")),
    )
    op.add_column(
        "delivery_attempts", sa.Column("form", sa.Text(), nullable=True, comment="key of the request's form")
    )
    op.add_column(
        "delivery_attempts", sa.Column("digest", sa.Text(), nullable=True, comment="of the request")
    )
    op.add_column(
        "delivery_attempts", sa.Column("size", sa.Integer(), nullable=True, comment="of its body, in bytes")
    )
    op.add_column(
        "delivery_attempts",
        sa.Column("headers", sa.Text(), nullable=True, comment="of the answer, those that matter, as JSON"),
    )
    op.add_column(
        "deliveries", sa.Column("resend", sa.BigInteger(), nullable=True, comment="audit row of the last one")
    )
    op.add_column(
        "deliveries", sa.Column("resent_from", sa.Text(), nullable=True, comment="its state before that")
    )
    op.create_index(
        "ix_deliveries_resend",
        "deliveries",
        ["resend", "state", "id"],
        sqlite_where=sa.text("resend IS NOT NULL"),
        postgresql_where=sa.text("resend IS NOT NULL"),
    )
