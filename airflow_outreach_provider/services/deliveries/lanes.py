"""Work on a batch of deliveries: claimed, lane by lane in order, settled in groups, and counted at the end.

What an attempt is (an HTTP request, a call of Python) is the caller's; what follows from its outcome is
decided here, the same for all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import assert_never

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.services.deliveries.astray import ASTRAY_AFTER, Astray
from airflow_outreach_provider.services.deliveries.attempting import attempted
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, Batch, IsOut, Report, TaskTry
from airflow_outreach_provider.services.deliveries.concluding import conclude, overtaken_by
from airflow_outreach_provider.services.deliveries.ending import GRACE, end, finish
from airflow_outreach_provider.services.deliveries.hands import Hands
from airflow_outreach_provider.services.deliveries.parking import let_go
from airflow_outreach_provider.services.deliveries.place import Place, as_its_own
from airflow_outreach_provider.services.deliveries.settling import Settler, renewed
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.claims import Claim
from airflow_outreach_provider.store.deliveries.rests import Leave
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists

# As many failures one after another, of as many contacts, are the endpoint's: the rest is not tried for now.
GIVE_UP_AFTER = 16
# Fewer where each answer asks to wait: one contact's 503 may be that contact's alone, several are not.
WAIT_AFTER = 4
# Of a task's own, a contact or two may fail by themselves; when as many are refused in a row, the endpoint is still down.
_ASKED_AT_MOST = 3
# A contact that is talked to without end must not keep a task for ever.
_MOST_ROUNDS = 50

AttemptOne = Callable[[Delivery, ContactEvent, IsOut], Awaitable[AttemptResult | None]]
"""Is given whether it is to be attempted no more; None where that was so before it began."""
Turn = Callable[[IsOut], Awaitable[None]]
"""Waits until one more may be attempted, or until nothing more is to be, as what it is given says."""
More = Callable[[Collection[str]], Sequence[Delivery]]
"""Claims what these lanes have become free for."""
GoOn = Callable[["LaneRunner"], Awaitable[None]]
"""What follows a batch of which nothing is left: going on with what comes in, :mod:`services.deliveries.serving`."""


async def _end(_: LaneRunner) -> None:
    """Nothing follows."""


async def _at_once(_: object) -> None:
    """Nothing is waited for."""


async def work(
    store: Store,
    batch: Batch,
    task: TaskTry,
    claimed: Claim,
    attempt: AttemptOne,
    *,
    concurrency: int,
    group: int,
    place: Place | None = None,
    leave: Leave = Leave.FREELY,
    more: More = lambda _: (),
    go_on: GoOn = _end,
    grace: float | None = GRACE,
    turn: Turn = _at_once,
) -> Report:
    """Attempt every claimed delivery as far as its lane allows, and what the lanes that become free have next.

    An OutreachError out of ``attempt`` is the same for all of them: the batch stops, nothing more is tried,
    and it is raised once everything is settled.

    :param concurrency: lanes at a time. :param group: how many attempts may be lost to a killed worker.
    :param place: where all attempts go to: when it has too many requests, or fails as often in a row as only an
        outage does, the rest is left for later.
    :param leave: whether that place may be sent to; ``ONE`` is to find out whether it answers again.
    :param grace: seconds that attempts under way may take once the task is asked to end; None where they cannot be broken
        off. What was not attempted is given back.
    :param turn: waited for before each attempt; what is out of the task's hands by then is not attempted.
    :raises OutreachUnavailable: the task was asked to end, and something is left.
    """
    shift = LaneRunner(store, batch, task, attempt, group, place, leave, grace, turn)
    with renewed(store, task):
        mine: Sequence[Delivery] = claimed.mine
        try:
            for rounds in range(1, _MOST_ROUNDS + 1):
                events = await asyncio.to_thread(load_events, store, mine)
                await shift.run(mine, events, concurrency)
                await asyncio.to_thread(shift.settler.flush)
                # After the last one nothing more is claimed: it would lie with a task that does not come to it.
                over = shift.stopped or rounds == _MOST_ROUNDS
                mine = () if over else await asyncio.to_thread(more, shift.freed)
                if not mine:
                    break
            if shift.is_through:
                await go_on(shift)
        finally:
            shift.settler.flush()
            conclude(shift)
            if shift.halted and shift.open_tries and shift.error is None:
                shift.error = OutreachUnavailable(
                    "stopped before the end: the task was killed; the rest is tried again"
                )
            shift.let_go()
    return _reported(shift, claimed)


def _reported(shift: LaneRunner, claimed: Claim) -> Report:
    """The report of a try that is over.

    :raises: what stopped the batch.
    """
    store, batch, report, owner = shift.store, shift.batch, shift.report, shift.task.owner
    if dead := report.attempts[DeliveryState.DEAD.value]:
        notices.note(
            store, NoticeKind.DELIVERIES_DEAD, batch.route, report.reason(), count=dead,
            once=f"{owner.key} {owner.try_number}",
        )  # fmt: skip
    if shift.error and not report.disabled:
        raise shift.error
    report.retry_after = shift.retry_after
    report.busy_until = claimed.busy_until
    ids = list(dict.fromkeys([*batch.event_ids, *shift.event_ids]))
    report.states = deliveries_attempts.states_of(store, batch.route, ids)
    for state, count in report.meanwhile.items():
        report.states[state] = report.states.get(state, 0) + count
    report.elsewhere = max(
        0, sum(report.states.get(each, 0) for each in OPEN_STATES) - report.left - report.parked
    )
    return report


class LaneRunner:
    """One try's work: what is waiting to be settled, and whether to go on."""

    def __init__(
        self, store: Store, batch: Batch, task: TaskTry, attempt: AttemptOne, group: int, place: Place | None,
        leave: Leave, grace: float | None = GRACE, turn: Turn = _at_once,
    ) -> None:  # fmt: skip
        self.store, self.batch, self.task = store, batch, task
        self.attempt, self.group, self.place, self.grace, self.turn = attempt, group, place, grace, turn
        self.asking, self.stopped = leave is Leave.ONE, leave is Leave.NOT
        self.report = Report()
        self.error: Exception | None = None
        self.event_ids: list[str] = []
        self.freed: set[str] = set()
        self.open_tries: dict[int, int] = {}
        self._failed_in_a_row = self._asked_in_vain = 0
        self.own_faults: set[int] = set()
        self.used_up_in: dict[str, set[int]] = {}
        self.overtaken: set[int] = set()  # used up, and then a later one of their contact was taken
        self.down = ""
        self.asked_for_itself = False  # in vain, and perhaps it was refused for its own sake
        self.astray = Astray()
        self.waits: list[float | None] = []
        self.wished: dict[int, float | None] = {}
        self.wake: float | None = None  # seconds until what is kept is to be tried
        self.settler = Settler(store, task, group, self._settled)
        self.hands = Hands(store, task.owner, self.open_tries)

    async def run(self, mine: Sequence[Delivery], events: dict[str, ContactEvent], concurrency: int) -> None:
        # Contacts that failed before go last: they must not keep others from their first try.
        lanes = deque(sorted(by_lane(mine), key=lambda lane: lane[0].tries))
        self.event_ids += [each.event_id for each in mine]
        self.hands.take(mine)
        self.freed = set()
        self.own_faults |= await asyncio.to_thread(own_faults, self.place, mine)
        self.stopped = self.stopped or self.halted
        aside = [asyncio.create_task(each) for each in (self.settler.now_and_then(), self.hands.watch())]
        workers = [
            asyncio.create_task(self._work(lanes, events))
            for _ in range(max(1, min(concurrency, len(lanes))))
        ]
        try:
            await finish(asyncio.gather(*workers), self)
        finally:
            await end(*workers, *aside)

    @property
    def halted(self) -> bool:
        """Whether the task was asked to end."""
        return self.task.stop.is_set()

    def is_over(self) -> bool:
        """Whether nothing more is to be attempted."""
        return self.stopped or self.halted

    async def _work(self, lanes: deque[list[Delivery]], events: dict[str, ContactEvent]) -> None:
        while lanes and not self.is_over():
            await self.lane(lanes.popleft(), events)

    async def lane(self, lane: Sequence[Delivery], events: Mapping[str, ContactEvent]) -> Sequence[Delivery]:
        """Attempt a contact's deliveries in order, as far as they go; those it did not come to."""
        for place, delivery in enumerate(lane):
            if self.is_over():
                return lane[place:]
            if not await self._one(delivery, events.get(delivery.event_id), first=not place):
                return lane[place + 1 :]
        self.freed.add(lane[0].lane)
        return ()

    async def _one(self, delivery: Delivery, event: ContactEvent | None, *, first: bool) -> bool:
        """Attempt one delivery; whether its lane may go on."""
        is_out = _out_of(self, delivery)
        if not self.hands.is_out(delivery):
            await self.turn(is_out)
        if is_out():  # while it waited for its turn
            return False
        self.hands.begin(delivery)
        at = datetime.now(UTC)
        tried, broken_off = await attempted(self, delivery, event, is_out)
        if tried is None:
            self.hands.end([delivery.id])
            return False
        tried = await as_its_own(self.place, delivery, tried)
        own = self.place is None or delivery.id in self.own_faults
        astray = tried.outcome.of_address and not own
        if self.asking and event is not None:
            tried = await self._asked(tried, astray)
        # A fault of the whole batch kills no delivery. Whether it is the fault of the one place all go to is known
        # when the try is over.
        exhausted = _is_exhausted(self, delivery, first)
        state = (
            DeliveryState.FAILED if astray else _state_after(tried.outcome, exhausted and self.place is None)
        )
        was_up = not self.down
        overtaken = overtaken_by(self, delivery, state)
        self._count(delivery, tried, state)
        if self.place is not None and was_up and self.down and tried.outcome.retry_after is not None:
            # Not with the end of the batch: the other tasks hear of it with what they settle next.
            await asyncio.to_thread(self.place.rest, self.down, tried.outcome.retry_after)
        if exhausted and tried.outcome.verdict is DeliveryVerdict.RETRY and state is DeliveryState.FAILED:
            self.report.exhausted[delivery.id] = tried.outcome.reason
            self.used_up_in.setdefault(delivery.lane, set()).add(delivery.id)
        self.report.used_up += state is DeliveryState.DEAD and tried.outcome.verdict is DeliveryVerdict.RETRY
        await self.settler.add(
            Attempt(
                delivery.id, state, at, tried.outcome.verdict, tried.status, tried.latency_ms,
                tried.outcome.reason, tried.answer, tried.outcome.retry_after, tried.sent, tried.headers, overtaken,
            )
        )  # fmt: skip
        if broken_off is not None:
            raise broken_off
        over = state in {DeliveryState.DELIVERED, DeliveryState.DEAD}
        # Whether what has no try left is dead is known when the try is over: until then the next of its contact waits,
        # where there is a run to take it.
        return over or astray or (delivery.id in self.report.exhausted and self.batch.plan is None)

    async def _asked(self, tried: AttemptResult, astray: bool) -> AttemptResult:
        """An endpoint at rest was asked. What it says of one event is an answer; else the fault is its own."""
        if astray:
            self._asked_in_vain, self.asked_for_itself = self._asked_in_vain + 1, True
        elif tried.outcome.verdict in (DeliveryVerdict.DELIVERED, DeliveryVerdict.REFUSED):
            self.asking = self.asked_for_itself = False
            if self.place is not None:
                await asyncio.to_thread(self.place.answers)
        elif tried.outcome.verdict is DeliveryVerdict.RETRY:
            self.down, self._asked_in_vain = tried.outcome.reason, self._asked_in_vain + 1
            self.asked_for_itself = True
            return replace(tried, outcome=replace(tried.outcome, verdict=DeliveryVerdict.ENDPOINT))
        return tried

    def _count(self, delivery: Delivery, tried: AttemptResult, state: DeliveryState) -> None:
        outcome = tried.outcome
        self.report.attempts[state.value] += 1
        if state is DeliveryState.FAILED:
            self.open_tries[delivery.id] = delivery.tries + (outcome.verdict is DeliveryVerdict.RETRY)
        else:
            self.open_tries.pop(delivery.id, None)
        if outcome.verdict is DeliveryVerdict.DELIVERED:
            self._failed_in_a_row, self.down = 0, ""
            self.overtaken |= self.used_up_in.pop(delivery.lane, set())
            self.astray.another_was_taken()
            return
        self.report.reasons[outcome.reason] += 1
        if state is DeliveryState.FAILED and outcome.of_address:
            in_a_row = self.astray.refused_in_a_row(delivery, outcome.reason)
            if in_a_row >= ASTRAY_AFTER or self.asking:
                self.down = outcome.reason
            self.stopped |= in_a_row >= ASTRAY_AFTER or self._asked_in_vain >= _ASKED_AT_MOST
        if outcome.verdict is DeliveryVerdict.GONE:
            self.stopped = True
        if outcome.verdict is DeliveryVerdict.ENDPOINT:
            in_vain = not self.asking or self._asked_in_vain >= _ASKED_AT_MOST
            self.down, self.stopped = outcome.reason, self.stopped or in_vain
        if outcome.verdict is not DeliveryVerdict.RETRY:
            return
        self._failed_in_a_row += delivery.id not in self.own_faults
        self.waits.append(outcome.retry_after)
        self.wished[delivery.id] = outcome.retry_after
        # On the last try of a task nobody takes over from, every delivery gets its chance.
        final = self.task.last_try and self.batch.plan is None
        if self.place is not None and _is_down(tried, self._failed_in_a_row, delivery.id in self.own_faults):
            self.down = outcome.reason
            self.stopped = self.stopped or not final

    @property
    def is_through(self) -> bool:
        """All of the batch that there was to do is done."""
        left = self.open_tries.keys() - self.astray.answers.keys()
        return any(self.report.attempts.values()) and not (self.stopped or self.error or left)

    def let_go(self) -> None:
        """End the claims."""
        let_go(self)

    @property
    def retry_after(self) -> float | None:
        """Seconds until the next try makes sense, as far as the other side said so, or a delivery's own time does.

        One place: as long as it asked for. Several: as soon as the first is ready, if all of them asked.
        """
        asked = [wait for wait in self.waits if wait is not None]
        if self.wake is not None:
            return max([*asked, self.wake])
        if not asked or self.place is not None:
            return max(asked, default=None)
        return min(asked) if len(asked) == len(self.waits) else None

    def _settled(self, attempts: Sequence[Attempt]) -> None:
        self.hands.end(each.delivery_id for each in attempts)
        if self.place and (verdict := self.place.settled(attempts)):
            self.report.disabled, self.stopped = verdict.disabled or None, True
            self.down = self.down or verdict.rest


