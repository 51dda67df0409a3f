"""Numbers in words and with separators, and what is suggested for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.said_numbers import number_advice, said_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,000", 1000), ("1 000", 1000), ("1'000", 1000), ("1_000", 1000), ("1\u00a0000", 1000), ("1,000,000", 1_000_000),
        ("1.000.000", 1_000_000), ("1k", 1000), ("2.5K", 2500), ("500 people", 500), ("1,000 leads", 1000), ("10,", 10),
        ("0500", 500), ("three", 3), ("Ten", 10), ("a thousand", 1000), ("5/s", 5), ("5 per second", 5), ("3x", 3),
        ("1.000", None), ("1,0000", None), ("5%", None), ("5/min", None), ("1,5", None), ("1.5", None), ("1,000 2", None),
        ("many", None), ("", None), ("-3", None), ("1m", None),
    ],
)  # fmt: skip
def test_a_number_as_people_write_it(text: str, number: int | None) -> None:
    """Read in one way or not at all."""
    assert said_number(text) == number


@pytest.mark.parametrize(
    ("text", "least", "advice"),
    [
        ("500", 0, "remove the quotes"), ("0500", 0, "write 500"), ("1,000", 0, "write 1000"), ("three", 0, "write 3"),
        ("1.000", 0, "write 1000, or 1: a point does not part thousands"), ("all", 1, "leave the key out"),
        ("no limit", 1, "leave the key out"), ("none", 1, "leave the key out"), ("none", 0, "write 0, or leave the key out"),
        ("never", 0, "leave the key out"), ("zero", 1, ""), ("a few", 1, ""),
        ("5%", 0, "write how many: a share is not counted here"),
    ],
)  # fmt: skip
def test_what_to_write_for_a_text(text: str, least: int, advice: str) -> None:
    """What says no number is left out, where that is what it says."""
    assert number_advice(text, least) == advice


@given(st.text(alphabet="0123456789,.'_ kxone%", max_size=12))
def test_any_text_has_its_advice(text: str) -> None:
    """A number that is suggested has no digit that was not written, but those of thousands."""
    number_advice(text, 0)
    if (number := said_number(text)) is not None and not set(text) & set("kone"):
        assert set(str(number)) <= set(text) | {"0"}
