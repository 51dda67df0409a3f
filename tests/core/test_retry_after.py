"""Retry-After: both forms, bounded, and no header is able to break a retry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.retry_after import MAX_RETRY_AFTER_SECONDS, parse_retry_after

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("99999999999999999999", MAX_RETRY_AFTER_SECONDS),
        # The three spellings of one moment in RFC 9110 section 5.6.7.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37.0),
        ("Sun Nov  6 08:49:37 1994", 37.0),
        ("Sun, 06 Nov 1994 07:49:37 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", MAX_RETRY_AFTER_SECONDS),
    ],
)
def test_understood(value: str, seconds: float) -> None:
    """Seconds and all three date spellings give seconds from now, never negative, never above the bound."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value", [None, "", "-1", "+5", "soon", "１２", "1e5", "inf", "5, 6", "Sun, 99 Nov 1994 08:49:37 GMT"]
)
def test_not_understood(value: str | None) -> None:
    """What is neither form is no wish at all."""
    assert parse_retry_after(value, NOW) is None


@pytest.mark.slow
@given(
    st.text(max_size=80)
    | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:+ A-Z-]{0,20}\Z")
)
def test_never_raises_and_stays_bounded(value: str) -> None:
    """Whatever the header holds, the answer is None or within the bounds."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER_SECONDS
