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
        kept = tried and not (task.last_try or _gives_way(shift))
        kept = kept and plans.waiting_runs(store, shift.batch.route, plan) < task.keep
        if kept and not shift.report.rest:
            _fit(shift)
    if kept:
        own = None if plan is None else shift.batch.event_ids
        wait = max(task.next_try, timedelta(seconds=shift.retry_after or 0.0))
        # Others are to do what the task does not come to; a fault of the whole batch is theirs too.
        due = wait if plan is not None and (shift.error is None or shift.halted) else None
        deliveries_attempts.release(store, task.owner, wait + task.slack, batch=own, due=due)
        shift.report.left = len(shift.open_tries)
        return
    park(shift, dict(shift.open_tries))
    if task.last_try:
        shift.report.left, shift.report.parked = shift.report.parked, 0
    deliveries_attempts.release(store, task.owner, None)


def _gives_way(shift: LaneRunner) -> bool:
    """It asked a place at rest in vain, perhaps because of its own contact: another's is asked with next. Its own retry, at
    the end of each rest, would always be the first."""
    place = shift.place
    return shift.asked_for_itself and place is not None and place.others_wait(shift.task.owner)


def _fit(shift: LaneRunner) -> None:
    """The task comes again when the first of its deliveries is to be tried; one with quite another time is let go.

    A task's try and a delivery's are not the same: another run tried it before, others used up the task's tries, or
    kills did. Its tries last as long as its schedule says all the same.
    """
    task = shift.task
    own = {each: time_of(shift, each, tries) for each, tries in shift.open_tries.items() if tries}
    if not own or not task.delays:
        return
    wake = max(task.next_try, min(own.values()), timedelta(seconds=shift.retry_after or 0.0))
    shift.wake = wake.total_seconds() if wake > task.next_try else None
    away = {each for each, wait in own.items() if wake > 2 * wait or wait > 2 * wake}
    if away:
        # Not what has the task's time; what lies behind the others goes with them.
        park(shift, {each: n for each, n in shift.open_tries.items() if not n or each in away})


def park(shift: LaneRunner, open_tries: Mapping[int, int]) -> None:
    """Let these wait for their time in nobody's hands."""
    due = {
        each: time_of(shift, each, tries) if tries and not shift.report.rest else None
        for each, tries in open_tries.items()
    }
    deliveries_attempts.hand_on(shift.store, due, shift.task.owner)
    shift.report.parked += len(open_tries)
    for each in open_tries:
        del shift.open_tries[each]


def time_of(shift: LaneRunner, delivery_id: int, tries: int) -> timedelta:
    """How long until a delivery's next try: as its schedule says, or longer where that was asked for."""
    return max(shift.task.wait(tries), timedelta(seconds=shift.wished.get(delivery_id) or 0.0))
