"""*Try it* for a route: an event, stored or pasted, through its filter, and the request that would be sent.

Nothing is sent and nothing written. A stored event's values are hidden until somebody with edit rights reveals them,
which is audited; then the signature is whole too: it is of a request that the route would send as well. The signature
of what was pasted is never shown: whoever had it could send what they like in our name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.pasted_events import pasted_event
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.route_verdict import RouteVerdict, judge_filter
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflow_parts import RoutePart
from airflow_outreach_provider.hooks.sources import get_source
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.deliveries.preview import preview
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox.lists import EventFilter, EventRow
from airflow_outreach_provider.web import connections, redaction, schemas
from airflow_outreach_provider.web.access import Editor, Person, Reader, StoreDep
from airflow_outreach_provider.web.params import DagId, Text
from airflow_outreach_provider.web.rendering import render
from airflow_outreach_provider.web.trial_models import Pasted, RouteChoice, RouteTrial, TryPage, said_request
from airflow_outreach_provider.web.workflow_dags import WorkflowDag, workflow_dags

router = APIRouter()
_EVENTS_SHOWN = 12
_DELIVER = "DeliverEventsOperator"


@router.get("/api/workflows/{dag_id}/try", tags=["look"])
def get_try(_who: Reader, store: StoreDep, dag_id: DagId, route: Text = None, event: Text = None) -> TryPage:
    """What a route would do with a stored event, the latest it could read where none is named; nothing is sent."""
    return try_page(store, dag_id, route, event)


@router.get("/workflows/{dag_id}/try", include_in_schema=False)
def try_route_page(
    request: Request, who: Reader, store: StoreDep, dag_id: DagId, route: Text = None, event: Text = None
) -> HTMLResponse:
    """The same as a page."""
    return _page(request, who, try_page(store, dag_id, route, event))


@router.post("/workflows/{dag_id}/try", include_in_schema=False)
def try_route_revealed(
    request: Request, who: Editor, store: StoreDep, dag_id: DagId, route: Text = None, event: Text = None
) -> HTMLResponse:
    """The same with the event's personal data and the signature; audited before it is read."""
    found = try_page(store, dag_id, route, event)
    if found.trial is None:
        raise HTTPException(404, f"there is no event to try with {dag_id}")
    actions.note(store, "reveal trial", f"{found.trial.event.id} through {found.route}", actor=who.name)
    return _page(request, who, try_page(store, dag_id, found.route, found.trial.event.id, reveal=True))


@router.post("/workflows/{dag_id}/try/pasted", include_in_schema=False)
def try_pasted(request: Request, who: Editor, store: StoreDep, dag_id: DagId, asked: Pasted) -> HTMLResponse:
    """What a route would do with an event that somebody pasted: shown to them alone, kept nowhere."""
    dag, part = _route(dag_id, asked.route or None)
    found = _empty(store, dag, part)
    try:
        if part is None:
            raise ConfigurationError(f"{dag_id} has no route", "try one that reads events")
        source = get_source(asked.source) if asked.source else None
        event = pasted_event(asked.text, source, datetime.now(UTC), of=part.source)
        found.trial = _trial(store, dag, part, event, stored=False, reveal=True)
    except OutreachError as error:
        found.problem = str(error)
    return _page(request, who, found)


def try_page(
    store: Store, dag_id: str, route: str | None, event_id: str | None, *, reveal: bool = False
) -> TryPage:
    """A stored event through a route.

    :raises HTTPException: 404, there is no such workflow, route or event.
    """
    dag, part = _route(dag_id, route)
    found = _empty(store, dag, part)
    if part is None:
        return found
    if event_id is None and found.events:
        event_id = found.events[0].id
    if event_id is not None:
        stored = inbox_lists.show(store, event_id)
        if stored is None:
            raise HTTPException(404, f"there is no event {event_id[:60]}; it may have been purged")
        found.trial = _trial(store, dag, part, stored.event, stored=True, reveal=reveal)
    return found


def _page(request: Request, who: Person, found: TryPage) -> HTMLResponse:
    return render(request, "try_route.html", who, at="workflows", found=found)


def _route(dag_id: str, route: str | None) -> tuple[WorkflowDag, RoutePart | None]:
    dags = workflow_dags(dag_id)
    if not dags:
        raise HTTPException(404, f"there is no workflow {dag_id}; is its DAG gone?")
    known = {_name(part): part for part in dags[0].parts.routes}
    if route is None or not known:
        return dags[0], next(iter(known.values()), None)
    if route not in known:
        raise HTTPException(404, f"{dag_id} has no route {route[:60]!r} — {did_you_mean(route, known)}")
    return dags[0], known[route]


