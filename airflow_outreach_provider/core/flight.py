"""Where each lead of a run is, from the day's plan to its state in the ledger: queues only, no clock and no I/O.

::

    add → ready → take → claiming → fly → flying → answer → answered → take_answered → settling → written → gone
            ↑               │                │                  ↑                           │
            ├── put_back ───┘                └─ doubt → doubtful ── clear_up                ├── unwritten → answered
            └── due ── later ───────────── again ───────────────────────────────────────────┘

Each lead is in exactly one of these places; whatever happens in whatever order, none is lost and none is twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush

from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome


@dataclass(slots=True)
class PlannedLead:
    """A lead to be sent, in the ledger as *planned*.

    :param carried: not from this run's source.
    :param claimed_at: monotonic seconds, not after its claim.
    :param open_until: up to when it is certainly outside quiet hours; None for ever.
    :param zone: the time zone that its row names; None where it names none.
    :param refusals: how often the other side did not take it. :param again_at: monotonic seconds, not before which it
        is sent again.
    """

    id: int
    body: bytes
    line: int
    phone: str
    carried: bool = False
    claimed_at: float = 0.0
    open_until: datetime | None = None
    zone: str | None = None
    refusals: int = 0
    again_at: float = 0.0


Answered = tuple[PlannedLead, SubmitAnswer]


class Flight:
    """The leads of one run.

    :param window: most requests in flight. :param apart: whether a person's leads are taken one after the other.
    :ivar outbox: of those that are flying, the ones no sender has picked up yet.
    """

    def __init__(self, window: int, *, apart: bool = False) -> None:
        self.ready: deque[PlannedLead] = deque()
        self.outbox: deque[PlannedLead] = deque()
        self.claiming: dict[int, PlannedLead] = {}
        self.flying: dict[int, PlannedLead] = {}
        self.answered: list[Answered] = []
        self.doubtful: dict[int, Answered] = {}
        self.settling: list[Answered] = []
        self.later: list[tuple[float, int, PlannedLead]] = []
        self._most_at_once, self._apart = window // 2, apart

    @property
    def in_flight(self) -> int:
        """Leads claimed and not yet settled in the ledger."""
        return self.open + len(self.settling)

    @property
    def open(self) -> int:
        """Those of them that are not being settled at this moment."""
        return len(self.flying) + len(self.answered) + len(self.doubtful)

    @property
    def unsent(self) -> bool:
        """Some are still to be sent, now or later."""
        return bool(self.ready or self.later)

    @property
    def group(self) -> int:
        """How many answers, or leads to claim, are worth a commit."""
        return max(1, min(self._most_at_once, self.open // 2))

    @property
    def quiet(self) -> bool:
        """Nobody waits for an answer, and none waits to be written."""
        return not self.flying and not self.answered

    def add(self, leads: Iterable[PlannedLead]) -> None:
        """More leads to send, behind those that wait."""
        self.ready.extend(leads)

    def bring_forward(self, wanted: Callable[[PlannedLead], bool]) -> bool:
        """Make the first ready lead that is wanted the next to be taken. :return: whether there is one."""
        found = next((lead for lead in self.ready if wanted(lead)), None)
        if found is not None:
            self.ready.remove(found)
            self.ready.appendleft(found)
        return found is not None

    def take(self, count: int) -> list[PlannedLead]:
        """The next leads to claim, in order."""
        taken: list[PlannedLead] = []
        passed: list[PlannedLead] = []
        phones: set[str] = set()
        while self.ready and len(taken) < count:
            lead = self.ready.popleft()
            (passed if lead.phone in phones else taken).append(lead)
            if self._apart:
                phones.add(lead.phone)
        self.ready.extendleft(reversed(passed))
        self.claiming.update((lead.id, lead) for lead in taken)
        return taken

    def put_back(self, leads: Sequence[PlannedLead]) -> None:
        """Leads that were taken and not claimed, to the front in their order."""
        for lead in reversed(leads):
            self.ready.appendleft(self.claiming.pop(lead.id))

    def fly(self, lead: PlannedLead, claimed_at: float) -> None:
        """A lead is claimed: it may be sent now. :param claimed_at: monotonic seconds, not after its claim."""
        del self.claiming[lead.id]
        lead.claimed_at = claimed_at
        self.flying[lead.id] = lead
        self.outbox.append(lead)

    def drop(self, leads: Iterable[PlannedLead]) -> None:
        """Leads that were taken and that somebody else has settled."""
        for lead in leads:
            del self.claiming[lead.id]

    def close(self, ids: Collection[int]) -> list[PlannedLead]:
        """Leads that are ready and no longer to be sent; which."""
        closed = [lead for lead in self.ready if lead.id in ids]
        if closed:
            self.ready = deque(lead for lead in self.ready if lead.id not in ids)
        return closed

    def land(self, lead: PlannedLead) -> bool:
        """An answer came; False where it came before, and this one is not needed any more."""
        return self.flying.pop(lead.id, None) is not None

    def answer(self, lead: PlannedLead, answer: SubmitAnswer) -> None:
        """What is to be written of a lead that landed."""
        self.answered.append((lead, answer))

    def doubt(self, lead: PlannedLead, answer: SubmitAnswer) -> None:
        """A lead that landed, and only later answers tell what its own means."""
        self.doubtful[lead.id] = (lead, answer)

    def clear_up(self, ids: Iterable[int], outcome: SubmitOutcome | None = None) -> None:
        """What doubtful answers mean is known. :param outcome: instead of the answer's own."""
        for lead_id in ids:
            lead, answer = self.doubtful.pop(lead_id)
            self.answered.append((lead, answer if outcome is None else answer._replace(outcome=outcome)))

    def take_answered(self) -> list[Answered]:
        """What is to be written now."""
        self.settling, self.answered = self.answered, []
        return self.settling

    def written(self) -> None:
        """What was to be written is."""
        self.settling = []

    def unwritten(self) -> None:
        """It is not, and may be later."""
        self.answered, self.settling = self.settling + self.answered, []

    def again(self, lead: PlannedLead) -> None:
        """A lead that was not taken by the other side, and is planned again in the ledger."""
        if lead.again_at:
            heappush(self.later, (lead.again_at, lead.id, lead))
        else:
            self.ready.append(lead)

    def due(self, now: float) -> float:
        """Those whose time has come are ready again, before all others. :return: seconds until the next; 0 for none."""
        while self.later and self.later[0][0] <= now:
            self.ready.appendleft(heappop(self.later)[2])
        return self.later[0][0] - now if self.later else 0.0

    def empty_unclaimed(self) -> list[PlannedLead]:
        """What this run does not send any more: leads that are ready, or were taken and not claimed for certain."""
        left = [*self.ready, *self.claiming.values(), *(lead for _, _, lead in self.later)]
        self.ready.clear()
        self.later.clear()
        self.claiming.clear()
        return left

    def empty_claimed(self) -> list[PlannedLead]:
        """What a run that is cut off leaves claimed, wherever it is: the ledger holds it."""
        places = (self.answered, self.doubtful.values(), self.settling)
        left = [*self.flying.values(), *(lead for place in places for lead, _ in place)]
        for place in (self.flying, self.outbox, self.answered, self.doubtful, self.settling):
            place.clear()
        return left
