"""What needs a person, all of it, and what is tried again by itself."""

from __future__ import annotations

import logging
from datetime import datetime

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.overview import Overview
from airflow_outreach_provider.web import connections, queries, schemas, workflows
from airflow_outreach_provider.web.workflow_dags import BrokenFile, broken_files

log = logging.getLogger(__name__)

_MOST = 20
_BY_ITSELF = frozenset({"resting", "failing"})


class PendingApproval(BaseModel):
    """A plan that waits for somebody's yes."""

    task: schemas.TaskRef
    subject: str
    since: datetime


class Attention(BaseModel):
    """What needs a person. ``retrying`` and ``resting`` do not: they are tried again by themselves."""

    approvals: list[PendingApproval]
    broken: list[workflows.BrokenWorkflow]
    stuck: list[workflows.WorkflowLine]
    troubled: list[connections.Trouble]
    failing: list[schemas.Run]
    retrying: list[schemas.Run]
    resting: list[connections.Trouble]

    @property
    def any(self) -> bool:
        """Whether anything needs somebody, what is counted elsewhere left aside."""
        return bool(self.approvals or self.broken or self.stuck or self.troubled or self.failing)


def attention(store: Store, found: Overview) -> Attention:
    """All of it, now."""
    failed = queries.with_next_try(schemas.run(run) for run in found.failing)
    stuck, broken = _of_airflow(store)
    told = {name for line in stuck for name in line.consumers}
    troubled = [
        each for each in connections.troubled(store) if each.health != "not read" or each.name not in told
    ]
    return Attention(
        approvals=_approvals(),
        broken=[
            workflows.BrokenWorkflow(file=each.file, message=each.message, at=each.at) for each in broken
        ],
        stuck=stuck,
        troubled=[each for each in troubled if each.health not in _BY_ITSELF],
        failing=[each for each in failed if each.next_try_at is None],
        retrying=[each for each in failed if each.next_try_at is not None],
        resting=[each for each in troubled if each.health in _BY_ITSELF],
    )


def _of_airflow(store: Store) -> tuple[list[workflows.WorkflowLine], list[BrokenFile]]:
    try:
        return workflows.stuck(store), broken_files()
    except SQLAlchemyError:
        log.warning("Workflows cannot be read from Airflow's database", exc_info=True)
        return [], []


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
