"""What waits is found by indexes of it alone, however much is in somebody's hands, waits for its time, or is done.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_OPEN = "state IN ('pending', 'failed')"
_INDEXES = {
    "ix_deliveries_waiting": (["route", "id"], "plan_until IS NULL AND due_at IS NULL"),
    "ix_deliveries_due": (["route", "due_at"], "due_at IS NOT NULL"),
    "ix_deliveries_planned": (["route", "plan_until"], "plan_until IS NOT NULL"),
    "ix_deliveries_taken": (
        ["route", "lane", "id"], "(plan_until IS NOT NULL OR claim_until IS NOT NULL OR due_at IS NOT NULL)",
    ),
    "ix_deliveries_tried": (["route", "lane", "id"], "tries > 0"),
    "ix_deliveries_untried": (["route", "id"], "tries = 0"),
}  # fmt: skip


def upgrade() -> None:
    for name, (columns, such) in _INDEXES.items():
        where = sa.text(f"{_OPEN} AND {such}")
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
