"""How times are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.times import aware, read_span, read_time, span_words

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
    [("15m", 900), (" 1h 30m ", 5400), ("2 days", 172_800), ("1 hour, 5 min and 3 seconds", 3903), ("1.5H", 5400), ("1w", 604_800)],
)  # fmt: skip
def test_spans_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Short or in words, several units, any case."""
    assert read_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 parsecs", "-5s", "0s", "0.0000001s", "5s?", "11 years", "3661d", "9" * 400 + "s"],
)
def test_what_is_no_span_is_none(text: str) -> None:
    """Without a unit, nothing, less than nothing, and longer than ten years."""
    assert read_span(text) is None
