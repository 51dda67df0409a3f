"""How many requests may be in flight, and when a batch has to stop: decisions only, no clock and no I/O.

Concurrency grows by one per good answer until the first trouble, then by one per round (TCP's slow start and
additive increase); trouble halves it. Refusals are trouble once they are a share of the answers: a single one is
that lead's own, which is sent again a little later (:func:`again_after`), and keeps nobody else. What the other side
says, ``Retry-After``, holds for everybody, and so does being refused again and again. Answers that leave the outcome
unknown use up the window: at no time can more leads be in doubt than the window is wide.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_AT_ONCE = 1000
"""Requests that one task may have in flight."""
_FIRST_BURST = 4
_FORGIVENESS = 0.25  # of a doubt, per good answer: one unknown answer in five stops a batch, fewer do not
_DOUBTFUL_IN_A_ROW = 8
_PROBES = 4
_SLOW_MS = 1_000
_SLOWER_BY = 4.0
_BACKOFF_FIRST, _BACKOFF_LAST = 0.25, 8.0
# Refusals among the last answers, from which on too much is being sent; over as many answers it is counted.
_MANY, _COUNTED, _COUNTED_AT_FIRST = 0.1, 64, 16
_DOWN_IN_A_ROW = 8
_AGAIN_FIRST, _AGAIN_LAST = 0.1, 1.0


def again_after(refusals: int, jitter: float) -> float:
    """Seconds until a lead that was refused is sent again.

    :param refusals: how often it was, from 1. :param jitter: 0 to 1, at random, so that they do not come back as one.
    """
    longest: float = min(_AGAIN_LAST, _AGAIN_FIRST * 2.0 ** min(refusals, 16))
    return longest * (0.5 + jitter / 2)


@dataclass(slots=True)
class Pace:
    """The governor of one batch.

    :param window: most requests in flight, and most leads ever in doubt.
    :param patience: seconds without any good answer after which the batch hands over to Airflow's retry.
    :param first_patience: the same before the first good answer.
    """

    window: int
    patience: float = 30.0
    first_patience: float = 5.0
    limit: float = field(init=False)
    doubt: float = field(init=False, default=0.0)
    good_answers: int = field(init=False, default=0)
    paused_until: float = field(init=False, default=0.0)
    trouble_since: float | None = field(init=False, default=None)
    asked_to_wait: float | None = field(init=False, default=None)
    refused_share: float = field(init=False, default=0.0)
    _slow_start: bool = field(init=False, default=True)
    _answers: int = field(init=False, default=0)
    _in_a_row: int = field(init=False, default=0)
    _pauses: int = field(init=False, default=0)
    _last_cut: float = field(init=False, default=float("-inf"))
    _latency: float = field(init=False, default=0.0)
    _best_latency: float = field(init=False, default=float("inf"))

    def __post_init__(self) -> None:
        self.limit = float(min(_FIRST_BURST, self.window))

    @property
    def latency_ms(self) -> float:
        """Of the latest answers, smoothed."""
        return self._latency

    def room(self, in_flight: int, now: float) -> int:
        """How many more requests may be sent now.

        :param now: seconds on a monotonic clock.
        """
        if now < self.paused_until:
            return 0
        return max(0, int(min(self.limit, self.window - self.doubt)) - in_flight)

    def good(self, now: float, latency_ms: float) -> None:
        """An answer came that settles its lead."""
        self.good_answers += 1
        self.doubt = max(0.0, self.doubt - _FORGIVENESS)
        self.trouble_since = None
        self._in_a_row = 0
        self._weigh(0.0)
        if now >= self.paused_until:  # or else it answers a request from before the pause
            self.asked_to_wait = None
            self._pauses = 0
        self._watch_latency(now, latency_ms)
        self.limit = min(self.window, self.limit + (1.0 if self._slow_start else 1.0 / self.limit))

    def unknown(self, now: float) -> None:
        """A lead was sent and its outcome is not known."""
        self.doubt += 1.0
        self._trouble(now)

    def refused(self, now: float, retry_after: float | None) -> None:
        """The other side did not process a request: wait as long as it asks, and slow down where that is no exception.

        Where it takes nothing any more, the pauses grow.

        :param retry_after: seconds; 0, or a date in the past, is no leave to ask without a pause.
        """
        if self.trouble_since is None:
            self.trouble_since = now
        self._in_a_row += 1
        self._weigh(1.0)
        if self.refused_share > _MANY:
            # Who waits as it is told has slowed down already: only what is left of the window is too much.
            self._cut(now, 1 - self.refused_share / 2 if retry_after else 0.5, steadily=not retry_after)
        pause = 0.0
        if retry_after is not None:
            self.asked_to_wait = pause = retry_after
        if now >= self.paused_until and (not self.good_answers or self._in_a_row >= _DOWN_IN_A_ROW):
            pause = max(pause, min(_BACKOFF_LAST, _BACKOFF_FIRST * 2**self._pauses))
            self._pauses += 1
        self.paused_until = max(self.paused_until, now + pause)

    def told(self, now: float, seconds: float) -> None:
        """Another task was asked to wait: so does this one."""
        if now + seconds > self.paused_until:
            self.paused_until = now + seconds
            self.asked_to_wait = seconds

    def exhausted(self) -> bool:
        """Whether the window is used up by leads in doubt: the batch must stop."""
        return self.window - self.doubt < 1.0

    def out_of_patience(self, now: float) -> bool:
        """Whether to hand over to Airflow's retry: trouble lasts, or the wait asked for is longer than patience."""
        heard_only = self.trouble_since is None  # of the wait, from another task
        allowed = self.patience if self.good_answers or heard_only else self.first_patience
        waiting = max(0.0, self.paused_until - now) if self.asked_to_wait is not None else 0.0
        troubled = now - self.trouble_since if self.trouble_since is not None else 0.0
        return troubled + waiting > allowed

    def wait(self, now: float) -> float:
        """Seconds until the pause ends; 0 when there is none."""
        return max(0.0, self.paused_until - now)

    def _trouble(self, now: float) -> None:
        if self.trouble_since is None:
            self.trouble_since = now
        self._cut(now, 0.5)

    def _cut(self, now: float, by: float, *, steadily: bool = True) -> None:
        """Fewer at once; one cut for one burst of bad answers. :param steadily: from now on it grows only slowly."""
        self._slow_start = self._slow_start and not steadily
        if now - self._last_cut > 0.1:
            self._last_cut = now
            self.limit = max(1.0, self.limit * by)

    def _weigh(self, refused: float) -> None:
        """Count an answer. :param refused: 1 where it was a refusal, 0 where not."""
        self._answers += 1
        weight = 1 / min(_COUNTED, _COUNTED_AT_FIRST + self._answers)
        self.refused_share += (refused - self.refused_share) * weight

    def _watch_latency(self, now: float, latency_ms: float) -> None:
        self._latency += (latency_ms - self._latency) * 0.1
        self._best_latency = min(self._best_latency, latency_ms)
        if (
            self._latency > max(_SLOW_MS, _SLOWER_BY * self._best_latency)
            and now - self._last_cut > self._latency / 1000
        ):
            self._slow_start = False
            self._last_cut = now
            self.limit = max(1.0, self.limit * 0.8)


