"""Leads as people look at them: lists by filter, one lead's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.phone_lines import other_writings
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import attempts, consents, leads, runs
from airflow_outreach_provider.store.paging import (
    PAGE_SIZE,
    Branch,
    Condition,
    Few,
    Page,
    Scan,
    distinct,
    every,
)
from airflow_outreach_provider.store.suppressions_write import EMAIL, suppressions


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads are meant; what is left out does not restrict.

    :ivar phone: E.164. :ivar run_id: leads this run rejected, suppressed, deferred or left held.
    :ivar dags: leads that a run of one of these touched last.
    """

    campaign: str | None = None
    state: LeadState | None = None
    reason: str | None = None
    phone: str | None = None
    run_id: int | None = None
    dags: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class LeadRow:
    """A lead; ``phone`` and ``payload`` are whole: mask them before they are shown."""

    id: int
    campaign: str
    phone: str | None = field(repr=False)
    state: str
    reason: str
    detail: str = field(repr=False)
    line: int | None
    run_id: int | None
    tries: int
    not_before: datetime | None
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    contact_id: str | None
    conversation_id: str | None
    application_id: str | None


@dataclass(frozen=True, slots=True)
class LeadAttempt:
    """One submission of a lead, or a step of its life, with the task instance it happened in (if any)."""

    id: int
    lead_id: int
    run_id: int | None
    at: datetime
    outcome: str
    reason: str
    status: int | None
    latency_ms: int | None
    detail: str = field(repr=False)
    dag_id: str | None = None
    task_id: str | None = None
    airflow_run_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None


@dataclass(frozen=True, slots=True)
class LeadConsent:
    """What a row said of consent when a lead was planned from it. :ivar column: of the source."""

    at: datetime
    column: str
    value: str = field(repr=False)
    source: str
    line: int | None


@dataclass(frozen=True, slots=True)
class LeadStory:
    """A lead with all that happened to it.

    :ivar others: the same person in other campaigns.
    :ivar listed: campaigns ("" is every one) whose do-not-contact list has the number, with the reason.
    :ivar consents: the evidence of consent, where the sync required it.
    """

    lead: LeadRow
    attempts: list[LeadAttempt]
    others: list[LeadRow]
    listed: dict[str, str]
    payload: str | None = field(default=None, repr=False)
    consents: list[LeadConsent] = field(default_factory=list)


_COLUMNS = [leads.c[name] for name in LeadRow.__slots__]
_SCAN = Scan(leads, [leads.c.id], _COLUMNS)
_ATTEMPTS = Scan(attempts, [attempts.c.id], list(attempts.c))
_RUN_COLUMNS = (runs.c.dag_id, runs.c.task_id, runs.c.airflow_run_id, runs.c.map_index, runs.c.try_number)
# Spelt as in the partial indexes: with bound parameters neither database would use them.
_NOT_ACCEPTED = sa.text("leads.state <> 'accepted'")
_USUAL = [LeadState.ACCEPTED.value, LeadState.SENDING.value, LeadState.PLANNED.value]
_EXCEPTIONAL = sa.text(f"leads.state NOT IN ({', '.join(map(repr, _USUAL))})")


def _is(state: LeadState) -> sa.ColumnElement[bool]:
    return leads.c.state == sa.literal_column(f"'{state.value}'")


def list_leads(
    store: Store,
    wanted: LeadFilter,
    *,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    oldest: bool = False,
) -> Page[LeadRow]:
    """Leads, the latest recorded first, or the oldest."""
    with store.read() as connection:
        branches, residual = _plan(connection, wanted)
        page = _SCAN.page(
            connection, branches=branches, residual=residual, cursor=cursor, limit=limit, oldest=oldest
        )
    return page.of(LeadRow)


def every_lead(store: Store, wanted: LeadFilter, *, chunk: int = 1000) -> Iterator[LeadRow]:
    """All of them, read page by page: for an export."""
    return every(lambda cursor: list_leads(store, wanted, cursor=cursor, limit=chunk))


