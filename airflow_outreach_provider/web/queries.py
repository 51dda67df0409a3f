"""What a page and its API call both show: read from the store, masked, with everything one look needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryWord, word_of
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import RunState
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.audit import AuditRow
from airflow_outreach_provider.store.deliveries.endpoints import statuses as endpoint_statuses
from airflow_outreach_provider.store.deliveries.lists import (
    AttemptRow,
    DeliveryFilter,
    DeliveryRow,
    attempts_of,
    attempts_of_task,
    find_delivery,
    lane_of,
    last_attempts,
    list_deliveries,
    made_by_dags,
    tries_of,
)
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox.lists import EventFilter, EventRow, list_events
from airflow_outreach_provider.store.ledger import run_lists
from airflow_outreach_provider.store.ledger.lists import (
    LeadFilter,
    attempts_of_run,
    lead_story,
    list_leads,
    phones_by_id,
)
from airflow_outreach_provider.store.paging import Page
from airflow_outreach_provider.store.suppressions import SuppressionRow
from airflow_outreach_provider.web import event_routes, redaction, schemas, sent
from airflow_outreach_provider.web.schemas import Listed
from airflow_outreach_provider.web.task_instances import key_of, task_states

ATTEMPTS_SHOWN = 1000
OLDEST = "oldest"
_OPEN_WORDS = tuple(map(word_of, OPEN_STATES))
Dags = frozenset[str] | None
"""Of which DAGs somebody may see what there is; None for all."""


class LeadDetail(BaseModel):
    """A lead and its history. ``listed`` are campaigns ("" is all) whose do-not-contact list has the number."""

    lead: schemas.LeadSchema
    attempts: list[schemas.AttemptSchema]
    consents: list[schemas.ConsentSchema]
    others: list[schemas.LeadSchema]
    listed: dict[str, str]
    payload: str | None = None
    revealed: bool = False


class RunDetail(BaseModel):
    """A run, the other tries of its task instance, what went wrong in it, and what it submitted."""

    run: schemas.Run
    tries: list[schemas.Run]
    exceptions: Listed[schemas.LeadSchema]
    attempts: Listed[schemas.AttemptSchema]


class EventDetail(BaseModel):
    """An event with its raw request and its deliveries."""

    event: schemas.Event
    headers: list[tuple[str, str]]
    body: str
    body_bytes: int
    deliveries: list[schemas.DeliverySchema]
    routes: list[event_routes.EventRouteLine] = Field(default=[], description="what each route made of it")
    revealed: bool = False


class DeliveryDetail(BaseModel):
    """A delivery and every attempt, oldest first, with what was sent and what came back."""

    delivery: schemas.DeliverySchema
    attempts: list[schemas.DeliveryAttempt]
    requests: list[sent.SentRequestSchema] = Field(description="what was sent, the latest first")
    payload: str | None = Field(default=None, description="the event, where a DAG made it")
    revealed: bool = False


class TriedDelivery(BaseModel):
    """One attempt with the delivery it was of."""

    delivery: schemas.DeliverySchema
    attempt: schemas.DeliveryAttempt


class TriedTask(BaseModel):
    """One try of a task instance: its run of the ledger, or the deliveries it attempted."""

    try_number: int
    run: schemas.Run | None = None
    exceptions: Listed[schemas.LeadSchema] | None = None
    attempts: Listed[schemas.AttemptSchema] | None = None
    deliveries: list[TriedDelivery] = Field(default=[], description="of all tries together the latest 1,000")


class TaskLook(BaseModel):
    """A task instance: how Airflow sees it, and its tries, the latest first."""

    task: schemas.TaskRef
    about: str = Field(default="", description="the first delivery's event, and how many more there are")
    state: str | None = None
    max_tries: int | None = Field(default=None, description="tries Airflow allows, the first included")
    retry_reason: str | None = None
    next_try_at: datetime | None = None
    tries: list[TriedTask] = []
    cut: bool = Field(default=False, description="earlier attempts of deliveries are left out")


def leads(
    store: Store, wanted: LeadFilter, cursor: str | None, sort: str | None = None
) -> Listed[schemas.LeadSchema]:
    page = list_leads(store, wanted, cursor=cursor, oldest=sort == OLDEST)
    tasks = run_lists.tasks_of(store, {each.run_id for each in page.rows if each.run_id is not None})
    return _listed(page, (schemas.lead(each, tasks.get(each.run_id or 0)) for each in page.rows))


def lead(store: Store, lead_id: int, dags: Dags, *, reveal: bool = False) -> LeadDetail:
    story = lead_story(store, lead_id, with_payload=reveal, dags=dags)
    if story is None:
        raise HTTPException(404, f"there is no lead {lead_id}; it may have been purged")
    return LeadDetail(
        lead=schemas.lead(story.lead, reveal=reveal),
        attempts=[schemas.attempt(each, reveal=reveal) for each in story.attempts],
        consents=[schemas.consent(each, reveal=reveal) for each in story.consents],
        others=[schemas.lead(each, reveal=reveal) for each in story.others],
        listed=story.listed,
        payload=redaction.raw(story.payload.encode()) if story.payload else None,
        revealed=reveal,
    )


def runs(
    store: Store, campaign: str | None, state: Any, cursor: str | None, dags: Dags, *,
    since: datetime | None = None, until: datetime | None = None, sort: str | None = None,
) -> Listed[schemas.Run]:  # fmt: skip
    page = run_lists.list_runs(
        store, campaign=campaign, state=state, cursor=cursor, dags=dags, since=since, until=until,
        oldest=sort == OLDEST,
    )  # fmt: skip
    return _listed(page, with_next_try(map(schemas.run, page.rows)))


def with_next_try(rows: Iterable[schemas.Run]) -> list[schemas.Run]:
    """The same, with the time of the next try where Airflow has one coming after exactly this try."""
    found = list(rows)
    states = task_states(each.task for each in found if each.state == RunState.FAILED)
    for each in found:
        known = states.get(key_of(each.task))
        if known is None:
            continue
        waits = known.waits and known.try_number == each.task.try_number
        each.next_try_at = known.next_try_at if waits else None
        each.max_tries = known.max_tries + 1 if waits else None
    return found


def run(store: Store, run_id: int, cursor: str | None, dags: Dags) -> RunDetail:
    found = run_lists.find_run(store, run_id, dags=dags)
    if found is None:
        raise HTTPException(404, f"there is no run {run_id}; it may have been purged")
    owner = Owner(found.dag_id, found.task_id, found.airflow_run_id, found.map_index)
    return RunDetail(
        run=with_next_try([schemas.run(found)])[0],
        tries=with_next_try(map(schemas.run, run_lists.tries_of(store, owner))),
        exceptions=leads(store, LeadFilter(run_id=run_id), None),
        attempts=submitted(store, run_id, cursor),
    )


def submitted(store: Store, run_id: int, cursor: str | None) -> Listed[schemas.AttemptSchema]:
    page = attempts_of_run(store, run_id, cursor=cursor)
    phones = phones_by_id(store, [each.lead_id for each in page.rows])
    return _listed(page, (schemas.attempt(each, phones.get(each.lead_id)) for each in page.rows))


def events(
    store: Store, wanted: EventFilter, cursor: str | None, sort: str | None = None
) -> Listed[schemas.Event]:
    page = list_events(store, wanted, cursor=cursor, oldest=sort == OLDEST)
    return _listed(page, map(schemas.event, page.rows))


def event(store: Store, event_id: str, *, reveal: bool = False) -> EventDetail:
    stored = inbox_lists.show(store, event_id)
    if stored is None:
        raise HTTPException(404, f"there is no event {event_id[:60]}; it may have been purged")
    found = stored.event
    row = EventRow(
        row_id=0, event_id=found.id, seq=found.seq, source=found.source, platform=found.platform, type=found.type,
        kind=found.kind.value, origin=stored.origin, occurred_at=found.occurred_at, received_at=found.received_at,
        campaign_id=found.campaign_id, email=found.contact.email, phone=found.contact.phone,
    )  # fmt: skip
    taken = deliveries(store, DeliveryFilter(event_ids=(event_id,)), None).rows
    return EventDetail(
        event=schemas.event(row, reveal=reveal),
        headers=redaction.headers(json.loads(stored.headers or "[]"), reveal=reveal),
        body=redaction.raw(stored.body) if reveal else redaction.masked(stored.body),
        body_bytes=len(stored.body),
        deliveries=taken,
        routes=event_routes.routes_of_event(
            store, found, {each.route: each.id for each in taken}, reveal=reveal
        ),
        revealed=reveal,
    )


def deliveries(
    store: Store, wanted: DeliveryFilter, cursor: str | None, sort: str | None = None
) -> Listed[schemas.DeliverySchema]:
    page = list_deliveries(store, wanted, cursor=cursor, oldest=sort == OLDEST)
    last = last_attempts(store, [each.id for each in page.rows])
    rows = [_due(schemas.delivery(each, last.get(each.id)), each) for each in page.rows]
    return _listed(page, _completed(store, rows))


def _due(shown: schemas.DeliverySchema, row: DeliveryRow) -> schemas.DeliverySchema:
    """The same, with its time where it waits for it in nobody's hands: neither given to a task nor kept by one."""
    if row.due_at is None or row.state not in OPEN_STATES:
        return shown
    if row.plan_until is None or row.plan_until <= row.due_at:
        shown.next_try, shown.next_try_at = "a new run of its route", row.due_at
    return shown


