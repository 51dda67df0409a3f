"""How times are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.times import aware, read_span, read_time, span_advice, span_words

ZONES = st.none() | st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=st.datetimes(timezones=ZONES))
def test_a_time_is_read_back_from_its_text(moment: datetime) -> None:
    """As a time or written down, with blanks around or not, it stays the same; its zone too, UTC where it has none."""
    expected = aware(moment)
    for value in (moment, moment.isoformat(), f" {moment.isoformat()}\n", str(moment)):
        found = read_time(value)
        assert found == expected
        assert found is not None
        assert found.utcoffset() == expected.utcoffset()


def test_a_time_without_a_zone_is_utc() -> None:
    """A date is its midnight; Z and offsets are read."""
    assert read_time("2026-03-25") == datetime(2026, 3, 25, tzinfo=UTC)
    assert (
        read_time("2026-03-25T18:30") == read_time("2026-03-25T18:30Z") == read_time("2026-03-25T19:30+01:00")
    )


@pytest.mark.parametrize(
    "value", [None, "", "soon", "2026-13-01", "2026-03-25T25:00", 1_774_463_400, b"2026-03-25"]
)
def test_what_is_no_time_is_none(value: object) -> None:
    """Nothing is guessed, nothing is raised."""
    assert read_time(value) is None


@given(value=st.text())
def test_any_text_is_a_time_or_none(value: str) -> None:
    """Whatever comes in, what comes out has a zone."""
    found = read_time(value)
    assert found is None or found.tzinfo is not None


@given(seconds=st.integers(1, 3660 * 86_400))
def test_a_span_is_read_back_from_its_words(seconds: int) -> None:
    """What we say of a span of time is what one may write for it."""
    assert read_span(span_words(seconds)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15m", 900), (" 1h 30m ", 5400), ("2 days", 172_800), ("1 hour, 5 min and 3 seconds", 3903), ("1.5H", 5400), ("1w", 604_800), ("5MIN", 300), ("1D 2H", 93_600), ("2 Weeks", 1_209_600), ("30SECS", 30), ("0.5s", 0.5), ("1h, 30m", 5400)],
)  # fmt: skip
def test_spans_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Short or in words, several units, any case."""
    assert read_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 parsecs", "-5s", "0s", "0.0000001s", "5s?", "11 years", "3661d", "9" * 400 + "s",
     "5s,", "5s and", ", 5s", "5s,, 5m", "1 h and, 5m"],
)  # fmt: skip
def test_what_is_no_span_is_none(text: str) -> None:
    """Without a unit, nothing, less than nothing, longer than ten years, and what ends before its end."""
    assert read_span(text) is None


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("1M", "30d for a month"), ("1 M", "30d for a month"), ("2h 30M", "30d for a month"), ("1mo", "30d for a month"),
        ("3 months", "30d for a month"), ("1 Month", "30d for a month"), ("500ms", "0.5s"), ("5 MS", "0.5s"), ("5 millis", "0.5s"),
        ("500 milliseconds", "0.5s"), ("1y", "365d"), ("2 years", "365d"), ("5hs", "usual"), ("5ds", "usual"), ("5ss", "usual"), ("5ws", "usual"),
        ("5s, 30s", "each unit once"), ("5s 30s 2m", "each unit once"), ("30m, 1h", "each unit once"), ("1d 1day", "each unit once"),
    ],
)  # fmt: skip
def test_what_may_be_another_span_is_none_and_says_what_to_write(text: str, advice: str) -> None:
    """A month read as a minute would text people again after a minute; milliseconds are no minutes, a list is no sum."""
    assert read_span(text) is None
    assert advice in span_advice(text, "usual")


@pytest.mark.slow
@given(
    parts=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([*"smhdwMSHDW", "ms", "ds", "hours", "Min"])), min_size=1, max_size=3),
    between=st.sampled_from(["", " ", ", ", " and "]),
)  # fmt: skip
@settings(max_examples=examples(100))
def test_a_span_is_one_by_rule(parts: list[tuple[int, str]], between: str) -> None:
    """Units that are known, each once, the largest first: their sum; else none."""
    known = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "S": 1, "H": 3600, "D": 86_400, "W": 604_800,
             "hours": 3600, "Min": 60}  # fmt: skip
    factors = [known.get(unit, 0) for _, unit in parts]
    falls = all(a > b for a, b in pairwise(factors)) and all(factors)
    total = sum(count * known.get(unit, 0) for count, unit in parts)
    found = read_span(between.join(f"{count}{unit}" for count, unit in parts))
    assert found == (timedelta(seconds=total) if falls else None)
