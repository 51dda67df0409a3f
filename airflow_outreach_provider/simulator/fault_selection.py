"""Which request a fault hits. The same seed and the same submissions hit the same people, in any order."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from airflow_outreach_provider.simulator.faults import ApiEndpoint, Faults, InjectedFault, Kind, When

_DELAYS = frozenset({Kind.HANG, Kind.LATENCY})
_COMMON = frozenset({Kind.LATENCY, Kind.CLOSE})  # change no lead's fate: not noted with the person


@dataclass(slots=True)
class FaultTally:
    """How often a fault hit, and whether the person had been texted when it did."""

    hit: int = 0
    texted: int = 0
    not_texted: int = 0


@dataclass(slots=True)
class FaultPlan:
    """What happens to one request: ``before`` and ``after`` are seconds around the processing."""

    before: float = 0.0
    after: float = 0.0
    late: bool = False
    outcome: InjectedFault | None = None
    close: InjectedFault | None = None
    tallies: list[FaultTally] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def processes(self) -> bool:
        """Whether the request reaches the API at all."""
        return self.outcome is None or self.outcome.when is not When.BEFORE

    def settle(self, texted: bool) -> None:
        """Count the faults of this plan, once the fate of the lead is known."""
        for tally in self.tallies:
            if texted:
                tally.texted += 1
            else:
                tally.not_texted += 1


class FaultSelector:
    """Decides for each request, and counts.

    :param tallies: by fault as text; shared with the next FaultSelector, so that a change of faults loses no count.
    """

    def __init__(self, faults: Faults, seed: int, tallies: dict[str, FaultTally]) -> None:
        on_request = [rule for rule in faults.rules if rule.kind is not Kind.CONNECTIONS]
        self._rules = [_FaultRule(rule, f"{seed}:{n}", tallies) for n, rule in enumerate(on_request)]
        self._limits = [
            _FaultRule(rule, "", tallies) for rule in faults.rules if rule.kind is Kind.CONNECTIONS
        ]
        self.idle = not self._rules

    def select(self, endpoint: ApiEndpoint, phone: str | None, now: float) -> FaultPlan | None:
        """The faults of one request; ``now`` is a monotonic clock in seconds, for rates. None: no fault."""
        plan: FaultPlan | None = None
        for rule in self._rules:
            fault = rule.fault
            is_outcome = fault.kind not in _DELAYS and fault.kind is not Kind.CLOSE
            if is_outcome and plan is not None and plan.outcome is not None:
                continue
            if not rule.hits(endpoint, phone, now):
                continue
            plan = plan or FaultPlan()
            plan.tallies.append(rule.tally)
            if fault.kind not in _COMMON:
                plan.names.append(rule.name)
            rule.tally.hit += 1
            if is_outcome:
                plan.outcome = fault
            elif fault.kind is Kind.CLOSE:
                plan.close = fault
            else:
                _delay(plan, fault, rule.draw(phone, salt="jitter"))
        return plan

    def refuse_connection(self, open_connections: int) -> InjectedFault | None:
        """The fault that turns away a new connection when so many are open, itself included."""
        for rule in self._limits:
            if open_connections > (rule.fault.value or 0):
                rule.tally.hit += 1
                rule.tally.not_texted += 1
                return rule.fault
        return None


def _delay(plan: FaultPlan, fault: InjectedFault, drawn: float) -> None:
    seconds = max(0.0, (fault.value or 0.0) + fault.jitter * (2 * drawn - 1))
    if fault.when is When.AFTER:
        plan.after += seconds
    else:
        plan.before += seconds
        plan.late = plan.late or fault.when is When.LATE


class _FaultRule:
    """A fault with what it has seen."""

    def __init__(self, fault: InjectedFault, key: str, tallies: dict[str, FaultTally]) -> None:
        self.fault, self.name, self._key = fault, str(fault), key
        self.tally = tallies.setdefault(self.name, FaultTally())
        self._seen = 0
        self._seen_of: Counter[str] = Counter()
        self._counts_phones = fault.p < 1 or fault.per_phone or fault.jitter > 0
        self._tokens, self._filled_at = max(1.0, fault.value or 0.0), 0.0

    def hits(self, endpoint: ApiEndpoint, phone: str | None, now: float) -> bool:
        fault = self.fault
        if fault.on is not ApiEndpoint.ALL and fault.on is not endpoint:
            return False
        if fault.ending and not (phone or "").endswith(fault.ending):
            return False
        self._seen += 1
        if self._counts_phones:
            self._seen_of[phone or ""] += 1
        nth = (self._seen_of[phone or ""] if fault.per_phone else self._seen) - fault.skip
        if nth < 1 or (fault.first is not None and nth > fault.first):
            return False
        if fault.every is not None and nth % fault.every:
            return False
        if fault.p < 1 and self.draw(phone) >= fault.p:
            return False
        return fault.kind is not Kind.RATE or not self._take_token(now)

    def draw(self, phone: str | None, salt: str = "") -> float:
        """A number in [0, 1) that depends on seed, fault, phone and how often that phone came."""
        who = f"{self._key}:{salt}:{phone}:{self._seen_of[phone or '']}"
        return int.from_bytes(hashlib.blake2b(who.encode(), digest_size=7).digest()) / 2**56

    def _take_token(self, now: float) -> bool:
        """A bucket of one second's requests, refilled all the time."""
        rate = self.fault.value or 1.0
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
