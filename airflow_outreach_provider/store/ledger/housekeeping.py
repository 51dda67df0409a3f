"""What the ledger forgets: with age, or because a person asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.store.bulk import values_param, valueset
from airflow_outreach_provider.store.by_index import in_passing
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.runs import IN_LEDGER
from airflow_outreach_provider.store.ledger.tables import attempts, consents, leads
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

_NEVER_TEXTED = "state IN ('rejected', 'suppressed') AND accepted_at IS NULL AND updated_at < :old"
_TEXTED = (
    "((state = 'accepted' AND run_id IS NOT NULL) "
    "OR (state IN ('rejected', 'suppressed') AND accepted_at IS NOT NULL)) AND updated_at < :old"
)
_REDUCE = (
    "UPDATE leads SET state = 'accepted', content_hash = CASE WHEN state = 'accepted' THEN content_hash "
    "ELSE COALESCE(texted_hash, content_hash) END, rev = rev + 1, detail = '', reason = '', email_hash = NULL, "
    "contact_id = NULL, conversation_id = NULL, application_id = NULL, line = NULL, run_id = NULL"
)
_OF_NOBODY = "at < :old AND (SELECT COUNT(*) FROM leads l WHERE l.id = consents.lead_id) = 0"
_WHOLE = "{0}.state = 'succeeded' AND NOT {0}.dry_run AND NOT {0}.partial AND {0}.source <> '{1}'"
# What ``min_rows`` compares the next run with, as ``runs.last_of`` finds it: there is no later one of its kind.
_MEASURE = (
    f"runs.dag_id <> '' AND {_WHOLE.format('runs', IN_LEDGER)} AND (SELECT 1 FROM runs later WHERE later.dag_id = runs.dag_id "
    "AND later.task_id = runs.task_id AND later.map_index = runs.map_index "
    f"AND later.campaign = runs.campaign AND later.id > runs.id AND {_WHOLE.format('later', IN_LEDGER)} "
    "ORDER BY later.id LIMIT 1) IS NULL"
)
# Which contact list may tell of a held lead, the run alone knows. Spelt as the index of them is.
_TELLS_OF_HELD = (
    "runs.conn_id <> '' AND (SELECT 1 FROM leads l WHERE l.run_id = runs.id AND l.state NOT IN ('accepted', 'sending', 'planned') "
    "AND l.state = 'held' LIMIT 1) IS NOT NULL"
)
# Of the last one the lead itself knows when it was.
_EARLIER_TEXT = (
    "at < :old AND outcome IN ('accepted', 'unknown', 'resolved', 'reconciled') "
    "AND (SELECT COUNT(*) FROM leads l WHERE l.id = attempts.lead_id AND l.sent_at > attempts.at) = 1"
)


def purge_leads(store: Store, before: datetime) -> dict[str, int]:
    """Forget leads untouched since a time, and runs and attempts older than it.

    Who was accepted stays known by number alone, or the next sync would text again, also where something sent to
    them later was refused; so do leads that are still to be sent or held, which wait for somebody, and of what is held the
    run, by which its contact list is found. When somebody was texted stays known too, for ``per_person``, and of each DAG
    and campaign the run that ``min_rows`` compares with. The do-not-contact list stays whole, and of consent what is said
    of leads that stay.

    :return: rows by what became of them.
    """
    old = to_ms(before)
    store.retrying(lambda connection: connection.execute(_LIST_NUMBERS, {"old": old}))
    done = {
        "leads removed": _each(store, "leads", _NEVER_TEXTED, "DELETE FROM leads", old),
        "leads reduced to their number": _each(store, "leads", _TEXTED, _REDUCE, old),
        "consents removed": _each(store, "consents", _OF_NOBODY, "DELETE FROM consents", old),
    }
    _each(store, "attempts", f"{_EARLIER_TEXT} AND detail <> ''", "UPDATE attempts SET detail = ''", old)
    done["attempts removed"] = _each(
        store, "attempts", f"at < :old AND NOT ({_EARLIER_TEXT})", "DELETE FROM attempts", old
    )
    ended = f"started_at < :old AND state <> 'running' AND NOT ({_MEASURE}) AND NOT ({_TELLS_OF_HELD})"
    return done | {"runs removed": _each(store, "runs", ended, "DELETE FROM runs", old)}


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


def _each(store: Store, table: str, such: str, change: str, old: int) -> int:
    """Change every row of the table that is such a one; how many."""
    look = sa.text(f"SELECT id FROM {table} WHERE id > :after AND {such} ORDER BY id LIMIT {_GROUP}")
    changed = sa.text(
        f"{change} WHERE id IN (SELECT v FROM {valueset(store.dialect, 'int')} AS r) AND {such}"
    )

    def work(ids: Sequence[int], connection: sa.Connection) -> int:
        return connection.execute(changed, {"values": values_param(ids), "old": old}).rowcount

    return in_passing(store, lambda after: look.bindparams(after=after, old=old), work)
