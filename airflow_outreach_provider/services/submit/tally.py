"""Counting rows by what became of them, with a few masked examples of each reason."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from airflow_outreach_provider.core.flight import PlannedLead
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.redaction import hinted_payload
from airflow_outreach_provider.core.states import RowState

_EXAMPLES = 3
_RUNS = 20  # named in a table
_64_BITS = (1 << 64) - 1


@dataclass(slots=True)
class Tally:
    """Rows of one run. ``read`` equals the sum of ``counts`` whenever no row is in between.

    :param carried: leads sent that this run's source did not list: left over by earlier runs, or deferred.
    :param left_by: those of them that a dry run would send, by the run that left them.
    :param campaigns: that its leads are of. :param first: of a dry run, the first leads that a run would send: whose, and the payload by field, all masked.
    :param notes: what else a person should know of the run, in sentences.
    """

    read: int = 0
    counts: Counter[RowState] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    carried: Counter[str] = field(default_factory=Counter)
    left_by: Counter[str] = field(default_factory=Counter)
    campaigns: set[str] = field(default_factory=set)
    first: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, state: RowState, reason: str = "", example: str | None = None, *, times: int = 1) -> None:
        """Count one row, or as many that ended alike."""
        self.counts[state] += times
        if reason:
            key = (state.value, reason)
            self.reasons[key] += times
            if example is not None:
                shown = self.examples.setdefault(key, [])
                if len(shown) < _EXAMPLES:
                    shown.append(example)

    def count(self, lead: PlannedLead, state: RowState, reason: str = "") -> None:
        """Count what became of a lead, whoever listed it."""
        if lead.carried:
            self.carried[state.value] += 1
        else:
            self.add(state, reason, f"line {lead.line} {mask_phone(lead.phone)}" if reason else None)

    def would_send(self, lead: PlannedLead) -> None:
        """Count a lead that a dry run does not send, and keep the first as they would be sent."""
        self.add(RowState.PLANNED, "would_be_sent", f"line {lead.line} {mask_phone(lead.phone)}")
        self.show(f"line {lead.line}", lead.body)

    def take_back(self, leads: int, reason: str) -> None:
        """Count leads of a dry run that, by a later row of theirs, a run would not send after all."""
        if leads:
            self.add(RowState.PLANNED, "would_be_sent", times=-leads)
            self.add(RowState.SUPPRESSED, reason, times=leads)

    def show(self, whose: str, body: bytes) -> None:
        """Keep a payload, masked, if it is among the first."""
        if len(self.first) < _EXAMPLES:
            self.first.append((whose, hinted_payload(body)))

    def by_state(self) -> dict[str, int]:
        """Rows by state, every state named, zeros included."""
        return {state.value: self.counts[state] for state in RowState}

    @property
    def considered(self) -> int:
        """Rows that are for this sync: all that were read but those which ``where`` turned away."""
        return self.read - self.counts[RowState.FILTERED]

    @property
    def to_text(self) -> int:
        """People still to be texted, whoever listed them: in a dry run, all that a run would text."""
        return self.counts[RowState.PLANNED] + self.carried[RowState.PLANNED.value]

    def by_run(self) -> dict[str, int]:
        """Whom a dry run would send to and its source does not list, by the run that left them, the largest first."""
        return {run or "a run no longer known": number for run, number in self.left_by.most_common()}

    def by_reason(self) -> dict[str, int]:
        """Rows by ``state/reason``."""
        named = {f"{state}/{reason}": n for (state, reason), n in self.reasons.most_common()}
        return named | {f"carried/{state}": n for state, n in self.carried.items()}

    def table(self) -> str:
        """States with their most frequent reasons and masked examples, for the log."""
        lines = [f"{'rows read':<12}{self.read:>10,}"]
        for state in RowState:
            count = self.counts[state]
            if not count:
                continue
            lines.append(f"{state.value:<12}{count:>10,}")
            reasons = [(r, n) for (s, r), n in self.reasons.most_common() if s == state.value]
            for reason, number in reasons[:5]:
                shown = "; ".join(self.examples.get((state.value, reason), ()))
                lines.append(f"  {reason:<32}{number:>8,}" + (f"   e.g. {shown}" if shown else ""))
            if len(reasons) > 5:
                lines.append(f"  … and {len(reasons) - 5} more reasons")
        for state_name, number in self.carried.items():
            lines.append(f"left by earlier runs, now {state_name}: {number:,}")
        left = list(self.by_run().items())
        lines += [f"  of {run}: {number:,}" for run, number in left[:_RUNS]]
        if len(left) > _RUNS:
            lines.append(f"  of {len(left) - _RUNS} more runs: {sum(n for _, n in left[_RUNS:]):,}")
        lines += self.notes
        return "\n".join(lines)


class SeenHashes:
    """Which keys a run has met: 8 bytes each in a table at most half full, where a set of keys takes some 200.

    Two of a million keys share their 64 bits about once in forty million runs.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._count = 0

    def add(self, key: Hashable) -> bool:
        """Remember a key. :return: whether it was new."""
        if not self._put(hash(key) & _64_BITS or 1):
            return False
        self._count += 1
        if 2 * self._count > len(self._slots):
            old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for value in filter(None, old):
                self._put(value)
        return True

    def __contains__(self, key: Hashable) -> bool:
        value = hash(key) & _64_BITS or 1
        return self._slots[self._slot_of(value)] == value

    def _put(self, value: int) -> bool:
        slot = self._slot_of(value)
        if self._slots[slot] == value:
            return False
        self._slots[slot] = value
        return True

    def _slot_of(self, value: int) -> int:
        slots, mask = self._slots, len(self._slots) - 1
        slot = value & mask
        while slots[slot] not in (0, value):
            slot = (slot + 1) & mask
        return slot


class SeenIds:
    """Which lead ids a run has met: one bit each, so that a million rows cost a few hundred kilobytes."""

    _PAGE = 1 << 15

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, lead_id: int) -> bool:
        """Remember an id. :return: whether it was new."""
        page_number, offset = divmod(lead_id, self._PAGE)
        page = self._pages.get(page_number)
        if page is None:
            page = self._pages[page_number] = bytearray(self._PAGE // 8)
        index, bit = offset >> 3, 1 << (offset & 7)
        if page[index] & bit:
            return False
        page[index] |= bit
        return True

    def __contains__(self, lead_id: int) -> bool:
        page_number, offset = divmod(lead_id, self._PAGE)
        page = self._pages.get(page_number)
        return page is not None and bool(page[offset >> 3] & (1 << (offset & 7)))
