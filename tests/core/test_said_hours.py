"""Hours in words, and the span that is suggested for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.said_hours import hours_advice, said_hours

WORDS = {
    "9pm-8am": "21:00-08:00",
    "9 PM to 8 AM": "21:00-08:00",
    "9:30 p.m. – 7:00 a.m.": "21:30-07:00",
    "between 21 and 8": "21:00-08:00",
    "21-8": "21:00-08:00",
    "21:00 to 08:00": "21:00-08:00",
    "2100-0800": "21:00-08:00",
    "21.30-7.15": "21:30-07:15",
    "12am-6am": "00:00-06:00",
    "12pm-1pm": "12:00-13:00",
    "21:00–24:00": "21:00-00:00",
    "21:00-08:00 America/New_York": "21:00-08:00",
}
UNCLEAR = ["9-8", "9pm-8", "13pm-8am", "25:00-26:00", "21:00", "evenings", "", "9pm-9pm", "21:00-08:61"]


@pytest.mark.parametrize(("words", "span"), WORDS.items())
def test_hours_in_words(words: str, span: str) -> None:
    """What most people would take them for, in Python as in YAML."""
    assert said_hours(words) == span
    with pytest.raises(ConfigurationError, match=f'write "{span}"'):
        QuietHours.parse(words)


@pytest.mark.parametrize("words", UNCLEAR)
def test_hours_that_can_be_read_in_two_ways_are_not_guessed(words: str) -> None:
    """A span twelve hours off would have people texted by night."""
    assert said_hours(words) is None
    assert hours_advice(words) == 'write e.g. "21:00-08:00"'


def test_what_hours_are_read_in_is_said() -> None:
    """A zone behind them is not dropped in silence; none is no span."""
    assert hours_advice("9pm-8am ET") == 'write "21:00-08:00", which is read where each person is'
    assert hours_advice("9pm-8am") == 'write "21:00-08:00"'
    assert hours_advice("none") == "leave it out"


@given(st.text(alphabet="0123456789:-. apmto", max_size=16))
def test_what_is_suggested_is_a_span(text: str) -> None:
    """Whatever is written, the advice can be followed."""
    if (meant := said_hours(text)) is not None:
        QuietHours.parse(meant)
