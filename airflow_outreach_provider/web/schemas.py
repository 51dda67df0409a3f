"""What pages and JSON API show: rows of the store as they may be seen, personal data masked unless revealed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from airflow_outreach_provider.core.deliveries import word_of
from airflow_outreach_provider.core.masking import mask_email, mask_phone, mask_text
from airflow_outreach_provider.core.progress import settled, share_done, time_left
from airflow_outreach_provider.core.states import RunState
from airflow_outreach_provider.store.audit import AuditRow
from airflow_outreach_provider.store.deliveries.lists import AttemptRow, DeliveryRow
from airflow_outreach_provider.store.inbox.lists import EventRow
from airflow_outreach_provider.store.ledger.lists import LeadAttempt, LeadConsent, LeadRow
from airflow_outreach_provider.store.ledger.run_lists import RunRow, RunTask
from airflow_outreach_provider.store.suppressions import SuppressionRow
from airflow_outreach_provider.store.suppressions import shown as shown_number
from airflow_outreach_provider.web import redaction

T = TypeVar("T")


class Listed(BaseModel, Generic[T]):
    """A page of a list. ``next`` is the ``cursor`` of the page after it; ``cut`` says that the search stopped
    after the newest 20,000 rows and goes on there."""

    rows: list[T]
    next: str | None = None
    cut: bool = False


class TaskRef(BaseModel):
    """A task instance; ``map_index`` -1 where it is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1


class LeadSchema(BaseModel):
    """A lead in the ledger. ``run_id`` is the run of the ledger that touched it last, not Airflow's."""

    id: int
    campaign: str
    phone: str = Field(description="E.164, masked unless revealed")
    state: str
    reason: str
    detail: str
    line: int | None
    run_id: int | None
    task: TaskRef | None = Field(default=None, description="the task instance of that run")
    tries: int
    not_before: datetime | None
    updated_at: datetime
    created_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    contact_id: str | None
    conversation_id: str | None
    application_id: str | None


class AttemptSchema(BaseModel):
    """One submission of a lead, or a step of its life."""

    id: int
    lead_id: int
    run_id: int | None
    phone: str | None = None
    at: datetime
    outcome: str
    reason: str
    status: int | None
    latency_ms: int | None
    detail: str
    task: TaskRef | None = None


class ConsentSchema(BaseModel):
    """What a row said of consent when the lead was planned from it: column, value, source and line."""

    at: datetime
    column: str
    value: str
    source: str
    line: int | None


class Run(BaseModel):
    """One try of one task instance over one source of leads. ``counts`` are rows by state."""

    id: int
    campaign: str
    task: TaskRef
    state: str
    source: str
    dry_run: bool
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    rows_read: int
    fraction: float | None = Field(description="how much of the source was read, 0 to 1, where known")
    done: float | None = Field(
        description="how much of it is read and sent or settled otherwise, 0 to 1, where known"
    )
    settled: int = Field(description="rows read that need nothing more in this run")
    seconds_left: float | None = Field(description="about; while it runs, where that can be said")
    rows_per_second: float | None
    counts: dict[str, int]
    reasons: dict[str, int]
    error: str | None = Field(description="why it ended; the reason of the retry, if there is one")
    next_try_at: datetime | None = Field(default=None, description="while the task instance is up for retry")
    max_tries: int | None = Field(default=None, description="tries Airflow allows; known with next_try_at")


class RetryingTask(BaseModel):
    """A task instance that is up for retry. ``about``: what a mapped one has in hand, which Airflow forgets meanwhile."""

    task: TaskRef
    about: str
    why: str
    next_try_at: datetime | None
    max_tries: int = Field(description="tries Airflow allows, the first included")


class Event(BaseModel):
    """An event of the inbox."""

    id: str
    source: str
    platform: str
    type: str
    kind: str
    origin: str
    occurred_at: datetime
    received_at: datetime
    campaign_id: str | None
    phone: str
    email: str