def _completed(store: Store, rows: list[schemas.DeliverySchema]) -> list[schemas.DeliverySchema]:
    """The same, with whose events DAGs made, and with why and when the open ones are tried again."""
    made, tries = made_by_dags(store, [each.id for each in rows]), tries_of(store, [each.id for each in rows])
    for each in rows:
        each.made = each.id in made
        each.tries = max(each.tries, tries.get(each.id, 0))  # after it was sent again they go on counting
    states = task_states(each.task for each in rows if each.state == DeliveryWord.RETRYING)
    resting = {each.conn_id: each.rest_until for each in endpoint_statuses(store) if each.resting_since}
    for each in rows:
        known = states.get(key_of(each.task)) if each.task else None
        rest = resting.get(each.endpoint) if each.state in _OPEN_WORDS else None
        if rest is not None:
            each.next_try, each.next_try_at = "when the resting endpoint answers", rest
        elif each.next_try_at is None and known is not None and known.waits:
            each.next_try_at = known.next_try_at
            each.next_try = f"its task's try {known.try_number + 1} of {known.max_tries + 1}"
    return rows


def delivery(store: Store, delivery_id: int, dags: Dags, *, reveal: bool = False) -> DeliveryDetail:
    found = find_delivery(store, delivery_id, dags=dags)
    if found is None:
        raise HTTPException(404, f"there is no delivery {delivery_id}; it may have been purged")
    told = attempts_of(store, delivery_id, dags=dags)
    payload = made_by_dags(store, [delivery_id]).get(delivery_id)
    return DeliveryDetail(
        delivery=_completed(store, [_due(schemas.delivery(found, told[-1] if told else None), found)])[0],
        attempts=[
            schemas.delivery_attempt(each, number=number, reveal=reveal)
            for number, each in enumerate(told, 1)
        ],
        requests=sent.sent_requests(store, found, lane_of(store, delivery_id), payload, told, reveal=reveal),
        payload=(redaction.raw if reveal else redaction.masked)(payload.encode()) if payload else None,
        revealed=reveal,
    )


