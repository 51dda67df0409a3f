"""What is tried again by itself: task instances that are up for retry, by name, with why and when."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import run_lists
from airflow_outreach_provider.web import queries
from airflow_outreach_provider.web.schemas import RetryingTask, TaskRef
from airflow_outreach_provider.web.task_instances import TaskState, waiting_tasks

_TOLD = 20


def retrying_tasks(store: Store, dag_ids: Iterable[str]) -> list[RetryingTask]:
    """Those of these DAGs, the next to come first; the first of them with what they have in hand."""
    waiting = waiting_tasks(dag_ids)
    return [_retrying(store, task, state, told=place < _TOLD) for place, (task, state) in enumerate(waiting)]


def _retrying(store: Store, task: TaskRef, state: TaskState, *, told: bool) -> RetryingTask:
    about, why = queries.in_hand(store, task) if told else ("", "")
    owner = Owner(task.dag_id, task.task_id, task.run_id, task.map_index)
    if told and not (why or state.retry_reason) and (tries := run_lists.tries_of(store, owner)):
        why = tries[-1].error or ""
    return RetryingTask(
        task=task, about=about, why=mask_text(state.retry_reason or why, 500), next_try_at=state.next_try_at,
        max_tries=state.max_tries + 1,
    )  # fmt: skip
