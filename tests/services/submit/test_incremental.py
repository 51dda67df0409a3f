"""Only rows from where the last run came to, and the mark moves only over rows that are accounted for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.marks import MarkValue
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.watermark import Watermark

People = Callable[..., list[dict[str, object]]]
ODD_CELLS = st.sampled_from(["31/12/2026", "9999-12-31", "n/a", "", None, "2027-01-01T00:00:00Z", [1], "zzz"])


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


@pytest.mark.parametrize(("days", "said"), [((1, 2), True), ((1, 3), False), ((1, 4), False), ((), False)])
def test_a_run_of_which_everything_is_older_says_so(
    sqlite_api: Any, people: People, days: Any, said: bool
) -> None:
    """A backfill over a file for each date is green and texts nobody; a source that goes on has the mark's own row."""
    sqlite_api.send(at(people, 0, 3), incremental="at")
    got = sqlite_api.send(at(people, 10, *days), incremental="at")
    assert any("leave incremental out" in note for note in got.tally.notes) == said


@pytest.mark.parametrize(
    ("how", "states"), [({"dry_run": True}, {"planned": 2}), ({"max_rows": 1}, {"accepted": 1})]
)
def test_a_run_that_saw_a_part_moves_nothing(sqlite_api: Any, people: People, how: Any, states: Any) -> None:
    """A dry run, and one with a limit."""
    rows = at(people, 0, 5, 6)
    assert sqlite_api.send(rows, incremental="at", **how).states == states
    assert "filtered" not in sqlite_api.send([*at(people, 20, 1), *rows], incremental="at").states


@pytest.mark.slow
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


def test_each_of_mapped_tasks_has_the_mark_of_its_own_source(sqlite_api: Any, people: People) -> None:
    """What is old in one list is news in another, within a run and from run to run; and where the lists are others now, all
    of each is read.
    """
    north, south = at(people, 0, 8, 9), at(people, 10, 1, 2)

    def run(*lists: tuple[str, list[dict[str, object]]]) -> list[dict[str, int]]:
        return [
            sqlite_api.send(rows, incremental="at", map_index=index, named=name).states
            for index, (name, rows) in enumerate(lists)
        ]

    assert run(("north", north), ("south", south)) == [{"accepted": 2}, {"accepted": 2}]
    south += at(people, 20, 3)
    assert run(("north", north), ("south", south)) == [
        {"filtered": 1, "unchanged": 1},
        {"filtered": 1, "unchanged": 1, "accepted": 1},
    ]
    west = at(people, 30, 1)
    assert run(("west", west), ("north", north)) == [{"accepted": 1}, {"unchanged": 2}]


def test_mapped_lists_that_nothing_tells_apart_are_read_whole(sqlite_api: Any, people: People) -> None:
    """What another task gives comes in another order tomorrow: the first was the north's, and is the south's now."""
    north, south = at(people, 0, 8, 9), at(people, 10, 1, 2)
    for rows in (north, south):
        done = sqlite_api.send(rows, incremental="at", map_index=0, key="")
        assert done.states == {"accepted": 2}
        assert any("incremental" in each for each in done.tally.notes)


def cells(people: People, start: int, *values: object) -> list[dict[str, object]]:
    """A row for each value of the column."""
    rows = people(len(values), start)
    return [{**row, "at": value} for row, value in zip(rows, values, strict=True)]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("31/12/2026", "neither a time nor a number"), ("31.12.2026", "neither"), ("Dec 31, 2026", "neither"), ("n/a", "neither"),
        ("2026-13-45", "neither"), ("TBD", "neither"), ("zzz", "neither"), ("2026-02-30", "neither"), (["x"], "neither"),
        ("9999-12-31", "still to come"), ("2999-01-01T00:00:00Z", "still to come"), ("2100-01-01 00:00:00+05:00", "still to come"),
        ("9999-12-31T23:59:59-08:00", "still to come"), (datetime(2100, 1, 1, tzinfo=UTC), "still to come"), (date(2100, 1, 1), "still to come"),
        ("2026", "a number where the others hold times"), (20261231, "a number"), ("99999999999", "a number"),
    ],
)  # fmt: skip
def test_an_odd_cell_does_not_stop_a_sync(sqlite_api: Any, people: People, odd: object, said: str) -> None:
    """It moves no mark, is read and noted; who comes after it is texted, and what was read is not read again."""
    first = cells(people, 0, "2026-01-01", "2026-01-02", odd)
    got = sqlite_api.send(first, incremental="at")
    assert got.states == {"accepted": 3}
    assert said in "".join(got.tally.notes) and "1 row" in "".join(got.tally.notes)
    later = [*first, *cells(people, 10, "2026-03-01", odd, "2026-03-02T10:00:00Z")]
    got = sqlite_api.send(later, incremental="at")
    assert got.states == {"filtered": 1, "unchanged": 2, "accepted": 3}, got.tally.table()
    assert said in "".join(got.tally.notes) and "2 rows" in "".join(got.tally.notes)
    assert sqlite_api.send(cells(people, 20, "2026-02-01", "2026-03-03"), incremental="at").states == {
        "filtered": 1, "accepted": 1,
    }  # fmt: skip


