"""Whether a list is in the order of its changes: believed by what is seen, never by a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.listing_order import TRUST_LIKELY, TRUST_PROVEN, ChangeOrder

START = datetime(2026, 3, 25, 12, tzinfo=UTC)
Row = tuple[int | None, int | None]


def watched(*rows: Row) -> ChangeOrder:
    order = ChangeOrder()
    for row in rows:
        order.take(*(None if each is None else START + timedelta(minutes=each) for each in row))
    return order


@pytest.mark.parametrize(
    ("rows", "trust"),
    [
        ([], timedelta(0)),
        ([(1, 1)], timedelta(0)),
        ([(1, 1), (1, 1), (1, 1)], timedelta(0)),
        ([(3, 3), (2, 2), (2, 2), (1, 1)], TRUST_LIKELY),
        ([(3, 9), (2, 5), (1, 1)], TRUST_LIKELY),
        ([(1, 9), (2, 5), (3, 3)], TRUST_PROVEN),
        ([(None, 9), (None, 5)], TRUST_LIKELY),
        ([(9, None), (5, None)], TRUST_LIKELY),
        ([(1, 1), (2, 2)], timedelta(0)),
        ([(3, 3), (2, 4), (1, 1)], timedelta(0)),
        ([(3, 3), (None, None), (1, 1)], timedelta(0)),
    ],
)  # fmt: skip
def test_trust_is_by_evidence(rows: list[Row], trust: timedelta) -> None:
    """None without two times or out of order; short where it may be the order of creation; long where it cannot be."""
    assert watched(*rows).trust == trust


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_behind_a_drop_all_is_older(rows: list[tuple[int, int]]) -> None:
    """Where the order is kept to the end, nothing behind a drop has a time from before it, and any list sorted is in order."""
    order = ChangeOrder()
    drops = [
        order.take(START + timedelta(minutes=made), START + timedelta(minutes=changed))
        for made, changed in rows
    ]
    for at, dropped in enumerate(drops):
        if dropped and order.kept:
            assert max(changed for _, changed in rows[at:]) < min(changed for _, changed in rows[:at])
    assert watched(*sorted(rows, key=lambda row: -row[1])).kept
