"""Only rows from where the last run came to, and the mark moves only over rows that are accounted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError

People = Callable[..., list[dict[str, object]]]


def at(people: People, start: int, *days: int) -> list[dict[str, object]]:
    rows = people(len(days), start)
    return [{**row, "at": f"2026-01-{day:02}"} for row, day in zip(rows, days, strict=True)]


def test_older_rows_are_filtered_and_those_of_the_mark_read_again(api: Any, people: People) -> None:
    """The next run takes what is as new as the newest, and counts the rest."""
    first = at(people, 0, 1, 2, 3)
    assert api.send(first, incremental="at").states == {"accepted": 3}
    second = [*first, *at(people, 10, 3, 4, 2)]
    got = api.send(second, incremental="at")
    assert got.states == {"filtered": 3, "unchanged": 1, "accepted": 2}
    assert got.tally.by_reason()["filtered/not_new"] == 3


@pytest.mark.parametrize(
    ("how", "states"), [({"dry_run": True}, {"planned": 2}), ({"max_rows": 1}, {"accepted": 1})]
)
def test_a_run_that_saw_a_part_moves_nothing(sqlite_api: Any, people: People, how: Any, states: Any) -> None:
    """A dry run, and one with a limit."""
    rows = at(people, 0, 5, 6)
    assert sqlite_api.send(rows, incremental="at", **how).states == states
    assert "filtered" not in sqlite_api.send([*at(people, 20, 1), *rows], incremental="at").states


def test_a_run_that_fails_moves_nothing(sqlite_api: Any, people: People) -> None:
    """What it could not send is read by the next, however old."""
    sqlite_api.sim.set_faults("status=503")
    assert sqlite_api.send(at(people, 0, 5, 6), incremental="at", patience=0.3).error is not None
    sqlite_api.sim.set_faults()
    got = sqlite_api.send([*at(people, 0, 5, 6), *at(people, 20, 1)], incremental="at")
    assert got.states == {"accepted": 3} and got.error is None


def test_another_sync_of_the_campaign_has_a_mark_of_its_own(sqlite_api: Any, people: People) -> None:
    """Two sources are read at two speeds; and rows without a value are always read."""
    sqlite_api.send(at(people, 0, 9), incremental="at", owner="one")
    rows = [*at(people, 5, 1), {**people(1, 8)[0], "at": ""}]
    assert sqlite_api.send(rows, incremental="at", owner="two").states == {"accepted": 2}
    assert sqlite_api.send(rows, incremental="at", owner="one").states == {"filtered": 1, "unchanged": 1}


def test_a_column_that_no_row_has_is_a_mistake(sqlite_api: Any, people: People) -> None:
    """Not a list of which everything is new for ever."""
    assert isinstance(sqlite_api.send(people(2), incremental="gone").error, ConfigurationError)
