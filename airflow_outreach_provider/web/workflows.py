"""*Workflows*: every sync and route, in YAML and in Python, with its schedule, its runs and what waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.failed_spans import failed_spans
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.services.notices import not_read
from airflow_outreach_provider.store.deliveries.lists import failed_tries, states_of_routes
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import progress
from airflow_outreach_provider.store.ledger import run_lists
from airflow_outreach_provider.web import queries, schemas
from airflow_outreach_provider.web.access import Person, ReadsCode, SomeReader, StoreDep
from airflow_outreach_provider.web.action_models import amount
from airflow_outreach_provider.web.broken_files import broken_files
from airflow_outreach_provider.web.params import DagId, Text
from airflow_outreach_provider.web.rendering import render
from airflow_outreach_provider.web.retrying import retrying_tasks
from airflow_outreach_provider.web.workflow_dags import WorkflowDag, workflow_dags

router = APIRouter()
QUIET = 30
_OPEN = (DeliveryState.PENDING.value, DeliveryState.FAILED.value)
# A run by the clock that is so much too late is not in sight.
_LATE = timedelta(minutes=15)
# So many stretches of failures of so many routes are looked up: each is a link on the first page.
_SPANS, _FAILED_ROUTES, _FAILED_LOOKED_AT = 3, 10, 500


class WorkflowRun(BaseModel):
    """A run of the DAG, as Airflow has it."""

    run_id: str
    state: str
    run_after: datetime
    start_date: datetime | None
    end_date: datetime | None


class FailedHours(BaseModel):
    """Hours in a row in which a route tried in vain what has failed for good since."""

    route: str
    since: datetime
    until: datetime
    count: int
    more: bool = Field(description="only the latest 500 of its failures were looked at: there may be more")


class WorkflowLine(BaseModel):
    """A DAG of ours. ``health``: healthy, waiting, retrying, failing, stuck (work waits and no run is in sight), paused."""

    dag_id: str
    says: list[str] = Field(description="what it does, a line a task")
    description: str
    file: str = Field(description="the workflow file it stands in; empty for Python")
    line: int
    schedule: str
    paused: bool
    health: str
    why: str
    last_run_at: datetime | None
    next_run_at: datetime | None
    runs: list[WorkflowRun] = Field(description="the latest first")
    consumers: list[str]
    routes: list[str]
    tries: bool = Field(description="whether it can be tried with an event: nothing is sent")
    tries_rows: bool = Field(description="whether it can be tried with rows of its source: nothing is sent")
    unread: int = Field(description="events that wait, counted among the next 2,000; its where left aside")
    unread_since: datetime | None
    waiting: int = Field(description="deliveries that wait for their next try")
    held: int
    failed: int = Field(description="deliveries that are tried no more")
    failed_hours: list[FailedHours] = Field(default=[], description="when these were tried, the latest first")
    retrying: list[schemas.RetryingTask] = Field(
        default=[], description="task instances that are up for retry"
    )


class BrokenWorkflow(BaseModel):
    """A file that Airflow cannot import."""

    file: str
    message: str
    at: datetime | None


class WorkflowList(BaseModel):
    """All that somebody may see, what is stuck first unless another order is asked for."""

    workflows: list[WorkflowLine]
    broken: list[BrokenWorkflow] = Field(description="none for who may read some DAGs: no DAG came of them")


class WorkflowDetail(BaseModel):
    """One of them, with its lines of YAML and its latest runs of the ledger."""

    workflow: WorkflowLine
    yaml: str = Field(description="empty for Python, and for who may not read the DAG's code")
    ledger_runs: list[schemas.Run]


_ORDER = {"stuck": 0, "failing": 1, "retrying": 2, "waiting": 3, "paused": 4, "healthy": 5}


# All of them are read anyway, so they are sorted by whatever they show.
_COLUMNS: Mapping[str, Callable[[WorkflowLine], Any]] = {
    "workflow": lambda each: each.dag_id,
    "health": lambda each: _ORDER[each.health],
    "schedule": lambda each: each.schedule,
    "last_run": lambda each: each.last_run_at,
    "next_run": lambda each: each.next_run_at,
    "unread": lambda each: each.unread,
    "waiting": lambda each: each.waiting,
    "held": lambda each: each.held,
    "failed": lambda each: each.failed,
}
Sort = Annotated[
    Text, Query(description=f"a column, the largest first with a - before it: {', '.join(_COLUMNS)}")
]


@router.get("/api/workflows", tags=["look"])
def get_workflows(who: SomeReader, store: StoreDep, sort: Sort = None) -> WorkflowList:
    """Every sync and route with what waits for it, and the files that are broken."""
    lines = _in_order(_seen_by(who, _lines(store, _dags_of(who, workflow_dags()))), sort)
    if who.dags is not None:
        return WorkflowList(workflows=lines, broken=[])
    broken = [BrokenWorkflow(file=each.file, message=each.message, at=each.at) for each in broken_files()]
    return WorkflowList(workflows=lines, broken=broken)


@router.get("/api/workflows/{dag_id}", tags=["look"])
def get_workflow(who: SomeReader, store: StoreDep, code: ReadsCode, dag_id: DagId) -> WorkflowDetail:
    """One workflow: what it is, its YAML, its runs."""
    found = _dags_of(who, workflow_dags(dag_id))
    if not found:
        raise HTTPException(404, f"there is no workflow {dag_id}; is its DAG gone?")
    latest = (
        run_lists.list_runs(store, dags=frozenset({dag_id}), limit=20).rows if found[0].parts.syncs else []
    )
    return WorkflowDetail(
        workflow=_seen_by(who, _lines(store, found))[0], yaml=found[0].parts.yaml if code(dag_id) else "",
        ledger_runs=queries.with_next_try(map(schemas.run, latest)),
    )  # fmt: skip


@router.get("/workflows", include_in_schema=False)
def workflows_page(request: Request, who: SomeReader, store: StoreDep, sort: Sort = None) -> HTMLResponse:
    """A line a workflow."""
    listed = get_workflows(who, store, sort)
    return render(request, "workflows.html", who, live=QUIET, at="workflows", listed=listed)


@router.get("/workflows/{dag_id}", include_in_schema=False)
def workflow_page(
    request: Request, who: SomeReader, store: StoreDep, code: ReadsCode, dag_id: DagId
) -> HTMLResponse:
    """One workflow."""
    found = get_workflow(who, store, code, dag_id)
    return render(request, "workflow.html", who, live=QUIET, at="workflows", found=found)


def workflow_lines(store: Store) -> list[WorkflowLine]:
    """Every workflow, by name."""
    return _lines(store, workflow_dags())


def _dags_of(who: Person, dags: list[WorkflowDag]) -> list[WorkflowDag]:
    """Those of them that somebody may see."""
    return [each for each in dags if who.may_see(each.dag_id)]


def _seen_by(who: Person, lines: list[WorkflowLine]) -> list[WorkflowLine]:
    """The same, without what they may not do: whoever tries a route reads events, which are of no DAG."""
    if who.dags is not None:
        for each in lines:
            each.tries = each.tries_rows = False
    return lines


def _in_order(lines: list[WorkflowLine], sort: str | None) -> list[WorkflowLine]:
    """By a column, those that have nothing there last; what needs somebody first where none is asked for.

    :raises ConfigurationError: there is no such column.
    """
    usual = sorted(lines, key=lambda each: (_ORDER[each.health], each.dag_id))
    if sort is None:
        return usual
    name = sort.removeprefix("-")
    if name not in _COLUMNS:
        raise ConfigurationError(
            f"workflows have no column {name[:60]!r} to be sorted by", did_you_mean(name, _COLUMNS)
        )
    column = _COLUMNS[name]
    there = [each for each in usual if column(each) is not None]
    there.sort(key=column, reverse=sort.startswith("-"))
    return there + [each for each in usual if column(each) is None]


def _lines(store: Store, dags: list[WorkflowDag]) -> list[WorkflowLine]:
    now = store.now()
    reading = {each.name: each for each in progress.consumers(store)}
    unread = [name for name, each in reading.items() if each.behind or each.pending]
    since = progress.oldest_unread(store, unread)
    stalled = {each.consumer for each in not_read(store)}
    deliveries = states_of_routes(
        store, sorted({part.route for dag in dags for part in dag.parts.routes if part.route})
    )
    retrying = retrying_tasks(store, [dag.dag_id for dag in dags])
    found = []
    for dag in dags:
        consumers = list(dict.fromkeys(part.consumer for part in dag.parts.routes if part.consumer))
        routes = list(dict.fromkeys(part.route for part in dag.parts.routes if part.route))
        of_routes = [deliveries.get(route, {}) for route in routes]
        known = [reading[name] for name in consumers if name in reading]
        line = WorkflowLine(
            dag_id=dag.dag_id, says=dag.parts.says(), description=dag.description, file=dag.parts.file,
            line=dag.parts.line, schedule=dag.schedule, paused=dag.paused, health="healthy", why="",
            last_run_at=dag.runs[0].start_date or dag.runs[0].run_after if dag.runs else None,
            next_run_at=None if dag.paused else dag.next_run_at,
            runs=[WorkflowRun(run_id=each.run_id, state=each.state, run_after=each.run_after, start_date=each.start_date, end_date=each.end_date) for each in dag.runs],
            consumers=consumers, routes=routes, tries=bool(routes), tries_rows=dag.parts.reads_rows,
            unread=sum(each.behind + each.pending for each in known),
            unread_since=min((since[name] for name in consumers if name in since), default=None),
            waiting=sum(states.get(name, 0) for states in of_routes for name in _OPEN),
            held=sum(states.get(DeliveryState.HELD.value, 0) for states in of_routes),
            failed=sum(states.get(DeliveryState.DEAD.value, 0) for states in of_routes),
            retrying=[each for each in retrying if each.task.dag_id == dag.dag_id],
        )  # fmt: skip
        line.health, line.why = _health(dag, line, stalled=bool(stalled & set(consumers)), now=now)
        found.append(line)
    _add_failed_hours(store, found)
    return found


def _add_failed_hours(store: Store, lines: list[WorkflowLine]) -> None:
    """When what failed for good was tried: an outage is seen at once, and sent again from there."""
    failed = [(line, route) for line in lines if line.failed for route in line.routes]
    for line, route in failed[:_FAILED_ROUTES]:
        tried = failed_tries(store, route, _FAILED_LOOKED_AT)
        more = len({what for what, _ in tried}) >= _FAILED_LOOKED_AT
        line.failed_hours += [
            FailedHours(route=route, since=each.since, until=each.until, count=each.count, more=more)
            for each in failed_spans(tried)[:_SPANS]
        ]


def _health(dag: WorkflowDag, line: WorkflowLine, *, stalled: bool, now: datetime) -> tuple[str, str]:
    """How it stands, and why where it does not stand well."""
    waits = [
        *([amount(line.unread, "event")] if line.unread else []),
        *([amount(line.waiting, "delivery", "deliveries")] if line.waiting else []),
    ]
    work = " and ".join(waits)
    wait = "waits" if line.unread + line.waiting == 1 else "wait"
    if work and dag.paused:
        return "stuck", f"{work} {wait}, and it is paused"
    if stalled:
        return (
            "stuck",
            f"{work or 'events'} {wait}, and no run reads them: has it runs to spare, does the triggerer run?",
        )
    if work and not dag.active and not dag.rung:
        if dag.next_run_at is None:
            return "stuck", f"{work} {wait}, and no run is scheduled"
        if now - dag.next_run_at > _LATE:
            return "stuck", f"{work} {wait}, and its next run is late: does the scheduler run?"
    if dag.paused:
        return ("stuck", "a task is up for retry, and it is paused") if line.retrying else ("paused", "")
    if dag.runs and dag.runs[0].state == "failed":
        return "failing", "its last run failed"
    if line.held or line.failed:
        return "failing", f"{line.held:,} deliveries are held, {line.failed:,} failed"
    if line.retrying:
        return (
            "retrying",
            f"{amount(len(line.retrying), 'task instance is', 'task instances are')} up for retry",
        )
    return ("waiting", f"{work} {wait} for the next run") if work else ("healthy", "")