def suppressed(
    store: Store, phone: str | None, campaign: str | None, cursor: str | None
) -> Listed[SuppressionRow]:
    page = suppressions.entries(store, phone=phone, campaign=campaign, cursor=cursor)
    return _listed(page, map(schemas.suppression, page.rows))


def audited(store: Store, cursor: str | None) -> Listed[AuditRow]:
    page = audit.entries(store, cursor=cursor)
    return _listed(page, map(schemas.audit, page.rows))


def task(store: Store, ref: schemas.TaskRef) -> TaskLook:
    """What one task instance did to leads and deliveries, try by try."""
    owner = Owner(ref.dag_id, ref.task_id, ref.run_id, ref.map_index)
    tries: dict[int, TriedTask] = {}
    for found in run_lists.tries_of(store, owner):
        tries[found.try_number] = TriedTask(
            try_number=found.try_number,
            run=schemas.run(found),
            exceptions=leads(store, LeadFilter(run_id=found.id), None),
            attempts=submitted(store, found.id, None),
        )
    attempted = attempts_of_task(
        store, dag_id=ref.dag_id, run_id=ref.run_id, task_id=ref.task_id, map_index=ref.map_index,
        limit=ATTEMPTS_SHOWN,
    )  # fmt: skip
    made = made_by_dags(store, list({row.id for row, _ in attempted}))
    for delivery_row, attempt_row in attempted:
        of_try = tries.setdefault(attempt_row.try_number, TriedTask(try_number=attempt_row.try_number))
        of_try.deliveries.append(
            TriedDelivery(
                delivery=schemas.delivery(delivery_row, attempt_row, made=delivery_row.id in made),
                attempt=schemas.delivery_attempt(attempt_row),
            )
        )
    in_order = sorted(tries.values(), key=lambda each: -each.try_number)
    look = TaskLook(task=ref, about=_about(attempted), tries=in_order, cut=len(attempted) == ATTEMPTS_SHOWN)
    known = task_states([ref]).get(key_of(ref))
    if known is not None:
        ref.try_number = known.try_number
        look.state, look.max_tries = known.state, known.max_tries + 1
        look.retry_reason, look.next_try_at = known.retry_reason, known.next_try_at
    return look


def _about(attempted: Sequence[tuple[DeliveryRow, AttemptRow]]) -> str:
    """A name for a mapped instance; Airflow forgets the one it rendered while the instance is up for retry."""
    labels = {row.id: row.label or row.event_id for row, _ in attempted}
    if not labels:
        return ""
    more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    return next(iter(labels.values())) + more


def in_hand(store: Store, ref: schemas.TaskRef) -> tuple[str, str]:
    """What a task instance tried to deliver, by the name that Airflow forgets meanwhile, and the latest error."""
    attempted = attempts_of_task(
        store, dag_id=ref.dag_id, run_id=ref.run_id, task_id=ref.task_id, map_index=ref.map_index, limit=20
    )
    failed = [each.error for _, each in attempted if each.verdict != DeliveryVerdict.DELIVERED]
    return _about(attempted), failed[-1] if failed else ""


def _listed(page: Page[Any], rows: Iterable[Any]) -> Listed[Any]:
    return Listed(rows=list(rows), next=page.next, cut=page.cut)