def _name(part: RoutePart) -> str:
    return part.route or part.consumer


def _empty(store: Store, dag: WorkflowDag, part: RoutePart | None) -> TryPage:
    choices = [
        RouteChoice(route=_name(each), says=each.says(), where=_where(store, dag, each)[0])
        for each in dag.parts.routes
    ]
    known = {kind.value for kind in EventKind}
    kinds = [kind for kind in part.kinds if kind in known] if part else []
    wanted = EventFilter(source=(part.source or None) if part else None, kinds=kinds or None)
    rows = inbox_lists.list_events(store, wanted, limit=_EVENTS_SHOWN).rows if part else []
    return TryPage(
        dag_id=dag.dag_id, routes=choices, route=_name(part) if part else "", trial=None,
        sources=[each.name for each in connections.source_list() if each.settings],
        events=[schemas.event(row) for row in rows],
    )  # fmt: skip


def _where(store: Store, dag: WorkflowDag, part: RoutePart) -> tuple[str | None, bool]:
    """The condition, and whether it is known: in YAML at once, of Python once its sensor has run."""
    if dag.parts.yaml:
        return dag.parts.where_of(part.consumer), True
    reads = consumers.reads(store, part.consumer)
    return (reads.where, True) if reads is not None else (None, False)


def _trial(
    store: Store, dag: WorkflowDag, part: RoutePart, event: ContactEvent, *, stored: bool, reveal: bool
) -> RouteTrial:
    where, known = _where(store, dag, part)
    finding = judge_filter(event, part.source or None, part.kinds or None, where)
    shown = schemas.event(_row(event), reveal=reveal)
    trial = RouteTrial(
        route=_name(part), event=shown, pasted=not stored, revealed=reveal, verdict=finding.verdict.value,
        why=mask_text(finding.why), where=where, saw=redaction.saw(finding.saw, reveal=reveal), target=part.target,
    )  # fmt: skip
    if not known:
        trial.notes.append("Its where is known once its sensor has run; it is left aside here.")
    if dag.paused:
        trial.notes.append("Its DAG is paused: nothing is taken until it is not.")
    if finding.verdict is not RouteVerdict.WANTED:
        trial.notes.append("This would be sent if the route took it.")
    _add_request(store, part, event, trial, stored=stored)
    return trial


def _add_request(
    store: Store, part: RoutePart, event: ContactEvent, trial: RouteTrial, *, stored: bool
) -> None:
    """The request, or why there is none."""
    if part.operator != _DELIVER:
        trial.notes.append(f"No request: the event goes to {part.target}.")
        return
    if part.request is None or "{{" in part.endpoint:
        trial.notes.append(
            "The request is not shown: its task is not mapped or its endpoint is a template, so Airflow's database does "
            "not hold what it sends."
        )
        return
    try:
        endpoint = connections.get_endpoint(part.endpoint)
        form = _form(part.request)
        made = preview(store, endpoint, _name(part), form, event, datetime.now(UTC), stored=stored)
    except OutreachError as error:
        trial.notes.append(f"No request can be made: {mask_text(str(error))}")
        return
    if endpoint.kinds is not None and event.kind not in endpoint.kinds:
        trial.notes.append("The endpoint does not subscribe to this kind: nothing would be sent.")
    if not endpoint.enabled:
        trial.notes.append("The endpoint is disabled in its connection: the delivery would be held.")
    if form.batch is not None:
        trial.notes.append(f"Up to {form.batch.size} events are sent in one request; here it is alone.")
    trial.request = said_request(
        made, form.path, form.query, whole=trial.revealed, signed=stored and trial.revealed
    )


def _form(said: Any) -> RequestForm:
    fields = {name: value for name, value in said.items() if name != "batching"}
    batching = said.get("batching")
    return RequestForm(**fields, batch=GroupForm(**batching) if batching else None)


def _row(event: ContactEvent) -> EventRow:
    return EventRow(
        row_id=0, event_id=event.id, seq=event.seq, source=event.source, platform=event.platform, type=event.type,
        kind=event.kind.value, origin="", occurred_at=event.occurred_at, received_at=event.received_at,
        campaign_id=event.campaign_id, email=event.contact.email, phone=event.contact.phone,
    )  # fmt: skip