@pytest.mark.parametrize("mark", ["1:31/12/2026", "1:9999-12-31", "1:2999-01-01t00:00:00z", "1:n/a"])
def test_a_mark_that_an_odd_cell_has_set_is_set_anew(sqlite_api: Any, people: People, mark: str) -> None:
    """What earlier versions let it become: all rows are read once more, and it is said why."""
    sqlite_api.send(cells(people, 0, "2026-01-01"), incremental="at")
    sqlite_api.sql("UPDATE watermarks SET value = :mark", mark=mark)
    rows = cells(people, 10, "2026-01-02", "2026-03-01")
    got = sqlite_api.send(rows, incremental="at")
    assert got.states == {"accepted": 2} and "all rows were read" in "".join(got.tally.notes)
    got = sqlite_api.send(rows, incremental="at")
    assert got.states == {"filtered": 1, "unchanged": 1} and got.tally.notes == []


def test_a_time_that_is_to_come_moves_the_mark_once_it_has(sqlite_api: Any, people: People, at: Any) -> None:
    """And until then lets nobody be passed over; one that may be now elsewhere is nothing to note."""
    noon = cells(people, 0, "2026-07-01T11:00:00", "2026-07-01T22:00:00", "2026-07-01T12:04:00+00:00")
    got = sqlite_api.send(noon, incremental="at", now=at())
    assert (got.states, got.tally.notes) == ({"accepted": 3}, [])
    between = [*noon, *cells(people, 10, "2026-07-01T13:00:00Z", "2026-07-01T10:00:00Z")]
    assert sqlite_api.send(between, incremental="at", now=at(hours=2)).states == {
        "accepted": 1,
        "unchanged": 3,
        "filtered": 1,
    }
    assert sqlite_api.send(between, incremental="at", now=at(hours=12)).states == {
        "unchanged": 2,
        "filtered": 3,
    }


def test_times_are_compared_as_moments(sqlite_api: Any, people: People) -> None:
    """Whatever their zone and however they are written; those of one moment are of the mark."""
    sqlite_api.send(cells(people, 0, "2026-01-02T00:00:00+02:00"), incremental="at")
    rows = cells(
        people, 10, "2026-01-01T22:00:00Z", "2026-01-01 22:00:00 UTC", datetime(2026, 1, 1, 17, tzinfo=timezone(timedelta(hours=-5))),
        date(2026, 1, 2), "2026-01-01T23:30:00+02:00", "2026-01-01 21:59:59", date(2026, 1, 1),
    )  # fmt: skip
    got = sqlite_api.send(rows, incremental="at")
    assert got.states == {"accepted": 4, "filtered": 3} and got.tally.notes == []


def test_numbers_are_a_mark_of_their_own(sqlite_api: Any, people: People) -> None:
    """However they are written; a time among them moves nothing."""
    first = cells(people, 0, 9, "10", "2026-01-01")
    assert sqlite_api.send(first, incremental="at").states == {"accepted": 3}
    got = sqlite_api.send([*first, *cells(people, 10, "9.5", "11", "100")], incremental="at")
    assert got.states == {"filtered": 2, "unchanged": 2, "accepted": 2}
    assert "a number where the others hold times, or the reverse in 1 row" in "".join(got.tally.notes)


@given(
    first=st.lists(st.one_of(st.dates(date(2026, 1, 1), date(2026, 3, 1)).map(str), ODD_CELLS), max_size=6),
    second=st.lists(st.dates(date(2026, 3, 2), date(2026, 4, 1)).map(str), min_size=1, max_size=4),
)
@settings(max_examples=examples(60))
def test_whatever_came_before_what_is_newer_is_taken(first: list[object], second: list[str]) -> None:
    """No cell of a run keeps a row of a later time from any run after it."""
    now = datetime(2026, 7, 1, tzinfo=UTC)
    seen = Watermark("at", None, now)
    assert all(seen.takes(Row(number, {"at": cell})) for number, cell in enumerate(first))
    reached = seen.reached
    since = None if reached is None else MarkValue.read(str(reached), now)
    assert since == reached
    after = Watermark("at", since, now)
    assert all(after.takes(Row(number, {"at": cell})) for number, cell in enumerate(second))


def test_a_column_that_no_row_has_is_a_mistake(sqlite_api: Any, people: People) -> None:
    """Not a list of which everything is new for ever."""
    assert isinstance(sqlite_api.send(people(2), incremental="gone").error, ConfigurationError)
