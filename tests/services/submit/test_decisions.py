"""Whom a run may text is decided by all of its source, and by what people had already, before anybody is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError, TooManyRejected
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.phones import LineType
from airflow_outreach_provider.core.row_minimum import RowMinimum
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.submit import backlog
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.store.ledger import held as ledger_held
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement

People = Callable[..., list[dict[str, object]]]
BAD = [{"phone": "nobody"}]


def limit(value: object) -> RejectLimit:
    return RejectLimit.parse(value)


@pytest.mark.slow
def test_bad_rows_at_the_end_of_a_source_are_known_before_the_first_text(api: Any, people: People) -> None:
    """More than ``max_rejected`` allows: nobody is texted, every row has a state, and a mended source is sent."""
    got = api.send([*people(900), *BAD * 100], max_rejected=limit("5%"))
    assert isinstance(got.error, TooManyRejected)
    assert "100 of 1,000" in str(got.error) and "nobody was texted" in str(got.error)
    assert api.texts() == {} and got.states == {"rejected": 100, "suppressed": 900}
    assert api.ledger() == {"suppressed": 900}
    assert api.send(people(900), max_rejected=limit("5%"), owner="mended").states == {"accepted": 900}
    api.nobody_twice()


def test_what_a_refused_source_listed_is_no_leftover(api: Any, people: People) -> None:
    """Who was in a refused list is not texted by the next run of the campaign because the ledger has them."""
    api.send([*people(20), *BAD * 20], max_rejected=limit("5%"))
    assert api.send(people(3, 100), owner="another").states == {"accepted": 3}
    assert len(api.texts()) == 3


@pytest.mark.parametrize("stage_only", [False, True])
def test_a_stopped_reading_ahead_leaves_nobody_to_be_sent(api: Any, people: People, stage_only: bool) -> None:
    """A source that breaks half way was not judged: nobody of it is texted, by nobody."""

    def broken() -> Any:
        yield from people(600)
        raise ConfigurationError("the file ends in the middle of a row")

    from airflow_outreach_provider.services.rows.open import read_list

    got = api.send([], source=read_list(broken()), max_rejected=limit("5%"), stage_only=stage_only)
    assert isinstance(got.error, ConfigurationError)
    assert api.send(people(1, 5_000), owner="another").states == {"accepted": 1}
    assert len(api.texts()) == 1


@pytest.mark.slow
def test_a_refused_change_texts_nobody_again_with_what_they_know(api: Any, people: People) -> None:
    """Garbled rows are refused; the mended ones are what everybody was texted with, and nobody is again."""
    rules = {"resubmit": "changed", "max_rejected": limit("5%")}
    api.send(people(30), **rules)
    garbled = [*people(30, title="Ã©"), *BAD * 10]
    assert isinstance(api.send(garbled, owner="two", **rules).error, TooManyRejected)
    assert api.ledger() == {"accepted": 30}
    assert api.send(people(30), owner="three", **rules).states == {"unchanged": 30}
    api.nobody_twice()
    changed = [{**row, "title": "new"} for row in people(30)]
    assert api.send(changed, owner="four", **rules).states == {"accepted": 30}
    assert set(api.texts().values()) == {2}


def test_a_change_that_is_taken_back_before_it_is_sent_texts_nobody(api: Any, people: People) -> None:
    """Planned with another value, and read again with the one that was texted: nothing is to be said."""
    api.send(people(5))
    changed = [{**row, "title": "new"} for row in people(5)]
    api.send(changed, resubmit="changed", stage_only=True, owner="stage")
    assert api.ledger() == {"planned": 5}
    assert api.send(people(5), resubmit="changed", owner="back").states == {"unchanged": 5}
    assert api.ledger() == {"accepted": 5}
    api.nobody_twice()


@pytest.mark.slow
def test_long_lists_are_kept_in_the_ledger_until_they_are_judged(
    api: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what is kept in memory a lead is read back, and who opted out in between is left out."""
    monkeypatch.setattr(backlog, "_KEPT", 100)
    got = api.send(people(700), max_rejected=limit("5%"))
    assert got.states == {"accepted": 700} and got.error is None
    assert len(api.texts()) == 700


