"""Rows that a sync's ``where`` turns away are counted, and nothing else is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError, TooManyRejected
from airflow_outreach_provider.core.row_order import read_order
from airflow_outreach_provider.services.submit.limits import RejectLimit

People = Callable[..., list[dict[str, object]]]


def test_rows_turned_away_are_counted_and_in_no_ledger(api: Any, people: People) -> None:
    """They add up with the others; a dry run counts them too; what changes is looked at again."""
    rows = [
        *people(30, title="Nurse"),
        *people(50, 1_000, title="Clerk"),
        {"phone": "nobody", "title": "Clerk"},
    ]
    for dry in (True, False):
        got = api.send(rows, where="title == 'Nurse'", dry_run=dry)
        assert got.states == {"planned" if dry else "accepted": 30, "filtered": 51} and got.error is None
        assert got.tally.by_reason()["filtered/where"] == 51
    assert len(api.texts()) == 30 and api.ledger() == {"accepted": 30}
    promoted = people(1, 1_000, title="Nurse")
    assert api.send(promoted, where="title == 'Nurse'", owner="later").states == {"accepted": 1}


def test_shares_are_of_the_rows_that_are_meant(api: Any, people: People) -> None:
    """A list of which most rows are for others is judged by its own."""
    rows = [
        *people(100, title="Clerk"),
        *people(5, 1_000, title="Nurse"),
        *[{"phone": "x", "title": "Nurse"}] * 2,
    ]
    got = api.send(rows, where="title == 'Nurse'", max_rejected=RejectLimit.parse("5%"))
    assert isinstance(got.error, TooManyRejected) and "2 of 7" in str(got.error)
    assert api.texts() == {}


@pytest.mark.parametrize(
    ("where", "said"), [("titel == 'Nurse'", "did you mean 'title'"), ("gone == 'x'", "gone")]
)
def test_a_column_that_no_row_has_is_a_mistake_of_the_sync(
    sqlite_api: Any, people: People, where: str, said: str
) -> None:
    """Not a list from which everybody is turned away."""
    got = sqlite_api.send(people(10, title="Nurse"), where=where)
    assert isinstance(got.error, ConfigurationError) and said in str(got.error)
    assert sqlite_api.send(people(10, title="x"), where="gone is not defined").states == {"accepted": 10}


def test_who_goes_first_is_who_a_limit_takes(api: Any, people: People) -> None:
    """By number, not by text; the rest is another run's."""
    rows = [{**row, "score": str(score)} for row, score in zip(people(5), (9, 100, 20, 3, 50), strict=True)]
    order = read_order(["score desc"])
    assert api.send(rows, order_by=order, max_rows=2).states == {"accepted": 2}
    assert sorted(api.texts()) == [rows[1]["phone"], rows[4]["phone"]]
    assert api.send(rows, order_by=order, owner="rest").states == {"accepted": 3, "unchanged": 2}