class DeliverySchema(BaseModel):
    """An event on its way to a route. ``state``: see ``core.deliveries.DeliveryWord``."""

    id: int
    event_id: str
    made: bool = Field(default=False, description="the event is not in the inbox: a DAG made it")
    route: str
    endpoint: str
    source: str
    kind: str
    label: str
    state: str
    tries: int
    last_status: int | None
    last_error: str
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None
    latency_ms: int | None = Field(default=None, description="of the last attempt")
    task: TaskRef | None = Field(default=None, description="the task instance of the last attempt")
    next_try: str | None = Field(default=None, description="what makes the next try, in words")
    next_try_at: datetime | None = Field(default=None, description="while it waits for its time")


class DeliveryAttempt(BaseModel):
    """One attempt of a delivery; ``answer`` is the first 4 KB the endpoint said, ``headers`` those of it that matter."""

    id: int
    delivery_id: int
    number: int | None = Field(default=None, description="counted from 1, over all times it was sent again")
    headers: list[tuple[str, str]] = []
    at: datetime
    verdict: str
    status: int | None
    latency_ms: int
    error: str
    answer: str
    retry_after: float | None
    task: TaskRef | None


# What somebody did something to, named by our own numbers alone: these are nobody's.
_IDS = re.compile(r"(?:lead|delivery|resend|entry) \d{1,18}|\d{1,9}(?:, \d{1,9})*(?: and \d{1,9} more)?")


def audit(row: AuditRow) -> AuditRow:
    """As it may be seen."""
    subject = row.subject if _IDS.fullmatch(row.subject) else mask_text(row.subject)
    return replace(row, subject=subject, note=mask_text(row.note))


def lead(row: LeadRow, run: RunTask | None = None, *, reveal: bool = False) -> LeadSchema:
    """As it may be seen. :param run: the task instance of its run."""
    named = {name: getattr(row, name) for name in LeadSchema.model_fields if name != "task"}
    if run is not None:
        named["task"] = _task(run)
    if not reveal:
        named |= {"phone": mask_phone(row.phone), "detail": mask_text(row.detail)}
    return LeadSchema(**{**named, "phone": named["phone"] or "–"})


def attempt(row: LeadAttempt, phone: str | None = None, *, reveal: bool = False) -> AttemptSchema:
    """As it may be seen."""
    named = {name: getattr(row, name) for name in AttemptSchema.model_fields if name not in ("phone", "task")}
    named["phone"] = phone if reveal or phone is None else mask_phone(phone)
    if not reveal:
        named["detail"] = mask_text(row.detail)
    return AttemptSchema(**named, task=_task(row))


def consent(row: LeadConsent, *, reveal: bool = False) -> ConsentSchema:
    """As it may be seen."""
    seen = str if reveal else mask_text
    return ConsentSchema(
        at=row.at, column=row.column, value=seen(row.value), source=seen(row.source), line=row.line
    )


def run(row: RunRow) -> Run:
    """As it may be seen."""
    task = TaskRef(
        dag_id=row.dag_id, run_id=row.airflow_run_id, task_id=row.task_id, map_index=row.map_index,
        try_number=row.try_number,
    )  # fmt: skip
    seconds = row.seconds
    counts = {str(name): int(n) for name, n in row.counts.items()}
    over = settled(counts)
    done = share_done(row.fraction, over, row.rows_read)
    left = time_left(seconds, done) if row.state == RunState.RUNNING else None
    return Run(
        id=row.id, campaign=row.campaign, task=task, state=row.state, source=mask_text(row.source),
        dry_run=row.dry_run, started_at=row.started_at, finished_at=row.finished_at, seconds=seconds,
        rows_read=row.rows_read, fraction=row.fraction, done=done, settled=min(row.rows_read, over),
        seconds_left=left.total_seconds() if left is not None else None, rows_per_second=row.rows_read / seconds if seconds >= 1 else None,
        counts=counts, reasons=_flat(row.reasons),
        error=mask_text(row.error, 1000) if row.error else None,
        next_try_at=row.retry_at if row.retry_at and row.retry_at > datetime.now(UTC) else None,
    )  # fmt: skip


