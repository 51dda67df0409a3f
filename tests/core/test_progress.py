"""How far a run is, by what is done with."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.progress import share_done, time_left


@given(st.floats(0, 1), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_done_is_never_more_than_what_is_read(fraction: float, settled: int, read: int) -> None:
    """Between nothing and what is read; all that is read once every row of it is settled."""
    done = share_done(fraction, settled, read)
    assert done is not None
    assert 0 <= done <= fraction
    assert share_done(fraction, read, read) == fraction


def test_the_time_left() -> None:
    """In proportion; nothing where it is too early to say, nobody can know, or all is done."""
    assert time_left(10, 0.25) == timedelta(seconds=30)
    assert [time_left(10, done) for done in (None, 0.0, 0.009, 1.0)] == [None] * 4
    assert share_done(None, 1, 2) is None
