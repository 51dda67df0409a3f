"""What is held is found by indexes of it alone, and so is the last run of a DAG, however many there were.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_HELD = sa.text("state = 'held'")


def upgrade() -> None:
    for name, table, columns in (
        ("ix_leads_held", "leads", ["state", "id"]),
        ("ix_deliveries_held", "deliveries", ["route", "lane"]),
    ):
        op.create_index(name, table, columns, sqlite_where=_HELD, postgresql_where=_HELD)
    op.create_index("ix_runs_dag", "runs", ["dag_id", "campaign", "id"])
