"""The pages: what the JSON API says, as HTML."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from airflow_outreach_provider.core.chart_span import RANGES
from airflow_outreach_provider.core.deliveries import DeliveryWord, word_of
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.hooks.listing import editable_names
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.actions import said
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, routes, routes_of
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import progress
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.store.ledger import run_lists
from airflow_outreach_provider.store.ledger.held import connections_of_held
from airflow_outreach_provider.store.ledger.lists import LeadFilter
from airflow_outreach_provider.store.overview import MOST, overview
from airflow_outreach_provider.web import chart, connections, params, queries, schemas, setup
from airflow_outreach_provider.web.access import (
    Editor,
    OfTask,
    Person,
    Reader,
    SomeReader,
    StoreDep,
    reads_task,
)
from airflow_outreach_provider.web.api import task_ref
from airflow_outreach_provider.web.attention import attention
from airflow_outreach_provider.web.export import deliveries_csv, events_csv, leads_csv, suppressions_csv
from airflow_outreach_provider.web.outreach_apis import outreach_apis
from airflow_outreach_provider.web.rendering import render

router = APIRouter(include_in_schema=False)

# Seconds between two looks, while something runs and else.
BUSY, QUIET = 4, 30


# Where the bars of each chart lead to: what went well, and what did not.
_RUNS = "/runs?since={since}&until={until}"
_EVENTS = "/events?since={since}&until={until}"
_TRIED = "/deliveries?tried_since={since}&tried_until={until}&tried="


@router.get("/")
def first_page(request: Request, _who: SomeReader) -> RedirectResponse:
    """Where somebody begins: the workflows they may see."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/workflows", 303)


@router.get("/overview")
def overview_page(request: Request, who: Reader, store: StoreDep, span: params.Span) -> Response:
    """All three flows over a time, and what needs a person."""
    found = overview(store, span)
    return render(
        request, "overview.html", who, live=BUSY if found.active else QUIET, at="overview", found=found, most=MOST,
        active=[schemas.run(run) for run in found.active], needs=attention(store, found), missing=setup.missing(), ranges=list(RANGES),
        charts=[
            ("Leads", "accepted", "rejected or held", chart.bars(found.lead_hours, found.span, _RUNS, _RUNS)),
            ("Events received", "received", "", chart.bars(found.event_hours, found.span, _EVENTS, _EVENTS)),
            ("Delivery attempts", "delivered", "failed", chart.bars(found.delivery_hours, found.span, f"{_TRIED}delivered", f"{_TRIED}failed")),
        ],
    )  # fmt: skip


