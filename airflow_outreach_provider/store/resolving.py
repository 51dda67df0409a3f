"""Held leads settled by a person: accepted after all, or planned to be sent again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import sqlalchemy as sa

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger_schema import attempts, leads
from airflow_outreach_provider.store.schema import to_ms

Target = Literal[LeadState.ACCEPTED, LeadState.PLANNED]

# State and payload as they must be: another hand, or a run, may have been quicker.
_TO: dict[LeadState, sa.TextClause] = {
    LeadState.ACCEPTED: sa.text(
        "UPDATE leads SET state = 'accepted', reason = 'resolved', detail = :detail, payload = NULL, "
        "accepted_at = COALESCE(sent_at, :now), updated_at = :now, rev = rev + 1 "
        "WHERE id = :id AND state = 'held'"
    ),
    LeadState.PLANNED: sa.text(
        "UPDATE leads SET state = 'planned', reason = 'resolved', detail = :detail, not_before = NULL, "
        "updated_at = :now, rev = rev + 1 WHERE id = :id AND state = 'held' AND payload IS NOT NULL"
    ),
}


def settle(store: Store, ids: Collection[int], to: Target, *, actor: str, subject: str) -> int:
    """Settle these held leads, with an attempt in each one's history and one audit row, in one transaction.

    What is no longer held, or has nothing left to send when it is to be planned, stays as it is.

    :param subject: for the audit row, masked. :return: how many were settled.
    """
    statement = _TO[to]
    detail = f"resolved as {to.value} by {actor}"

    def work(connection: sa.Connection) -> int:
        now = store.now(connection)
        done = [
            lead_id
            for lead_id in sorted(ids)
            if connection.execute(statement, {"id": lead_id, "now": to_ms(now), "detail": detail}).rowcount
        ]
        if done:
            step = {"run_id": None, "at": now, "outcome": "resolved", "reason": to.value, "detail": detail}
            connection.execute(attempts.insert(), [{"lead_id": lead_id, **step} for lead_id in done])
        audit.record_with(connection, now, actor, f"resolve as {to.value}", subject=subject, count=len(done))
        return len(done)

    return store.retrying(work)


def sendable(store: Store, ids: Collection[int]) -> int:
    """How many of these held leads still have their payload, and so can be planned."""
    query = sa.select(sa.func.count()).where(leads.c.id.in_(list(ids)), leads.c.payload.is_not(None))
    with store.read() as connection:
        return int(connection.execute(query).scalar_one())
