"""What becomes of what a task did not get done: its own retry has it, or it waits for its time in nobody's hands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import plans

if TYPE_CHECKING:
    from airflow_outreach_provider.services.deliveries.lanes import LaneRunner


def let_go(shift: LaneRunner) -> None:
    """End a try's claims: keep what is open for the task's retry, or let it wait in nobody's hands.

    After a fault of the whole batch that would start one failing run after another, so then it is kept.
    """
    store, task, plan = shift.store, shift.task, shift.batch.plan
    kept = True
    if plan is not None and (shift.error is None or shift.halted) and shift.open_tries:
        tried = any(shift.report.attempts.values())
        kept = tried and not task.last_try and plans.waiting_runs(store, shift.batch.route, plan) < task.keep
        if kept and not shift.report.rest and any(map(task.is_far, filter(None, shift.open_tries.values()))):
            # Not what is as far as the task; what lies behind the others goes with them.
            park(shift, {each: n for each, n in shift.open_tries.items() if not n or task.is_far(n)})
    if kept:
        plan_for = task.plan_for + timedelta(seconds=shift.retry_after or 0.0)
        own = None if plan is None else shift.batch.event_ids
        deliveries_attempts.release(store, task.owner, plan_for, batch=own)
        shift.report.left = len(shift.open_tries)
        return
    park(shift, dict(shift.open_tries))
    if task.last_try:
        shift.report.left, shift.report.parked = shift.report.parked, 0
    deliveries_attempts.release(store, task.owner, None)


def park(shift: LaneRunner, open_tries: Mapping[int, int]) -> None:
    """Let these wait for their time in nobody's hands."""
    due = {
        each: time_of(shift, each, tries) if tries and not shift.report.rest else None
        for each, tries in open_tries.items()
    }
    deliveries_attempts.hand_on(shift.store, due)
    shift.report.parked += len(open_tries)
    for each in open_tries:
        del shift.open_tries[each]


def time_of(shift: LaneRunner, delivery_id: int, tries: int) -> timedelta:
    """How long until a delivery's next try: as its schedule says, or longer where that was asked for."""
    return max(shift.task.wait(tries), timedelta(seconds=shift.wished.get(delivery_id) or 0.0))
