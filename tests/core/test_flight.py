"""Where each lead of a run is: in exactly one place, whatever happens in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from strategies import examples

from airflow_outreach_provider.core.flight import Flight, PlannedLead
from airflow_outreach_provider.core.outcomes import Fault, SubmitAnswer, SubmitOutcome, classify_fault


def answer(outcome: SubmitOutcome) -> SubmitAnswer:
    return classify_fault(Fault.NOT_SENT)._replace(outcome=outcome)


class Flights(RuleBasedStateMachine):
    """Leads are added, taken, claimed or not, answered, doubted, written or not, closed, cut off."""

    @initialize(window=st.integers(1, 9), apart=st.booleans())
    def begin(self, window: int, apart: bool) -> None:
        self.flight, self.apart = Flight(window, apart=apart), apart
        self.window = window
        self.added = 0
        self.gone: list[int] = []

    def places(self) -> dict[str, list[int]]:
        flight = self.flight
        return {
            "ready": [lead.id for lead in flight.ready],
            "later": [lead.id for _, _, lead in flight.later],
            "claiming": list(flight.claiming),
            "flying": list(flight.flying),
            "answered": [lead.id for lead, _ in flight.answered],
            "doubtful": list(flight.doubtful),
            "settling": [lead.id for lead, _ in flight.settling],
            "gone": self.gone,
        }

    @rule(count=st.integers(0, 6))
    def add(self, count: int) -> None:
        self.flight.add(PlannedLead(self.added + n, b"", n, f"+1416555010{n % 3}") for n in range(count))
        self.added += count

    @precondition(lambda self: not self.flight.claiming and not self.flight.settling)
    @rule(count=st.integers(0, 6), answers=st.booleans())
    def begin_turn(self, count: int, answers: bool) -> None:
        before = list(self.flight.ready)
        taken = self.flight.take(count)
        firsts = (
            list({lead.phone: lead for lead in reversed(before)}.values())[::-1] if self.apart else before
        )
        assert taken == sorted(firsts, key=before.index)[:count], (
            "in order, and a person's one after the other"
        )
        assert list(self.flight.ready) == [lead for lead in before if lead not in taken]
        if answers:
            self.flight.take_answered()

    @precondition(lambda self: self.flight.claiming)
    @rule(data=st.data())
    def end_claim(self, data: st.DataObject) -> None:
        taken = list(self.flight.claiming.values())
        fates = [data.draw(st.sampled_from(["fly", "back", "drop", "again"])) for _ in taken]
        back = [lead for lead, fate in zip(taken, fates, strict=True) if fate == "back"]
        self.flight.put_back(back)
        assert [lead.id for lead in self.flight.ready][: len(back)] == [lead.id for lead in back], (
            "to the front"
        )
        for lead, fate in zip(taken, fates, strict=True):
            if fate == "fly":
                self.flight.fly(lead, 1.0)
            elif fate in ("drop", "again"):
                self.flight.drop([lead])
                if fate == "again":
                    self.flight.again(lead)
                else:
                    self.gone.append(lead.id)

    @precondition(lambda self: self.flight.outbox)
    @rule()
    def pick_up(self) -> None:
        assert self.flight.outbox.popleft().id in self.flight.flying

    @precondition(lambda self: set(self.flight.flying) - {lead.id for lead in self.flight.outbox})
    @rule(data=st.data(), outcome=st.sampled_from(SubmitOutcome), doubtful=st.booleans())
    def land(self, data: st.DataObject, outcome: SubmitOutcome, doubtful: bool) -> None:
        waiting = sorted(set(self.flight.flying) - {lead.id for lead in self.flight.outbox})
        lead = self.flight.flying[data.draw(st.sampled_from(waiting))]
        assert self.flight.land(lead)
        (self.flight.doubt if doubtful else self.flight.answer)(lead, answer(outcome))
        assert not self.flight.land(lead), "a second answer counts for nothing"

    @precondition(lambda self: self.flight.doubtful)
    @rule(data=st.data(), rejected=st.booleans())
    def clear_up(self, data: st.DataObject, rejected: bool) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.flight.doubtful)), unique=True))
        self.flight.clear_up(ids, SubmitOutcome.REJECTED if rejected else None)
        if rejected and ids:
            assert self.flight.answered[-1][1].outcome is SubmitOutcome.REJECTED

    @precondition(lambda self: self.flight.settling)
    @rule(written=st.booleans(), again=st.booleans(), at=st.sampled_from([0.0, 1.0, 2.0, 3.0]))
    def end_settling(self, written: bool, again: bool, at: float) -> None:
        batch = list(self.flight.settling)
        if not written:
            self.flight.unwritten()
            return
        self.flight.written()
        for lead, _ in batch:
            if again:
                lead.again_at = at
                self.flight.again(lead)
            else:
                self.gone.append(lead.id)

    @rule(now=st.sampled_from([0.5, 1.0, 2.5, 3.0]))
    def time_passes(self, now: float) -> None:
        wait = self.flight.due(now)
        times = [at for at, _, _ in self.flight.later]
        assert all(at > now for at in times), "whose time has come is ready"
        assert wait == (min(times) - now if times else 0.0)

    @precondition(lambda self: self.flight.ready)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        ids = set(data.draw(st.lists(st.integers(0, max(0, self.added - 1)))))
        self.gone += [lead.id for lead in self.flight.close(ids)]
        assert not ids & {lead.id for lead in self.flight.ready}

    @rule()
    def cut_off(self) -> None:
        left = [*self.flight.empty_unclaimed(), *self.flight.empty_claimed()]
        self.gone += [lead.id for lead in left]
        assert len(self.gone) == self.added and not self.flight.in_flight and not self.flight.outbox

    @invariant()
    def each_in_exactly_one_place(self) -> None:
        everywhere = [lead_id for ids in self.places().values() for lead_id in ids]
        assert sorted(everywhere) == list(range(self.added))

    @invariant()
    def the_numbers_are_those_of_the_places(self) -> None:
        flight, places = self.flight, self.places()
        assert flight.open == sum(len(places[name]) for name in ("flying", "answered", "doubtful"))
        assert flight.in_flight == flight.open + len(places["settling"])
        assert {lead.id for lead in flight.outbox} <= set(flight.flying)
        assert 1 <= flight.group <= max(1, self.window // 2)
        assert flight.unsent == bool(places["ready"] or places["later"])
        assert flight.quiet == (not places["flying"] and not places["answered"])


TestFlight = pytest.mark.slow(Flights.TestCase)
TestFlight.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)
