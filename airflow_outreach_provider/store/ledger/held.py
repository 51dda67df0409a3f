"""Held leads settled by a person: accepted after all, or planned to be sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import opted_out
from airflow_outreach_provider.store.ledger.tables import attempts, leads, runs
from airflow_outreach_provider.store.schema import to_ms

Target = Literal[LeadState.ACCEPTED, LeadState.PLANNED]

# State and payload as they must be: another hand, or a run, may have been quicker.
_TO: dict[LeadState, sa.TextClause] = {
    LeadState.ACCEPTED: sa.text(
        "UPDATE leads SET state = 'accepted', reason = 'resolved', detail = :detail, payload = NULL, time_zone = NULL, "
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


def connections_of_held(store: Store, campaign: str | None = None, most: int = 1000) -> dict[str, int]:
    """The connections that held leads were sent through, and how many of the first ``most`` went through each."""
    held: list[Any] = [leads.c.state == sa.literal_column("'held'"), sa.text("leads.state <> 'accepted'")]
    if campaign is not None:
        held.append(leads.c.campaign == campaign)
    some = sa.select(leads.c.run_id).where(*held).limit(most).subquery()
    query = sa.select(runs.c.conn_id, sa.func.count()).join(some, some.c.run_id == runs.c.id)
    with store.read() as connection:
        found = connection.execute(query.where(runs.c.conn_id != "").group_by(runs.c.conn_id))
        return {str(conn_id): int(n) for conn_id, n in found}


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
        .where(leads.c.state == sa.literal_column("'held'"))
        .where(leads.c.sent_at < before, leads.c.phone.is_not(None))
        .order_by(leads.c.id)
        .limit(limit)
    )
    if campaign is not None:  # spelt so that SQLite asks the index of states and campaigns then, and not else
        query = query.where(leads.c.campaign == campaign, sa.text("leads.state <> 'accepted'"))
    with store.read() as connection:
        walk(connection)
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
                values |= {
                    "payload": None,
                    "time_zone": None,
                    "accepted_at": leads.c.sent_at,
                    "contact_id": finding.contact_id,
                }
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

    settled = store.retrying(work)
    opted_out.list_opted_out(store, [each.id for each in findings if each.contact_id])
    return settled
