"""What a page and its API call both show: read from the store, masked, with everything one look needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.states import RunState
from airflow_outreach_provider.store import audit, inbox, suppressions, views_runs
from airflow_outreach_provider.store.deliveries_admin import (
    AttemptRow,
    DeliveryRow,
    attempts_of,
    attempts_of_task,
)
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.runs import Owner
from airflow_outreach_provider.store.views_deliveries import (
    DeliveryFilter,
    find_delivery,
    last_attempts,
    list_deliveries,
    made_by_dags,
)
from airflow_outreach_provider.store.views_events import EventFilter, EventRow, list_events
from airflow_outreach_provider.store.views_leads import (
    LeadFilter,
    attempts_of_run,
    lead_story,
    list_leads,
    phones_by_id,
)
from airflow_outreach_provider.store.views_paging import Page
from airflow_outreach_provider.web import bodies, shown
from airflow_outreach_provider.web.airflow_task import key_of, task_states
from airflow_outreach_provider.web.shown import Listed

ATTEMPTS_SHOWN = 1000


class LeadDetail(BaseModel):
    """A lead and its history. ``listed`` are campaigns ("" is all) whose do-not-contact list has the number."""

    lead: shown.Lead
    attempts: list[shown.Attempt]
    others: list[shown.Lead]
    listed: dict[str, str]
    payload: str | None = None
    revealed: bool = False


class RunDetail(BaseModel):
    """A run, the other tries of its task instance, what went wrong in it, and what it submitted."""

    run: shown.Run
    tries: list[shown.Run]
    exceptions: Listed[shown.Lead]
    attempts: Listed[shown.Attempt]


class EventDetail(BaseModel):
    """An event with its raw request and its deliveries."""

    event: shown.Event
    headers: list[tuple[str, str]]
    body: str
    body_bytes: int
    deliveries: list[shown.Delivery]
    revealed: bool = False


class DeliveryDetail(BaseModel):
    """A delivery and every attempt, oldest first."""

    delivery: shown.Delivery
    attempts: list[shown.DeliveryAttempt]
    payload: str | None = Field(default=None, description="the event, where a DAG made it")
    revealed: bool = False


class TriedDelivery(BaseModel):
    """One attempt with the delivery it was of."""

    delivery: shown.Delivery
    attempt: shown.DeliveryAttempt


class TaskTry(BaseModel):
    """One try of a task instance: its run of the ledger, or the deliveries it attempted."""

    try_number: int
    run: shown.Run | None = None
    exceptions: Listed[shown.Lead] | None = None
    attempts: Listed[shown.Attempt] | None = None
    deliveries: list[TriedDelivery] = Field(default=[], description="of all tries together the latest 1,000")


class TaskLook(BaseModel):
    """A task instance: how Airflow sees it, and its tries, the latest first."""

    task: shown.TaskRef
    about: str = Field(default="", description="the first delivery's event, and how many more there are")
    state: str | None = None
    max_tries: int | None = Field(default=None, description="tries Airflow allows, the first included")
    retry_reason: str | None = None
    next_try_at: datetime | None = None
    tries: list[TaskTry] = []
    cut: bool = Field(default=False, description="earlier attempts of deliveries are left out")


def leads(store: Store, wanted: LeadFilter, cursor: str | None) -> Listed[shown.Lead]:
    page = list_leads(store, wanted, cursor=cursor)
    tasks = views_runs.tasks_of(store, {each.run_id for each in page.rows if each.run_id is not None})
    return _listed(page, (shown.lead(each, tasks.get(each.run_id or 0)) for each in page.rows))


def lead(store: Store, lead_id: int, *, reveal: bool = False) -> LeadDetail:
    story = lead_story(store, lead_id, with_payload=reveal)
    if story is None:
        raise HTTPException(404, f"there is no lead {lead_id}; it may have been purged")
    return LeadDetail(
        lead=shown.lead(story.lead, reveal=reveal),
        attempts=[shown.attempt(each, reveal=reveal) for each in story.attempts],
        others=[shown.lead(each, reveal=reveal) for each in story.others],
        listed=story.listed,
        payload=bodies.raw(story.payload.encode()) if story.payload else None,
        revealed=reveal,
    )


def runs(store: Store, campaign: str | None, state: Any, cursor: str | None) -> Listed[shown.Run]:
    page = views_runs.list_runs(store, campaign=campaign, state=state, cursor=cursor)
    return _listed(page, with_next_try(map(shown.run, page.rows)))


def with_next_try(rows: Iterable[shown.Run]) -> list[shown.Run]:
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


def run(store: Store, run_id: int, cursor: str | None) -> RunDetail:
    found = views_runs.find_run(store, run_id)
    if found is None:
        raise HTTPException(404, f"there is no run {run_id}; it may have been purged")
    owner = Owner(found.dag_id, found.task_id, found.airflow_run_id, found.map_index)
    return RunDetail(
        run=with_next_try([shown.run(found)])[0],
        tries=[shown.run(each) for each in views_runs.tries_of(store, owner)],
        exceptions=leads(store, LeadFilter(run_id=run_id), None),
        attempts=submitted(store, run_id, cursor),
    )


def submitted(store: Store, run_id: int, cursor: str | None) -> Listed[shown.Attempt]:
    page = attempts_of_run(store, run_id, cursor=cursor)
    phones = phones_by_id(store, [each.lead_id for each in page.rows])
    return _listed(page, (shown.attempt(each, phones.get(each.lead_id)) for each in page.rows))


def events(store: Store, wanted: EventFilter, cursor: str | None) -> Listed[shown.Event]:
    page = list_events(store, wanted, cursor=cursor)
    return _listed(page, map(shown.event, page.rows))


def event(store: Store, event_id: str, *, reveal: bool = False) -> EventDetail:
    stored = inbox.show(store, event_id)
    if stored is None:
        raise HTTPException(404, f"there is no event {event_id[:60]}; it may have been purged")
    found = stored.event
    row = EventRow(
        row_id=0, event_id=found.id, seq=found.seq, source=found.source, platform=found.platform, type=found.type,
        kind=found.kind.value, origin=stored.origin, occurred_at=found.occurred_at, received_at=found.received_at,
        campaign_id=found.campaign_id, email=found.contact.email, phone=found.contact.phone,
    )  # fmt: skip
    return EventDetail(
        event=shown.event(row, reveal=reveal),
        headers=bodies.headers(json.loads(stored.headers or "[]"), reveal=reveal),
        body=bodies.raw(stored.body) if reveal else bodies.masked(stored.body),
        body_bytes=len(stored.body),
        deliveries=deliveries(store, DeliveryFilter(event_id=event_id), None).rows,
        revealed=reveal,
    )


def deliveries(store: Store, wanted: DeliveryFilter, cursor: str | None) -> Listed[shown.Delivery]:
    page = list_deliveries(store, wanted, cursor=cursor)
    last = last_attempts(store, [each.id for each in page.rows])
    rows = [shown.delivery(each, last.get(each.id)) for each in page.rows]
    return _listed(page, _completed(store, rows))


def _completed(store: Store, rows: list[shown.Delivery]) -> list[shown.Delivery]:
    """The same, with whose events DAGs made, and with why and when Airflow tries the failed ones again."""
    made = made_by_dags(store, [each.id for each in rows])
    for each in rows:
        each.made = each.id in made
    states = task_states(each.task for each in rows if each.state == DeliveryState.FAILED)
    for each in rows:
        known = states.get(key_of(each.task)) if each.task else None
        if known is not None and known.waits:
            each.next_try_at = known.next_try_at
            each.next_try = f"its task's try {known.try_number + 1} of {known.max_tries + 1}"
    return rows


def delivery(store: Store, delivery_id: int, *, reveal: bool = False) -> DeliveryDetail:
    found = find_delivery(store, delivery_id)
    if found is None:
        raise HTTPException(404, f"there is no delivery {delivery_id}; it may have been purged")
    told = attempts_of(store, delivery_id)
    payload = made_by_dags(store, [delivery_id]).get(delivery_id)
    return DeliveryDetail(
        delivery=_completed(store, [shown.delivery(found, told[-1] if told else None)])[0],
        attempts=[shown.delivery_attempt(each, reveal=reveal) for each in told],
        payload=(bodies.raw if reveal else bodies.masked)(payload.encode()) if payload else None,
        revealed=reveal,
    )


def suppressed(
    store: Store, phone: str | None, campaign: str | None, cursor: str | None
) -> Listed[shown.Suppression]:
    page = suppressions.entries(store, phone=phone, campaign=campaign, cursor=cursor)
    return _listed(page, map(shown.suppression, page.rows))


def audited(store: Store, cursor: str | None) -> Listed[shown.Audit]:
    page = audit.entries(store, cursor=cursor)
    return _listed(page, map(shown.audit, page.rows))


def task(store: Store, ref: shown.TaskRef) -> TaskLook:
    """What one task instance did to leads and deliveries, try by try."""
    owner = Owner(ref.dag_id, ref.task_id, ref.run_id, ref.map_index)
    tries: dict[int, TaskTry] = {}
    for found in views_runs.tries_of(store, owner):
        tries[found.try_number] = TaskTry(
            try_number=found.try_number,
            run=shown.run(found),
            exceptions=leads(store, LeadFilter(run_id=found.id), None),
            attempts=submitted(store, found.id, None),
        )
    attempted = attempts_of_task(
        store, dag_id=ref.dag_id, run_id=ref.run_id, task_id=ref.task_id, map_index=ref.map_index,
        limit=ATTEMPTS_SHOWN,
    )  # fmt: skip
    made = made_by_dags(store, list({row.id for row, _ in attempted}))
    for delivery_row, attempt_row in attempted:
        of_try = tries.setdefault(attempt_row.try_number, TaskTry(try_number=attempt_row.try_number))
        of_try.deliveries.append(
            TriedDelivery(
                delivery=shown.delivery(delivery_row, attempt_row, made=delivery_row.id in made),
                attempt=shown.delivery_attempt(attempt_row),
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


def _listed(page: Page[Any], rows: Iterable[Any]) -> Listed[Any]:
    return Listed(rows=list(rows), next=page.next, cut=page.cut)
