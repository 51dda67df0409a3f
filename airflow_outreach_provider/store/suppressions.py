"""The do-not-contact list."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger_schema import leads
from airflow_outreach_provider.store.schema import to_ms


def suppress(store: Store, phones: Collection[str], *, reason: str, source: str, campaign: str = "") -> int:
    """Put numbers on the list; a number that is on it keeps its first reason.

    :param phones: E.164.
    :param reason: a stable word, e.g. ``unsubscribed``.
    :param source: who or what said so.
    :param campaign: only for this one; all where empty.
    :return: how many were new.
    """
    if not phones:
        return 0

    def work(connection: sa.Connection) -> int:
        now = to_ms(store.now(connection))
        statement = sa.text(
            "INSERT INTO suppressions (campaign, phone, reason, source, added_at) "
            "VALUES (:campaign, :phone, :reason, :source, :now) ON CONFLICT (phone, campaign) DO NOTHING"
        )
        added = 0
        for phone in sorted(set(phones)):
            values = {"campaign": campaign, "phone": phone, "reason": reason, "source": source, "now": now}
            added += connection.execute(statement, values).rowcount
        return added

    return store.retrying(work)


def phones_of(store: Store, email_hash: str) -> list[str]:
    """The numbers of the leads that came with an e-mail address.

    :param email_hash: ``core.rules.hash_email`` of it.
    """
    with store.read() as connection:
        found = sa.select(leads.c.phone).where(leads.c.email_hash == email_hash, leads.c.phone.is_not(None))
        return sorted(set(connection.execute(found).scalars()))
