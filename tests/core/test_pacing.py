"""How many requests are in flight, how many leads may be in doubt, and when a batch hands over."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.pacing import Doubts, Pace, again_after

EVENTS = st.lists(
    st.sampled_from(
        ["good", "good", "good", "unknown", "refused", "refused_wait", "send", "send", "tick", "slow"]
    ),
    max_size=300,
)


@given(st.integers(1, 70), EVENTS)
def test_doubt_and_flight_together_never_exceed_the_window(window: int, events: list[str]) -> None:
    """Law: at every moment the leads in doubt and the requests in flight fit into the window."""
    pace, flying, now = Pace(window), 0, 0.0
    for event in events:
        now += 0.01
        if event == "send":
            flying += pace.room(flying, now)
        elif event == "tick":
            now += 1.0
        elif flying:
            flying -= 1
            if event == "good":
                pace.good(now, 20)
            elif event == "slow":
                pace.good(now, 5000)
            elif event == "unknown":
                pace.unknown(now)
            else:
                pace.refused(now, 0.5 if event == "refused_wait" else None)
        assert pace.doubt + flying <= window
        assert 1.0 <= pace.limit <= max(1.0, window)
        assert pace.room(flying, now) >= 0


@given(st.integers(1, 100))
def test_a_run_of_unknown_answers_stops_within_a_window(window: int) -> None:
    """Law: with nothing but unknown answers, exactly a window of leads is in doubt when the batch stops."""
    pace, sent, now = Pace(window), 0, 0.0
    while not pace.exhausted():
        now += 1.0
        burst = pace.room(0, now)
        assert burst > 0
        for _ in range(burst):
            pace.unknown(now)
        sent += burst
    assert sent == window
    assert pace.room(0, now + 100) == 0


def test_one_unknown_in_five_good_ones_does_not_stop_a_batch() -> None:
    """A few lost answers are forgiven; one in four and more are not."""
    pace = Pace(64)
    for _ in range(2000):
        pace.unknown(0.0)
        for _ in range(4):
            pace.good(0.0, 10)
    assert not pace.exhausted()
    pace = Pace(64)
    for _ in range(400):
        pace.unknown(0.0)
        for _ in range(3):
            pace.good(0.0, 10)
    assert pace.exhausted()


def test_it_starts_small_and_grows_to_the_window() -> None:
    """The first burst is small, so that a wrong key is noticed early; good answers open the window."""
    pace = Pace(64)
    assert pace.room(0, 0.0) == 4
    for _ in range(80):
        pace.good(0.0, 10)
    assert pace.room(0, 0.0) == 64
    assert pace.room(60, 0.0) == 4
    assert Pace(2).room(0, 0.0) == 2
    assert Pace(1).room(0, 0.0) == 1


def test_trouble_halves_it_once_a_burst_and_success_raises_it_again() -> None:
    """One burst of refusals is one cut; a good answer in each round adds one."""
    pace = Pace(64)
    for _ in range(60):
        pace.good(0.0, 10)
    for _ in range(20):
        pace.refused(10.0, None)
    assert pace.limit == 32
    pace.refused(10.2, None)
    assert pace.limit == 16
    for _ in range(17):
        pace.good(20.0, 10)
    assert 16.9 < pace.limit < 17.2


def test_rising_latency_lowers_concurrency() -> None:
    """An API that answers ever more slowly is being sent too much."""
    pace, now = Pace(64), 0.0
    for _ in range(80):
        now += 0.01
        pace.good(now, 50)
    assert pace.limit == 64
    for _ in range(200):
        now += 0.1
        pace.good(now, 5000)
    assert pace.limit < 32


def test_a_wait_asked_for_is_kept() -> None:
    """Retry-After pauses everything for as long as it says; a shorter one does not shorten it."""
    pace = Pace(8)
    pace.good(0.0, 10)
    pace.refused(1.0, 10.0)
    pace.refused(1.1, 2.0)
    assert pace.room(0, 10.9) == 0
    assert pace.wait(5.0) == pytest.approx(6.0)
    assert pace.room(0, 11.1) > 0


def test_without_a_wait_pauses_grow_and_end() -> None:
    """Refusals without Retry-After are waited out, longer each time and at most eight seconds."""
    pace, now, waits = Pace(8), 0.0, []
    for _ in range(8):
        pace.refused(now, None)
        waits.append(pace.wait(now))
        now += waits[-1] + 0.01
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_patience_ends_sooner_before_the_first_good_answer() -> None:
    """An API that never answered is given five seconds, one that did thirty; each good answer starts anew."""
    pace = Pace(8, patience=30.0)
    pace.refused(0.0, None)
    assert not pace.out_of_patience(4.9)
    assert pace.out_of_patience(5.1)
    pace.good(6.0, 10)
    assert not pace.out_of_patience(100.0)
    pace.refused(100.0, None)
    assert not pace.out_of_patience(129.0)
    assert pace.out_of_patience(131.0)


def test_a_wait_longer_than_patience_is_handed_over_at_once() -> None:
    """A task slot is not held for an hour's Retry-After."""
    pace = Pace(8, patience=30.0)
    pace.good(0.0, 10)
    pace.refused(1.0, 3600.0)
    assert pace.out_of_patience(1.0)
    assert pace.asked_to_wait == 3600.0


