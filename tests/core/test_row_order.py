"""Which rows go out first."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.row_order import RowOrder, read_order, sort_key
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
    assert down == ["b", "A", date(2026, 1, 31), "10", "9", 2.5, None, ""]


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
