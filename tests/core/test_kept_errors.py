"""An import error that Airflow takes away between two reads of its file stays to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.kept_errors import KeptErrors

START = datetime(2026, 3, 25, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    at: datetime | None


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_it_stays_until_the_file_was_read_twice_without_it() -> None:
    """Taken away by a look through the folder it is kept; mended, it is over with the second read."""
    errors: KeptErrors[Found] = KeptErrors()
    error = Found(START)
    assert errors.look({"bad.yaml": error}, {"bad.yaml": START}, START) == [error]
    for seconds in range(1, 30):
        assert errors.look({}, {"bad.yaml": START}, after(seconds)) == [error]
    assert errors.look({}, {"bad.yaml": after(30)}, after(31)) == [error]
    assert errors.look({}, {"bad.yaml": after(30)}, after(45)) == [error]
    assert errors.look({}, {"bad.yaml": after(60)}, after(61)) == []
    assert errors.look({}, {}, after(62)) == []


def test_where_nobody_reads_it_is_over_in_ten_minutes() -> None:
    """With the last workflow of a folder its error goes too."""
    errors: KeptErrors[Found] = KeptErrors()
    errors.look({"bad.yaml": Found(START)}, {}, START)
    assert errors.look({}, {}, after(599)) == [Found(START)]
    assert errors.look({}, {}, after(601)) == []


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(5, 60))
def test_a_file_that_stays_broken_is_never_missed(there: list[bool], every: int) -> None:
    """However the error comes and goes between the reads that find it, whoever saw it once sees it at every look."""
    errors: KeptErrors[Found] = KeptErrors()
    for n, seen in enumerate([True, *there]):
        last_read = after(n // every * every)
        # It was found by the last read, and is there or was taken away since; a read that is seen finds it first.
        is_there = seen or n % every == 0
        shown = errors.look({"a": Found(last_read)} if is_there else {}, {"a": last_read}, after(n))
        assert shown, n
