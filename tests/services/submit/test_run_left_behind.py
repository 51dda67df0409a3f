"""A run that stood still, was superseded or lost its connection, and goes on: it texts and plans nobody any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import OutreachUnavailable, StoreError
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services.submit import ledger_turns, senders
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.reconcile import absent_after
from airflow_outreach_provider.store.ledger import held
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import StagingLedger

People = Callable[..., list[dict[str, object]]]
HOUR = timedelta(hours=1)


def in_another_process(work: Callable[[], None]) -> None:
    """As far as a thread can play it, while this one stands still."""
    with ThreadPoolExecutor(1) as other:
        other.submit(work).result()


@pytest.mark.slow
@pytest.mark.parametrize("lease", [timedelta(seconds=300), HOUR], ids=str)
@pytest.mark.parametrize("heard", [True, False], ids=["claim heard of", "claim not heard of"])
def test_who_stands_still_between_claim_and_text_texts_nobody_whom_others_may_have_texted(
    api: Any, people: People, monkeypatch: pytest.MonkeyPatch, lease: timedelta, heard: bool
) -> None:
    """Long enough for the next try to find out that nobody was reached, and to text them; however long the lease."""
    rows, frozen, turn = people(1), [0.0], Ledger.turn
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + frozen[0])
    monkeypatch.setattr(senders, "time", clock)
    monkeypatch.setattr(ledger_turns, "time", clock)
    stands_still = absent_after(30).total_seconds()

    def others_text() -> None:
        assert api.send(rows, attempt=2).states == {"held": 1}
        ids = [lead["id"] for lead in api.leads()]
        held.settle(api.store, ids, LeadState.PLANNED, actor="the contact list", subject="")
        assert api.send(rows, attempt=3).states == {"accepted": 1}

    def claims_and_stands_still(self: Ledger, settlements: Any, claim: Any) -> set[int]:
        claimed = turn(self, settlements, claim)
        if claimed and not frozen[0] and not heard:
            frozen[0] = stands_still
            in_another_process(others_text)
        return claimed

    fly = senders.Senders.send

    def sends_and_stands_still(self: senders.Senders, *given: Any) -> None:
        fly(self, *given)
        if not frozen[0] and heard:
            frozen[0] = stands_still
            monkeypatch.setattr(senders.Senders, "send", fly)
            in_another_process(others_text)

    monkeypatch.setattr(Ledger, "turn", claims_and_stands_still)
    monkeypatch.setattr(senders.Senders, "send", sends_and_stands_still)
    got = api.send(rows, lease=lease)
    assert isinstance(got.error, OutreachUnavailable)
    api.nobody_twice()
    assert api.ledger() == {"accepted": 1}


def test_what_a_superseded_try_reads_on_is_nobodys_to_text(
    api: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tries' list is refused; a chunk that the first one stages after the second one's end is no leftover."""
    rows = [*people(10), *({"phone": "nonsense", "firstName": str(n)} for n in range(10))]
    limit, stage, second = RejectLimit(0.05, None), StagingLedger.stage, list[Any]()

    def stages_late(self: StagingLedger, *given: Any) -> Any:
        if not second:
            second.append(None)
            second[0] = api.send(rows, attempt=2, max_rejected=limit)
        return stage(self, *given)

    monkeypatch.setattr(StagingLedger, "stage", stages_late)
    api.send(rows, max_rejected=limit)
    monkeypatch.undo()
    assert second[0].states == {"rejected": 10, "suppressed": 10}
    assert api.ledger() == {"suppressed": 10}
    assert api.send(people(1, 500), owner="tomorrow").states == {"accepted": 1}
    assert list(api.texts()) == [people(1, 500)[0]["phone"]]


@pytest.mark.slow
def test_a_settlement_that_comes_late_frees_nobody_who_is_in_flight(
    api: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection was cut while it was under way: the database may take it after it was written once more."""
    api.sim.set_faults("status=503,first=1", "latency=0.2")
    turn, late, other = Ledger.turn, list[list[Settlement]](), list[Any]()

    def cut(self: Ledger, settlements: Any, claim: Any) -> set[int]:
        if settlements and not late:
            late.append(settlements)
            raise StoreError("the connection was cut")
        claimed = turn(self, settlements, claim)
        if claimed and late:
            turn(self, late[0], [])
            monkeypatch.undo()
            other.append(api.send(people(1), owner="other"))
        return claimed

    monkeypatch.setattr(Ledger, "turn", cut)
    got = api.send(people(1))
    monkeypatch.undo()
    assert (got.states, other) == ({"planned": 1}, [])
    assert isinstance(got.error, OutreachUnavailable)
    assert api.send(people(1), attempt=2).states == {"accepted": 1}
    api.nobody_twice()
