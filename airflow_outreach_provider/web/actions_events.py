"""What people do to events and deliveries by hand: replay, redeliver."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.services import by_hand
from airflow_outreach_provider.store import deliveries_admin
from airflow_outreach_provider.web.access import Editor, StoreDep, editor
from airflow_outreach_provider.web.answers import Answer, Go, Ids, When, Words, amount, one_way_to_choose
from airflow_outreach_provider.web.asked import Blank, Line, Short

router = APIRouter(prefix="/api/actions", tags=["act"], dependencies=[Depends(editor)])


class Redeliver(Go):
    """Deliveries, by id, by filter, or all of them; only dead ones unless ids or ``state`` say otherwise."""

    ids: Ids | None = None
    state: Annotated[DeliveryState | None, Blank] = None
    route: Words = None
    endpoint: Words = None
    kind: Annotated[EventKind | None, Blank] = None
    event: Words = None
    since: When = None
    all: bool = False


class Replay(Go):
    """Events for a consumer to read again."""

    consumer: Line
    event_ids: Annotated[tuple[Short, ...], Field(min_length=1, max_length=1000)] | None = None
    source: Words = None
    kind: Annotated[EventKind | None, Blank] = None
    since: When = None
    until: When = None


@router.post("/redeliver")
def redeliver(who: Editor, store: StoreDep, asked: Redeliver) -> Answer:
    """Make deliveries pending again; the next run of their route takes them."""
    filters = {
        name: getattr(asked, name) for name in ("state", "route", "endpoint", "kind", "event", "since")
    }
    one_way_to_choose(asked.ids, filters, asked.all)
    wanted = deliveries_admin.Filter(
        ids=asked.ids or (),
        event_ids=[asked.event] if asked.event else [],
        route=asked.route,
        endpoint=asked.endpoint,
        states=[asked.state] if asked.state else ([] if asked.ids else [DeliveryState.DEAD]),
        kinds=[asked.kind.value] if asked.kind else [],
        since=asked.since,
    )
    counts = by_hand.redeliverable(store, wanted)
    count = sum(counts.values())
    delivered = counts.get(DeliveryState.DELIVERED.value, 0)
    twice = f" {amount(delivered, 'of them was', 'of them were')} delivered before." if delivered else ""
    plan = Answer(
        says=f"{amount(count, 'delivery', 'deliveries')} will be sent by the next run of the route.{twice}",
        count=count,
    )
    if not asked.agreed(plan):
        return plan
    done = by_hand.redeliver(store, wanted, actor=who.name, expected=count)
    return Answer(says=f"{amount(done, 'delivery', 'deliveries')} pending again.", count=done, done=True)


@router.post("/replay")
def replay(who: Editor, store: StoreDep, asked: Replay) -> Answer:
    """Let one consumer read events again."""
    events = by_hand.Events(
        source=asked.source, kinds=[asked.kind.value] if asked.kind else None, since=asked.since,
        until=asked.until, event_ids=asked.event_ids,
    )  # fmt: skip
    count = events.count(store, asked.consumer)
    plan = Answer(
        says=f"{amount(count, 'event')} will be read again by {asked.consumer}. A route that delivered them before "
        "keeps its deliveries: use redeliver for those.",
        count=count,
    )
    if not asked.agreed(plan):
        return plan
    done = events.replay(store, asked.consumer, actor=who.name, expected=count)
    return Answer(says=f"{amount(done, 'event')} will be read again.", count=done, done=True)
