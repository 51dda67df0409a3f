"""What the ledger forgets: with age, or because a person asks."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import attempts, leads, runs
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
    to be sent or held, which wait for somebody. The do-not-contact list stays whole.

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
    for table, column in ((attempts, "at"), (runs, "started_at")):
        ended = " AND state <> 'running'" if table is runs else ""
        done[f"{table.name} removed"] = _in_groups(
            store,
            f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} WHERE {column} < :old{ended} "
            "ORDER BY id LIMIT :group)",
            old,
        )
    return done


def forget_leads(store: Store, phones: list[str], email_hash: str | None) -> int:
    """Remove every lead of a person, with its attempts, by E.164 numbers and the hash of an e-mail address.

    :return: how many leads.
    """
    chosen: sa.ColumnElement[bool] = leads.c.phone.in_(phones)
    if email_hash is not None:
        chosen = sa.or_(chosen, leads.c.email_hash == email_hash)

    def work(connection: sa.Connection) -> int:
        ids = list(connection.execute(sa.select(leads.c.id).where(chosen)).scalars())
        for start in range(0, len(ids), _GROUP):
            group = ids[start : start + _GROUP]
            connection.execute(sa.delete(attempts).where(attempts.c.lead_id.in_(group)))
            connection.execute(sa.delete(leads).where(leads.c.id.in_(group)))
        return len(ids)

    return store.retrying(work)


def _in_groups(store: Store, statement: str, old: int) -> int:
    text, parameters = sa.text(statement), {"old": old, "group": _GROUP}
    return store.in_groups(lambda connection: connection.execute(text, parameters).rowcount)
