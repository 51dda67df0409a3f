"""After its batch a task goes on with what comes in for its route, while that is a stream.

A run costs Airflow two task instances and some seconds, whatever it carries. Where events come faster than that, one
running task a route takes them as they come: while it says that it does, no doorbell rings for them and no run plans
them. It takes what never failed, and what a run was to try again and has not begun with for a minute. What fails under
its hands is handed on at once: it has a run of its own, with its reason and its retries in Airflow's UI.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.concluding import conclude
from airflow_outreach_provider.services.deliveries.ending import end, finish
from airflow_outreach_provider.services.deliveries.fan_out import (
    LEFT_LYING,
    Reading,
    comes_in,
    reading_of,
    take_in,
)
from airflow_outreach_provider.services.deliveries.lanes import LaneRunner, by_lane, load_events, own_faults
from airflow_outreach_provider.services.deliveries.parking import time_of
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import serving
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.rests import Leave
from airflow_outreach_provider.store.engine import Store

# So many contacts wait at the end of a batch only where more comes in than runs carry away.
_STREAM = 8
# How long a dead task keeps others from serving, and runs from beginning.
_STAY = timedelta(seconds=5)
# It goes on while the next run begins: seconds where Airflow is idle, and many where it is not.
OVERLAP = timedelta(seconds=45)
_LOOK_EVERY, _SAY_EVERY, _IDLE = 0.25, 1.0, 3.0
# With deliveries waiting here for so long, runs beside this one are welcome.
_TOO_LONG = 2.0
# It takes so much at a time that all is begun within this.
_SOON, _AT_MOST = 1.0, 1000

ClaimUntried = Callable[[int, bool], Sequence[Delivery]]
_Lane = tuple[Sequence[Delivery], Mapping[str, ContactEvent]]


class Server:
    """One task's service of its route, after its batch.

    :param claim: takes up to so many deliveries that nobody has and that never failed; True: also those that were
        handed out to tasks that have not begun, of what failed after a minute.
    :param concurrency: contacts at a time.
    :param is_paced: whether a rate holds it back just now: runs beside it would have to wait for the same rate.
    """

    def __init__(
        self, store: Store, batch: Batch, task: TaskTry, claim: ClaimUntried, *, concurrency: int,
        is_paced: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.store, self.batch, self.task, self._is_paced = store, batch, task, is_paced
        self.claim, self.concurrency = claim, concurrency
        self._lanes: asyncio.Queue[tuple[float, _Lane]] = asyncio.Queue()
        self._least = self._most = 2 * concurrency
        self._sole = True
        self._waited, self._begun_at = 0.0, time.monotonic()  # the last lane that was begun

    async def go_on(self, shift: LaneRunner) -> None:
        """Serve, where there is a stream and nobody does, until it ends or the time is over; report to ``shift``."""
        reading = await asyncio.to_thread(self._begin)
        if reading is None:
            return
        runner = _Runner(shift)
        aside = [asyncio.create_task(each) for each in (runner.settler.now_and_then(), runner.hands.watch())]
        workers = [asyncio.create_task(self._work(runner)) for _ in range(self.concurrency)]
        feeding = asyncio.create_task(self._feed(runner, reading))
        try:
            over, _ = await asyncio.wait({feeding, *workers}, return_when=asyncio.FIRST_COMPLETED)
            for each in over:  # a worker ends by an error alone, and nobody would take what it is fed
                each.result()
        finally:
            await end(feeding, *workers, *aside)
            runner.settler.flush()
            conclude(runner)
            runner.let_go()
            serving.leave(self.store, self.batch.route, self.task.owner)
            runner.report_to(shift)

    def _begin(self) -> Reading | None:
        """What to read, if this task is to serve."""
        store, route = self.store, self.batch.route
        if not (self.task.serve_for and self.batch.plan and self.batch.consumer):
            return None
        reading = reading_of(store, self.batch.consumer, route)
        if reading is None:
            return None
        owner = self.task.owner
        if not serving.by_another(store, route, owner):
            wait = comes_in(store, reading, _STREAM) + serving.free_contacts(store, route, _STREAM)
            if wait < _STREAM and not serving.is_left_lying(store, route, LEFT_LYING):
                return None
        return reading if serving.serve(store, route, owner, _STAY) else None

    async def _feed(self, runner: _Runner, reading: Reading) -> None:
        begun = said = had_work = time.monotonic()
        term = self.task.serve_for.total_seconds()
        while not runner.is_over():
            now = time.monotonic()
            if now - begun > term + OVERLAP.total_seconds():
                break
            room = self._most - self._lanes.qsize()
            found = await asyncio.to_thread(self._take, runner, reading, room) if room > 0 else []
            for each in found:
                self._lanes.put_nowait((now, each))
            if found or room <= 0:
                had_work = now
            elif now - had_work > _IDLE:  # after a look: a busy machine may have let it do none meanwhile
                break
            if room > 0:
                self._adapt(room, is_full=sum(len(lane) for lane, _ in found) >= room)
            if now - said > _SAY_EVERY:
                said = now
                self._sole = now - begun < term and self._follows(now)
                if await asyncio.to_thread(self._is_relieved) and now - begun > term:
                    break
            await asyncio.sleep(0.01 if found or room <= 0 else _LOOK_EVERY)
        if runner.halted or not runner.stopped:
            await finish(self._lanes.join(), runner)

    def _adapt(self, room: int, *, is_full: bool) -> None:
        """Take more at a time while more waits than is taken and that is begun before more is found; less where it waits."""
        if self._waited > _SOON:
            self._most = max(self._least, self._most // 2)
        elif is_full and room > 0.75 * self._most:
            self._most = min(max(self._least, _AT_MOST), self._most * 2)

    def _is_relieved(self) -> bool:
        """Say that nobody else need serve, while that is so; True once another does."""
        route, owner = self.batch.route, self.task.owner
        if self._sole:
            return not serving.serve(self.store, route, owner, _STAY)
        return serving.by_another(self.store, route, owner)

    def _follows(self, now: float) -> bool:
        """Nothing waits here for long that would not wait elsewhere."""
        if self._is_paced():
            return True
        stuck = not self._lanes.empty() and now - self._begun_at > _TOO_LONG
        return self._waited < _TOO_LONG and not stuck

    def _take(self, runner: _Runner, reading: Reading, room: int) -> list[_Lane]:
        """Record what is new, and take what nobody has."""
        take_in(self.store, reading, room)
        mine = self.claim(room, self._sole)
        runner.takes(mine)
        events = load_events(self.store, mine)
        return [(lane, events) for lane in by_lane(mine)]

    async def _work(self, runner: _Runner) -> None:
        while True:
            queued, (lane, events) = await self._lanes.get()
            self._begun_at = time.monotonic()
            self._waited = self._begun_at - queued
            try:
                await runner.lane(lane, events)
            finally:
                self._lanes.task_done()


class _Runner(LaneRunner):
    """Attempts beside the task's own batch; nothing of it is kept for the task's next try."""

    def __init__(self, shift: LaneRunner) -> None:
        task = replace(shift.task, last_try=shift.task.last_try and not shift.task.delays)
        batch = replace(shift.batch, event_ids=())
        super().__init__(
            shift.store,
            batch,
            task,
            shift.attempt,
            shift.group,
            shift.place,
            Leave.FREELY,
            shift.grace,
            shift.turn,
        )

    def takes(self, mine: Sequence[Delivery]) -> None:
        """These are to be attempted."""
        self.hands.take(mine)
        self.own_faults |= own_faults(self.place, mine)

    async def lane(self, lane: Sequence[Delivery], events: Mapping[str, ContactEvent]) -> Sequence[Delivery]:
        """And what it did not come to is with nobody: it goes out with what failed before it, not at the end here."""
        left = await super().lane(lane, events)
        if left and not self.is_over():
            ids = [each.id for each in left if self.open_tries.pop(each.id, None) is not None]
            await asyncio.to_thread(
                deliveries_attempts.hand_on, self.store, dict.fromkeys(ids), self.task.owner
            )
        return left

    def _settled(self, attempts: Sequence[Attempt]) -> None:
        super()._settled(attempts)
        kept = self.report.exhausted.keys() | self.astray.answers.keys()
        due = {
            each.delivery_id: time_of(self, each.delivery_id, self.open_tries.pop(each.delivery_id, 1))
            if each.verdict is DeliveryVerdict.RETRY
            else None
            for each in attempts
            if each.state in OPEN_STATES and each.delivery_id not in kept
        }
        deliveries_attempts.hand_on(self.store, due, self.task.owner)

    def let_go(self) -> None:
        """What it did not come to is with nobody."""
        left = dict.fromkeys([*self.open_tries, *self.report.exhausted])
        deliveries_attempts.hand_on(self.store, left, self.task.owner)

    def report_to(self, shift: LaneRunner) -> None:
        """Add what was done to the report of the task."""
        mine, report = self.report, shift.report
        report.attempts.update(mine.attempts)
        report.reasons.update(mine.reasons)
        report.disabled = mine.disabled
        report.used_up += mine.used_up
        shift.error = self.error
        for state in (DeliveryState.DELIVERED, DeliveryState.DEAD):
            if count := mine.attempts[state.value]:
                report.meanwhile[state.value] += count
