"""Yes and no in every writing, and what is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.flags import flag_of

YES = [True, 1, "true", "True", " TRUE ", "t", "1", "yes", "Y", "on"]
NO = [False, 0, "false", "False", "f", "0", "no", "N", "off\n"]


@pytest.mark.parametrize(("said", "flag"), [*((each, True) for each in YES), *((each, False) for each in NO)])
def test_the_usual_writings(said: object, flag: bool) -> None:
    """As Airflow's settings, YAML, JSON and templates write them."""
    assert flag_of(said) is flag


@pytest.mark.parametrize("said", [None, "", "None", "null", "maybe", 2, 1.5, [], {}, "ja"])
def test_what_says_neither(said: object) -> None:
    """Nobody guesses what was meant."""
    assert flag_of(said) is None


@given(st.text(max_size=8))
def test_a_flag_is_what_it_is_in_any_case_and_between_blanks(text: str) -> None:
    """Neither case nor blanks around it change what a text says."""
    assert flag_of(f"  {text.upper().lower()} ") is flag_of(text.upper().lower())