def _out_of(shift: LaneRunner, delivery: Delivery) -> IsOut:
    return lambda: shift.hands.is_out(delivery) or shift.is_over()


def _is_exhausted(shift: LaneRunner, delivery: Delivery, first: bool) -> bool:
    """No try is left. One that came up only now, behind a dead one of its lane, has tries of its own in the next run, where
    there is one."""
    mine = first or shift.batch.plan is None
    return shift.error is None and mine and shift.task.is_last(delivery.tries)


def _state_after(outcome: DeliveryOutcome, exhausted: bool) -> DeliveryState:
    match outcome.verdict:
        case DeliveryVerdict.DELIVERED:
            return DeliveryState.DELIVERED
        case DeliveryVerdict.REFUSED:
            return DeliveryState.DEAD
        case DeliveryVerdict.ENDPOINT | DeliveryVerdict.GONE:  # disabling holds it, with all that is open
            return DeliveryState.FAILED
        case DeliveryVerdict.RETRY:
            return DeliveryState.DEAD if exhausted else DeliveryState.FAILED
        case _:
            assert_never(outcome.verdict)


def _is_down(tried: AttemptResult, failed_in_a_row: int, own: bool) -> bool:
    """Whether this failure is of the place all attempts go to, and not of one contact's event."""
    if tried.outcome.retry_after is None:
        return failed_in_a_row >= GIVE_UP_AFTER
    # 429 counts requests, whoever they are about (RFC 6585 section 4), unless others were taken meanwhile.
    too_many = tried.status == HTTPStatus.TOO_MANY_REQUESTS and not own
    return too_many or failed_in_a_row >= WAIT_AFTER


def own_faults(place: Place | None, mine: Sequence[Delivery]) -> set[int]:
    """Which of these failed before by themselves: they are no sign of an outage."""
    again = [each.id for each in mine if each.tries]
    return set(place.own_faults(again)) if again and place is not None else set()


def by_lane(mine: Sequence[Delivery]) -> list[list[Delivery]]:
    """Deliveries contact by contact, in their order."""
    lanes: dict[str, list[Delivery]] = {}
    for delivery in mine:
        lanes.setdefault(delivery.lane, []).append(delivery)
    return list(lanes.values())


def load_events(store: Store, mine: Sequence[Delivery]) -> dict[str, ContactEvent]:
    """The events of these deliveries by id, as far as they are still stored."""
    made = {each.event_id: ContactEvent.from_json(each.payload.encode()) for each in mine if each.payload}
    stored = inbox_lists.load(store, [each.event_id for each in mine if each.event_id not in made])
    return made | {event.id: event for event in stored}
