"""What the ledger forgets: with age, or because a person asks."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import attempts, consents, leads, runs
from airflow_outreach_provider.store.schema import to_ms
from airflow_outreach_provider.store.suppressions_write import EMAIL

_GROUP = 1_000
# Whose address is on the list stays on it by number: the two are about to be parted.
_LIST_NUMBERS = sa.text(
    "INSERT INTO suppressions (campaign, phone, reason, source, added_at, by_stop_word) "
    "SELECT s.campaign, l.phone, s.reason, s.source, s.added_at, s.by_stop_word FROM suppressions s "
    f"JOIN leads l ON s.phone = '{EMAIL}' || l.email_hash "
    "WHERE l.updated_at < :old AND l.phone IS NOT NULL ON CONFLICT (phone, campaign) DO NOTHING"
)


def purge_leads(store: Store, before: datetime) -> dict[str, int]:
    """Forget leads untouched since a time, and runs and attempts older than it.

    Who was accepted stays known by number alone, or the next sync would text again, also where something sent to
    them later was refused; so do leads that are still
    to be sent or held, which wait for somebody. The do-not-contact list stays whole, and of consent what is said of
    leads that stay.

    :return: rows by what became of them.
    """
    old = to_ms(before)
    store.retrying(lambda connection: connection.execute(_LIST_NUMBERS, {"old": old}))
    done = {
        "leads removed": _in_groups(
            store,
            "DELETE FROM leads WHERE id IN (SELECT id FROM leads WHERE state IN ('rejected', 'suppressed') "
            "AND accepted_at IS NULL AND updated_at < :old ORDER BY id LIMIT :group)",
            old,
        ),
        "leads reduced to their number": _in_groups(
            store,
            "UPDATE leads SET state = 'accepted', content_hash = CASE WHEN state = 'accepted' THEN content_hash "
            "ELSE COALESCE(texted_hash, content_hash) END, rev = rev + 1, detail = '', reason = '', email_hash = NULL, contact_id = NULL, conversation_id = NULL, "
            "application_id = NULL, line = NULL, run_id = NULL WHERE id IN (SELECT id FROM leads "
            "WHERE ((state = 'accepted' AND run_id IS NOT NULL) "
            "OR (state IN ('rejected', 'suppressed') AND accepted_at IS NOT NULL)) "
            "AND updated_at < :old ORDER BY id LIMIT :group)",
            old,
        ),
    }
    done["consents removed"] = _in_groups(
        store,
        "DELETE FROM consents WHERE id IN (SELECT c.id FROM consents c LEFT JOIN leads l ON l.id = c.lead_id "
        "WHERE l.id IS NULL AND c.at < :old ORDER BY c.id LIMIT :group)",
        old,
    )
    for table, column in ((attempts, "at"), (runs, "started_at")):
        ended = " AND state <> 'running'" if table is runs else ""
        done[f"{table.name} removed"] = _in_groups(
            store,
            f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} WHERE {column} < :old{ended} "
            "ORDER BY id LIMIT :group)",
            old,
        )
    return done


def forget_leads(store: Store, ids: list[int]) -> int:
    """Remove leads with their attempts and the evidence of consent; how many leads."""

    def work(connection: sa.Connection) -> int:
        gone = 0
        for start in range(0, len(ids), _GROUP):
            group = ids[start : start + _GROUP]
            for table in (attempts, consents):
                connection.execute(sa.delete(table).where(table.c.lead_id.in_(group)))
            gone += connection.execute(sa.delete(leads).where(leads.c.id.in_(group))).rowcount
        return gone

    return store.retrying(work)


def _in_groups(store: Store, statement: str, old: int) -> int:
    text, parameters = sa.text(statement), {"old": old, "group": _GROUP}
    return store.in_groups(lambda connection: connection.execute(text, parameters).rowcount)