def test_a_late_good_answer_does_not_end_the_wait_asked_for() -> None:
    """What was in flight before the pause says nothing about it: an hour's wait is handed over all the same."""
    pace = Pace(8, patience=30.0)
    pace.good(0.0, 10)
    pace.refused(1.0, 3600.0)
    pace.good(1.1, 10)
    assert pace.out_of_patience(1.1)
    assert pace.asked_to_wait == 3600.0
    short = Pace(8, patience=30.0)
    short.refused(0.0, 1.0)
    short.good(0.5, 10)
    assert not short.out_of_patience(0.5)
    short.good(1.5, 10)
    assert short.asked_to_wait is None


def test_before_anything_was_accepted_one_doubtful_answer_stops_the_sending() -> None:
    """A 400 may be the configuration's: until a lead is accepted one is enough to wait, later eight in a row."""
    doubts = Doubts()
    assert not doubts.blocks()
    doubts.refused(1, 1.0, 1.0)
    assert doubts.blocks()
    assert not doubts.may_probe()
    assert doubts.took(0.5) == []
    assert not doubts.blocks()
    for lead in range(2, 9):
        doubts.refused(lead, 2.0, 2.0)
    assert doubts.blocks()


def test_only_what_was_sent_later_shows_that_the_configuration_still_works() -> None:
    """A lead accepted after a 400 proves the lead at fault only if it was claimed after that answer."""
    doubts = Doubts()
    doubts.refused(1, 1.0, 1.0)
    doubts.refused(2, 3.0, 3.0)
    assert doubts.took(0.5) == []
    assert doubts.took(2.0) == [1]
    assert doubts.took(2.5) == []
    assert doubts.took(4.0) == [2]
    assert doubts.waiting == {}


def test_the_number_of_probes_is_bounded() -> None:
    """After a few single leads answered 400 as well, it is the configuration; an accepted one starts anew."""
    doubts = Doubts(accepted=1)
    doubts.refused(1, 1.0, 1.0)
    while doubts.may_probe():
        doubts.probes += 1
    assert doubts.probes == 4
    assert doubts.took(2.0) == [1]
    assert doubts.may_probe()


def test_at_the_end_of_a_batch_company_speaks_for_the_configuration() -> None:
    """When nothing can be sent later, leads claimed no later than an accepted one are at fault themselves."""
    doubts = Doubts()
    for lead in range(12):
        doubts.refused(lead, 5.0, 4.0)
    doubts.refused(12, 6.0, 5.5)
    assert doubts.took(4.0) == []
    assert doubts.in_company() == list(range(12))
    assert list(doubts.waiting) == [12]


