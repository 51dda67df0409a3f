"""The JSON API behind the pages: the same rows with the same rights, as data."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from airflow_outreach_provider.core.deliveries import word_of
from airflow_outreach_provider.hooks.settings import consumer_abandoned_after
from airflow_outreach_provider.store.audit import AuditRow
from airflow_outreach_provider.store.inbox import progress
from airflow_outreach_provider.store.overview import overview
from airflow_outreach_provider.store.suppressions import SuppressionRow
from airflow_outreach_provider.web import connections, params, queries, schemas
from airflow_outreach_provider.web.access import OfTask, Reader, SomeReader, StoreDep, reads_task
from airflow_outreach_provider.web.attention import attention
from airflow_outreach_provider.web.outreach_apis import OutreachApi, outreach_apis
from airflow_outreach_provider.web.schemas import Listed

router = APIRouter(prefix="/api", tags=["look"])


class ConnectionHealth(BaseModel):
    """Sources, endpoints and outreach APIs."""

    apis: list[OutreachApi]
    sources: list[connections.SourceHealth]
    endpoints: list[connections.EndpointHealth]


@router.get("/overview")
def get_overview(_who: Reader, store: StoreDep, span: params.Span) -> dict[str, Any]:
    """The last 24 hours by the hour, or another time in bars, and what waits for a person (counted up to 1,000)."""
    found = overview(store, span)
    said = {
        name: getattr(found, name)
        for name in found.__slots__
        if name not in ("active", "failing", "span") and name[0] != "_"
    }
    for name in ("lead_hours", "event_hours", "delivery_hours"):
        said[name] = [asdict(hour) for hour in said[name]]
    said |= {
        "active": [schemas.run(run) for run in found.active],
        **dict(attention(store, found)),
        "waiting_deliveries": {word_of(state): n for state, n in found.waiting_deliveries.items()},
    }
    return said


@router.get("/runs")
def get_runs(
    who: SomeReader,
    store: StoreDep,
    campaign: params.Text = None,
    state: params.StateOfRun = None,
    cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> Listed[schemas.Run]:
    """Runs of lead syncs, newest first."""
    return queries.runs(store, campaign, state, cursor, who.dags, sort=sort)


@router.get("/runs/{run_id}")
def get_run(
    who: SomeReader, store: StoreDep, run_id: params.RowId, cursor: params.Cursor = None
) -> queries.RunDetail:
    """One run. ``cursor`` pages its ``attempts``."""
    return queries.run(store, run_id, cursor, who.dags)


@router.get("/leads")
def get_leads(
    _who: SomeReader,
    store: StoreDep,
    wanted: params.Leads,
    cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> Listed[schemas.LeadSchema]:
    """Leads, the latest recorded first."""
    return queries.leads(store, wanted, cursor, sort)


@router.get("/leads/{lead_id}")
def get_lead(who: SomeReader, store: StoreDep, lead_id: params.RowId) -> queries.LeadDetail:
    """A lead with its history."""
    return queries.lead(store, lead_id, who.dags)


@router.get("/events")
def get_events(
    _who: Reader,
    store: StoreDep,
    wanted: params.Events,
    cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> Listed[schemas.Event]:
    """Events of the inbox, the latest received first."""
    return queries.events(store, wanted, cursor, sort)


@router.get("/events/{event_id}")
def get_event(_who: Reader, store: StoreDep, event_id: params.Short) -> queries.EventDetail:
    """An event with its raw request, values hidden, and its deliveries."""
    return queries.event(store, event_id)


@router.get("/deliveries")
def get_deliveries(
    _who: SomeReader,
    store: StoreDep,
    wanted: params.Deliveries,
    cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> Listed[schemas.DeliverySchema]:
    """Deliveries, the latest recorded first."""
    return queries.deliveries(store, wanted, cursor, sort)


@router.get("/deliveries/{delivery_id}")
def get_delivery(who: SomeReader, store: StoreDep, delivery_id: params.RowId) -> queries.DeliveryDetail:
    """A delivery with every attempt."""
    return queries.delivery(store, delivery_id, who.dags)


@router.get("/connections")
def get_connections(who: Reader, store: StoreDep) -> ConnectionHealth:
    """Sources and endpoints with what they last did."""
    return ConnectionHealth(
        apis=outreach_apis(),
        sources=connections.sources(store),
        endpoints=connections.targets(store, whole_url=who.may_edit),
    )


@router.get("/consumers")
def get_consumers(_who: Reader, store: StoreDep) -> list[dict[str, Any]]:
    """Each consumer's progress through the inbox."""
    now, after = store.now(), consumer_abandoned_after()
    return [{**asdict(each), "abandoned": each.abandoned(now, after)} for each in progress.consumers(store)]


@router.get("/do-not-contact")
def get_suppressions(
    _who: Reader,
    store: StoreDep,
    phone: params.Phone,
    campaign: params.Text = None,
    cursor: params.Cursor = None,
) -> Listed[SuppressionRow]:
    """The do-not-contact list, newest first."""
    return queries.suppressed(store, phone, campaign, cursor)


@router.get("/audit")
def get_audit(_who: Reader, store: StoreDep, cursor: params.Cursor = None) -> Listed[AuditRow]:
    """What people did, newest first."""
    return queries.audited(store, cursor)


def task_ref(
    dag_id: params.DagId,
    run_id: params.Line,
    task_id: params.Line,
    map_index: str = "-1",
) -> schemas.TaskRef:
    """A task instance by its names. Airflow leaves its placeholder as it is where a task is not mapped."""
    index = int(map_index) if re.fullmatch(r"-?[0-9]{1,9}", map_index) else -1
    return schemas.TaskRef(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=index)


@router.get("/task", dependencies=[reads_task])
def get_task(
    _who: OfTask,
    store: StoreDep,
    dag_id: params.DagId,
    run_id: params.Line,
    task_id: params.Line,
    map_index: str = "-1",
) -> queries.TaskLook:
    """The leads and deliveries of exactly this task instance, try by try; takes the right to read its DAG."""
    return queries.task(store, task_ref(dag_id, run_id, task_id, map_index))
