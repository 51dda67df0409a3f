"""Settle held leads without a person: ask the platform's contact list what became of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from airflow_outreach_provider.core.errors import OutreachError, OutreachUnavailable, StoreError
from airflow_outreach_provider.core.phone_endings import endings
from airflow_outreach_provider.core.phone_lines import other_writings
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.core.times import read_time
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import held as ledger_held
from airflow_outreach_provider.store.ledger import look_ups

# What the platform had may show up in its list this long after the request.
_SHOWS_UP_WITHIN = timedelta(minutes=15)
_LONGEST_REQUEST_SECONDS = 30 * 86_400.0
# The platform's clock may be behind the store's.
_CLOCKS_APART = timedelta(seconds=60)
_AT_ONCE = 8
_PATIENCE_SECONDS = 60.0
# For the ledger, before and after the look-ups themselves.
_AFTER_PATIENCE = timedelta(seconds=30)
FRESH = timedelta(minutes=5)
"""How long what the contact list said of a campaign is not asked again by itself."""
_TOUCHED = ("updatedAt", "lastMessageTime", "createdAt")

# What a number is written with; anything else in it is for a person to read.
_READABLE = re.compile(r"\+?[0-9 ()./\-]+")
_TELLING_DIGITS = 7


def absent_after(timeout: float) -> timedelta:
    """How old a claim must be for the contact list to tell that nothing was sent: no request of it is under way any more.

    :param timeout: seconds that a request may take.
    """
    return _SHOWS_UP_WITHIN + timedelta(seconds=min(timeout, _LONGEST_REQUEST_SECONDS))


class SearchPage(Protocol):
    """A page of contacts; ``total`` where the platform says how many there are."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def total(self) -> int | None: ...


class ContactSearch(Protocol):
    """What can look a number up; ``net.contacts.TetherContacts`` is one."""

    async def search(self, text: str) -> SearchPage: ...


Contacts = AbstractAsyncContextManager[ContactSearch]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """:param waiting: still held: found but untouched since the attempt, or not certainly absent."""

    accepted: int = 0
    planned: int = 0
    waiting: int = 0


async def reconcile(
    store: Store,
    contacts: Contacts,
    *,
    conn_id: str,
    delay: timedelta,
    campaign: str | None = None,
    limit: int = 500,
    patience: float = _PATIENCE_SECONDS,
) -> Reconciled:
    """Look up held leads in the contact list of the connection they were sent through.

    Found and touched since the attempt → accepted. Certainly absent → planned, the next sync sends it.
    Everything else stays held. What was found out before an error is kept.

    :param conn_id: whose contact list it is; leads sent through other connections are left alone.
    :param delay: how old an attempt must be: a request that the platform had can show up late.
    :param limit: look up at most so many.
    :param patience: seconds for all look-ups together.
    :raises ConfigurationError: the log-in is refused, or there is no contact list at this address.
    :raises OutreachUnavailable: the contact list does not answer, or not in time.
    :raises StoreError: the ledger is away.
    """
    loop = asyncio.get_running_loop()
    before = await loop.run_in_executor(None, store.now) - delay
    waiting = await loop.run_in_executor(
        None, lambda: ledger_held.held_before(store, before, limit, conn_id, campaign)
    )
    if not waiting:
        return Reconciled()
    found: list[ledger_held.Finding] = []
    failure: OutreachError | None = None
    try:
        async with asyncio.timeout(patience):
            await _look_up_all(contacts, waiting, found)
    except Exception as error:  # noqa: BLE001 - whatever the other side does to us, the leads stay held
        failure = _our_error(error, patience)
    done = await loop.run_in_executor(None, lambda: ledger_held.apply(store, found))
    if failure is not None:
        raise failure
    settled = sum(done.values())
    return Reconciled(done[LeadState.ACCEPTED], done[LeadState.PLANNED], len(waiting) - settled)


async def reconcile_once(
    store: Store,
    contacts: Contacts,
    *,
    conn_id: str,
    delay: timedelta,
    campaign: str | None,
    fresh: timedelta = FRESH,
    patience: float = _PATIENCE_SECONDS,
) -> Reconciled:
    """The same for one of many tasks that all would: the others look up nothing, and go on at once.

    Whoever dies over it is followed by the next that comes once its lease has run out.

    :param fresh: how long after a look, successful or not, nobody looks again.
    :raises: as :func:`reconcile`.
    """
    in_thread = partial(asyncio.get_running_loop().run_in_executor, None)
    token, lease = uuid4().hex, timedelta(seconds=patience) + _AFTER_PATIENCE
    if not await in_thread(partial(look_ups.claim, store, conn_id, campaign or "", token, lease)):
        return Reconciled()
    try:
        return await reconcile(
            store, contacts, conn_id=conn_id, delay=delay, campaign=campaign, patience=patience
        )
    finally:
        with suppress(StoreError):  # then the lease runs out
            await in_thread(partial(look_ups.end, store, conn_id, campaign or "", token, fresh))


