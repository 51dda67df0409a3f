"""The delays before a task's retries: ascending, hardly jittered, over about 18 hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.retry_schedule import (
    DEFAULT_SCHEDULE,
    JITTER,
    delay,
    fitted,
    nth_retry,
    read_schedule,
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


@given(SCHEDULES, st.integers(0, 30))
def test_a_schedule_is_fitted_to_the_number_of_retries(schedule: tuple[float, ...], retries: int) -> None:
    """Fewer retries cut it off, more repeat its last delay."""
    made = fitted(schedule, retries)
    assert len(made) == retries
    assert all(each == delay(n, schedule) for n, each in enumerate(made, 1))


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


@pytest.mark.parametrize(
    "value",
    ["5", 5, None, [0], [-1], [True], ["5s"], [float("nan")], [float("inf")], [1e9], [None], {"a": 1}],
)
def test_what_is_no_delay_is_refused_with_what_to_write(value: object) -> None:
    """Text, nothing, zero, negative and endless delays are mistakes of the DAG."""
    with pytest.raises(ConfigurationError, match="list of seconds or timedeltas"):
        read_schedule(value)
