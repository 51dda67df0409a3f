"""What goes into work on a batch of deliveries, and what comes out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_outreach_provider.core.delivery_rules import DeliveryOutcome
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.retry_schedule import delay
from airflow_outreach_provider.core.sent_requests import SentDigest

DEFAULT_CONCURRENCY = 16
"""Contacts whose events are delivered at a time."""


IsOut = Callable[[], bool]
"""Whether a delivery is to be attempted no more: nothing is, or it is not in the task's hands any longer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one task instance is to deliver.

    :ivar event_ids: in order. :ivar plan: the key of the sensor's plan; None when no sensor will take back
        what is left, because the task was given its events directly.
    :ivar made: events that are not in the inbox.
    :ivar consumer: whose sensor it comes from; empty where that is not known.
    """

    route: str
    event_ids: Sequence[str]
    plan: str | None = None
    made: Sequence[ContactEvent] = ()
    consumer: str = ""


@dataclass(frozen=True, slots=True)
class TaskTry:
    """The task instance at work.

    :ivar last_try: Airflow will not retry it.
    :ivar cleared: a person cleared it: what is dead is tried again.
    :ivar lease: after this long without a sign of life its deliveries are free for others.
    :ivar next_try: how long until Airflow's next try of the task.
    :ivar slack: how much longer what is left stays with it.
    :ivar delays: seconds before each retry of a delivery; as many retries as it is long.
    :ivar keep: how many runs of a route may keep what failed for their own retries. What fails in others waits for
        its time in nobody's hands, and the next run takes it: so a route's open runs are bounded.
    :ivar serve_for: how long it may go on with what comes in for its route, while that is a stream; zero for not at all.
    :ivar stop: set when the task is asked to end, from any thread or signal: nothing more is begun.
    """

    owner: Owner
    last_try: bool = False
    cleared: bool = False
    lease: timedelta = timedelta(seconds=300)
    next_try: timedelta = timedelta(0)
    slack: timedelta = timedelta(minutes=15)
    delays: tuple[float, ...] = ()
    keep: int = 3
    serve_for: timedelta = timedelta(0)
    stop: threading.Event = field(default_factory=threading.Event, compare=False)

    def is_last(self, tries: int) -> bool:
        """Whether a delivery that was attempted so often before has no try left after this one."""
        return self.last_try or bool(self.delays and tries >= len(self.delays))

    def wait(self, tries: int) -> timedelta:
        """How long a delivery that was attempted so often waits for its next try."""
        return timedelta(seconds=delay(tries, self.delays)) if self.delays else self.slack / 2


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """An attempt's outcome, with what is kept of it. :ivar headers: the answer's, those that matter, as JSON."""

    outcome: DeliveryOutcome
    status: int | None = None
    latency_ms: int = 0
    answer: str = ""
    sent: SentDigest | None = None
    headers: str = field(default="", repr=False)


@dataclass(slots=True)
class Report:
    """What became of a batch in this try.

    :ivar states: deliveries of the batch by state, now.
    :ivar attempts: of this try, by the state they led to.
    :ivar left: open deliveries that are this task's, for its next try.
    :ivar elsewhere: open deliveries of the batch that are not this task's: they wait for an earlier one of their
        contact, or another plan has them.
    :ivar busy_until: when another task instance's hold on the batch ends, if one is at it.
    :ivar reasons: why deliveries failed in this try, the most frequent first.
    :ivar retry_after: seconds the other side asked to wait, or until the first of what is left is to be tried.
    :ivar disabled: why the endpoint is disabled now, if this try disabled it.
    :ivar exhausted: deliveries that failed in a last try, by the reason; dead unless their endpoint is at fault.
    :ivar used_up: how many are dead for that, and not because they were refused.
    :ivar parked: open deliveries that wait for their time in nobody's hands; another run takes them.
    :ivar rest: why nothing is sent to the endpoint now, and until when.
    :ivar meanwhile: what came in while the task was at work and is done, by state; counted in ``states`` too.
    """

    states: dict[str, int] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    left: int = 0
    elsewhere: int = 0
    busy_until: datetime | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    retry_after: float | None = None
    disabled: str | None = None
    exhausted: dict[int, str] = field(default_factory=dict)
    used_up: int = 0
    parked: int = 0
    rest: str = ""
    meanwhile: Counter[str] = field(default_factory=Counter)

    def reason(self, most: int = 3) -> str:
        """The most frequent reasons in words."""
        return "; ".join(
            f"{reason} ({n}x)" if n > 1 else reason for reason, n in self.reasons.most_common(most)
        )
