"""What needs a person, all of it, and what is tried again by itself."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.overview import Overview
from airflow_outreach_provider.web import connections, queries, schemas, workflows
from airflow_outreach_provider.web.broken_files import BrokenFile, broken_files
from airflow_outreach_provider.web.outreach_apis import outreach_apis
from airflow_outreach_provider.web.task_instances import key_of

log = logging.getLogger(__name__)

_MOST = 20
_BY_ITSELF = frozenset({"resting", "failing", "busy"})


class PendingApproval(BaseModel):
    """A plan that waits for somebody's yes."""

    task: schemas.TaskRef
    subject: str
    since: datetime


class Attention(BaseModel):
    """What needs a person. ``retrying``, ``tasks`` and ``resting`` do not: they are tried again by themselves."""

    approvals: list[PendingApproval]
    broken: list[workflows.BrokenWorkflow]
    stuck: list[workflows.WorkflowLine]
    troubled: list[connections.Trouble]
    failing: list[schemas.Run]
    retrying: list[schemas.Run]
    tasks: list[schemas.RetryingTask]
    resting: list[connections.Trouble]

    @property
    def any(self) -> bool:
        """Whether anything needs somebody, what is counted elsewhere left aside."""
        return bool(self.approvals or self.broken or self.stuck or self.troubled or self.failing)


def attention(store: Store, found: Overview) -> Attention:
    """All of it, now."""
    failed = queries.with_next_try(schemas.run(run) for run in found.failing)
    lines, broken = _of_airflow(store)
    stuck = [line for line in lines if line.health == "stuck"]
    told = {name for line in stuck for name in line.consumers}
    troubled = [
        each for each in connections.troubled(store) if each.health != "not read" or each.name not in told
    ]
    troubled += _troubled_apis(store)
    retrying = [each for each in failed if each.next_try_at is not None]
    runs = {key_of(each.task) for each in retrying}
    return Attention(
        approvals=_approvals(),
        broken=[
            workflows.BrokenWorkflow(file=each.file, message=each.message, at=each.at) for each in broken
        ],
        stuck=stuck,
        troubled=[each for each in troubled if each.health not in _BY_ITSELF],
        failing=[each for each in failed if each.next_try_at is None],
        retrying=retrying,
        tasks=[
            task
            for line in lines
            if not line.paused
            for task in line.retrying
            if key_of(task.task) not in runs
        ][:_MOST],
        resting=[each for each in troubled if each.health in _BY_ITSELF],
    )


def _of_airflow(store: Store) -> tuple[list[workflows.WorkflowLine], list[BrokenFile]]:
    try:
        return workflows.workflow_lines(store), broken_files()
    except SQLAlchemyError:
        log.warning("Workflows cannot be read from Airflow's database", exc_info=True)
        return [], []


def _troubled_apis(store: Store) -> list[connections.Trouble]:
    """Outreach APIs that cannot be used, and those that asked all tasks to wait."""
    found = []
    for api in outreach_apis():
        if api.health == "broken":
            why = api.problem or "Its connection cannot be used."
            found.append(connections.Trouble(name=api.name, health=api.health, why=why, anchor=api.anchor))
        elif wait := rates.held(store, api.name):
            until = store.now() + timedelta(seconds=wait)
            why = "It asked to wait, and all tasks do."
            found.append(
                connections.Trouble(name=api.name, health="busy", why=why, anchor=api.anchor, until=until)
            )
    return found


def _approvals() -> list[PendingApproval]:
    ti = TaskInstance
    columns = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    query = (
        select(HITLDetail.subject, HITLDetail.created_at, *columns)
        .join(ti, ti.id == HITLDetail.ti_id)
        .where(
            HITLDetail.responded_at.is_(None), ti.operator == "ApproveLeadsOperator", ti.end_date.is_(None)
        )
        .order_by(HITLDetail.created_at)
        .limit(_MOST)
    )
    try:
        with create_session() as session:
            rows = session.execute(query).all()
    except SQLAlchemyError:
        log.warning("Pending approvals cannot be read from Airflow's database", exc_info=True)
        return []
    return [
        PendingApproval(
            task=schemas.TaskRef(
                dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, try_number=try_number
            ),
            subject=mask_text(subject), since=created_at,
        )
        for subject, created_at, dag_id, run_id, task_id, map_index, try_number in rows
    ]  # fmt: skip
