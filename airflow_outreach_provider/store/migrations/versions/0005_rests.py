"""A failed delivery may wait for its time in nobody's hands; endpoints rest; a consumer's filter is known.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "deliveries",
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="not before; NULL: at once"),
    )
    for column in (
        sa.Column("resting_since", sa.BigInteger(), nullable=True),
        sa.Column("rest_until", sa.BigInteger(), nullable=True, comment="then one request asks again"),
        sa.Column("rest_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("rests", sa.Integer(), server_default="0", nullable=False, comment="how often in a row"),
        sa.Column("asked_until", sa.BigInteger(), nullable=True, comment="somebody is asking now"),
        sa.Column("recovered_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("endpoints", column)
    op.create_table(
        "route_endpoints",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="where its deliveries went last"),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_route_endpoints")),
    )
    for column in (
        sa.Column("source", sa.Text(), nullable=True, comment="all it reads; NULL: of any source"),
        sa.Column(
            "kinds", sa.Text(), nullable=True, comment="' a b '; '': the usual ones; NULL: nobody knows"
        ),
        sa.Column(
            "looked_at", sa.BigInteger(), nullable=True, comment="to the hour; NULL: not since it is kept"
        ),
        sa.Column(
            "rung_for",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="a doorbell listens for it",
        ),
    ):
        op.add_column("inbox_consumers", column)
    op.create_table(
        "notices",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False, comment="the same thing is noted once"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("key", name=op.f("uq_notices_key")),
    )
    op.create_index(
        "ix_notices_untold",
        "notices",
        ["id"],
        sqlite_where=sa.text("told_at IS NULL"),
        postgresql_where=sa.text("told_at IS NULL"),
    )
