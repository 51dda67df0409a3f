"""Runs of Airflow that only try, as its own tables have them, and how one is begun: what is asked of Airflow's inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.exceptions import AirflowException, DagNotFound, DagRunAlreadyExists
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.row_trials import PREFIX, trial_run_id

_OPEN = ("queued", "running")
_MOST_TASKS = 50
_COLUMNS = (
    DagRun.run_id, DagRun.state, DagRun.triggering_user_name, DagRun.run_after, DagRun.end_date,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AirflowTrial:
    """A run that only tries. :ivar by: who began it, "" where Airflow does not know."""

    run_id: str
    state: str
    by: str
    asked_at: datetime
    ended_at: datetime | None

    @property
    def open(self) -> bool:
        """Whether it is still to begin, or to end."""
        return self.state in _OPEN


@dataclass(frozen=True, slots=True)
class TaskOfTrial:
    """A task instance of it. :ivar try_number: the latest, from 1."""

    task_id: str
    map_index: int
    state: str
    try_number: int


@dataclass(frozen=True, slots=True)
class RoomForRuns:
    """How many runs a DAG may have at once, and how many it has."""

    most: int
    running: int

    @property
    def full(self) -> bool:
        return self.running >= self.most


def may_trigger(manager: Any, user: Any, dag_id: str) -> bool:
    """Whether Airflow lets somebody trigger runs of a DAG."""
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return bool(
        manager.is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
    )


def trials_of(dag_id: str, limit: int = 10) -> list[AirflowTrial]:
    """A DAG's latest tries, the latest first."""
    with create_session() as session:
        query = select(*_COLUMNS).where(*_tries(dag_id)).order_by(DagRun.id.desc()).limit(limit)
        return [_trial(row) for row in session.execute(query)]


def trial_run(dag_id: str, run_id: str) -> AirflowTrial | None:
    """One of them, None where Airflow has it not (any more)."""
    with create_session() as session:
        query = select(*_COLUMNS).where(*_tries(dag_id), DagRun.run_id == run_id)
        row = session.execute(query).first()
        return None if row is None else _trial(row)


def tasks_of(dag_id: str, run_id: str) -> list[TaskOfTrial]:
    """Its task instances, in the order they began."""
    columns = (
        TaskInstance.task_id,
        TaskInstance.map_index,
        TaskInstance.state,
        TaskInstance.try_number,
    )
    query = (
        select(*columns)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.start_date.is_(None), TaskInstance.start_date, TaskInstance.task_id)
        .limit(_MOST_TASKS)
    )
    with create_session() as session:
        return [
            TaskOfTrial(task_id, map_index, str(state or "scheduled"), max(1, tries or 1))
            for task_id, map_index, state, tries in session.execute(query)
        ]


def room_of(dag_id: str) -> RoomForRuns:
    """Why a run may have to wait."""
    with create_session() as session:
        most = session.scalar(select(DagModel.max_active_runs).where(DagModel.dag_id == dag_id))
        running = select(func.count()).where(DagRun.dag_id == dag_id, DagRun.state == "running")
        return RoomForRuns(int(most or 16), int(session.scalar(running) or 0))


def open_trial(dag_id: str, actor: str) -> AirflowTrial | None:
    """Somebody's try of a DAG that is not at its end."""
    return next((each for each in trials_of(dag_id, 100) if each.open and each.by == actor), None)


def next_trial_id(dag_id: str, rows: int, actor: str) -> str:
    """What somebody's next try of a DAG is called: the same for everybody who asks before it is there."""
    latest = trials_of(dag_id, 1)
    return trial_run_id(rows, actor, latest[0].run_id if latest else "")


def begin_trial(dag_id: str, name: str, actor: str) -> str:
    """Queue a run that only tries. Two that ask at once for one name begin one run. :return: the name.

    It has a logical date, as runs have that Airflow's own form begins, so that templates find ``ds``; but not where tasks
    depend on the past: there the next run by the clock would wait for what became of this one.

    :raises ConfigurationError: Airflow does not take it; the message says why, and what to do.
    """
    try:
        with create_session() as session:
            dag = SerializedDagModel.get_dag(dag_id, session=session)
            if dag is None:
                raise DagNotFound(dag_id)
            trigger_dag(
                dag_id=dag_id, run_id=name, conf=_conf(dag), triggered_by=DagRunTriggeredByType.UI,
                triggering_user_name=actor, logical_date=None if _looks_back(dag) else datetime.now(UTC),
                replace_microseconds=False, session=session,
            )  # fmt: skip
    except (DagRunAlreadyExists, IntegrityError) as error:
        if trial_run(dag_id, name) is None:
            raise ConfigurationError(
                f"Airflow could not begin a run of {dag_id} ({type(error).__name__})", "try again in a moment"
            ) from error
    except (AirflowException, ValueError) as error:
        said = mask_text(str(error) or type(error).__name__)
        raise ConfigurationError(
            f"Airflow does not take this run of {dag_id}: {said}",
            f"or begin it in Airflow's own form, with the run id {name}",
        ) from error
    return name


def _tries(dag_id: str) -> tuple[Any, ...]:
    return DagRun.dag_id == dag_id, func.substr(DagRun.run_id, 1, len(PREFIX)) == PREFIX


def _trial(row: Any) -> AirflowTrial:
    run_id, state, by, asked_at, ended_at = row
    return AirflowTrial(run_id, str(state or "queued"), by or "", asked_at, ended_at)


def _conf(dag: Any) -> dict[str, Any]:
    """Other tasks of the DAG that look at ``params.dry_run`` are told so too."""
    return {"dry_run": True} if isinstance((dag.params or {}).get("dry_run"), bool) else {}


def _looks_back(dag: Any) -> bool:
    return any(
        getattr(task, "depends_on_past", False) or getattr(task, "wait_for_downstream", False)
        for task in dag.tasks
    )
