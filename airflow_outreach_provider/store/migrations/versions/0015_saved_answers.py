"""What an endpoint's answer told of a contact stays, so that a later event can address the same record.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "saved_answers",
        sa.Column("lane", sa.Text(), nullable=False, comment="hash of source and contact"),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="connection id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="as JSON"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "endpoint", "name", name=op.f("pk_saved_answers")),
    )
    op.create_index("ix_saved_answers_updated_at", "saved_answers", ["updated_at"])
