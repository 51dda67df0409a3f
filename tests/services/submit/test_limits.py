"""How many rows may fail before a run is red."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError, OutcomeUnknown, TooManyRejected
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.tally import Tally


def tally(read: int, **counts: int) -> Tally:
    made = Tally(read=read)
    for state, number in counts.items():
        for _ in range(number):
            made.add(RowState(state), "because", "line 1")
    return made


@pytest.mark.parametrize(
    ("value", "share", "count"),
    [("5%", 0.05, None), (" 2.5 % ", 0.025, None), ("0%", 0.0, None), ("100%", 1.0, None), (0, None, 0), (20, None, 20),
     ("20", None, 20), (None, None, None)],
)  # fmt: skip
def test_a_limit_is_a_share_a_count_or_none(value: object, share: float | None, count: int | None) -> None:
    """ "5%" is of the rows read, 20 is rows, None is no limit."""
    assert RejectLimit.parse(value) == RejectLimit(share, count)


@pytest.mark.parametrize("value", ["", "5 percent", "101%", "-1", -1, 0.05, True, "²", "%", "5%%", [5]])
def test_anything_else_is_a_configuration_fault(value: object) -> None:
    """A limit that cannot be kept as written is refused with an example."""
    with pytest.raises(ConfigurationError, match="max_rejected"):
        RejectLimit.parse(value)


@given(st.integers(0, 100), st.integers(1, 50))
def test_exactly_the_share_is_allowed_and_one_more_is_not(percent: int, hundreds: int) -> None:
    """Law: n % of the rows may fail, whatever floating point makes of it."""
    limit = RejectLimit.parse(f"{percent}%")
    assert not limit.exceeded(percent * hundreds, 100 * hundreds)
    assert limit.exceeded(percent * hundreds + 1, 100 * hundreds)


def test_a_count_is_exact() -> None:
    """A count of 3 allows three."""
    assert not RejectLimit.parse(3).exceeded(3, 10)
    assert RejectLimit.parse(3).exceeded(4, 10)


def test_no_limit_allows_all() -> None:
    """None lets every row fail."""
    RejectLimit.parse(None).check(tally(10, rejected=10))


def test_too_many_rejected_says_how_many_and_why() -> None:
    """The error carries the counts and the most frequent reasons."""
    with pytest.raises(TooManyRejected, match=r"2 of 10 rows were rejected.*because 2") as caught:
        RejectLimit.parse("10%").check(tally(10, rejected=2, accepted=8))
    assert caught.value.counts["rejected"] == 2
    assert caught.value.counts["accepted"] == 8


def test_held_leads_count_as_failed() -> None:
    """Leads of unknown outcome above the limit are an error of their own, with the way to settle them."""
    with pytest.raises(OutcomeUnknown, match="leads resolve"):
        RejectLimit.parse("10%").check(tally(10, rejected=1, held=1, accepted=8))
    RejectLimit.parse("20%").check(tally(10, rejected=1, held=1, accepted=8))
