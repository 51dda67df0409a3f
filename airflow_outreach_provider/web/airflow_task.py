"""What Airflow knows of a task instance that its own pages do not show: why it retries, and when."""

from __future__ import annotations

import logging

from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.web.looking import TaskLook

log = logging.getLogger(__name__)


def complete(look: TaskLook) -> TaskLook:
    """The same with the state of the task instance, the reason of its retry and the time of its next try.

    From the metadata database, in the API server. What cannot be found out is left empty: the page has more.
    """
    try:
        with create_session() as session:
            query = select(TaskInstance).where(
                TaskInstance.dag_id == look.task.dag_id,
                TaskInstance.run_id == look.task.run_id,
                TaskInstance.task_id == look.task.task_id,
                TaskInstance.map_index == look.task.map_index,
            )
            ti = session.scalar(query)
            if ti is None:
                return look
            look.state = str(ti.state) if ti.state else None
            look.max_tries = ti.max_tries
            look.task.try_number = ti.try_number
            if look.state == "up_for_retry":
                look.retry_reason = mask_text(ti.retry_reason, 500) if ti.retry_reason else None
                if ti.retry_delay_override is None:
                    dag = SerializedDagModel.get_dag(look.task.dag_id, session=session)
                    ti.task = dag.get_task(look.task.task_id) if dag else None
                look.next_try_at = ti.next_retry_datetime()
    except Exception:
        log.warning("The next try of %s cannot be found out", look.task.task_id, exc_info=True)
    return look
