"""What a task had in flight when it died is an attempt of unknown outcome, so that it counts as a text when it is sent again.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute(
        "INSERT INTO attempts (lead_id, run_id, at, outcome, reason, detail) "
        "SELECT id, run_id, sent_at, 'unknown', reason, detail FROM leads "
        "WHERE state = 'held' AND state <> 'accepted' AND reason = 'worker_died' AND sent_at IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM attempts a WHERE a.lead_id = leads.id AND a.at >= leads.sent_at)"
    )
