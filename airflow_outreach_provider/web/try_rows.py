"""*Try it* for a sync: a dry run of its first rows through Airflow, row by row to payload, state and reason.

Here nothing of it is run: a worker does that, as it does every task of the DAG. The page waits for the run, and shows what
it left in the store, for a day. Values are hidden until somebody with edit rights reveals them, which is audited.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_phone, mask_text
from airflow_outreach_provider.core.row_trials import KEPT, MOST_ROWS, USUAL_ROWS, Tried, TriedRow, read_rows
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import trials
from airflow_outreach_provider.web import redaction, trial_runs
from airflow_outreach_provider.web.access import Editor, Person, Reader, StoreDep, triggers_dag
from airflow_outreach_provider.web.params import DagId, Line, Text
from airflow_outreach_provider.web.rendering import render
from airflow_outreach_provider.web.trial_runs import AirflowTrial, TaskOfTrial
from airflow_outreach_provider.web.workflow_dags import WorkflowDag, workflow_dags

router = APIRouter()
BUSY, QUIET = 2, 30
WOULD_SEND = "would be sent"
_MOST_TASKS = 20


class TriedRowSchema(BaseModel):
    """A row of the source. ``state``: would be sent, or what else would have become of it. Values hidden unless revealed."""

    line: int
    phone: str
    values: str
    payload: str
    state: str
    reason: str
    detail: str
    until: datetime | None


class TriedSync(BaseModel):
    """What one task found. ``carried``: people whom earlier runs left, and whom a run would text besides."""

    task: str
    source: str
    rows: list[TriedRowSchema]
    counts: dict[str, int]
    carried: int
    notes: list[str]
    error: str


class TrialOfRows(BaseModel):
    """A run that only tries, and what it found so far. ``waits``: why it has not begun."""

    run: AirflowTrial
    waits: str
    tasks: list[TaskOfTrial]
    syncs: list[TriedSync]
    gone: bool = Field(description="it ended, and what it found is no longer kept")


class RowTrialPage(BaseModel):
    """What can be tried of a workflow, and what was. ``others``: tasks of the DAG that are none of ours, which do in a try
    what they always do. ``refusal``: why whoever asks cannot begin one. ``plans``: whether ``outreach plan`` knows it."""

    dag_id: str
    paused: bool
    plans: bool
    others: list[str]
    usual: int = USUAL_ROWS
    most: int = MOST_ROWS
    refusal: str
    latest: list[AirflowTrial]
    trial: TrialOfRows | None
    revealed: bool = False


class AskedRows(BaseModel):
    """``rows``: how many rows to try, as it was typed."""

    model_config = ConfigDict(extra="forbid")

    rows: Line = ""


class BegunTrial(BaseModel):
    """``path``: the page that shows how the try goes on, below this application; of what cannot be read, where that is said."""

    path: str
    says: str


def _may_trigger(request: Request, dag_id: DagId, user: Annotated[Any, Depends(get_user)]) -> bool:
    return trial_runs.may_trigger(request.app.state.auth_manager, user, dag_id)


MayTrigger = Annotated[bool, Depends(_may_trigger)]


@router.get("/api/workflows/{dag_id}/try-rows", tags=["look"])
def get_row_trial(
    who: Reader, store: StoreDep, dag_id: DagId, may_trigger: MayTrigger, run: Text = None
) -> RowTrialPage:
    """How a try goes on and what it found, values hidden; without a run, which there were."""
    return _look(who, store, dag_id, run, may_trigger=may_trigger)


@router.post("/api/workflows/{dag_id}/try-rows", tags=["act"], dependencies=[triggers_dag])
def begin_row_trial(who: Editor, store: StoreDep, dag_id: DagId, asked: AskedRows) -> BegunTrial:
    """Begin a dry run of some rows in Airflow, and say where it can be followed; one at a time of a workflow for a person.

    :raises ConfigurationError: Airflow does not take the run.
    """
    dag = _sync(dag_id)
    page = f"/workflows/{dag_id}/try-rows"
    try:
        rows = read_rows(asked.rows)
    except ConfigurationError as error:
        return BegunTrial(path=f"{page}?rows={quote(asked.rows[:20], errors='replace')}", says=str(error))
    there = trial_runs.open_trial(dag_id, who.name)
    if there is not None:
        return BegunTrial(path=f"{page}?run={there.run_id}", says="You are trying it already.")
    name = trial_runs.next_trial_id(dag_id, rows, who.name)
    trials.forget(store, dag_id, name)  # of a run by that name that Airflow has forgotten

    def begin() -> str:
        return trial_runs.begin_trial(dag_id, name, who.name)

    actions.start_trial(store, dag_id, rows, begin, actor=who.name)
    says = f"A dry run of {rows} rows is queued" + (", and its DAG is paused" if dag.paused else "")
    return BegunTrial(path=f"{page}?run={name}", says=says)


@router.get("/workflows/{dag_id}/try-rows", include_in_schema=False)
def try_rows_page(
    request: Request, who: Reader, store: StoreDep, dag_id: DagId, may_trigger: MayTrigger,
    run: Text = None, rows: Text = None,
) -> HTMLResponse:  # fmt: skip
    """The same as a page. A number of rows that cannot be read is told beside its field."""
    found = _look(who, store, dag_id, run, may_trigger=may_trigger)
    try:
        read_rows(rows)
    except ConfigurationError as error:
        request.state.problems = {"rows": str(error)}
    waits = found.trial is not None and found.trial.run.state in ("queued", "running")
    return render(request, "try_rows.html", who, live=BUSY if waits else 0, at="workflows", found=found)


@router.post("/workflows/{dag_id}/try-rows", include_in_schema=False)
def try_rows_revealed(
    request: Request, who: Editor, store: StoreDep, dag_id: DagId, may_trigger: MayTrigger, run: Text = None
) -> HTMLResponse:
    """The same with the rows' values; audited before they are read."""
    if run is None or _findings(store, dag_id, run) == []:
        raise HTTPException(404, f"there is nothing to show of this try of {dag_id}; it is kept for a day")
    actions.note(store, "reveal tried rows", f"{dag_id}, run {run}", actor=who.name)
    found = _look(who, store, dag_id, run, may_trigger=may_trigger, reveal=True)
    return render(request, "try_rows.html", who, at="workflows", found=found)