@pytest.mark.slow
def test_rows_are_compared_with_the_last_run_of_the_dag(api: Any, people: People) -> None:
    """A first run has nothing to compare with and says so; half as many rows are enough, fewer are not."""
    half = {"min_rows": RowMinimum.parse("50% of last run")}
    first = api.send(people(100), **half)
    assert first.error is None and "to compare with" in first.tally.table()
    assert api.send(people(50, 200), attempt=2, **half).error is None
    assert api.send(people(25, 300), attempt=3, **half).error is None
    got = api.send(people(12, 400), attempt=4, **half)
    assert isinstance(got.error, TooManyRejected)
    assert "50% of last run" in str(got.error) and "25" in str(got.error) and "13" in str(got.error)
    assert len(api.texts()) == 175
    other = api.send(people(3, 400), owner="another DAG", **half)
    assert other.error is None and "another DAG" in other.tally.table()


@pytest.mark.slow
def test_each_of_mapped_tasks_is_compared_with_itself(api: Any, people: People) -> None:
    """Their lists have other sizes; one that shrinks is noticed although another's would do."""
    half = {"min_rows": RowMinimum.parse("50% of last run")}
    for index, size in enumerate((100, 10)):
        assert api.send(people(size, 1000 * index), map_index=index, **half).error is None
    assert api.send(people(10, 2000), map_index=1, attempt=2, **half).error is None
    got = api.send(people(20, 3000), map_index=0, attempt=2, **half)
    assert isinstance(got.error, TooManyRejected) and "of which 100 were read" in str(got.error)


def test_trials_and_dry_runs_and_failures_are_no_measure(sqlite_api: Any, people: People) -> None:
    """The last run is one that read all of its source, sent, and went well."""
    half = {"min_rows": RowMinimum.parse("50% of last run")}
    sqlite_api.send(people(100))
    sqlite_api.send(people(100, 200), max_rows=4, attempt=2)
    sqlite_api.send(people(2, 200), dry_run=True, attempt=3)
    sqlite_api.send([*people(1, 300), *BAD * 9], max_rejected=limit("5%"), attempt=4)
    assert isinstance(sqlite_api.send(people(49, 400), attempt=5, **half).error, TooManyRejected)
    assert sqlite_api.send(people(3, 400), max_rows=3, attempt=6, **half).error is None  # a trial of its own


