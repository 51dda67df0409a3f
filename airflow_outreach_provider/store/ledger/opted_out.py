"""Who opted out by the platform's id of them before the ledger knew whose it is: a lead bears it once it is accepted.

The opt-out waits on the list by the id alone (:mod:`store.suppressions_said`), as a message may be answered sooner than
its lead is settled, and a held one is settled long after.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from airflow_outreach_provider.core.platforms import OUTREACH
from airflow_outreach_provider.store import suppressions_said, suppressions_write
from airflow_outreach_provider.store.bulk import values_param, valueset
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import to_ms

_FOUND = "SELECT l.phone, l.email_hash, s.phone, s.reason, s.source, s.by_stop_word FROM {ids} AS r JOIN leads l ON l.id = r.v "
# Who took a number off the list took off the id with it.
_ALONE = "WHERE s.campaign = '' AND s.row_of = s.id AND l.phone IS NOT NULL"
_WAITING = (
    f"{_FOUND} JOIN suppressions s ON s.phone = '{suppressions_said.contact_id('', '')}' || l.contact_id {_ALONE} UNION "
    # By its source alone, as versions before kept it; of the inbox, which stands beside this room.
    f"{_FOUND} JOIN inbox_events e ON e.external_id = l.contact_id AND e.platform = '{OUTREACH}' "
    f"JOIN suppressions s ON s.phone = '{suppressions_write.CONTACT}' || e.source || ':' || e.external_id {_ALONE}"
)


def list_opted_out(store: Store, lead_ids: Sequence[int]) -> int:
    """Put the numbers and addresses of those of these leads on the do-not-contact list; how many entries are new."""
    query = sa.text(_WAITING.format(ids=valueset(store.dialect, "int")))
    values = {"values": values_param(lead_ids)}
    with store.read() as connection:
        probe(connection)
        waiting = connection.execute(query, values).first() is not None
    if not waiting:
        return 0

    def work(connection: sa.Connection) -> int:
        probe(connection)
        added, now = 0, to_ms(store.now(connection))
        for phone, email_hash, name, reason, source, by_stop_word in connection.execute(query, values).all():
            listed = [phone, *([suppressions_write.EMAIL + email_hash] if email_hash else [])]
            added += suppressions_write.insert(
                connection, now, listed, reason=reason, source=source, by_stop_word=bool(by_stop_word)
            )
            suppressions_said.attach(connection, name, [phone])
        return added

    return store.retrying(work)
