"""What Airflow knows of task instances that its own pages do not show: why they retry, and when."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select, tuple_

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.web.schemas import TaskRef

log = logging.getLogger(__name__)

Key = tuple[str, str, str, int]
_WAITING = "up_for_retry"
# Deserialising a DAG takes milliseconds, and a page is about a few of them.
_MOST_DAGS = 10
_MOST_WAITING = 100
_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task instance as Airflow sees it now.

    :ivar retry_reason, next_try_at: set while it is up for retry; personal data masked.
    """

    state: str | None
    try_number: int
    max_tries: int
    retry_reason: str | None = None
    next_try_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether another try is coming."""
        return self.state == _WAITING


def key_of(task: TaskRef) -> Key:
    """What tells a task instance from others; the try is not part of it."""
    return task.dag_id, task.run_id, task.task_id, task.map_index


def task_states(tasks: Iterable[TaskRef | None]) -> Mapping[Key, TaskState]:
    """How these task instances stand, read from the metadata database in the API server.

    What cannot be found out is left out: the pages have more to say.
    """
    wanted = {key_of(task) for task in tasks if task is not None and task.task_id}
    if not wanted:
        return {}
    columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
    try:
        with create_session() as session:
            query = select(TaskInstance).where(tuple_(*columns).in_(sorted(wanted)))
            dags: dict[str, Any] = {}
            return {
                (ti.dag_id, ti.run_id, ti.task_id, ti.map_index): _state(ti, dags, session)
                for ti in session.scalars(query)
            }
    except Exception:
        log.warning("How task instances stand cannot be read from Airflow's database", exc_info=True)
        return {}


def waiting_tasks(dag_ids: Iterable[str]) -> list[tuple[TaskRef, TaskState]]:
    """Task instances of these DAGs that are up for retry, the next to come first; what cannot be found out is left out."""
    names = sorted(dag_ids)
    query = select(TaskInstance).where(TaskInstance.state == _WAITING, TaskInstance.dag_id.in_(names))
    try:
        with create_session() as session:
            dags: dict[str, Any] = {}
            latest = session.scalars(query.order_by(TaskInstance.end_date.desc()).limit(_MOST_WAITING)).all()
            found = [(_ref(ti), _state(ti, dags, session)) for ti in latest] if names else []
    except Exception:
        log.warning("Which task instances are up for retry cannot be read", exc_info=True)
        return []
    return sorted(found, key=lambda each: each[1].next_try_at or _FAR)


def _ref(ti: Any) -> TaskRef:
    return TaskRef(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=ti.map_index,
        try_number=ti.try_number,
    )


def _state(ti: Any, dags: dict[str, Any], session: Any) -> TaskState:
    state = str(ti.state) if ti.state else None
    if state != _WAITING:
        return TaskState(state, ti.try_number, ti.max_tries)
    reason = mask_text(ti.retry_reason, 500) if ti.retry_reason else None
    return TaskState(state, ti.try_number, ti.max_tries, reason, _next_try_at(ti, dags, session))


def _next_try_at(ti: Any, dags: dict[str, Any], session: Any) -> datetime | None:
    try:
        if ti.retry_delay_override is None:
            if ti.dag_id not in dags and len(dags) < _MOST_DAGS:
                dags[ti.dag_id] = SerializedDagModel.get_dag(ti.dag_id, session=session)
            dag = dags.get(ti.dag_id)
            if dag is None:
                return None
            ti.task = dag.get_task(ti.task_id)
        moment: datetime | None = ti.next_retry_datetime()
        return moment
    except Exception:
        log.warning("The next try of %s.%s cannot be found out", ti.dag_id, ti.task_id, exc_info=True)
        return None
