"""The delays before a task's retries: ascending, hardly jittered, over about 18 hours."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.retry_schedule import (
    DEFAULT_SCHEDULE,
    JITTER,
    delay,
    nth_retry,
    read_schedule,
    words,
)

JITTERS = st.floats(0, 1)
SCHEDULES = st.lists(st.floats(0.001, 2_592_000), min_size=1, max_size=20).map(tuple)


@given(st.lists(JITTERS, min_size=8, max_size=8))
def test_the_default_is_spread_over_about_18_hours(jitters: list[float]) -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, 10 h: each later than the one before, 17 to 20 hours in all."""
    delays = [delay(n, DEFAULT_SCHEDULE, jitter) for n, jitter in enumerate(jitters, 1)]
    assert delays == sorted(delays)
    assert timedelta(hours=17) <= timedelta(seconds=sum(delays)) <= timedelta(hours=20)
    assert [round(each) for each in DEFAULT_SCHEDULE] == [5, 30, 120, 600, 1800, 7200, 18000, 36000]


@given(SCHEDULES, st.integers(1, 50), JITTERS, JITTERS)
def test_jitter_only_ever_waits_a_little_longer(
    schedule: tuple[float, ...], nth: int, one: float, other: float
) -> None:
    """Never before the delay as written, at most a tenth after it, and more jitter is never earlier."""
    written = schedule[min(nth, len(schedule)) - 1]
    less, more = (delay(nth, schedule, jitter) for jitter in sorted((one, other)))
    assert written <= less <= more <= written * (1 + JITTER) + 1e-6
    assert delay(nth, schedule) == written


@given(st.integers(0, 20), st.integers(0, 100), st.data())
def test_after_clear_the_schedule_begins_anew(retries: int, used: int, data: st.DataObject) -> None:
    """Airflow adds the tries used before to max_tries; the first try after Clear is followed by the first delay."""
    nth = data.draw(st.integers(1, max(1, retries)))
    assert nth_retry(used + nth, used + retries, retries) == nth


@given(SCHEDULES)
def test_seconds_and_timedeltas_are_read_alike(schedule: tuple[float, ...]) -> None:
    """A list of either is the same schedule, to the microsecond that a timedelta knows."""
    spans = [timedelta(seconds=each) for each in schedule]
    assert read_schedule(list(schedule)) == schedule
    assert read_schedule(spans) == pytest.approx(schedule, abs=1e-6)


def test_texts_are_read_as_workflow_files_read_them() -> None:
    """Text, seconds and timedeltas may stand beside each other, in any order."""
    assert read_schedule(["5s", "1h 30m", 30, timedelta(minutes=2), "2 days"]) == (5, 5400, 30, 120, 172_800)


@pytest.mark.parametrize(
    "value",
    ["5", 5, None, [0], [-1], [True], ["5"], ["-5s"], ["0s"], ["5 parsecs"], ["31d"], [""], [float("nan")], [float("inf")],
     [1e9], [None], [timedelta(0)], {"a": 1}, [], ["5s, 30s"], ["1h, 30m"], ["5s 30s"], ["1m,"]],
)  # fmt: skip
def test_what_is_no_delay_is_refused_with_what_to_write(value: object) -> None:
    """Text, nothing, zero, negative and endless delays are mistakes of the DAG."""
    with pytest.raises(ConfigurationError, match="list of seconds or timedeltas"):
        read_schedule(value)


def test_a_schedule_without_end_is_refused() -> None:
    """Fifty pauses are the most, and a generator that never ends is one mistake, not a hanging DAG file."""
    assert len(read_schedule([60] * 50)) == 50
    for endless in ([60] * 51, itertools.repeat(60)):
        with pytest.raises(ConfigurationError, match="more than 50"):
            read_schedule(endless)


def test_a_schedule_is_told_in_words() -> None:
    """How often, over how long, and after which pauses."""
    assert words(DEFAULT_SCHEDULE) == "8 retries over 17h 42m 35s: 5s, 30s, 2m, 10m, 30m, 2h, 5h, 10h"
    assert words((90.0,)) == "1 retry over 1m 30s: 1m 30s"
