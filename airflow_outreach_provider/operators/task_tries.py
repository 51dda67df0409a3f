"""The try of a task that works on deliveries: what it may keep, how long it may stay, when it comes again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy
from airflow_outreach_provider.hooks.settings import lease, owner_of
from airflow_outreach_provider.services.deliveries.batch import TaskTry
from airflow_outreach_provider.services.deliveries.fan_out import PLAN_LEASE
from airflow_outreach_provider.services.deliveries.serving import OVERLAP

# A route's runs that may wait for retries of their own; with more, one contact after another could take all its runs.
_KEEP = 3
_LONGEST = timedelta(days=2)
# A pause of the DAG ends a task that goes on with a stream within this, and a moment.
_SERVE_FOR = timedelta(minutes=1)


def task_try(ti: Any, operator: BaseOperator) -> TaskTry:
    """The try that is running, as work on deliveries has to know it."""
    retries, max_tries, try_number = operator.retries or 0, ti.max_tries, ti.try_number
    # Clear gives a task instance another full set of retries on top of the tries it has used.
    first = max(1, max_tries - retries + 1)
    schedule = _schedule(operator)
    delays = _delays(operator, schedule, retries)
    nth = max(0, min(try_number - first, len(delays) - 1))
    delay = timedelta(seconds=delays[nth]) if delays else operator.retry_delay
    runs = getattr(operator.get_dag(), "max_active_runs", None) or _KEEP + 1
    return TaskTry(
        owner=owner_of(ti),
        last_try=try_number > max_tries,
        cleared=try_number == first and try_number > 1,
        lease=lease(),
        next_try=delay,
        # As what is handed out stays with whoever has not begun. Airflow's own backoff doubles a pause at most.
        slack=PLAN_LEASE + (timedelta(0) if schedule else min(delay, _LONGEST)),
        delays=delays,
        keep=max(0, min(_KEEP, runs - 1)),
        serve_for=_serve_for(operator.execution_timeout),
    )


def _serve_for(execution_timeout: timedelta | None) -> timedelta:
    """How long a task may go on after its batch, well within what it may take."""
    if execution_timeout is None:
        return _SERVE_FOR
    return max(timedelta(0), min(_SERVE_FOR, execution_timeout / 2 - OVERLAP))


def _schedule(operator: BaseOperator) -> OutreachRetryPolicy | None:
    """What says when the task is tried again; None where Airflow's own knobs do."""
    policy = operator.retry_policy
    return policy if isinstance(policy, OutreachRetryPolicy) and policy.schedule else None


def _delays(operator: BaseOperator, schedule: OutreachRetryPolicy | None, retries: int) -> tuple[float, ...]:
    """Before each retry of the task, in seconds: by a schedule the most that is waited, else the least."""
    if schedule is not None:
        waits = (schedule.longest_delay(nth, retries) for nth in range(1, retries + 1))
        return tuple(wait.total_seconds() for wait in waits if wait is not None)
    factor, longest = operator.retry_exponential_backoff or 1.0, operator.max_retry_delay
    delays = (operator.retry_delay * float(factor) ** nth for nth in range(retries))
    return tuple((min(delay, longest) if longest else delay).total_seconds() for delay in delays)
