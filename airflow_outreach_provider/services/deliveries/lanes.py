"""Work on a batch of deliveries: claimed, lane by lane in order, settled in groups, and counted at the end.

What an attempt is (an HTTP request, a call of Python) is the caller's; what follows from its outcome is
decided here, the same for all.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import assert_never

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.errors import OutreachError, StoreError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, Batch, Report, TaskTry
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.claims import Claim
from airflow_outreach_provider.store.deliveries.fan_out import new_delivery
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists

# As many failures one after another, of as many contacts, are the endpoint's: the rest is not tried for now.
GIVE_UP_AFTER = 16
# Fewer where each answer asks to wait: one contact's 503 may be that contact's alone, several are not.
WAIT_AFTER = 4
_SETTLE_EVERY_SECONDS = 0.5
_FAR_BEHIND = 5


AttemptOne = Callable[[Delivery, ContactEvent], Awaitable[AttemptResult]]
OnSettled = Callable[[Sequence[Attempt]], str | None]
"""Told of each settled group; returns a reason to stop for good, or None."""


OnExhausted = Callable[[bool, str], str | None]
"""Asked after a last try with failures: whether the place itself is down as far as this try can tell, and why; returns
the reason for which its deliveries wait for a person, or None: then what failed is dead."""


def ensure_recorded(store: Store, batch: Batch, task: TaskTry) -> int:
    """Write down deliveries of the batch that no sensor recorded for this route.

    :return: how many events are in no table any more: purged, or forgotten by a person's wish.
    """
    absent = deliveries_attempts.missing(store, batch.route, batch.event_ids)
    if not absent:
        return 0
    made = {event.id: event for event in batch.made}
    rows = [
        new_delivery(event, batch.route, event.to_json().decode() if event.id in made else None)
        for event in [*inbox_lists.load(store, [each for each in absent if each not in made]), *batch.made]
        if event.id in set(absent)
    ]
    plan = batch.plan or task.owner.key

    with store.write() as connection:
        now = store.now(connection)
        deliveries_attempts.record(connection, rows, now, plan=plan, plan_until=now + task.lease)
    return len(absent) - len(rows)


async def work(
    store: Store,
    batch: Batch,
    task: TaskTry,
    claimed: Claim,
    attempt: AttemptOne,
    *,
    concurrency: int,
    group: int,
    one_fate: bool = True,
    on_settled: OnSettled = lambda _: None,
    on_exhausted: OnExhausted = lambda _down, _reason: None,
) -> Report:
    """Attempt every claimed delivery as far as its lane allows.

    An OutreachError out of ``attempt`` is the same for all of them: the batch stops, nothing more is tried,
    and it is raised once everything is settled.

    :param concurrency: lanes at a time. :param group: how many attempts may be lost to a killed worker.
    :param one_fate: all attempts go to the same place: when it has too many requests, or fails as often in a
        row as only an outage does, the rest is left for the next try.
    """
    shift = LaneRunner(store, batch, task, attempt, group, on_settled, one_fate)
    with _renewed(store, task):
        events = await asyncio.to_thread(_events, store, batch, claimed.mine)
        try:
            await shift.run(claimed.mine, events, concurrency)
        finally:
            shift.flush()
            shift.conclude(on_exhausted)
            # The last try hands back what it could not get to; after a fault of the whole batch that would
            # start one failing run after another, so then it waits.
            hand_back = task.last_try and batch.plan is not None and shift.error is None
            plan_for = task.plan_for + timedelta(seconds=shift.retry_after or 0.0)
            deliveries_attempts.release(store, task.owner, None if hand_back else plan_for)
    report = shift.report
    if shift.error and not report.disabled:
        raise shift.error
    report.retry_after = shift.retry_after
    report.busy_until = claimed.busy_until
    ids = list(dict.fromkeys([*batch.event_ids, *(each.event_id for each in claimed.mine)]))
    report.states = deliveries_attempts.states_of(store, batch.route, ids)
    report.elsewhere = max(0, sum(report.states.get(each, 0) for each in OPEN_STATES) - report.left)
    return report


class LaneRunner:
    """One try's work: what is waiting to be settled, and whether to go on."""

    def __init__(
        self,
        store: Store,
        batch: Batch,
        task: TaskTry,
        attempt: AttemptOne,
        group: int,
        on_settled: OnSettled,
        one_fate: bool,
    ) -> None:
        self.store, self.batch, self.task = store, batch, task
        self.attempt, self.group, self.on_settled = attempt, group, on_settled
        self.one_fate = one_fate
        self.report = Report()
        self.error: Exception | None = None
        self.stopped = False
        self._failed_in_a_row = 0
        self._down = ""
        self._waits: list[float | None] = []
        self._unsettled: list[Attempt] = []
        self._busy = False
        self._settling = threading.Lock()

    async def run(self, mine: Sequence[Delivery], events: dict[str, ContactEvent], concurrency: int) -> None:
        by_lane: dict[str, list[Delivery]] = {}
        for delivery in mine:
            by_lane.setdefault(delivery.lane, []).append(delivery)
        # Contacts that failed before go last: they must not keep others from their first try.
        lanes = deque(sorted(by_lane.values(), key=lambda lane: lane[0].tries))
        self.report.left = len(mine)
        flusher = asyncio.create_task(self._flush_now_and_then())
        workers = [
            asyncio.create_task(self._work(lanes, events))
            for _ in range(max(1, min(concurrency, len(lanes))))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for each in (*workers, flusher):
                each.cancel()
            await asyncio.gather(*workers, flusher, return_exceptions=True)

    async def _work(self, lanes: deque[list[Delivery]], events: dict[str, ContactEvent]) -> None:
        while lanes and not self.stopped:
            first = True
            for delivery in lanes.popleft():
                if self.stopped or not await self._one(delivery, events.get(delivery.event_id), first=first):
                    break
                first = False

    async def _one(self, delivery: Delivery, event: ContactEvent | None, *, first: bool) -> bool:
        """Attempt one delivery; whether its lane may go on."""
        at = datetime.now(UTC)
        if event is None:
            tried = AttemptResult(DeliveryOutcome(DeliveryVerdict.REFUSED, "the event is no longer stored"))
        else:
            try:
                tried = await self.attempt(delivery, event)
            except OutreachError as error:
                self.error, self.stopped = error, True
                tried = AttemptResult(DeliveryOutcome(DeliveryVerdict.RETRY, str(error)))
        state = self._state(tried.outcome, first=first)
        self._count(tried, state)
        if (
            tried.outcome.verdict is DeliveryVerdict.RETRY
            and state is DeliveryState.FAILED
            and self._is_exhausted(first)
        ):
            self.report.exhausted[delivery.id] = tried.outcome.reason
        self._unsettled.append(
            Attempt(
                delivery.id, state, at, tried.outcome.verdict, tried.status, tried.latency_ms,
                tried.outcome.reason, tried.answer, tried.outcome.retry_after,
            )
        )  # fmt: skip
        # One group at a time goes to the store while the next gathers; only a store that cannot follow
        # makes the other lanes wait.
        waiting = len(self._unsettled)
        if waiting >= self.group and (not self._busy or waiting >= _FAR_BEHIND * self.group):
            self._busy = True
            try:
                await asyncio.to_thread(self.flush)
            finally:
                self._busy = False
        over = state in {DeliveryState.DELIVERED, DeliveryState.DEAD}
        return over or delivery.id in self.report.exhausted

    def _state(self, outcome: DeliveryOutcome, *, first: bool) -> DeliveryState:
        match outcome.verdict:
            case DeliveryVerdict.DELIVERED:
                return DeliveryState.DELIVERED
            case DeliveryVerdict.REFUSED:
                return DeliveryState.DEAD
            case DeliveryVerdict.GONE:
                return DeliveryState.HELD
            case DeliveryVerdict.ENDPOINT:
                return DeliveryState.FAILED
            case DeliveryVerdict.RETRY:
                # A fault of the whole batch kills no delivery, and one that came up only now, behind a
                # dead one of its lane, has tries of its own in the next run, where there is one. Whether it is the
                # fault of the one place all go to is known when the try is over.
                returns = (
                    self.error is not None or self.one_fate or (not first and self.batch.plan is not None)
                )
                return DeliveryState.DEAD if self.task.last_try and not returns else DeliveryState.FAILED
            case _:
                assert_never(outcome.verdict)

    def _is_exhausted(self, first: bool) -> bool:
        return self.task.last_try and self.error is None and (first or self.batch.plan is None)

    def _count(self, tried: AttemptResult, state: DeliveryState) -> None:
        outcome = tried.outcome
        self.report.attempts[state.value] += 1
        if state is not DeliveryState.FAILED:
            self.report.left -= 1
        if outcome.verdict is DeliveryVerdict.DELIVERED:
            self._failed_in_a_row, self._down = 0, ""
            return
        self.report.reasons[outcome.reason] += 1
        if outcome.verdict in (DeliveryVerdict.GONE, DeliveryVerdict.ENDPOINT):
            self.stopped = True
        if outcome.verdict is DeliveryVerdict.ENDPOINT:
            self._down = outcome.reason
        if outcome.verdict is not DeliveryVerdict.RETRY:
            return
        self._failed_in_a_row += 1
        self._waits.append(outcome.retry_after)
        # On the last try of a task nobody takes over from, every delivery gets its chance.
        final = self.task.last_try and self.batch.plan is None
        if self.one_fate and self._is_down(tried):
            self._down = outcome.reason
            self.stopped = self.stopped or not final

    def _is_down(self, tried: AttemptResult) -> bool:
        """Whether this failure is of the place all attempts go to, and not of one contact's event."""
        if tried.outcome.retry_after is None:
            return self._failed_in_a_row >= GIVE_UP_AFTER
        # 429 counts requests, whoever they are about (RFC 6585 section 4).
        return tried.status == HTTPStatus.TOO_MANY_REQUESTS or self._failed_in_a_row >= WAIT_AFTER

    def conclude(self, on_exhausted: OnExhausted) -> None:
        """After a last try: what failed is dead, unless the endpoint is at fault; then it waits for a person."""
        failed = self.report.exhausted
        if not self.task.last_try or not self.one_fate or not (failed or self._down) or self.report.disabled:
            return
        reason = self._down or next(iter(failed.values()), "")
        self.report.disabled = on_exhausted(bool(self._down), reason)
        if self.report.disabled is None:
            deliveries_attempts.give_up(self.store, failed)
            self.report.attempts[DeliveryState.FAILED.value] -= len(failed)
            self.report.attempts[DeliveryState.DEAD.value] += len(failed)
            self.report.left -= len(failed)

    @property
    def retry_after(self) -> float | None:
        """Seconds until the next try makes sense, as far as the other side said so.

        One place: as long as it asked for. Several: as soon as the first is ready, if all of them asked.
        """
        asked = [wait for wait in self._waits if wait is not None]
        if not asked or self.one_fate:
            return max(asked, default=None)
        return min(asked) if len(asked) == len(self._waits) else None

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SETTLE_EVERY_SECONDS)
            await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Settle what is waiting; one thread at a time."""
        with self._settling:
            attempts = self._unsettled[:]
            deliveries_attempts.settle(self.store, attempts, self.task.owner)
            del self._unsettled[: len(attempts)]  # not before: what the store refused is offered again
            if attempts and (reason := self.on_settled(attempts)):
                self.report.disabled, self.stopped = reason, True


def _events(store: Store, batch: Batch, mine: Sequence[Delivery]) -> dict[str, ContactEvent]:
    made = {each.event_id: ContactEvent.from_json(each.payload.encode()) for each in mine if each.payload}
    stored = inbox_lists.load(store, [each.event_id for each in mine if each.event_id not in made])
    return made | {event.id: event for event in stored}


@contextmanager
def _renewed(store: Store, task: TaskTry) -> Iterator[None]:
    """Keep the claims alive from a thread: an attempt may block for longer than the lease."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(task.lease.total_seconds() / 3):
            # The store may be away for a moment; the lease allows for two missed turns.
            with suppress(StoreError):
                deliveries_attempts.renew(store, task.owner, task.lease)

    thread = threading.Thread(target=renew, name="outreach-deliveries-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
