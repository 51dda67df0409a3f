"""Failures by the hours in which they were tried in vain: an outage is one stretch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.failed_spans import failed_spans

DAY = datetime(2026, 3, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: float) -> datetime:
    return DAY + hour * HOUR


@pytest.mark.parametrize(
    ("tried", "spans"),
    [
        ([], []),
        ([(1, 14.0), (2, 14.99)], [(14, 15, 2)]),
        ([(1, 14.2), (1, 14.8), (1, 15.5)], [(14, 16, 1)]),
        ([(1, 9.5), (2, 14.1), (1, 14.2)], [(14, 15, 2), (9, 10, 1)]),
        ([(1, 23.5), (2, 24.5)], [(23, 25, 2)]),
    ],
)
def test_an_outage_is_one_stretch(tried: list[tuple[int, float]], spans: list[tuple[int, int, int]]) -> None:
    """Neighbouring hours are one, others are others; each counts once in a stretch, the latest stretch stands first."""
    found = failed_spans((what, at(hour)) for what, hour in tried)
    assert [(each.since, each.until, each.count) for each in found] == [
        (at(a), at(b), n) for a, b, n in spans
    ]


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4), timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))  # fmt: skip


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 5), MOMENTS)))
def test_every_failure_is_in_exactly_one_stretch(tried: list[tuple[int, datetime]]) -> None:
    """Whole hours, apart from each other, none empty; what failed in one is what it counts."""
    spans = failed_spans(tried)
    for _, moment in tried:
        assert sum(each.since <= moment < each.until for each in spans) == 1
    for each in spans:
        inside = {what for what, moment in tried if each.since <= moment < each.until}
        assert each.count == len(inside) > 0
        assert (each.since.minute, each.until.minute) == (0, 0)
    assert all(later.since > earlier.until for later, earlier in pairwise(spans))
