"""What people do to events and deliveries by hand: replay, redeliver."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from pydantic import Field

from airflow_outreach_provider.core.deliveries import DeliveryState, label_of
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.deliveries.redelivering import held_again
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, list_deliveries
from airflow_outreach_provider.store.deliveries.redeliver import cancellable
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.web.access import Editor, StoreDep, editor
from airflow_outreach_provider.web.action_models import (
    ActionRequest,
    ActionResult,
    Ids,
    When,
    Words,
    amount,
    one_way_to_choose,
)
from airflow_outreach_provider.web.params import Blank, Line, RowId, Short, StateOfDelivery, Tried

router = APIRouter(prefix="/api/actions", tags=["act"], dependencies=[Depends(editor)])


class Redeliver(ActionRequest):
    """Deliveries, by id, by filter, or all of them; only failed ones unless ids or ``state`` say otherwise."""

    ids: Ids | None = None
    state: StateOfDelivery = None
    route: Words = None
    endpoint: Words = None
    kind: Annotated[EventKind | None, Blank] = None
    event: Words = None
    since: When = None
    until: When = None
    campaign: Words = None
    tried_since: When = None
    tried_until: When = None
    tried: Tried = None
    resend: Annotated[RowId | None, Blank] = None
    all: bool = False


class CancelResend(ActionRequest):
    """What was sent again by one action, its ``id``."""

    id: RowId


class Replay(ActionRequest):
    """Events for a consumer to read again."""

    consumer: Line
    event_ids: Annotated[tuple[Short, ...], Field(min_length=1, max_length=1000)] | None = None
    source: Words = None
    kind: Annotated[EventKind | None, Blank] = None
    since: When = None
    until: When = None
    campaign: Words = None


class SendToRoute(ActionRequest):
    """An event for a route that has not taken it."""

    event_id: Short
    route: Annotated[Line, Field(min_length=1)]


@router.post("/send-to-route")
def send_to_route(who: Editor, store: StoreDep, asked: SendToRoute) -> ActionResult:
    """Give an event to a route whatever its kinds and its where say; the route's next run sends it."""
    stored = inbox_lists.show(store, asked.event_id)
    if stored is None:
        raise HTTPException(404, f"there is no event {asked.event_id}; it may have been purged")
    known = {route for reader in consumers.readers_of(store, stored.event.seq) for route in reader.routes}
    if asked.route not in known:
        raise ConfigurationError(f"there is no route {asked.route!r}", did_you_mean(asked.route, known))
    there = bool(list_deliveries(store, DeliveryFilter(event_ids=(asked.event_id,), route=asked.route)).rows)
    plan = ActionResult(
        says=f"{asked.route} has this event: send its delivery again instead."
        if there
        else f"{label_of(stored.event)} will be sent by the next run of {asked.route}, whatever it usually reads.",
        count=0 if there else 1,
    )
    if not asked.agreed(plan) or there:
        return plan
    done = actions.send_to_route(store, stored.event, asked.route, actor=who.name)
    return ActionResult(
        says=f"{amount(done, 'delivery', 'deliveries')} waits for {asked.route}.", count=done, done=True
    )


@router.post("/redeliver")
def redeliver(who: Editor, store: StoreDep, asked: Redeliver) -> ActionResult:
    """Make deliveries pending again; the next run of their route takes them."""
    filters = {
        name: getattr(asked, name)
        for name in (
            "state", "route", "endpoint", "kind", "event", "since", "until", "campaign", "tried_since", "tried_until", "tried",
            "resend",
        )
    }  # fmt: skip
    one_way_to_choose(asked.ids, filters, asked.all)
    wanted = DeliveryFilter(
        ids=asked.ids or (),
        event_ids=[asked.event] if asked.event else [],
        route=asked.route,
        endpoint=asked.endpoint,
        states=[asked.state.state] if asked.state else ([] if asked.ids else [DeliveryState.DEAD]),
        kinds=[asked.kind.value] if asked.kind else [],
        since=asked.since,
        until=asked.until,
        campaign=asked.campaign,
        tried_since=asked.tried_since,
        tried_until=asked.tried_until,
        tried_failed=None if asked.tried is None else asked.tried == "failed",
        resend=asked.resend,
    )
    counts = actions.redeliverable(store, wanted)
    count = sum(counts.values())
    delivered = counts.get(DeliveryState.DELIVERED.value, 0)
    twice = f" {amount(delivered, 'of them was', 'of them were')} delivered before." if delivered else ""
    sent = f"{amount(count, 'delivery', 'deliveries')} will be sent by the next run of the route.{twice}"
    plan = ActionResult(says=f"{sent} {held_again(store, wanted)}".rstrip(), count=count)
    if not asked.agreed(plan):
        return plan
    done = actions.redeliver(store, wanted, actor=who.name, expected=count)
    return ActionResult(
        says=f"{amount(done.count, 'delivery', 'deliveries')} pending again.", count=done.count, done=True,
        follow=f"/resends/{done.id}",
    )  # fmt: skip


@router.post("/cancel-resend")
def cancel_resend(who: Editor, store: StoreDep, asked: CancelResend) -> ActionResult:
    """Take back what was sent again and has not gone yet."""
    count = cancellable(store, asked.id)
    plan = ActionResult(
        says=f"{amount(count, 'delivery', 'deliveries')} not under way yet will be as before.", count=count
    )
    if not asked.agreed(plan):
        return plan
    done = actions.cancel_resend(store, asked.id, actor=who.name)
    return ActionResult(says=f"{amount(done, 'delivery', 'deliveries')} taken back.", count=done, done=True)


@router.post("/replay")
def replay(who: Editor, store: StoreDep, asked: Replay) -> ActionResult:
    """Let one consumer read events again."""
    wanted = EventFilter(
        source=asked.source, kinds=[asked.kind.value] if asked.kind else None, since=asked.since,
        until=asked.until, event_ids=asked.event_ids, campaign=asked.campaign,
    )  # fmt: skip
    count = actions.replayable(store, asked.consumer, wanted)
    plan = ActionResult(
        says=f"{amount(count, 'event')} will be read again by {asked.consumer}. A route that delivered them before "
        "keeps its deliveries: use redeliver for those.",
        count=count,
    )
    if not asked.agreed(plan):
        return plan
    done = actions.replay(store, asked.consumer, wanted, actor=who.name, expected=count)
    return ActionResult(says=f"{amount(done, 'event')} will be read again.", count=done, done=True)
