"""Charts show whole bars that cover what was asked for, and not too many of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.chart_span import RANGES, last_span, span_between

_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(since=_TIMES, seconds=st.integers(1, 31 * 86_400))
def test_a_span_covers_what_was_asked_for(since: datetime, seconds: int) -> None:
    """From the bar with the beginning to the bar with the end, at most 32."""
    until = since + timedelta(seconds=seconds)
    span = span_between(since, until)
    assert span.start <= since < span.start + span.step
    assert span.end - span.step < until <= span.end
    assert 1 <= span.count <= 32
    assert len(span.bounds) == span.count + 1


@given(now=_TIMES)
@pytest.mark.parametrize("name", RANGES)
def test_the_latest_time_ends_with_the_bar_of_now(name: str, now: datetime) -> None:
    """As long as it is called, the bar under way its last."""
    span = last_span(now, name)
    assert span.end - span.step <= now < span.end
    assert span.end - span.start == RANGES[name][0]
