"""What a run that only tries found of its rows, for a day.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "trials",
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("airflow_run_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False, comment="rows, payloads, states and reasons, as JSON"),
        sa.PrimaryKeyConstraint("dag_id", "airflow_run_id", "task_id", "map_index", name=op.f("pk_trials")),
    )
    op.create_index("ix_trials_at", "trials", ["at"])
