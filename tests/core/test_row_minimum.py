"""How few rows a source may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.row_minimum import RowMinimum


@pytest.mark.parametrize(
    "said", ["50% of last run", " 50 %  of  last run ", "50% OF THE LAST RUN", "50.0% of last run"]
)
def test_a_share_of_the_last_run_in_any_writing(said: str) -> None:
    """Half of 101 rows are 51; without a last run there is nothing to compare with."""
    assert RowMinimum.parse(said) == RowMinimum(None, 0.5)
    assert RowMinimum.parse(said).rows(101) == 51
    assert RowMinimum.parse(said).rows(None) is None


def test_a_number_is_a_number_and_none_is_none() -> None:
    """Whatever the last run had."""
    assert [RowMinimum.parse(value).rows(10) for value in (0, 7, None)] == [0, 7, None]


@pytest.mark.parametrize(
    "said",
    [
        "50%",
        "50",
        "5 percent of last run",
        "150% of last run",
        "-5% of last run",
        -1,
        1.5,
        True,
        "",
        "50% of last week",
    ],
)
def test_anything_else_says_what_to_write(said: object) -> None:
    """With an example; a bare share with what was probably meant."""
    with pytest.raises(ConfigurationError, match=r"50% of last run"):
        RowMinimum.parse(said)


@given(st.integers(0, 100), st.integers(0, 50))
def test_a_share_is_exact(percent: int, hundreds: int) -> None:
    """Law: n % of so many hundreds are n times so many, whatever floating point makes of it."""
    assert RowMinimum.parse(f"{percent}% of last run").rows(100 * hundreds) == percent * hundreds
