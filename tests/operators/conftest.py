"""Run an operator as a worker does, without a database: Airflow's own task runner, its supervisor played by us."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import structlog

from airflow_outreach_provider.store.engine import Store


@dataclass
class Ran:
    """How a task ended.

    :param state: Airflow's: success, up_for_retry, failed, deferred, skipped.
    :param retry_delay: what the retry policy asked for.
    :param xcom: what was pushed as return value. :param outlets: assets that have news, by what Airflow is told.
    """

    state: str
    error: BaseException | None
    retry_delay: timedelta | None
    xcom: Any
    rendered: dict[str, Any]
    outlets: list[Any]


@pytest.fixture
def run_task(tasks_store: Store) -> Callable[..., Ran]:
    """``run_task(operator, try_number=1)``. Private API of Airflow, in this one place."""

    def run(
        operator: Any, *, try_number: int = 1, run_id: str = "manual__1", params: dict[str, Any] | None = None
    ) -> Ran:
        from airflow.sdk import DAG
        from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
        from airflow.sdk.execution_time import comms, task_runner

        if not operator.has_dag():
            DAG(
                f"dag_{operator.task_id}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)
            ).add_task(operator)
        now = datetime.now(UTC)
        dag_run = DagRun(
            dag_id=operator.dag_id, run_id=run_id, logical_date=now, data_interval_start=now, data_interval_end=now,
            run_after=now, start_date=now, end_date=None, run_type="manual", state="running", conf=params or {},
            consumed_asset_events=[], partition_key=None,
        )  # fmt: skip
        server = TIRunContext(
            dag_run=dag_run, max_tries=operator.retries, should_retry=try_number <= operator.retries
        )
        ti = task_runner.RuntimeTaskInstance.model_construct(
            id=uuid.uuid4(), task_id=operator.task_id, dag_id=operator.dag_id, run_id=run_id, try_number=try_number,
            dag_version_id=uuid.uuid4(), map_index=-1, task=operator, bundle_instance=mock.Mock(), start_date=now,
            max_tries=operator.retries, _ti_context_from_server=server,
        )  # fmt: skip
        ti._ti_context_from_server = server
        supervisor = mock.Mock()
        supervisor.send.return_value = None
        sent: list[Any] = []
        no_assets_are_away = comms.InactiveAssetsResult(inactive_assets=[])

        def answer(msg: Any = None, **_: Any) -> Any:
            sent.append(msg)
            return no_assets_are_away if isinstance(msg, comms.ValidateInletsAndOutlets) else None

        supervisor.send.side_effect = answer
        with mock.patch.object(task_runner, "SUPERVISOR_COMMS", supervisor, create=True):
            state, message, error = task_runner.run(
                ti, ti.get_template_context(), structlog.get_logger("task")
            )
        xcoms = [m.value for m in sent if isinstance(m, comms.SetXCom) and m.key == "return_value"]
        rendered = [m.rendered_fields for m in sent if isinstance(m, comms.SetRenderedFields)]
        delay = getattr(message, "retry_delay_seconds", None)
        return Ran(
            str(state.value), error, timedelta(seconds=delay) if delay is not None else None,
            xcoms[-1] if xcoms else None, rendered[-1] if rendered else {}, getattr(message, "task_outlets", None) or [],
        )  # fmt: skip

    return run