@pytest.mark.parametrize("retry_after", [0.0, 0.1])
def test_a_wait_of_nothing_is_no_leave_to_ask_without_a_pause(retry_after: float) -> None:
    """Retry-After: 0, or a date in the past, is waited out like none: pauses grow, and there is no tight loop."""
    pace, now, waits = Pace(8), 0.0, []
    for _ in range(4):
        pace.refused(now, retry_after)
        pace.refused(now, retry_after)  # another of the same burst
        waits.append(pace.wait(now))
        now += waits[-1] + 0.01
    assert waits == [0.25, 0.5, 1.0, 2.0]


def opened(window: int = 64) -> Pace:
    """A pace whose window is open."""
    pace = Pace(window)
    for _ in range(window + 1):
        pace.good(0.0, 10)
    assert pace.limit == window
    return pace


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.003, 0.03])
@given(seed=st.integers(0, 10_000))
def test_a_few_refusals_keep_nobody_but_the_refused(share: float, seed: int) -> None:
    """Without Retry-After no pause follows, and the window stays open, but for a while where many came together by chance."""
    pace, dice, narrow, now = opened(), random.Random(seed), 0, 0.0
    for _ in range(2000):
        now += 0.001
        if dice.random() < share:
            pace.refused(now, None)
        else:
            pace.good(now, 10)
        assert pace.wait(now) == 0.0
        narrow += pace.limit < 32
    assert narrow <= 600


@pytest.mark.parametrize("asked", [0.5, 1.0, 2.0, 60.0])
def test_a_wait_is_no_longer_than_what_is_asked_for(asked: float) -> None:
    """A Retry-After among good answers pauses for as long as it says, and closes no window."""
    pace = opened()
    pace.refused(10.0, asked)
    assert pace.wait(10.0) == asked
    assert pace.room(0, 10.0 + asked) == 64


def test_the_window_shrinks_where_refusals_are_a_share_and_opens_again() -> None:
    """At three refusals in ten fewer are sent at once, without a pause; when they end it is as before."""
    pace, dice, now, least = opened(), random.Random(1), 0.0, 64.0
    for _ in range(3000):
        now += 0.002
        if dice.random() < 0.3:
            pace.refused(now, None)
        else:
            pace.good(now, 10)
        least = min(least, pace.limit)
    assert least < 16
    for _ in range(3000):
        pace.good(now, 10)
    assert pace.limit == 64


def test_an_api_that_takes_nothing_any_more_is_asked_ever_more_seldom() -> None:
    """Refusal after refusal is no exception of one lead's: pauses grow as at the start, and end with a good answer."""
    pace, now, waits = opened(), 0.0, []
    for _ in range(7):
        pace.refused(now, None)
    assert pace.wait(now) == 0.0
    for _ in range(4):
        pace.refused(now, None)
        waits.append(pace.wait(now))
        now += waits[-1] + 0.01
    assert waits == [0.25, 0.5, 1.0, 2.0]
    pace.good(now, 10)
    pace.refused(now, None)
    assert pace.wait(now) == 0.0


def test_what_another_task_was_asked_to_wait_is_waited_for() -> None:
    """It is a pause, no fault of this task's: within its patience it is sat out even before the first answer."""
    pace = Pace(8, patience=30.0, first_patience=5.0)
    pace.told(0.0, 20.0)
    assert pace.room(0, 19.0) == 0
    assert not pace.out_of_patience(0.0)
    assert pace.room(0, 20.1) == 4
    pace.told(21.0, 60.0)
    assert pace.out_of_patience(21.0)
    assert pace.asked_to_wait == 60.0


@given(st.integers(1, 100), st.floats(0, 1))
def test_a_refused_lead_comes_back_within_a_second(refusals: int, jitter: float) -> None:
    """Law: later each time up to a second, never at once, and not all at the same moment."""
    wait = again_after(refusals, jitter)
    assert 0.05 <= wait <= 1.0
    assert wait <= again_after(refusals + 1, jitter)
    assert again_after(refusals, 0.0) == again_after(refusals, 1.0) / 2
