"""What people do to leads and the do-not-contact list by hand: settle what is held, add, remove."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from airflow.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Depends
from pydantic import Field

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.phone_listed import read_listed
from airflow_outreach_provider.core.phones import WRITTEN_DOWN, parse_phone
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.net.contacts import TetherContacts
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.submit.reconcile import absent_after
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.ledger.held import connections_of_held
from airflow_outreach_provider.store.ledger.lists import LeadFilter, lead_story
from airflow_outreach_provider.web.access import Editor, StoreDep, editor
from airflow_outreach_provider.web.action_models import (
    ActionRequest,
    ActionResult,
    Ids,
    Words,
    amount,
    one_way_to_choose,
)
from airflow_outreach_provider.web.params import Blank, Line, RowId

_AT_ONCE = 100

router = APIRouter(prefix="/api/actions", tags=["act"], dependencies=[Depends(editor)])


class Resolve(ActionRequest):
    """Held leads, by id, by filter, or all of them. ``run`` is a run of the ledger; ``phone`` has its country code."""

    to: Line
    ids: Ids | None = None
    campaign: Words = None
    reason: Words = None
    run: Annotated[RowId | None, Blank] = None
    phone: Words = None
    all: bool = False


class ReconcileNow(ActionRequest):
    """Held leads of a campaign, or of all."""

    campaign: Words = None


class Suppress(ActionRequest):
    """Numbers, separated by line ends, commas or semicolons, or those of leads; ``campaign`` empty for all."""

    phones: str = ""
    lead_ids: Ids | None = None
    campaign: Line = ""
    reason: Annotated[Line, Field(max_length=100)] = "manual"


class Unsuppress(ActionRequest):
    """Entries of the do-not-contact list, by id."""

    ids: Ids


@router.post("/resolve")
def resolve(who: Editor, store: StoreDep, asked: Resolve) -> ActionResult:
    """Settle held leads: ``accepted`` (they were texted) or ``planned`` (send them again)."""
    to = actions.resolve_target(asked.to)
    filters = {name: getattr(asked, name) for name in ("campaign", "reason", "run", "phone")}
    one_way_to_choose(asked.ids, filters, asked.all)
    by_filter = LeadFilter(
        campaign=asked.campaign,
        state=LeadState.HELD,
        reason=asked.reason,
        run_id=asked.run,
        phone=parse_phone(asked.phone, how=WRITTEN_DOWN).e164 if asked.phone else None,
    )
    wanted = by_filter if asked.ids is None else asked.ids
    found = actions.count_held(store, wanted)
    plan = _would_send(found) if to is LeadState.PLANNED else _would_count(found)
    if not asked.agreed(plan):
        return plan
    done = actions.resolve(store, wanted, to, actor=who.name)
    return ActionResult(says=f"{amount(done, 'lead')} resolved as {to.value}.", count=done, done=True)


@router.post("/reconcile")
def reconcile(who: Editor, store: StoreDep, asked: ReconcileNow) -> ActionResult:
    """Ask the platform's contact list what became of held leads, at most 100 of each connection."""
    found = connections_of_held(store, asked.campaign)
    asks = {conn_id: _contacts(conn_id) for conn_id in found}
    count = sum(n for conn_id, n in found.items() if asks[conn_id] is not None)
    blind = sorted(conn_id for conn_id, contacts in asks.items() if contacts is None)
    more = (
        f" {', '.join(blind)}: no log-in for the contact list (contacts_email, contacts_password)."
        if blind
        else ""
    )
    says = f"The contact list is asked what became of {amount(count, 'held lead')}; nobody is texted.{more}"
    plan = ActionResult(says=says, count=count)
    if not asked.agreed(plan):
        return plan
    done = [
        actions.reconcile(
            store, look[0], actor=who.name, conn_id=conn_id, delay=look[1], campaign=asked.campaign, limit=_AT_ONCE
        )
        for conn_id, look in asks.items()
        if look is not None
    ]  # fmt: skip
    accepted, planned, waiting = (
        sum(getattr(each, name) for each in done) for name in ("accepted", "planned", "waiting")
    )
    return ActionResult(
        says=f"{accepted:,} were texted, {planned:,} will be sent again, {waiting:,} are still held.",
        count=accepted + planned, done=True,
    )  # fmt: skip


@router.post("/suppress")
def suppress(who: Editor, store: StoreDep, asked: Suppress) -> ActionResult:
    """Put numbers on the do-not-contact list."""
    words = [word for word in re.split(r"[\n,;]+", asked.phones) if word.strip()]
    phones = [number for word in words for number in read_listed(word)]
    for lead_id in asked.lead_ids or ():
        story = lead_story(store, lead_id)
        if story is not None and story.lead.phone:
            phones.append(story.lead.phone)
    phones = list(dict.fromkeys(phones))
    if not phones:
        raise ConfigurationError("there is no number", "write at least one, with its country code")
    where = f"the campaign {asked.campaign}" if asked.campaign else "every campaign"
    plan = ActionResult(
        says=f"{amount(len(phones), 'number')} will not be contacted in {where}.", count=len(phones)
    )
    if not asked.agreed(plan):
        return plan
    new = actions.suppress(
        store, phones, actor=who.name, reason=asked.reason or "manual", campaign=asked.campaign
    )
    return ActionResult(
        says=f"{amount(new, 'number')} added for {where}; {len(phones) - new} were on the list.",
        count=new,
        done=True,
    )


@router.post("/unsuppress")
def unsuppress(who: Editor, store: StoreDep, asked: Unsuppress) -> ActionResult:
    """Take entries off the do-not-contact list."""
    rows = suppressions.find(store, asked.ids)
    whose = suppressions.shown(rows[0].phone) if len(rows) == 1 else amount(len(rows), "entry", "entries")
    plan = ActionResult(says=f"{whose} will be taken off the list, and may be texted again.", count=len(rows))
    if not asked.agreed(plan):
        return plan
    gone = sum(
        actions.unsuppress(
            store, [row.phone], actor=who.name, campaign=row.campaign, note=f"was {row.reason}"
        )
        for row in rows
    )
    return ActionResult(says=f"{amount(gone, 'entry', 'entries')} removed.", count=gone, done=True)


def _contacts(conn_id: str) -> tuple[TetherContacts, timedelta] | None:
    """The contact list of a connection, and how old what is looked up there must be; None where it has none, or is gone."""
    try:
        hook = OutreachHook(conn_id)
        contacts = hook.contacts()
        return None if contacts is None else (contacts, absent_after(hook.settings.api.timeout))
    except ConfigurationError as error:
        if isinstance(error.__cause__, AirflowNotFoundException):
            return None
        raise


def _would_send(found: actions.HeldCount) -> ActionResult:
    lost = found.held - found.sendable
    kept = f" {amount(lost, 'has', 'have')} no payload any more and would stay held." if lost else ""
    says = f"{amount(found.sendable, 'held lead')} will be sent by the next run. Anybody who was texted already is texted twice.{kept}"
    return ActionResult(says=says, count=found.sendable)


def _would_count(found: actions.HeldCount) -> ActionResult:
    says = f"{amount(found.held, 'held lead')} will count as texted and not be sent again."
    return ActionResult(says=says, count=found.held)