def _plan(connection: sa.Connection, wanted: LeadFilter) -> tuple[Sequence[Branch], list[Condition]]:
    """What an index answers, and what is left to look through."""
    state, campaign, reason, run_id = wanted.state, wanted.campaign, wanted.reason, wanted.run_id
    residual: list[Condition] = [] if wanted.dags is None else [touched_last_by(wanted.dags)]
    if reason:
        residual.append(lambda c: c.reason == reason)
    by_state: Condition = lambda c: c.state == (state.value if state else "")  # noqa: E731
    by_campaign: Condition = lambda c: c.campaign == campaign  # noqa: E731
    if wanted.phone:
        residual += [by_state] if state else []
        residual += [by_campaign] if campaign else []
        residual += (
            [lambda c: sa.and_(c.run_id == run_id, c.state.not_in(_USUAL))] if run_id is not None else []
        )
        return [Few([leads.c.phone.in_([wanted.phone, *other_writings(wanted.phone)])])], residual
    if run_id is not None:
        residual += [by_state] if state else []
        residual += [by_campaign] if campaign else []
        return [[leads.c.run_id == run_id, _EXCEPTIONAL]], residual  # type: ignore[list-item]
    if state is not None and state is not LeadState.ACCEPTED:
        common = [_is(state), _NOT_ACCEPTED]
        names = [campaign] if campaign else distinct(connection, leads.c.campaign, common)  # type: ignore[arg-type]
        if names is not None:
            return [[*common, leads.c.campaign == name] for name in names], residual  # type: ignore[list-item]
    residual += [by_state] if state else []
    residual += [by_campaign] if campaign else []
    return [[]], residual


def touched_last_by(dags: frozenset[str]) -> Condition:
    """A lead that a run of one of these DAGs touched last."""
    return lambda c: sa.exists().where(runs.c.id == c.run_id, runs.c.dag_id.in_(sorted(dags)))


def lead_story(
    store: Store, lead_id: int, *, with_payload: bool = False, dags: frozenset[str] | None = None
) -> LeadStory | None:
    """One lead with its history, oldest first; None where there is no such lead.

    :param dags: what these did to it alone, without what their runs did not write: evidence of consent, the list.
    """
    mine = [] if dags is None else [touched_last_by(dags)(leads.c)]
    with store.read() as connection:
        found = sa.select(*_COLUMNS, leads.c.payload).where(leads.c.id == lead_id, *mine)
        row = connection.execute(found).first()
        if row is None:
            return None
        lead = LeadRow(*row[:-1])
        told = (
            sa.select(*attempts.c, *_RUN_COLUMNS)
            .outerjoin(runs, runs.c.id == attempts.c.run_id)
            .where(
                attempts.c.lead_id == lead_id, *([] if dags is None else [runs.c.dag_id.in_(sorted(dags))])
            )
            .order_by(attempts.c.id.desc())
            .limit(200)
        )
        history = [LeadAttempt(*each) for each in connection.execute(told)][::-1]
        evidence = (
            sa.select(*(consents.c[name] for name in LeadConsent.__slots__))
            .where(consents.c.lead_id == lead_id)
            .order_by(consents.c.id)
        )
        agreed = [LeadConsent(*each) for each in connection.execute(evidence)] if dags is None else []
        others: list[LeadRow] = []
        listed: dict[str, str] = {}
        if lead.phone:
            same = (
                sa.select(*_COLUMNS)
                .where(leads.c.phone == lead.phone, leads.c.id != lead_id, *mine)
                .limit(50)
            )
            others = [LeadRow(*each) for each in connection.execute(same)]
        if lead.phone and dags is None:
            addresses = sa.select(EMAIL + leads.c.email_hash).where(
                leads.c.phone == lead.phone, leads.c.email_hash.is_not(None)
            )
            query = sa.select(suppressions.c.campaign, suppressions.c.reason).where(
                sa.or_(suppressions.c.phone == lead.phone, suppressions.c.phone.in_(addresses))
            )
            listed = {str(each[0]): str(each[1]) for each in connection.execute(query)}
    return LeadStory(lead, history, others, listed, row[-1] if with_payload else None, agreed)


def phones_of(store: Store, email_hash: str) -> list[str]:
    """The numbers of the leads that came with an e-mail address.

    :param email_hash: ``core.rules.hash_email`` of it.
    """
    with store.read() as connection:
        found = sa.select(leads.c.phone).where(leads.c.email_hash == email_hash, leads.c.phone.is_not(None))
        return sorted(set(connection.execute(found).scalars()))


def attempts_of_run(
    store: Store, run_id: int, *, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[LeadAttempt]:
    """What one run submitted, newest first."""
    with store.read() as connection:
        page = _ATTEMPTS.page(
            connection, branches=[[attempts.c.run_id == run_id]], cursor=cursor, limit=limit
        )
    return page.of(LeadAttempt)


def phones_by_id(store: Store, ids: Sequence[int]) -> dict[int, str | None]:
    """Numbers of leads, for a list of attempts."""
    with store.read() as connection:
        query = sa.select(leads.c.id, leads.c.phone).where(leads.c.id.in_(list(ids)))
        return {row[0]: row[1] for row in connection.execute(query)}
