"""How many texts a person may get in a span of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.per_person import PerPerson

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "most", "span"),
    [("1 per 7d", 1, timedelta(days=7)), (" 3  PER  2 weeks ", 3, timedelta(weeks=2)), ("2 per week", 2, timedelta(weeks=1)),
     ("10 per 1h 30m", 10, timedelta(minutes=90)), ("1 per 0.5d", 1, timedelta(hours=12))],
)  # fmt: skip
def test_so_many_per_span(said: str, most: int, span: timedelta) -> None:
    """As people write it, and back."""
    assert PerPerson.parse(said) == PerPerson(most, span)
    assert PerPerson.parse(str(PerPerson(most, span))) == PerPerson(most, span)


@pytest.mark.parametrize("said", ["1 per 1M", "1 per M", "1 per month", "3 per 2 months"])
def test_a_month_in_one_letter_is_no_minute(said: str) -> None:
    """Who may have one text a month would have another after a minute."""
    with pytest.raises(ConfigurationError, match="30d for a month"):
        PerPerson.parse(said)


@pytest.mark.parametrize(
    ("said", "names"),
    [("0 per 7d", "'0'"), ("-1 per 7d", "'-1'"), ("1.5 per 7d", "'1.5'"), ("one per 7d", "'one'"), ("1 per -1d", "'-1d'"),
     ("1 per fortnight", "'fortnight'"), ("1 per 0d", "'0d'"), ("1 per 7", "'7'"), ("1 per 99999d", "'99999d'"),
     ("1 per", "'1 per'"), ("7d", "'7d'"), ("", "''"), (1, "1"), (None, "None"), (True, "True"), ("１ per 7d", "'１'")],
)  # fmt: skip
def test_nonsense_says_which_half_is_none(said: object, names: str) -> None:
    """With an example of what may be written."""
    with pytest.raises(ConfigurationError, match="1 per 7d") as caught:
        PerPerson.parse(said)
    assert names in str(caught.value)


@given(st.integers(1, 4), st.lists(st.integers(-30, 0), max_size=12))
def test_no_span_ever_has_more_texts_than_it_may(most: int, days_ago: list[int]) -> None:
    """Law: sent at the time that is given, any 7 days hold at most so many; and no earlier time would do."""
    rule = PerPerson(most, timedelta(days=7))
    texted = [NOW + timedelta(days=days) for days in days_ago]
    opens = rule.open_from(texted, NOW)
    at = opens or NOW
    assert sum(at - rule.span < moment <= at for moment in texted) < most
    if opens is not None:
        just_before = opens - timedelta(seconds=1)
        assert sum(just_before - rule.span < moment for moment in texted) >= most