def _sync(dag_id: str) -> WorkflowDag:
    dags = workflow_dags(dag_id)
    if not dags:
        raise HTTPException(404, f"there is no workflow {dag_id}; is its DAG gone?")
    if not dags[0].parts.reads_rows:
        raise HTTPException(404, f"{dag_id} has no task that reads rows")
    return dags[0]


def _look(
    who: Person, store: Store, dag_id: str, run_id: str | None, *, may_trigger: bool, reveal: bool = False
) -> RowTrialPage:
    """:raises HTTPException: 404, there is no such workflow, or no such try."""
    dag = _sync(dag_id)
    refusal = "" if may_trigger else "Beginning one takes the right to trigger this DAG in Airflow."
    if not who.may_edit:
        refusal = "Beginning one takes edit rights on connections."
    latest = trial_runs.trials_of(dag_id)
    trial = None if run_id is None else _trial(store, dag, run_id, reveal=reveal)
    return RowTrialPage(
        dag_id=dag.dag_id, paused=dag.paused, plans=bool(dag.parts.yaml), others=list(dag.parts.others), refusal=refusal, latest=latest,
        trial=trial, revealed=reveal and trial is not None,
    )  # fmt: skip


def _trial(store: Store, dag: WorkflowDag, run_id: str, *, reveal: bool) -> TrialOfRows:
    run = trial_runs.trial_run(dag.dag_id, run_id)
    if run is None:
        raise HTTPException(404, f"Airflow has no try {run_id[:60]!r} of {dag.dag_id}")
    tasks = trial_runs.tasks_of(dag.dag_id, run_id)
    syncs = _findings(store, dag.dag_id, run_id, reveal=reveal)
    ended = run.ended_at is not None and datetime.now(UTC) - run.ended_at > KEPT
    return TrialOfRows(run=run, waits=_waits(dag, run), tasks=tasks, syncs=syncs, gone=ended and not syncs)


def _waits(dag: WorkflowDag, run: AirflowTrial) -> str:
    """Why it has not begun, in words; "" where it has."""
    if run.state != "queued":
        return ""
    if dag.paused:
        return (
            "The DAG is paused: Airflow begins this run when somebody unpauses it, and then whatever its schedule has due "
            "as well, which is no dry run."
        )
    room = trial_runs.room_of(dag.dag_id)
    if room.full:
        runs = "another run" if room.running == 1 else f"{room.running} other runs"
        return f"It waits for {runs} of this DAG to end: it has {room.most} at a time at most."
    if (datetime.now(UTC) - run.asked_at).total_seconds() > 60:
        return "Airflow has not begun it for a minute: does the scheduler run, and has it room for tasks?"
    return "Airflow's scheduler begins it in a moment."


def _findings(store: Store, dag_id: str, run_id: str, *, reveal: bool = False) -> list[TriedSync]:
    found = []
    for each in trials.find(store, dag_id, run_id, most=_MOST_TASKS):
        name = each.task_id if each.map_index < 0 else f"{each.task_id} [{each.map_index}]"
        said = each.found or Tried(error="What it found is of another version of this package: try again.")
        rows = [_row(row, reveal=reveal) for row in said.rows]
        counts = Counter(row.state for row in rows)
        found.append(
            TriedSync(
                task=name, source=said.source, rows=rows, counts=counts, carried=said.carried, notes=list(said.notes),
                error=said.error,
            )
        )  # fmt: skip
    return found


def _row(row: TriedRow, *, reveal: bool) -> TriedRowSchema:
    values = json.dumps(dict(row.values), ensure_ascii=False).encode("utf-8", "replace")
    payload = row.payload.encode("utf-8", "replace")
    shown = redaction.raw if reveal else redaction.masked
    return TriedRowSchema(
        line=row.line, phone=(row.phone or "–") if reveal else mask_phone(row.phone),
        values=shown(values) if row.values else "", payload=shown(payload) if payload else "",
        state=WOULD_SEND if row.state == RowState.PLANNED else row.state, reason=row.reason,
        detail=row.detail if reveal else mask_text(row.detail),
        until=datetime.fromisoformat(row.until) if row.until else None,
    )  # fmt: skip
