"""A row that says no is heard wherever it stands, and whatever else becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.submit import backlog, feed, leftovers, run
from airflow_outreach_provider.services.submit.limits import RejectLimit

People = Callable[..., list[dict[str, object]]]
NO, YES = {"Opted Out": "yes"}, {"Opted Out": "no"}
JUDGED = {"max_rejected": RejectLimit.parse("5%")}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("between", [3, 600])
def test_of_two_rows_of_a_person_the_one_that_says_no_counts(
    api: Any, people: People, where: str, between: int
) -> None:
    """Nobody knows which is the newer. Once a list is judged first it may stand far away; read again, nothing is otherwise."""
    others, [person] = people(between, 10), people(1)
    rows = [person, *others, person | NO, person][:: -1 if where == "before" else 1]
    got = api.send(rows, **JUDGED)
    assert got.states == {"accepted": between, "suppressed": 1, "duplicate": 2}
    assert got.tally.by_reason()["suppressed/row_says_no"] == 1
    assert person["phone"] not in api.texts() and len(api.texts()) == between
    again = api.send(rows, owner="again", **JUDGED)
    assert again.states == {"unchanged": between, "suppressed": 1, "duplicate": 2}
    assert len(api.texts()) == between
    assert api.send([person], owner="taken back", **JUDGED).states == {"accepted": 1}


def test_a_dry_run_counts_it_alike(sqlite_api: Any, people: People) -> None:
    """And withdraws nobody."""
    [person] = people(1)
    sqlite_api.send([person], stage_only=True)
    got = sqlite_api.send([person, person | NO], dry_run=True)
    assert got.states == {"suppressed": 1, "duplicate": 1}
    assert sqlite_api.ledger() == {"planned": 1}


@pytest.mark.slow
@pytest.mark.parametrize("title", ["Nurse", "left"])
def test_a_dry_run_tells_whom_a_far_later_row_takes_back(sqlite_api: Any, people: People, title: str) -> None:
    """A list that is judged first sends nothing to who says no below, also in a row that ``where`` turns away; nor does its plan."""
    asked = {"where": "title == 'Nurse'", **JUDGED}
    rows = people(300, title="Nurse")
    rows += [{**rows[0], "title": title, **NO}, {**rows[0], "title": title, **NO}, rows[0]]
    plan = sqlite_api.send(rows, dry_run=True, owner="plan", **asked).tally
    sent = sqlite_api.send(rows, owner="run", **asked)
    assert plan.to_text == sent.states["accepted"] == len(sqlite_api.texts()) == 299
    told = {reason: n for reason, n in plan.by_reason().items() if reason != "planned/would_be_sent"}
    assert told == sent.tally.by_reason()
    assert told["suppressed/row_says_no"] == (1 if title == "Nurse" else 2)


@pytest.mark.parametrize("resend", [False, True])
def test_a_dry_run_counts_nobody_whom_a_row_of_another_sync_withdraws(
    sqlite_api: Any, people: People, resend: bool
) -> None:
    """They wait, or are held, since an earlier run; ``where`` turns their row away, and it says no."""
    waits, other = people(2, title="Nurse")
    if resend:
        sqlite_api.sim.set_faults("drop,when=before")
    sqlite_api.send([waits, other], stage_only=not resend)
    sqlite_api.sim.set_faults()
    asked = {"where": "title == 'Nurse'", "on_unknown": "resend" if resend else "hold"}
    rows = [{**waits, "title": "left", **NO}]
    assert sqlite_api.send(rows, dry_run=True, owner="plan", **asked).tally.to_text == 1
    sqlite_api.send(rows, owner="run", **asked)
    assert list(sqlite_api.texts()) == [other["phone"]]


@pytest.mark.parametrize("phone", ["+541123456789", "+5491123456789"])
def test_who_waits_is_withdrawn_by_a_row_that_is_not_for_this_sync(
    api: Any, people: People, phone: str
) -> None:
    """``where`` turns it away, in another number of the line; the person was planned, or put off, by an earlier run."""
    rows = [{"phone": "+5491123456789", "title": "Nurse"}, *people(2, title="Nurse")]
    api.send(rows, stage_only=True)
    gone = [{"phone": phone, "title": "left", **NO}, {"phone": "+14162000000", "title": "left", **YES}]
    got = api.send(
        [*gone, {"phone": "nobody", "title": "left", **NO}], where="title == 'Nurse'", owner="later"
    )
    assert got.states == {"filtered": 3}
    assert sorted(api.texts()) == ["+14162000000", "+14162000001"]
    [lead] = [each for each in api.leads() if each["state"] == "suppressed"]
    assert (lead["phone"], lead["reason"], lead["payload"]) == ("+5491123456789", "row_says_no", None)
    assert "Opted Out" in lead["detail"]


def test_who_is_held_is_not_sent_again_once_their_row_says_no(api: Any, people: People) -> None:
    """Neither by a person nor by the contact list: nothing is left to be sent."""
    [person, other] = people(2)
    api.sim.set_faults("drop,when=before")
    api.send([person, other])
    api.sim.set_faults()
    assert api.send([person | NO, other | YES], owner="later").states == {"held": 2}
    ids = {each["phone"]: each["id"] for each in api.leads()}
    actions.resolve(api.store, list(ids.values()), LeadState.PLANNED, actor="me")
    api.send(people(1, 5), owner="last")
    assert sorted(api.texts()) == [other["phone"], "+14162000005"]
    assert api.ledger() == {"accepted": 2, "held": 1}


@pytest.mark.slow
def test_syncs_of_one_campaign_at_once_text_nobody_whose_row_says_no(api: Any, people: People) -> None:
    """One list's no may be read before the other's yes of the same person, and in another chunk than its own."""
    everybody, ends = people(400), []
    refused = {row["phone"] for row in Random(0).sample(everybody, 80)}

    def sync(number: int) -> None:
        chance = Random(number)
        rows = [row | YES | {"ours": chance.choice(["yes", "no"])} for row in everybody]
        rows += [
            row | NO | {"ours": chance.choice(["yes", "no"])} for row in everybody if row["phone"] in refused
        ]
        chance.shuffle(rows)
        ends.append(api.send(rows, where="ours == 'yes'", owner=f"sync {number}", **JUDGED).error)

    threads = [Thread(target=sync, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ends == [None] * 4
    api.nobody_twice()
    assert api.texts() and not refused.intersection(api.texts())


CAMPAIGNS = count()
ROWS = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=20)


@pytest.mark.slow
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, earlier=st.sets(st.integers(0, 5)), size=st.sampled_from([1, 3, 256]))
def test_nobody_is_texted_whose_row_says_no(
    sqlite_api: Any, people: People, rows: list[tuple[int, bool, bool]], earlier: set[int], size: int
) -> None:
    """Whatever the order of a judged list's rows, whichever are for the sync, whoever waits, and however few are read at a
    time; all others of it are texted once."""
    everybody, campaign = people(6), f"c{next(CAMPAIGNS)}"
    sqlite_api.send([everybody[each] for each in earlier], stage_only=True, campaign=campaign, **JUDGED)
    before = sqlite_api.texts()
    given_rows = [
        everybody[each] | (NO if no else YES) | {"ours": "yes" if ours else "no"} for each, no, ours in rows
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module in (backlog, feed, leftovers, run):
            patch.setattr(module, "CHUNK", size)
        where = "ours == 'yes'" if rows else None
        sqlite_api.send(given_rows, where=where, campaign=campaign, owner="later", **JUDGED)
    refused = {each for each, no, _ in rows if no}
    meant = ({each for each, _, ours in rows if ours} | earlier) - refused
    texted = {phone: n - before.get(phone, 0) for phone, n in sqlite_api.texts().items()}
    assert {phone: n for phone, n in texted.items() if n} == {everybody[each]["phone"]: 1 for each in meant}


@pytest.mark.slow
def test_who_is_in_flight_is_not_sent_again_once_their_row_says_no(api: Any, people: People) -> None:
    """The API has no time for them just then: the run that tried has them wait no longer, and neither does a later one."""
    [person, other] = people(2)
    api.sim.set_faults("latency=1.5", "status=429,retry_after=1")
    ends: list[Any] = []
    sending = Thread(target=lambda: ends.append(api.send([person, other], owner="first")))
    sending.start()
    deadline = monotonic() + 20
    while api.ledger() != {"sending": 2}:
        assert monotonic() < deadline
        sleep(0.02)
    got = api.send([person | NO, other | YES], owner="second")
    assert got.states == {"elsewhere": 2}
    api.sim.set_faults()
    sending.join()
    assert ends[0].error is None
    assert list(api.texts()) == [other["phone"]]
    [lead] = [each for each in api.leads() if each["phone"] == person["phone"]]
    assert (lead["state"], lead["reason"], lead["payload"]) == ("suppressed", "row_says_no", None)
    assert "Opted Out" in lead["detail"]