async def _look_up_all(
    contacts: Contacts,
    waiting: Sequence[ledger_held.HeldLead],
    found: list[ledger_held.Finding],
) -> None:
    """:param found: added to with every answer, so that an error later on loses none."""
    slots = asyncio.Semaphore(_AT_ONCE)
    async with contacts as search, asyncio.TaskGroup() as group:

        async def look_up(lead: ledger_held.HeldLead) -> None:
            async with slots:
                verdict = await _look_up(search, lead)
            if verdict is not None:
                found.append(verdict)

        for lead in waiting:
            group.create_task(look_up(lead))


async def _look_up(search: ContactSearch, lead: ledger_held.HeldLead) -> ledger_held.Finding | None:
    """What is known of a held lead. A list may look for a number as it is written: whom it does not find by the whole
    number it is asked for by what every usual writing ends with."""
    verdict = classify_contact(lead, await search.search(lead.phone))
    if verdict is None or verdict.state is not LeadState.PLANNED:
        return verdict
    for text in endings(lead.phone):
        found = classify_contact(lead, _by_number(lead, await search.search(text)))
        if found is None or found.state is LeadState.ACCEPTED:
            return found
    return verdict


@dataclass(frozen=True, slots=True)
class _Page:
    rows: Sequence[Mapping[str, Any]]
    total: int | None


def _by_number(lead: ledger_held.HeldLead, page: SearchPage) -> SearchPage:
    """Of what an ending found those whom it may have found by their number, and not by name or address."""
    rows = [row for row in page.rows if _ends_alike(lead, row)]
    return _Page(rows, len(rows) if _is_complete(page) else page.total)


def _ends_alike(lead: ledger_held.HeldLead, row: Mapping[str, Any]) -> bool:
    digits = re.sub(r"[^0-9]", "", str(row.get("phoneNumber") or ""))
    return bool(digits) and (len(digits) < _TELLING_DIGITS or lead.phone[-_TELLING_DIGITS:] in digits)


def _our_error(error: BaseException, patience: float) -> OutreachError:
    """One error of ours for whatever the contact list did; of several at once the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OutreachError):
        return error
    if isinstance(error, TimeoutError):
        return OutreachUnavailable(f"the contact list did not answer everything within {patience:.0f} s")
    return OutreachUnavailable(f"the contact list cannot be read ({type(error).__name__})")


def classify_contact(lead: ledger_held.HeldLead, page: SearchPage) -> ledger_held.Finding | None:
    """What the contact list says of a held lead; None where it does not settle it."""
    writings = {each[1:] for each in (lead.phone, *other_writings(lead.phone))}
    for row in page.rows:
        if _digits(row) not in writings:
            continue
        touched = [moment for name in _TOUCHED if (moment := read_time(row.get(name))) is not None]
        if touched and max(touched) >= lead.sent_at - _CLOCKS_APART:
            return ledger_held.Finding(
                lead.id, lead.rev, LeadState.ACCEPTED, "found_in_contacts", _identifier(row)
            )
    if lead.has_payload and _is_complete(page) and not any(_may_be(lead, row) for row in page.rows):
        return ledger_held.Finding(lead.id, lead.rev, LeadState.PLANNED, "absent_from_contacts")
    return None


def _is_complete(page: SearchPage) -> bool:
    """Whether the page is certainly all there is. Without a total only an empty one is: a list may give any size."""
    return not page.rows if page.total is None else page.total <= len(page.rows)


def _may_be(lead: ledger_held.HeldLead, row: Mapping[str, Any]) -> bool:
    """Whether a contact might be this person: same last digits, or a number nobody can read."""
    digits = _digits(row)
    return digits is None or len(digits) < _TELLING_DIGITS or lead.phone[-_TELLING_DIGITS:] in digits


def _digits(row: Mapping[str, Any]) -> str | None:
    """The digits of a contact's number, without zeros before them; None where it is no plain number."""
    value = row.get("phoneNumber")
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _READABLE.fullmatch(text.strip()):
        return None
    return re.sub(r"[^0-9]", "", text).lstrip("0")


def _identifier(row: Mapping[str, Any]) -> str | None:
    value = row.get("_id") or row.get("id")
    return str(value)[:64] if value else None
