"""``unique: email``: one text for an address, whatever numbers were left with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.store.ledger.staging import StagingLedger

People = Callable[..., list[dict[str, object]]]


def one(number: int, email: str, **more: object) -> dict[str, object]:
    return {"phone": f"+1416{2_000_000 + number}", "email": email, **more}


@pytest.mark.slow
def test_of_two_numbers_with_one_address_the_first_is_texted(api: Any) -> None:
    """In one list, in a later one, in a retry, and in a dry run; without the rule both are."""
    rows = [one(1, "Ada@x.com"), one(2, "ada@x.com "), one(3, "grace@x.com"), one(4, "")]
    dry = api.send(rows, unique_email=True, dry_run=True)
    assert dry.states == {"planned": 3, "duplicate": 1}
    for owner, states in (
        ("first", {"accepted": 3, "duplicate": 1}),
        ("again", {"unchanged": 3, "duplicate": 1}),
    ):
        got = api.send(rows, unique_email=True, owner=owner)
        assert got.states == states and got.tally.by_reason()["duplicate/same_address"] == 1
    assert api.send([one(5, "ada@x.com"), one(6, "ADA@x.com")], unique_email=True, owner="later").states == {
        "duplicate": 2
    }
    assert api.send([one(5, "ada@x.com")], owner="without").states == {"accepted": 1}
    assert api.send([one(1, "ada@x.com")], unique_email=True, campaign="other").states == {"accepted": 1}


@pytest.mark.slow
def test_many_chunks_keep_one_of_each_address(api: Any) -> None:
    """Ten numbers an address, far apart in the list."""
    rows = [one(n, f"p{n % 150}@x.com") for n in range(1_500)]
    assert api.send(rows, unique_email=True).states == {"accepted": 150, "duplicate": 1_350}
    assert len(api.texts()) == 150


def test_who_may_not_be_texted_takes_no_address(sqlite_api: Any) -> None:
    """A row without consent leaves the address to the next number."""
    rows = [one(1, "ada@x.com", ok="no"), one(2, "ada@x.com", ok="yes")]
    got = sqlite_api.send(rows, unique_email=True, require_consent="ok")
    assert got.states == {"suppressed": 1, "accepted": 1}


def test_a_waiting_lead_with_an_address_that_was_texted_waits_no_more(sqlite_api: Any) -> None:
    """It was planned without the rule: read again, it is suppressed, and no later run sends it."""
    sqlite_api.send([one(1, "ada@x.com")], owner="text")
    sqlite_api.send([one(2, "ada@x.com")], stage_only=True, owner="stage")
    got = sqlite_api.send([one(2, "ada@x.com")], unique_email=True, owner="again")
    assert got.states == {"duplicate": 1} and sqlite_api.ledger() == {"accepted": 1, "suppressed": 1}
    assert len(sqlite_api.texts()) == 1


@pytest.mark.parametrize("consent", [None, "opt_in"])
def test_two_tasks_at_once_text_an_address_once(
    api: Any, monkeypatch: pytest.MonkeyPatch, consent: str | None
) -> None:
    """The other one writes its number after this one looked whose address it is, and before it writes its own."""
    sharing, other = StagingLedger.sharing, list[Any]()

    def then_the_other(self: StagingLedger, *given: Any) -> set[int]:
        found = sharing(self, *given)
        if not other:
            other.append(None)
            row = one(2, "ada@x.com", opt_in="yes")
            other[0] = api.send([row], unique_email=True, owner="other", require_consent=consent)
        return found

    monkeypatch.setattr(StagingLedger, "sharing", then_the_other)
    rows = [one(1, "ada@x.com", opt_in="yes"), one(3, "grace@x.com", opt_in="yes")]
    got = api.send(rows, unique_email=True, require_consent=consent)
    assert other[0].states == {"accepted": 1}
    assert got.states == {"accepted": 1, "duplicate": 1}
    assert len(api.texts()) == 2


def test_who_was_texted_before_the_rule_may_be_again_by_it(api: Any) -> None:
    """Two numbers of one address were texted without it: a changed row of either is no other person's now."""
    api.send([one(1, "ada@x.com"), one(2, "ada@x.com")])
    changed = [one(1, "ada@x.com", firstName="Ada")]
    got = api.send(changed, unique_email=True, resubmit="changed", owner="later")
    assert got.states == {"accepted": 1}
