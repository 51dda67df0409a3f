"""*Try it* for a sync: which runs only try, told by their id, and what they found, as it is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import JSON

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.row_trials import (
    MOST_ROWS,
    PREFIX,
    RowTrial,
    Tried,
    TriedRow,
    read_rows,
    trial_of,
    trial_run_id,
)

# Airflow's default for [scheduler] allowed_run_id_pattern.
ALLOWED = re.compile(r"^[A-Za-z0-9_.~:+-]+$")


@pytest.mark.parametrize(
    ("run_id", "rows"),
    [
        ("outreach_try__5__x", 5), ("outreach_try__1__by_hand", 1), ("outreach_try__100__2026-01-01T00:00:00+00:00", 100),
        ("OUTREACH_TRY__7__x", 7), ("Outreach_Try__7__x", 7), (" outreach_try__5__x ", 5), ("outreach_try__5__outreach_try__6__x", 5),
    ],
)  # fmt: skip
def test_a_try_is_known_by_its_id(run_id: str, rows: int) -> None:
    """How many rows stands in it; capitals and blanks around it change nothing."""
    assert trial_of(run_id) == RowTrial(rows)


@pytest.mark.parametrize("run_id", ["manual__2026-01-01T00:00:00+00:00", "scheduled__x", "", "outreach__crm__evt_1", "outreach_try", "my_outreach_try__5__x", "try__5__x"])  # fmt: skip
def test_every_other_run_is_none(run_id: str) -> None:
    """What does not begin so sends as ever."""
    assert trial_of(run_id) is None


@pytest.mark.parametrize(
    "rest", ["", "5", "5_", "5__", "0__x", "05__x", "101__x", "999__x", "1000__x", "-5__x", "5.5__x", "five__x", "٥__x", "5 __x", "__x", "5__ ", "5__a b", "+5__x"]
)  # fmt: skip
def test_what_begins_like_a_try_and_is_none_is_refused(rest: str) -> None:
    """It does nothing at all, and says what it should be called."""
    with pytest.raises(ConfigurationError, match="nothing was done — call it outreach_try__5__anything"):
        trial_of(PREFIX + rest)


@given(st.text())
def test_nothing_that_begins_like_a_try_is_a_run_that_sends(rest: str) -> None:
    """The law on which the sending rests: a try with a bounded number of rows, or an error."""
    try:
        trial = trial_of(PREFIX + rest)
    except ConfigurationError:
        return
    assert trial is not None
    assert 1 <= trial.rows <= MOST_ROWS


@given(st.integers(1, MOST_ROWS), st.text(), st.text())
def test_the_id_that_is_made_is_read_back(rows: int, actor: str, latest: str) -> None:
    """Airflow takes it; asked for twice it is one; another person's, and the next one, are others."""
    run_id = trial_run_id(rows, actor, latest)
    assert trial_of(run_id) == RowTrial(rows)
    assert ALLOWED.match(run_id)
    assert len(run_id) < 250
    assert run_id == trial_run_id(rows, actor, latest)
    assert run_id not in (trial_run_id(rows, actor + "x", latest), trial_run_id(rows, actor, latest + "x"))


@pytest.mark.parametrize(("text", "rows"), [(None, 5), ("", 5), ("  ", 5), ("1", 1), (" 20 ", 20), ("100", 100), ("007", 7)])  # fmt: skip
def test_a_number_of_rows(text: str | None, rows: int) -> None:
    """Five where nothing is said."""
    assert read_rows(text) == rows


@given(st.text() | st.integers(101).map(str) | st.integers(max_value=0).map(str) | st.floats().map(str))
def test_whatever_is_typed_is_a_number_of_rows_or_a_mistake(text: str) -> None:
    """None beyond the bounds gets through, and nothing else than a mistake comes of it."""
    try:
        rows = read_rows(text)
    except ConfigurationError as error:
        assert "write a whole number from 1 to 100" in str(error)
    else:
        assert 1 <= rows <= MOST_ROWS


@pytest.mark.slow
@given(
    st.dictionaries(st.text(max_size=30), JSON | st.text(max_size=2000), max_size=40),
    st.text(max_size=40_000),
)
def test_what_was_found_comes_back_and_is_bounded(values: dict[str, Any], payload: str) -> None:
    """Whatever a source holds: the store's text is JSON that is read back, and no longer than a page bears."""
    row = TriedRow(3, "planned", "would_be_sent", "", values, "+14165550123", payload)
    text = Tried("leads.csv", (row,), 2, ("a note",), "").to_json()
    assert "\x00" not in text
    assert len(text) < 150_000
    back = Tried.of_json(text)
    assert (back.source, back.carried, back.notes, back.rows[0].line) == ("leads.csv", 2, ("a note",), 3)
    assert Tried.of_json(back.to_json()) == back
