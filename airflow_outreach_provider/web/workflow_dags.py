"""DAGs of ours as Airflow knows them: what each does, when it ran, and when it runs next."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.workflow_parts import RoutePart, WorkflowParts, parts_of

log = logging.getLogger(__name__)

RUNS_SHOWN = 14
_LATEST_RUNS = 3000
# By serialised form: reading one takes milliseconds, and it changes with its file alone.
_parts: dict[tuple[str, str], WorkflowParts | None] = {}


@dataclass(frozen=True, slots=True)
class DagRunRow:
    """A run of a DAG."""

    run_id: str
    state: str
    run_after: datetime
    start_date: datetime | None
    end_date: datetime | None


@dataclass(frozen=True, slots=True)
class WorkflowDag:
    """A DAG with leads or events in it.

    :ivar rung: it begins by events or assets rather than by the clock. :ivar runs: the latest first.
    """

    dag_id: str
    parts: WorkflowParts
    description: str
    paused: bool
    schedule: str
    rung: bool
    next_run_at: datetime | None
    runs: list[DagRunRow] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether a run is at work or about to be."""
        return any(each.state in ("running", "queued") for each in self.runs)


def workflow_dags(dag_id: str | None = None) -> list[WorkflowDag]:
    """Every DAG of ours, by name. :param dag_id: this one alone."""
    with create_session() as session:
        parts = _known_parts(session, dag_id)
        query = select(DagModel).where(DagModel.dag_id.in_(sorted(parts)))
        found = {each.dag_id: each for each in session.scalars(query)} if parts else {}
        runs = _runs(session, found)
        return [_dag(found[name], parts[name], runs.get(name, [])) for name in sorted(found)]


@dataclass(frozen=True, slots=True)
class ConsumerDag:
    """The DAG that reads events as a consumer. :ivar parts: its tasks that do."""

    dag_id: str
    paused: bool
    parts: tuple[RoutePart, ...]
    where: str | None


def dags_of_consumers() -> dict[str, ConsumerDag]:
    """Each consumer's DAG; none where Airflow's database cannot say."""
    try:
        with create_session() as session:
            parts = _known_parts(session, None)
            query = select(DagModel.dag_id, DagModel.is_paused).where(DagModel.dag_id.in_(sorted(parts)))
            paused = {row.dag_id: bool(row.is_paused) for row in session.execute(query)} if parts else {}
    except SQLAlchemyError:
        log.warning("Which DAGs read events cannot be read from Airflow's database", exc_info=True)
        return {}
    return {
        consumer: ConsumerDag(
            name, paused[name], tuple(each for each in parts[name].routes if each.consumer == consumer),
            parts[name].where_of(consumer),
        )
        for name in sorted(paused)
        for consumer in {route.consumer for route in parts[name].routes if route.consumer}
    }  # fmt: skip


def last_parses() -> dict[str, datetime]:
    """When the workflow files of each folder, by its name, were last read: by the DAGs that came of them."""
    with create_session() as session:
        parts = {name: each for name, each in _known_parts(session, None).items() if each.file}
        query = select(DagModel.dag_id, DagModel.last_parsed_time).where(DagModel.dag_id.in_(sorted(parts)))
        found: dict[str, datetime] = {}
        for dag_id, at in session.execute(query) if parts else ():
            folder = PurePath(parts[dag_id].file).parent.name
            if at is not None and (folder not in found or at > found[folder]):
                found[folder] = at
        return found


def _known_parts(session: Any, dag_id: str | None) -> dict[str, WorkflowParts]:
    latest = select(DagVersion.dag_id, func.max(DagVersion.version_number).label("latest"))
    latest = latest.join(SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id)
    newest = latest.group_by(DagVersion.dag_id).subquery()
    query = (
        select(SerializedDagModel.id, SerializedDagModel.dag_id, SerializedDagModel.dag_hash)
        .join(DagVersion, SerializedDagModel.dag_version_id == DagVersion.id)
        .join(newest, (DagVersion.dag_id == newest.c.dag_id) & (DagVersion.version_number == newest.c.latest))
        .join(DagModel, DagModel.dag_id == SerializedDagModel.dag_id)
        .where(DagModel.is_stale.is_(False))
    )
    if dag_id is not None:
        query = query.where(SerializedDagModel.dag_id == dag_id)
    rows = session.execute(query).all()
    new = {row.id: (row.dag_id, row.dag_hash) for row in rows if (row.dag_id, row.dag_hash) not in _parts}
    for start in range(0, len(new), 50):
        some = list(new)[start : start + 50]
        for each in session.scalars(select(SerializedDagModel).where(SerializedDagModel.id.in_(some))):
            _parts[new[each.id]] = _read(each)
    found = {row.dag_id: _parts.get((row.dag_id, row.dag_hash)) for row in rows}
    if dag_id is None:
        current = {(row.dag_id, row.dag_hash) for row in rows}
        for gone in _parts.keys() - current:
            _parts.pop(gone, None)
    return {name: parts for name, parts in found.items() if parts is not None}


def _read(row: Any) -> WorkflowParts | None:
    try:
        return parts_of(row.data or {})
    except Exception:  # another version's form: one DAG less on a page
        log.warning("What the DAG %s does cannot be read", row.dag_id, exc_info=True)
        return None


def _runs(session: Any, dag_ids: Iterable[str]) -> dict[str, list[DagRunRow]]:
    """The latest runs of each; of one that has not run for long its last alone."""
    names = sorted(dag_ids)
    columns = (
        DagRun.dag_id,
        DagRun.run_id,
        DagRun.state,
        DagRun.run_after,
        DagRun.start_date,
        DagRun.end_date,
    )
    latest = select(*columns).where(DagRun.dag_id.in_(names)).order_by(DagRun.id.desc())
    found: dict[str, list[DagRunRow]] = defaultdict(list)
    for dag_id, *row in session.execute(latest.limit(_LATEST_RUNS)) if names else ():
        if len(found[dag_id]) < RUNS_SHOWN:
            found[dag_id].append(_run(row))
    for name in (each for each in names if each not in found):
        last = select(*columns).where(DagRun.dag_id == name).order_by(DagRun.run_after.desc()).limit(1)
        found[name] = [_run(row[1:]) for row in session.execute(last)]
    return found


def _run(row: Any) -> DagRunRow:
    run_id, state, run_after, start_date, end_date = row
    return DagRunRow(run_id, str(state or "queued"), run_after, start_date, end_date)


def _dag(model: Any, parts: WorkflowParts, runs: list[DagRunRow]) -> WorkflowDag:
    return WorkflowDag(
        dag_id=model.dag_id,
        parts=parts,
        description=mask_text(model.description or "", 300),
        paused=bool(model.is_paused),
        schedule=_schedule(model),
        rung=model.asset_expression is not None,
        next_run_at=model.next_dagrun_create_after,
        runs=runs,
    )


def _schedule(model: Any) -> str:
    if model.asset_expression is not None:
        return "when events come" if "contact_events" in str(model.asset_expression) else "when assets change"
    summary = str(model.timetable_summary or "")
    return "by hand" if summary in ("", "None", "NullTimetable", "Never, external triggers only") else summary
