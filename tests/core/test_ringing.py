"""When a doorbell rings: the law of what is new, what is waited for, and what is rung for again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.ringing import Ringing

AGAIN, HANDED = 30.0, 300.0
looks = st.lists(st.tuples(st.frozensets(st.integers(0, 6)), st.booleans()), max_size=30)


@pytest.mark.slow
@given(looks, st.floats(0.1, 20))
def test_whatever_is_new_rings_within_two_looks(
    seen: list[tuple[frozenset[int], bool]], interval: float
) -> None:
    """What is free at a look and was not at the one before rings then, or at the next where it is still free.

    But where all of it was rung for and came back before, and it is no less than it ever was since.
    """
    ringing, before, owed = Ringing(AGAIN, HANDED), frozenset(), frozenset()
    last, least, came_back = frozenset(), 0, False
    for place, (free, handed) in enumerate(seen):
        rang = ringing.due(free, handed, place * interval)
        in_vain = came_back and free <= last and len(free) >= least
        assert rang or in_vain or not owed & free
        owed = frozenset() if rang or in_vain else free - before
        before = free
        if rang:
            came_back = free <= last
            least = min(least, len(free)) if came_back else len(free)
            last = last if came_back else free


@pytest.mark.slow
@given(st.frozensets(st.integers(), min_size=1), st.floats(0.1, 29), st.integers(2, 200))
def test_what_nobody_takes_rings_again_and_not_sooner(
    free: frozenset[int], interval: float, count: int
) -> None:
    """For the same things it rings after half a minute, a minute, two …, five, however often it looks."""
    ringing = Ringing(AGAIN, HANDED)
    rung = [n * interval for n in range(count) if ringing.due(free, False, n * interval)]
    assert rung[0] == 0
    waits = [min(AGAIN * 2**n, HANDED) for n in range(len(rung))]
    for (earlier, later), wait in zip(pairwise(rung), waits, strict=False):
        assert wait <= later - earlier + 1e-6 < wait + interval + 1e-5
    assert (count - 1) * interval - rung[-1] < waits[-1] + 1e-6


def test_runs_that_give_back_what_they_took_are_a_few_an_hour() -> None:
    """Whatever they fail at before they try anything; the first is followed at once, and so is what is new."""
    ringing, taken_at, rung = Ringing(AGAIN, HANDED), 0, []
    for now in range(0, 3600, 5):
        free = {1} if now - taken_at >= 15 or not rung else set()
        if ringing.due(free, False, now):
            rung.append(now)
            taken_at = now + 5
    waits = [later - earlier for earlier, later in pairwise(rung)]
    assert waits[:6] == [20, 30, 60, 120, 240, 300]
    assert set(waits[6:]) == {300}


def test_runs_that_get_on_are_followed_at_once() -> None:
    """Each delivers two of what was left and gives back the rest as it was, as a slow endpoint makes it do."""
    ringing, left, taken_at, rung = Ringing(AGAIN, HANDED), set(range(20)), 0, []
    for now in range(0, 600, 5):
        if rung and now == taken_at + 15:
            left = set(sorted(left)[2:])
        free = left if not rung or now - taken_at >= 15 else set()
        if ringing.due(frozenset(free), False, now):
            rung.append(now)
            taken_at = now + 5
    assert [later - earlier for earlier, later in pairwise(rung)] == [20] * 9
    assert not left


def test_what_is_new_beside_what_comes_back_rings_at_once() -> None:
    """However often the rest was given back."""
    ringing = Ringing(AGAIN, HANDED)
    for now in range(0, 300, 20):
        ringing.due({1}, False, now)
        ringing.due(set(), False, now + 5)
    assert ringing.due({1, 2}, False, 3600)
    assert not ringing.due(set(), False, 3605)
    assert ringing.due({1, 2}, False, 3610), "and anew from there"


def test_nothing_rings_for_nothing() -> None:
    """With nothing free, or what was rung for taken, there is silence."""
    ringing = Ringing(AGAIN, HANDED)
    assert not ringing.due(frozenset(), False, 0)
    assert ringing.due({1}, False, 1)
    assert not any(ringing.due(frozenset(), False, n) for n in range(2, 900))


def test_what_comes_while_a_run_is_on_its_way_is_left_to_it() -> None:
    """A piece that the coming run takes along makes no run of its own; one that it left makes one."""
    ringing = Ringing(AGAIN, HANDED)
    assert ringing.due({1}, False, 0)
    assert not ringing.due({1, 2}, False, 5)
    assert not ringing.due(frozenset(), False, 10)
    assert ringing.due({3}, False, 15)
    assert ringing.due({4}, False, 20), "3 was taken, so nobody is on his way for 4"


def test_a_run_that_took_a_part_leaves_the_rest_to_the_next() -> None:
    """More than a run takes is rung for as soon as that run took its share."""
    ringing = Ringing(AGAIN, HANDED)
    assert ringing.due(set(range(10)), False, 0)
    assert not ringing.due(set(range(10)), False, 5)
    assert ringing.due({8, 9}, False, 10)


def test_what_was_handed_out_is_given_time() -> None:
    """Somebody may still be at it: it rings at the start, and every five minutes."""
    ringing = Ringing(AGAIN, HANDED)
    rung = [n for n in range(0, 1000, 5) if ringing.due(frozenset(), True, n)]
    assert rung == [0, 300, 600, 900]