@router.get("/leads")
def leads_page(
    request: Request, who: SomeReader, store: StoreDep, wanted: params.Leads, cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> HTMLResponse:  # fmt: skip
    """Runs with their progress, and leads by filter."""
    latest = [] if cursor else queries.runs(store, wanted.campaign, None, None, who.dags).rows[:8]
    busy = any(run.state == RunState.RUNNING for run in latest)
    return render(
        request, "leads.html", who, live=(BUSY if busy else QUIET), at="leads",
        filtered=wanted != LeadFilter(dags=who.dags), listed=queries.leads(store, wanted, cursor, sort), runs=latest, wanted=wanted, states=list(LeadState),
        campaigns=run_lists.campaigns(store, who.dags), asks=_asks(store, who, wanted.state, wanted.campaign),
    )  # fmt: skip


def _asks(store: Store, who: Person, state: str | None, campaign: str | None) -> bool:
    """Whether a contact list can be asked what became of what is held."""
    return who.may_edit and state == LeadState.HELD and bool(connections_of_held(store, campaign))


@router.get("/leads.csv")
def leads_export(_who: SomeReader, store: StoreDep, wanted: params.Leads) -> StreamingResponse:
    """The filtered leads, personal data masked."""
    return _download(leads_csv(store, wanted, reveal=False), "leads.csv")


@router.post("/leads.csv")
def leads_export_revealed(who: Editor, store: StoreDep, wanted: params.Leads) -> StreamingResponse:
    """The filtered leads with whole numbers; audited."""
    filters = {name: getattr(wanted, name) for name in ("campaign", "state", "reason", "run_id")}
    subject = said(**filters, phone=actions.named_in_leads(store, wanted.phone) if wanted.phone else None)
    done = actions.note_export(store, "export leads revealed", subject, actor=who.name)
    return _download(leads_csv(store, wanted, reveal=True, done=done), "leads.csv")


@router.get("/leads/{lead_id}")
def lead_page(request: Request, who: SomeReader, store: StoreDep, lead_id: params.RowId) -> HTMLResponse:
    """One lead with its history."""
    found = queries.lead(store, lead_id, who.dags)
    asks = _asks(store, who, found.lead.state, found.lead.campaign)
    return render(request, "lead.html", who, live=QUIET, at="leads", found=found, asks=asks)


@router.post("/leads/{lead_id}")
def lead_revealed(request: Request, who: Editor, store: StoreDep, lead_id: params.RowId) -> HTMLResponse:
    """The same with its personal data; audited before it is read."""
    actions.note(store, "reveal lead", f"lead {lead_id}", actor=who.name)
    found = queries.lead(store, lead_id, None, reveal=True)
    asks = _asks(store, who, found.lead.state, found.lead.campaign)
    return render(request, "lead.html", who, at="leads", found=found, asks=asks)


@router.get("/runs")
def runs_page(
    request: Request, who: SomeReader, store: StoreDep, campaign: params.Text = None, state: params.StateOfRun = None,
    since: params.Moment = None, until: params.Moment = None, cursor: params.Cursor = None, sort: params.Sort = None,
) -> HTMLResponse:  # fmt: skip
    """Every run."""
    listed = queries.runs(store, campaign, state, cursor, who.dags, since=since, until=until, sort=sort)
    return render(
        request, "runs.html", who, live=QUIET, at="leads", listed=listed, since=since, until=until,
        states=list(RunState), campaigns=run_lists.campaigns(store, who.dags), campaign=campaign, state=state,
    )  # fmt: skip


@router.get("/runs/{run_id}")
def run_page(
    request: Request, who: SomeReader, store: StoreDep, run_id: params.RowId, cursor: params.Cursor = None
) -> HTMLResponse:
    """One run."""
    found = queries.run(store, run_id, cursor, who.dags)
    live = BUSY if found.run.state == RunState.RUNNING else QUIET
    return render(request, "run.html", who, live=live, at="leads", found=found)


@router.get("/events")
def events_page(
    request: Request, who: Reader, store: StoreDep, wanted: params.Events, cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> HTMLResponse:  # fmt: skip
    """Events by filter."""
    return render(
        request, "events.html", who, live=0 if cursor else QUIET, at="events", wanted=wanted, kinds=list(EventKind),
        filtered=wanted != EventFilter(), listed=queries.events(store, wanted, cursor, sort), sources=[each.name for each in connections.source_list()],
        consumers=progress.consumers(store),
    )  # fmt: skip


@router.get("/events.csv")
def events_export(_who: Reader, store: StoreDep, wanted: params.Events) -> StreamingResponse:
    """The filtered events without their bodies, personal data masked."""
    return _download(events_csv(store, wanted), "events.csv")


@router.get("/events/{event_id}")
def event_page(request: Request, who: Reader, store: StoreDep, event_id: params.Short) -> HTMLResponse:
    """One event: raw request and deliveries."""
    return render(
        request, "event.html", who, live=QUIET, at="events", found=queries.event(store, event_id),
        consumers=progress.consumers(store),
    )  # fmt: skip


@router.post("/events/{event_id}")
def event_revealed(request: Request, who: Editor, store: StoreDep, event_id: params.Short) -> HTMLResponse:
    """The same with its personal data; audited before it is read."""
    actions.note(store, "reveal event", event_id, actor=who.name)
    return render(
        request, "event.html", who, at="events", found=queries.event(store, event_id, reveal=True),
        consumers=progress.consumers(store),
    )  # fmt: skip


@router.get("/deliveries")
def deliveries_page(
    request: Request,
    who: SomeReader,
    store: StoreDep,
    wanted: params.Deliveries,
    cursor: params.Cursor = None,
    sort: params.Sort = None,
) -> HTMLResponse:
    """Deliveries by filter."""
    return render(
        request, "deliveries.html", who, live=0 if cursor else QUIET, at="deliveries", wanted=wanted,
        listed=queries.deliveries(store, wanted, cursor, sort), states=list(DeliveryWord), state=word_of(next(iter(wanted.states))) if wanted.states else None, kinds=list(EventKind),
        routes=routes(store) if who.dags is None else routes_of(store, who.dags), filtered=wanted != DeliveryFilter(dags=who.dags),
    )  # fmt: skip


@router.get("/deliveries.csv")
def deliveries_export(_who: SomeReader, store: StoreDep, wanted: params.Deliveries) -> StreamingResponse:
    """The filtered deliveries."""
    return _download(deliveries_csv(store, wanted), "deliveries.csv")


@router.get("/deliveries/{delivery_id}")
def delivery_page(
    request: Request, who: SomeReader, store: StoreDep, delivery_id: params.RowId
) -> HTMLResponse:
    """One delivery with its attempts."""
    found = queries.delivery(store, delivery_id, who.dags)
    return render(request, "delivery.html", who, live=QUIET, at="deliveries", found=found)


@router.post("/deliveries/{delivery_id}")
def delivery_revealed(
    request: Request, who: Editor, store: StoreDep, delivery_id: params.RowId
) -> HTMLResponse:
    """The same with the endpoint's answers unmasked; audited before they are read."""
    actions.note(store, "reveal delivery", f"delivery {delivery_id}", actor=who.name)
    found = queries.delivery(store, delivery_id, None, reveal=True)
    return render(request, "delivery.html", who, at="deliveries", found=found)


@router.get("/connections")
def connections_page(request: Request, who: Reader, store: StoreDep) -> HTMLResponse:
    """Sources and endpoints."""
    return render(
        request, "connections.html", who, live=QUIET, at="connections", sources=connections.sources(store),
        targets=connections.targets(store, whole_url=who.may_edit), apis=outreach_apis(),
        kinds=[kind for kind in EventKind if kind is not EventKind.UNRECOGNISED], editable=connections.kept("editable", editable_names),
    )  # fmt: skip


@router.get("/do-not-contact")
def suppressions_page(
    request: Request, who: Reader, store: StoreDep, phone: params.Phone, campaign: params.Text = None,
    cursor: params.Cursor = None,
) -> HTMLResponse:  # fmt: skip
    """The do-not-contact list."""
    return render(
        request, "suppressions.html", who, at="do-not-contact", campaigns=run_lists.campaigns(store),
        listed=queries.suppressed(store, phone, campaign, cursor),
    )  # fmt: skip


@router.get("/do-not-contact.csv")
def suppressions_export(
    _who: Reader, store: StoreDep, phone: params.Phone, campaign: params.Text = None
) -> StreamingResponse:
    """The filtered list, numbers masked."""
    rows = suppressions_csv(store, phone=phone, campaign=campaign, reveal=False)
    return _download(rows, "do-not-contact.csv")


@router.post("/do-not-contact.csv")
def suppressions_export_revealed(
    who: Editor, store: StoreDep, phone: params.Phone, campaign: params.Text = None
) -> StreamingResponse:
    """The filtered list with whole numbers; audited."""
    subject = said(campaign=campaign, phone=actions.named_in_list(store, phone) if phone else None)
    done = actions.note_export(store, "export do-not-contact revealed", subject, actor=who.name)
    rows = suppressions_csv(store, phone=phone, campaign=campaign, reveal=True, done=done)
    return _download(rows, "do-not-contact.csv")


@router.get("/audit")
def audit_page(request: Request, who: Reader, store: StoreDep, cursor: params.Cursor = None) -> HTMLResponse:
    """Who did what."""
    return render(request, "audit.html", who, at="audit", listed=queries.audited(store, cursor))


@router.get("/task", dependencies=[reads_task])
def task_page(
    request: Request,
    who: OfTask,
    store: StoreDep,
    dag_id: params.DagId,
    run_id: params.Line,
    task_id: params.Line,
    map_index: str = "-1",
) -> HTMLResponse:
    """The tab on a task instance."""
    look = queries.task(store, task_ref(dag_id, run_id, task_id, map_index))
    return render(request, "task.html", who, live=BUSY, at="", look=look)


def _download(parts: object, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)  # type: ignore[arg-type]
