"""How times are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.times import aware, read_time

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