@dataclass(slots=True)
class Doubts:
    """Whether a 400 is about one lead or about the configuration, which the platform does not say.

    The documented meanings of 400 are faults of the configuration, the same for every lead. So leads answered
    400 wait: a lead claimed later and accepted shows that the configuration works, and they are rejected; where
    nothing is accepted any more, the configuration is at fault and none of them is used up.
    """

    accepted: int = 0
    probes: int = 0
    waiting: dict[int, tuple[float, float]] = field(default_factory=dict)
    _last_accepted: float = float("-inf")

    def refused(self, lead_id: int, now: float, claimed_at: float) -> None:
        """A lead claimed then was answered 400 now."""
        self.waiting[lead_id] = (now, claimed_at)

    def took(self, claimed_at: float) -> list[int]:
        """A lead claimed then was accepted. :return: the leads that were refused before, and so are at fault."""
        self.accepted += 1
        self._last_accepted = max(self._last_accepted, claimed_at)
        at_fault = [lead_id for lead_id, (refused, _) in self.waiting.items() if refused < claimed_at]
        for lead_id in at_fault:
            del self.waiting[lead_id]
        if at_fault:
            self.probes = 0
        return at_fault

    def in_company(self) -> list[int]:
        """At the end of a batch nothing is sent later. :return: those claimed no later than one that was accepted.

        The last flight has as many bad leads as any other; what was accepted of it speaks for the configuration.
        """
        at_fault = [
            lead_id for lead_id, (_, claimed) in self.waiting.items() if claimed <= self._last_accepted
        ]
        for lead_id in at_fault:
            del self.waiting[lead_id]
        return at_fault

    def blocks(self) -> bool:
        """Whether to send nothing more until the requests in flight have answered."""
        return len(self.waiting) >= (_DOUBTFUL_IN_A_ROW if self.accepted else 1)

    def may_probe(self) -> bool:
        """Whether one more lead may be sent to find out, when nothing else is in flight."""
        return self.accepted > 0 and self.probes < _PROBES


@dataclass(slots=True)
class Unheard:
    """Configurations that the API does not know: the run's own fault, or that of the rows that name them.

    A lead of another configuration is sent to find out. Once one is accepted, a row that names one unheard of is at
    fault itself; while none is, nothing is used up, and after a few of them the run is at fault.

    :ivar working: configurations of leads that were accepted, as far as anything had to be known of them.
    :ivar waiting: leads by the configuration they name, while none is known to work.
    """

    working: set[str] = field(default_factory=set)
    waiting: dict[str, list[int]] = field(default_factory=dict)

    def refused(self, lead_id: int, configuration: str) -> None:
        """A lead of this configuration was answered that there is none such."""
        self.waiting.setdefault(configuration, []).append(lead_id)

    def took(self, configuration: str) -> dict[int, str]:
        """A lead of this configuration was accepted. :return: the leads of others that are at fault, and theirs."""
        self.working.add(configuration)
        found = {
            lead_id: name for name, ids in self.waiting.items() if name != configuration for lead_id in ids
        }
        self.waiting.clear()
        return found

    def may_try(self, configuration: str) -> bool:
        """Whether a lead of this configuration may be sent to find out."""
        return configuration not in self.waiting and len(self.waiting) < _PROBES
