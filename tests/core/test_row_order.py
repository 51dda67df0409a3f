"""Which rows go out first."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.row_order import RowOrder, comparable, read_order, sort_key
from airflow_outreach_provider.services.rows.ordered import ordered
from airflow_outreach_provider.services.rows.row import Row

_CELL = (
    st.none()
    | st.text(max_size=4)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
)


def rows_of(*values: Any) -> list[Row]:
    return [Row(number, {"score": value}) for number, value in enumerate(values, 1)]


@pytest.mark.parametrize(("text", "order"), [
    ("score", RowOrder("score")), ("score desc", RowOrder("score", True)), ("Last seen  ASC", RowOrder("Last seen")),
    ("desc", RowOrder("desc")),
])  # fmt: skip
def test_an_order_is_written_as_in_sql(text: str, order: RowOrder) -> None:
    """A column, and the way; a column may have blanks."""
    assert read_order(text) == (order,)


def test_numbers_are_numbers_and_what_is_empty_is_last() -> None:
    """However a number is written; whichever way."""
    rows = rows_of("9", "10", None, 2.5, "b", "", "A", date(2026, 1, 31))
    up = [row.values["score"] for row in ordered(iter(rows), read_order("score"))]
    assert up == [2.5, "9", "10", date(2026, 1, 31), "A", "b", None, ""]
    down = [row.values["score"] for row in ordered(iter(rows), read_order("score desc"))]
    assert down == ["10", "9", 2.5, "b", "A", date(2026, 1, 31), None, ""]


@given(st.lists(_CELL, min_size=2, max_size=12), st.booleans())
@settings(max_examples=examples(60))
def test_numbers_are_before_texts_and_texts_before_nothing(cells: list[Any], falling: bool) -> None:
    """Whichever way: of a limit those have their share who have a score, not those whose score cannot be read."""
    rows = rows_of(*cells)
    kinds = [
        comparable(row.values["score"]).kind for row in ordered(iter(rows), (RowOrder("score", falling),))
    ]
    assert kinds == sorted(kinds)


@given(st.lists(st.integers() | st.text("abc", min_size=1, max_size=3) | st.none(), max_size=12))
@settings(max_examples=examples(40))
def test_falling_is_rising_turned_round_among_values_of_a_kind(cells: list[Any]) -> None:
    """Equal ones stay as they came."""
    up = [row.values["score"] for row in ordered(iter(rows_of(*cells)), read_order("score"))]
    down = [row.values["score"] for row in ordered(iter(rows_of(*cells)), read_order("score desc"))]
    for kind in (int, str, type(None)):
        assert [each for each in down if type(each) is kind] == [each for each in up if type(each) is kind][
            ::-1
        ]


def test_a_limit_takes_those_with_a_score_first() -> None:
    """What is written as no number is no highest one."""
    rows = rows_of("n/a", "1,000", "99", "", "100", "unknown")
    first = [row.values["score"] for row in ordered(iter(rows), read_order("score desc"))]
    assert first == ["100", "99", "unknown", "n/a", "1,000", ""]


@given(st.lists(_CELL, max_size=30), st.integers(1, 7), st.sampled_from(["score", "score desc"]))
def test_a_source_sorted_in_parts_is_the_source_sorted(cells: list[Any], part: int, said: str) -> None:
    """No row is lost, none comes twice, equal ones stay as they came, whatever they hold."""
    rows, order = rows_of(*cells), read_order(said)
    whole = sorted(rows, key=lambda row: sort_key(order, row.values))
    assert [row.number for row in ordered(iter(rows), order, part)] == [row.number for row in whole]


def test_a_column_that_no_row_has_is_a_mistake() -> None:
    """It says which was meant."""
    with pytest.raises(ConfigurationError, match=r"'scor' that order_by names — did you mean 'score'"):
        list(ordered(iter(rows_of(1, 2)), read_order("scor")))
    assert list(ordered(iter([]), read_order("scor"))) == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("-score", "write score desc, the largest first"),
        ("- score", "write score desc, the largest first"),
        ("+score", "write score"),
        ("score, name", 'several make a list, e.g. ["score desc", "created_at"]'),
        ("score desc, name desc", 'several make a list, e.g. ["score desc", "created_at"]'),
        ("-scor", "did you mean 'score'?"),
        ("score,", "did you mean 'score'?"),
    ],
)
def test_an_order_of_other_tools_is_told_as_it_is_written_here(said: str, meant: str) -> None:
    """``-score`` is no slip of ``score``: that would turn round who is texted first, and whom a limit takes."""
    row = Row(1, {"score": 1, "name": "Ann"})
    with pytest.raises(ConfigurationError) as raised:
        list(ordered(iter([row]), read_order(said)))
    assert raised.value.remedy == meant


def test_a_column_that_begins_with_a_sign_is_a_column() -> None:
    """What is there by that name is read, whatever it looks like."""
    rows = [Row(1, {"-score": 2}), Row(2, {"-score": 1})]
    assert [row.number for row in ordered(iter(rows), read_order("-score"))] == [2, 1]


def test_names_of_columns_that_are_somebodys_data_are_masked() -> None:
    """Where a first row stands in the place of the names, the error holds no whole address and no whole number."""
    row = Row(1, {"A@B.C, c@d.example": 1, "call +14165550123": 2})
    with pytest.raises(ConfigurationError, match="known are") as raised:
        list(ordered(iter([row]), read_order("score")))
    assert not re.search(r"A@B|c@d|14165550123", str(raised.value))
