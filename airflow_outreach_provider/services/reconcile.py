"""Settle held leads without a person: ask the platform's contact list what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phones import parse_phone
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import reconciling
from airflow_outreach_provider.store.engine import Store

# The platform's clock may be behind the store's.
_CLOCKS_APART = timedelta(seconds=60)
_AT_ONCE = 8
_TOUCHED = ("updatedAt", "lastMessageTime", "createdAt")


class SearchPage(Protocol):
    """A page of contacts; ``total`` where the platform says how many there are."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def total(self) -> int | None: ...


class ContactSearch(Protocol):
    """What can look a number up; ``net.contacts.TetherContacts`` is one."""

    async def search(self, text: str) -> SearchPage: ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """:param waiting: still held: found, but untouched since the attempt, or the list was cut."""

    accepted: int = 0
    planned: int = 0
    waiting: int = 0


async def reconcile(
    store: Store,
    contacts: AbstractAsyncContextManager[ContactSearch],
    *,
    conn_id: str,
    delay: timedelta,
    campaign: str | None = None,
    limit: int = 500,
) -> Reconciled:
    """Look up held leads in the contact list of the connection they were sent through.

    Found and touched since the attempt → accepted. Certainly absent → planned, the next sync sends it.
    Everything else stays held.

    :param conn_id: whose contact list it is; leads sent through other connections are left alone.
    :param delay: how old an attempt must be: a request that the platform had can show up late.
    :param limit: look up at most so many.
    :raises ConfigurationError: the log-in is refused.
    :raises OutreachUnavailable: the contact list does not answer; nothing was changed by that.
    """
    loop = asyncio.get_running_loop()
    before = await loop.run_in_executor(None, store.now) - delay
    waiting = await loop.run_in_executor(
        None, lambda: reconciling.held_before(store, before, limit, conn_id, campaign)
    )
    if not waiting:
        return Reconciled()
    found: list[reconciling.Finding] = []
    slots = asyncio.Semaphore(_AT_ONCE)
    async with contacts as search:

        async def look_up(lead: reconciling.HeldLead) -> None:
            async with slots:
                page = await search.search(lead.phone)
            if (verdict := judge(lead, page)) is not None:
                found.append(verdict)

        async with asyncio.TaskGroup() as group:
            for lead in waiting:
                group.create_task(look_up(lead))
    done = await loop.run_in_executor(None, lambda: reconciling.apply(store, found))
    settled = sum(done.values())
    return Reconciled(done[LeadState.ACCEPTED], done[LeadState.PLANNED], len(waiting) - settled)


def judge(lead: reconciling.HeldLead, page: SearchPage) -> reconciling.Finding | None:
    """What the contact list says of a held lead; None where it does not settle it."""
    matches = [row for row in page.rows if _number(row) == lead.phone]
    for row in matches:
        touched = [moment for name in _TOUCHED if (moment := _moment(row.get(name))) is not None]
        if touched and max(touched) >= lead.sent_at - _CLOCKS_APART:
            return reconciling.Finding(
                lead.id, lead.rev, LeadState.ACCEPTED, "found_in_contacts", _identifier(row)
            )
    complete = page.total is None or page.total <= len(page.rows)
    if not matches and complete and lead.has_payload:
        return reconciling.Finding(lead.id, lead.rev, LeadState.PLANNED, "absent_from_contacts")
    return None


def _number(row: Mapping[str, Any]) -> str | None:
    try:
        text = str(row.get("phoneNumber") or "")
        return parse_phone(text if text.startswith("+") else f"+{text}").e164
    except LeadRejected:
        return None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _identifier(row: Mapping[str, Any]) -> str | None:
    value = row.get("_id") or row.get("id")
    return str(value)[:64] if value else None
