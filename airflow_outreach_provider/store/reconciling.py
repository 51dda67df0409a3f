"""Held leads that a look into the platform's contact list may settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger_schema import attempts, leads, runs


@dataclass(frozen=True, slots=True)
class HeldLead:
    """:ivar sent_at: when the request that may have reached the person was claimed."""

    id: int
    phone: str = field(repr=False)
    sent_at: datetime
    has_payload: bool
    rev: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a held lead. :ivar state: accepted or planned."""

    id: int
    rev: int
    state: LeadState
    reason: str
    contact_id: str | None = None


def held_before(
    store: Store, before: datetime, limit: int, conn_id: str, campaign: str | None = None
) -> list[HeldLead]:
    """Held leads whose request is older than a time and went through a connection, the oldest first.

    Another account's contact list knows nothing of them. Where the connection is no longer known, nobody's does.
    """
    query = (
        sa.select(leads.c.id, leads.c.phone, leads.c.sent_at, leads.c.payload.is_not(None), leads.c.rev)
        .join(runs, runs.c.id == leads.c.run_id)
        .where(runs.c.conn_id == conn_id, runs.c.conn_id != "")
        .where(leads.c.state == LeadState.HELD, leads.c.sent_at < before, leads.c.phone.is_not(None))
        .order_by(leads.c.id)
        .limit(limit)
    )
    if campaign is not None:
        query = query.where(leads.c.campaign == campaign)
    with store.read() as connection:
        return [HeldLead(*row) for row in connection.execute(query)]


def apply(store: Store, findings: Sequence[Finding]) -> dict[LeadState, int]:
    """Settle leads that are still held as they were; how many became what."""

    def work(connection: sa.Connection) -> dict[LeadState, int]:
        now = store.now(connection)
        done: dict[LeadState, int] = {LeadState.ACCEPTED: 0, LeadState.PLANNED: 0}
        for finding in findings:
            values: dict[str, object] = {
                "state": finding.state, "reason": finding.reason, "detail": "", "updated_at": now, "rev": leads.c.rev + 1,
            }  # fmt: skip
            if finding.state is LeadState.ACCEPTED:
                values |= {"payload": None, "accepted_at": leads.c.sent_at, "contact_id": finding.contact_id}
            still_held = (
                leads.c.id == finding.id,
                leads.c.state == LeadState.HELD,
                leads.c.rev == finding.rev,
            )
            if connection.execute(sa.update(leads).where(*still_held).values(values)).rowcount:
                done[finding.state] += 1
                step = {"lead_id": finding.id, "at": now, "outcome": "reconciled", "reason": finding.reason}
                connection.execute(
                    attempts.insert().values(**step, detail=f"the contact list says {finding.state}")
                )
        return done

    return store.retrying(work)