def event(row: EventRow, *, reveal: bool = False) -> Event:
    """As it may be seen."""
    named = {name: getattr(row, name) for name in Event.model_fields if name not in ("id", "phone", "email")}
    if not reveal:
        campaign = row.campaign_id and mask_text(row.campaign_id, 100)
        named |= {"type": mask_text(row.type, 100), "campaign_id": campaign}
    phone = (row.phone or "–") if reveal else mask_phone(row.phone)
    email = (row.email or "–") if reveal else mask_email(row.email)
    return Event(id=row.event_id, phone=phone, email=email, **named)


def delivery(row: DeliveryRow, last: AttemptRow | None = None, *, made: bool = False) -> DeliverySchema:
    """As it may be seen. :param last: its latest attempt. :param made: by a DAG; not in the inbox."""
    extra = {"latency_ms", "made", "next_try", "next_try_at", "task"}
    named = {name: getattr(row, name) for name in DeliverySchema.model_fields if name not in extra}
    named |= {"last_error": mask_text(row.last_error), "state": word_of(row.state)}
    task = last and _task(last)
    asked = last.retry_after if last and row.state == "failed" else None
    return DeliverySchema(
        **named,
        made=made,
        task=task,
        latency_ms=last.latency_ms if last else None,
        next_try=f"{_NEXT_TRY[row.state]}; the endpoint asked to wait {asked:.0f} s"
        if asked
        else _NEXT_TRY.get(row.state),
    )


def delivery_attempt(row: AttemptRow, *, number: int | None = None, reveal: bool = False) -> DeliveryAttempt:
    """As it may be seen. :param number: which attempt of its delivery it is."""
    extra = {"headers", "number", "task"}
    named = {name: getattr(row, name) for name in DeliveryAttempt.model_fields if name not in extra}
    named |= {"headers": redaction.answer_headers(row.headers, reveal=reveal), "number": number}
    if not reveal:
        named |= {
            "error": mask_text(row.error),
            "answer": redaction.masked(row.answer.encode("utf-8", "replace")),
        }
    return DeliveryAttempt(**named, task=_task(row))


def suppression(row: SuppressionRow, *, reveal: bool = False) -> SuppressionRow:
    """As it may be seen."""
    if reveal:
        return row
    return replace(
        row, phone=shown_number(row.phone), reason=mask_text(row.reason), source=mask_text(row.source)
    )


_NEXT_TRY = {
    "pending": "the route's next run takes it",
    "failed": "its task's retry, or the route's next run",
    "held": "when the endpoint is enabled",
    "dead": "none; send it again when the cause is mended",
}


def _task(row: LeadAttempt | AttemptRow | RunTask) -> TaskRef | None:
    if not (row.dag_id and row.airflow_run_id and row.task_id):
        return None
    return TaskRef(
        dag_id=row.dag_id,
        run_id=row.airflow_run_id,
        task_id=row.task_id,
        map_index=-1 if row.map_index is None else row.map_index,
        try_number=row.try_number or 1,
    )


def _flat(reasons: Mapping[str, Any]) -> dict[str, int]:
    """``{"rejected": {"phone_missing": 3}}`` and ``{"rejected:phone_missing": 3}`` alike, the most frequent first."""
    found: dict[str, int] = {}
    for name, value in reasons.items():
        if isinstance(value, Mapping):
            found |= {f"{name}: {reason}": int(n) for reason, n in value.items()}
        else:
            found[str(name).replace(":", ": ", 1)] = int(value)
    return dict(sorted(found.items(), key=lambda each: -each[1])[:50])