def test_a_list_longer_than_what_is_looked_ahead_is_compared_too(
    sqlite_api: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows there must be, nobody is texted before they were counted."""
    from airflow_outreach_provider.services.submit import feed, judged

    monkeypatch.setattr(feed, "LOOK_AHEAD", 10)
    monkeypatch.setattr(judged, "LOOK_AHEAD", 10)
    assert isinstance(sqlite_api.send(people(99), min_rows=100).error, TooManyRejected)
    assert sqlite_api.texts() == {}
    assert sqlite_api.send(people(100), min_rows=100, attempt=2).error is None


def test_a_rule_that_lets_nobody_through_is_no_success(api: Any, people: People) -> None:
    """In North America all lines are fixed_line_or_mobile: ``mobile`` alone suppresses everybody, and says so."""
    mobile = {"line_types": frozenset({LineType.MOBILE})}
    got = api.send(people(20), max_suppressed=limit("50%"), **mobile)
    assert isinstance(got.error, TooManyRejected)
    assert "max_suppressed" in str(got.error) and "fixed_line_or_mobile" in str(got.error)
    silent = api.send(people(20), attempt=2, **mobile)
    assert silent.error is None and "fixed_line_or_mobile" in silent.tally.table()
    assert isinstance(
        api.send(people(20), max_suppressed=limit(19), dry_run=True, attempt=3, **mobile).error,
        TooManyRejected,
    )
    assert api.send(people(20), max_suppressed=limit(20), attempt=4, **mobile).error is None
    assert api.texts() == {}


def test_too_many_suppressed_are_known_before_the_first_text(api: Any, people: People) -> None:
    """Half of them have not agreed: nobody is texted."""
    rows = [*people(10, ok="yes"), *people(10, 50, ok="no")]
    got = api.send(rows, require_consent="ok", max_suppressed=limit("10%"))
    assert isinstance(got.error, TooManyRejected) and "no_consent 10" in str(got.error)
    assert api.texts() == {}


WEEK = {"per_person": PerPerson.parse("1 per 7d")}


@pytest.mark.slow
def test_a_person_is_texted_once_a_span_whatever_the_campaign(api: Any, people: People, at: Any) -> None:
    """The others wait with the time they may go out at, and the first run after it sends them."""
    api.store._clock = at()
    api.send(people(10), campaign="spring", now=at())
    api.store._clock = at(hours=1)
    got = api.send(people(12), campaign="summer", owner="two", now=at(hours=1), **WEEK)
    assert got.states == {"accepted": 2, "deferred": 10}
    waiting = [lead for lead in api.leads() if lead["state"] == "deferred"]
    assert {lead["reason"] for lead in waiting} == {"per_person"}
    week = round(timedelta(days=7).total_seconds() * 1000)
    assert {lead["not_before"] - week for lead in waiting} == {round(at()().timestamp() * 1000)}
    api.store._clock = at(hours=7 * 24 - 1)
    assert (
        api.send([], campaign="summer", owner="three", now=at(hours=7 * 24 - 1), **WEEK).tally.carried == {}
    )
    api.store._clock = at(hours=7 * 24 + 1)
    got = api.send([], campaign="summer", owner="four", now=at(hours=7 * 24 + 1), **WEEK)
    assert got.tally.carried == {"accepted": 10}
    assert got.error is None


def test_two_per_span_are_two(api: Any, people: People) -> None:
    """``2 per 7d``: the third campaign waits."""
    twice = {"per_person": PerPerson.parse("2 per 7d")}
    for number, campaign in enumerate(["a", "b", "c"]):
        got = api.send(people(5), campaign=campaign, owner=campaign, **twice)
        assert got.states == ({"accepted": 5} if number < 2 else {"deferred": 5})
    assert set(api.texts().values()) == {2}


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2])
def test_rows_of_one_run_for_several_campaigns_are_as_many_texts(api: Any, people: People, most: int) -> None:
    """Rows name their own configuration: of one person's three leads the first go out, as the plan says, whoever was staged before."""
    rule = {"per_person": PerPerson.parse(f"{most} per 7d"), "configuration_id": None}
    names = ("on", "two", "three")
    rows = [{**row, "configurationId": each} for row in people(20) for each in names]
    api.send([row for row in rows if row["configurationId"] == "three"], stage_only=True, owner="s", **rule)
    plan = api.send(rows, dry_run=True, owner="plan", **rule)
    assert plan.states == {"planned": 20 * most, "deferred": 60 - 20 * most}
    got = api.send(rows, **rule)
    assert got.states == {"accepted": 20 * most, "deferred": 60 - 20 * most} and got.error is None
    assert set(api.texts().values()) == {most} and len(api.texts()) == 20
    texted = {lead["campaign"] for lead in api.leads() if lead["state"] == "accepted"}
    assert texted == set(names[:most])


def test_what_is_sent_is_sent_in_the_order_of_the_rows(api: Any, people: People) -> None:
    """Whoever an earlier run planned stands where their row stands, so that ``max_people`` takes the first."""
    rows = people(12)
    api.send(rows[::-2], stage_only=True, owner="stage")
    api.send(rows, max_people=5, owner="some")
    assert set(api.texts()) == {row["phone"] for row in rows[:5]}


@pytest.mark.slow
def test_runs_at_once_do_not_both_text(api: Any, people: People) -> None:
    """Four campaigns send to the same people at the same moment: each person is texted once."""
    made = [api.make(people(60), campaign=name, owner=name, **WEEK) for name in "abcd"]
    from airflow_outreach_provider.services.submit.runner import run_to_the_end

    threads = [threading.Thread(target=run_to_the_end, args=(run,)) for run in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(api.texts()) == 60
    api.nobody_twice()
    assert api.ledger() == {"accepted": 60, "deferred": 180}


def test_held_counts_and_refused_does_not(api: Any, people: People) -> None:
    """Who may have been texted was; who certainly was not may be."""
    api.sim.set_faults("status=422", seed=1)
    api.send(people(3), campaign="refused")
    api.sim.set_faults("drop", seed=1)
    api.send(people(3, 50), campaign="held", owner="h", patience=0.1)
    api.sim.set_faults()
    held = api.ledger()["held"]
    assert held
    got = api.send(people(3), campaign="next", owner="b", **WEEK)
    assert got.states == {"accepted": 3}
    got = api.send(people(held, 50), campaign="next", owner="c", **WEEK)
    assert got.states == {"deferred": held}


def test_what_was_in_flight_when_a_task_died_counts_however_often_it_is_sent_again(
    api: Any, people: People, at: Any
) -> None:
    """``resend`` asks for a second text, ``per_person`` says when: after one that may have arrived, not before the span is over."""
    twice = PerPerson.parse("2 per 7d")
    rules = {"on_unknown": "resend", "per_person": twice, "campaign": "one"}
    api.send(people(1), stage_only=True, owner="stage", **rules)
    [lead] = api.leads()
    for number in range(3):  # the third finds that they had two
        api.store._clock = at(hours=number)
        dies = runs.start(
            api.store,
            Owner(f"o{number}"),
            campaign="one",
            source="",
            lease=timedelta(seconds=-1),
            resend=["one"],
        )
        assert Ledger(api.store, dies.run_id, twice).turn([], [lead["id"]]) == (
            {lead["id"]} if number < 2 else set()
        )
    api.store._clock = at(hours=5)
    plan = api.send([], dry_run=True, owner="plan", now=at(hours=5), **rules)
    assert plan.tally.carried == {"deferred": 1} and plan.tally.to_text == 0
    assert api.send([], owner="run", now=at(hours=5), **rules).error is None and api.texts() == {}
    assert [(each["state"], each["reason"]) for each in api.leads()] == [("deferred", "per_person")]
    lost = api.sql("SELECT at, outcome, reason FROM attempts ORDER BY id")
    starts = [round(at(hours=number)().timestamp() * 1000) for number in (0, 1)]
    assert list(map(tuple, lost)) == [(each, "unknown", "worker_died") for each in starts]
    api.store._clock = at(hours=7 * 24)
    assert api.send([], owner="later", now=at(hours=7 * 24), **rules).tally.carried == {"accepted": 1}


def test_an_answer_that_is_heard_after_all_is_of_the_same_text(api: Any, people: People, at: Any) -> None:
    """A run was given up, and hears what became of its lead: that was one text, not two."""
    week = PerPerson.parse("2 per 7d")
    api.send(people(1), stage_only=True, campaign="one", owner="stage")
    [lead] = [each["id"] for each in api.leads()]
    given_up = runs.start(api.store, Owner("o"), campaign="one", source="", lease=timedelta(hours=1)).run_id
    ledger = Ledger(api.store, given_up, week)
    assert ledger.turn([], [lead]) == {lead}
    runs.start(api.store, Owner("o"), campaign="one", source="", lease=timedelta(hours=1))
    answer = Settlement(lead, LeadState.ACCEPTED, "", "", "accepted", 202, 5)
    ledger.turn([answer], [])
    assert api.ledger() == {"accepted": 1}
    got = api.send(people(1), campaign="two", owner="two", per_person=week)
    assert got.states == {"accepted": 1}
    assert api.send(people(1), campaign="three", owner="three", per_person=week).states == {"deferred": 1}


def _held_and_found_out(api: Any, by: str) -> None:
    """Everybody is held who is in flight, and then known to have been texted."""
    [number] = [lead["id"] for lead in api.leads() if lead["state"] == "held"]
    if by == "a person":
        actions.resolve(api.store, [number], LeadState.ACCEPTED, actor="me")
        return
    [lead] = ledger_held.held_before(api.store, api.store.now() + timedelta(days=1), 10, "ours")
    found = ledger_held.Finding(number, lead.rev, LeadState.ACCEPTED, "found_in_contacts")
    ledger_held.apply(api.store, [found])


@pytest.mark.slow
@pytest.mark.parametrize("by", ["a person", "the contact list"])
@pytest.mark.parametrize("purged", [False, True])
def test_every_text_of_a_span_counts_however_it_was_found_out_and_whatever_was_purged(
    api: Any, people: People, at: Any, by: str, purged: bool
) -> None:
    """Three a year: the held one that was sent after all, one that was taken, the last; retention of weeks takes none away."""
    rules = {"campaign": "one", "resubmit": "changed", "per_person": PerPerson.parse("3 per 365d")}
    for number, text in enumerate("abcd"):
        clock = at(days=20 * number)
        api.store._clock = clock
        api.sim.set_faults(*(["drop"] if text == "a" else []), seed=1)
        got = api.send(people(1, note=text), owner=text, now=clock, conn_id="ours", patience=0.1, **rules)
        if text == "a":
            _held_and_found_out(api, by)
        elif text == "d":
            assert got.states == {"deferred": 1}
        else:
            assert got.states == {"accepted": 1}
        if purged:
            actions.purge(api.store, clock() + timedelta(days=10), actor="me")
    [waiting] = api.leads()
    year = timedelta(days=365) // timedelta(milliseconds=1)
    assert waiting["not_before"] - year - round(at()().timestamp() * 1000) < 1000


def test_a_plan_counts_nobody_who_has_had_their_texts(api: Any, people: People) -> None:
    """Rows and what earlier runs left: both by how often people were texted meanwhile."""
    api.send(people(4), campaign="next", stage_only=True, owner="stage")
    api.send(people(4), campaign="first", owner="first")
    plan = api.send(people(2, 50), campaign="next", dry_run=True, owner="plan", **WEEK)
    assert plan.tally.to_text == 2 and plan.tally.carried["deferred"] == 4
    got = api.send(people(2, 50), campaign="next", owner="run", **WEEK)
    assert len(api.texts()) == 6 and got.error is None
    api.nobody_twice()


def test_only_columns_that_count_are_news(api: Any, people: People) -> None:
    """``changed_on``: another note texts nobody, another status everybody; a column nobody has is an error."""
    rules = {"resubmit": "changed", "changed_on": frozenset({"status"})}
    api.send(people(4, status="new", note="a"), **rules)
    assert api.send(people(4, note="b", status=" new"), owner="2", **rules).states == {"unchanged": 4}
    assert api.send(people(4, status="old", note="b"), owner="3", **rules).states == {"accepted": 4}
    got = api.send(people(4, status="x"), owner="4", resubmit="changed", changed_on=frozenset({"statos"}))
    assert isinstance(got.error, ConfigurationError)
    assert "'statos'" in str(got.error) and "did you mean 'status'" in str(got.error)


def test_another_choice_of_columns_texts_nobody_again(api: Any, people: People) -> None:
    """What was remembered of other columns cannot be compared; from then on it can."""
    rows = people(4, status="new", note="a")
    api.send(rows)
    for number, columns in enumerate((frozenset({"status"}), frozenset({"note"}), None)):
        got = api.send(rows, owner=f"o{number}", resubmit="changed", changed_on=columns)
        assert got.states == {"unchanged": 4}
    rows = people(4, status="new", note="b")
    assert api.send(rows, owner="last", resubmit="changed").states == {"accepted": 4}


def test_a_text_to_a_former_writing_of_a_line_counts(sqlite_api: Any, people: People) -> None:
    """What is in the ledger from before a country gave a writing up was sent to the same person."""
    sqlite_api.send([{"phone": "+525512345678"}], campaign="old")
    sqlite_api.sql("UPDATE leads SET phone = '+5215512345678'")
    got = sqlite_api.send([{"phone": "+52 55 1234 5678"}], campaign="new", owner="b", **WEEK)
    assert got.states == {"deferred": 1}


def test_a_run_that_is_killed_while_it_reads_leaves_nobody_to_others(api: Any, people: People) -> None:
    """Its list was not judged: when its lease is over, the next run of the campaign finds nobody of it."""
    from airflow_outreach_provider.store.ledger.staging import Entry

    run = runs.start(
        api.store, Owner("killed"), campaign="on", source="", lease=timedelta(seconds=-1), withheld=True
    ).run_id
    entry = Entry("on", "+14165550100", None, None, LeadState.PLANNED, "", "", "{}", None, 1, None)
    Ledger(api.store, run).stage([entry])
    assert api.send(people(1), owner="next").tally.carried == {}
    [lead] = [each for each in api.leads() if each["phone"] == "+14165550100"]
    assert (lead["state"], lead["reason"], lead["payload"]) == ("suppressed", "batch_refused", None)
    assert api.send([{"phone": "+14165550100"}], owner="lists it").states == {"accepted": 1}
