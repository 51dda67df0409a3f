"""How often a person was texted, over all campaigns: what ``per_person`` counts.

A text is an attempt that was taken, or whose outcome nobody has found out, by its time (the task that died in it counts
as one); and a claim without such an attempt: it is in flight. Leads are found by their number, attempts by their lead: both are indexed.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.store.bulk import values_param, valueset
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import from_ms

# A text that was found out about is known by its claim until the lead is claimed again, and by this from then on.
_FOUND_OUT = (
    "(a.at < p.sent_at AND ((a.outcome = 'resolved' AND a.reason = 'accepted') "
    "OR (a.outcome = 'reconciled' AND a.reason = 'found_in_contacts')))"
)
# A run whose task was given up may hear an answer yet: it is of the same text.
_TEXTED = (
    f"(a.outcome = 'accepted' OR {_FOUND_OUT} OR (a.outcome = 'unknown' AND NOT EXISTS (SELECT 1 FROM attempts b "
    "WHERE b.lead_id = a.lead_id AND b.id > a.id AND (b.run_id = a.run_id OR b.outcome IN ('resolved', 'reconciled')))))"
)
_BY_ATTEMPT = f"{_TEXTED} AND a.at > :since"
_BY_CLAIM = (
    "p.sent_at > :since AND p.state IN ('sending', 'held', 'accepted') AND "
    f"(SELECT COUNT(*) FROM attempts a WHERE a.lead_id = p.id AND {_TEXTED} AND a.at >= p.sent_at) = 0"
)
# Claims under such a rule, on PostgreSQL, see each other's because they come one after the other.
_ONE_BY_ONE = sa.text("SELECT pg_advisory_xact_lock(7361205518264410957)")


def may_be_texted(dialect: str) -> str:
    """The condition of a claim: the lead's person may get another text, and no other lead of theirs is claimed with it.

    A claim of the same lead whose commit was not acknowledged does not count: it is claimed again.
    """
    return (
        # Person by person and lead by lead: as a join, PostgreSQL without statistics reads all attempts first.
        f"COALESCE((SELECT SUM((SELECT COUNT(*) FROM attempts a WHERE a.lead_id = p.id AND {_BY_ATTEMPT})) "
        "FROM leads p WHERE p.phone = leads.phone), 0) "
        f"+ (SELECT COUNT(*) FROM leads p WHERE p.phone = leads.phone AND p.id <> leads.id AND {_BY_CLAIM}) < :most "
        "AND NOT EXISTS (SELECT 1 FROM leads o WHERE o.phone = leads.phone AND o.id < leads.id "
        f"AND o.id IN (SELECT v FROM {valueset(dialect, 'int')} AS r))"
    )


def wait_for_others(store: Store, connection: sa.Connection) -> None:
    """Until no other claim under such a rule is open; SQLite has one writer anyway."""
    if store.dialect == "postgresql":
        connection.execute(_ONE_BY_ONE)


def counted_from(rule: PerPerson, now: int) -> int:
    """From when on texts count; both in milliseconds since the epoch."""
    return now - round(rule.span.total_seconds() * 1000)


def texted(
    store: Store, connection: sa.Connection, phones: Collection[str], since: int
) -> dict[str, list[datetime]]:
    """When these people were texted, or may have been, by number; who was not is left out.

    :param since: milliseconds since the epoch.
    """
    people = f"(SELECT DISTINCT v FROM {valueset(store.dialect, 'text')} AS q) AS r"
    leads, attempts = (
        "JOIN leads p ON p.phone = r.v",
        f"JOIN attempts a ON a.lead_id = p.id AND {_BY_ATTEMPT}",
    )
    if store.dialect == "postgresql":  # which would begin with all attempts, where it has no statistics
        leads = "CROSS JOIN LATERAL (SELECT id, sent_at, state FROM leads WHERE phone = r.v OFFSET 0) AS p"
        attempts = (
            "CROSS JOIN LATERAL (SELECT a.at FROM attempts a "
            f"WHERE a.lead_id = p.id AND {_BY_ATTEMPT} OFFSET 0) AS a"
        )
    query = sa.text(
        f"SELECT r.v, a.at FROM {people} {leads} {attempts} "
        f"UNION ALL SELECT r.v, p.sent_at FROM {people} {leads} WHERE {_BY_CLAIM}"
    )
    found: dict[str, list[datetime]] = {}
    for phone, at in connection.execute(query, {"values": values_param(list(phones)), "since": since}):
        found.setdefault(phone, []).append(from_ms(at))
    return found
