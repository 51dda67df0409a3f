"""What people do to sources and endpoints by hand: switch them, test them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.trial_events import PHONE
from airflow_outreach_provider.hooks.known import require_endpoint, require_source
from airflow_outreach_provider.hooks.sources import OutreachSourceHook, get_source
from airflow_outreach_provider.receiver.trial import make_trial, send_trial
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.deliveries.sender import send_test
from airflow_outreach_provider.store.deliveries.endpoints import Release
from airflow_outreach_provider.web.access import Editor, StoreDep, edits_connection
from airflow_outreach_provider.web.action_models import ActionRequest, ActionResult, amount
from airflow_outreach_provider.web.connections import get_endpoint, or_not_found
from airflow_outreach_provider.web.params import Line

router = APIRouter(prefix="/api", tags=["act"], dependencies=[edits_connection])


class Enable(ActionRequest):
    """``release``: which held deliveries are sent: all, the latest of each contact, or none. Nobody's default:
    what is not sent is dead, and what is sent cannot be called back."""

    release: Release


class Disable(ActionRequest):
    """``reason``: for those who find it disabled."""

    reason: Line = ""


# Airflow lets a slash into connection ids.
ConnectionId = Annotated[Line, Path()]

_FATE = {
    Release.ALL: "all are sent",
    Release.LATEST: "the latest of each contact is sent, the others are dead",
    Release.NONE: "none is sent, they are dead",
}


@router.post("/endpoints/{connection_id:path}/enable")
def enable_endpoint(who: Editor, store: StoreDep, connection_id: ConnectionId, asked: Enable) -> ActionResult:
    """Let deliveries to an endpoint go on."""
    or_not_found(require_endpoint, store, connection_id)
    waiting = actions.held(store, connection_id)
    plan = ActionResult(
        says=f"{connection_id} will get deliveries again. Held deliveries ({waiting:,}): {_FATE[asked.release]}.",
        count=max(1, waiting),
    )
    if not asked.agreed(plan):
        return plan
    done = actions.enable_endpoint(store, connection_id, asked.release, actor=who.name)
    pending = amount(done.sent, "held delivery is", "held deliveries are")
    dead = f", {amount(done.dropped, 'is', 'are')} dead" if done.dropped else ""
    says = f"{connection_id} is enabled; {pending} pending{dead}."
    return ActionResult(says=says, count=sum(done), done=True)


@router.post("/endpoints/{connection_id:path}/disable")
def disable_endpoint(
    who: Editor, store: StoreDep, connection_id: ConnectionId, asked: Disable
) -> ActionResult:
    """Stop deliveries to an endpoint; they are held."""
    or_not_found(require_endpoint, store, connection_id)
    plan = ActionResult(says=f"Deliveries to {connection_id} will be held, not lost.", count=1)
    if not asked.agreed(plan):
        return plan
    actions.disable_endpoint(store, connection_id, reason=asked.reason, actor=who.name)
    return ActionResult(says=f"{connection_id} is disabled; its deliveries are held.", count=1, done=True)


@router.post("/endpoints/{connection_id:path}/test")
def test_endpoint(
    who: Editor, store: StoreDep, connection_id: ConnectionId, asked: ActionRequest
) -> ActionResult:
    """Send one signed test event that names no person."""
    endpoint = get_endpoint(connection_id)
    plan = ActionResult(
        says=f"One signed test event, without any person in it, goes to {connection_id}.", count=1
    )
    if not asked.agreed(plan):
        return plan
    actions.note(store, "test endpoint", connection_id, actor=who.name)
    ok, said = send_test(endpoint, datetime.now(UTC))
    return ActionResult(says=f"{connection_id} {'answered' if ok else 'failed'}: {said}", count=1, done=True)


@router.post("/sources/{connection_id:path}/enable")
def enable_source(
    who: Editor, store: StoreDep, connection_id: ConnectionId, asked: ActionRequest
) -> ActionResult:
    """Take events of a source again."""
    or_not_found(require_source, store, connection_id)
    plan = ActionResult(says=f"Events of {connection_id} will be taken again.", count=1)
    if not asked.agreed(plan):
        return plan
    actions.enable_source(store, connection_id, actor=who.name)
    return ActionResult(says=f"{connection_id} is on, within a few seconds.", count=1, done=True)


@router.post("/sources/{connection_id:path}/disable")
def disable_source(who: Editor, store: StoreDep, connection_id: ConnectionId, asked: Disable) -> ActionResult:
    """Take no more events of a source: its requests are answered 503, its contact list is not polled."""
    or_not_found(require_source, store, connection_id)
    plan = ActionResult(
        says=f"Events of {connection_id} will be refused (503). The platform tries some of them again for a while; "
        "what it gives up is lost, and after some failures it may stop sending.",
        count=1,
    )
    if not asked.agreed(plan):
        return plan
    actions.disable_source(store, connection_id, reason=asked.reason, actor=who.name)
    return ActionResult(says=f"{connection_id} is off, within a few seconds.", count=1, done=True)


@router.post("/sources/{connection_id:path}/check")
def check_source(
    who: Editor, store: StoreDep, connection_id: ConnectionId, asked: ActionRequest
) -> ActionResult:
    """Check a source's connection, and its contact list where that is set up. Sends nothing to anybody."""
    plan = ActionResult(
        says=f"The fields of {connection_id} are checked, and its contact list is read if it has one.",
        count=1,
    )
    if not asked.agreed(plan):
        return plan
    actions.note(store, "check source", connection_id, actor=who.name)
    _ok, said = OutreachSourceHook(connection_id).test_connection()
    return ActionResult(says=said, count=1, done=True)


class SendTest(ActionRequest):
    """``kind``: what the event says that happened."""

    kind: EventKind = EventKind.REPLIED


@router.post("/sources/{connection_id:path}/test")
def test_source(who: Editor, store: StoreDep, connection_id: ConnectionId, asked: SendTest) -> ActionResult:
    """Give a signed event about nobody to the receiver."""
    or_not_found(require_source, store, connection_id)
    source = get_source(connection_id)
    trial = make_trial(source, asked.kind, datetime.now(UTC))
    plan = ActionResult(
        says=f"A signed event of kind {asked.kind.value}, about nobody ({PHONE}), goes through the receiver of "
        f"{connection_id}. Every route that asks for it takes it as a real one.",
        count=1,
    )
    if not asked.agreed(plan):
        return plan
    actions.note(store, "test source", f"{connection_id}: {asked.kind.value}", actor=who.name)
    _status, said = send_trial(store, source, trial)
    return ActionResult(says=f"{connection_id} answered {said}.", count=1, done=True)
