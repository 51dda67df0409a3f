"""Conditions of people who think of SQL or another language, and what they are told to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_where
from airflow_outreach_provider.core.expressions.scope import ROW_CONDITION

WHOLE = {
    "status = 'new' AND NOT opted_out": "status == 'new' and not opted_out",
    "WHERE status = 'new' OR vip = 'yes';": "status == 'new' or vip == 'yes'",
    "status == 'new' && !opted_out": "status == 'new' and not opted_out",
    "!(status == 'old') && vip": "not (status == 'old') and vip",
    "status <> 'new' AND email IS NOT NULL": "status != 'new' and email is not none",
    "status IN ('new', 'old') AND vip": "status in ['new', 'old'] and vip",
    "status = “new” AND city == ‘Köln’": "status == 'new' and city == 'Köln'",
    "score ≥ 5 & a === b": "score >= 5 and a == b",
    "status='a = b AND c' AND vip": "status == 'a = b AND c' and vip",
}
ALONE = {
    "status == 'new' AND vip": "small letters",
    "NOT vip": "small letters",
    "status == “new”": "write ' on both sides",
    "status == `new`": "without quotes",
    "status == 'new' & vip": "write and",
    "status ≠ 'new'": "write !=, >= or <=",
    "status == 'new';": "leave it out",
    "score | float > 1,000": "without it",
    "email is null": "is none",
    "email is not NULL": "is none",
    "opted_out != TRUE": "write true",
    "opted_out == FALSE": "write false",
    "title startswith 'RN'": "looks anywhere in it",
    "title LIKE 'RN%'": "looks anywhere in it",
}


def _told(source: str) -> str:
    with pytest.raises(ExpressionError) as raised:
        compile_where(source, ROW_CONDITION)
    return raised.value.remedy


@pytest.mark.parametrize(("source", "whole"), WHOLE.items())
def test_several_habits_are_put_right_in_one_step(source: str, whole: str) -> None:
    """The line as it should be, which then can be read; what stands in quotes is left as it is."""
    assert _told(source) == f"write {whole}"
    compile_where(whole, ROW_CONDITION)


@pytest.mark.parametrize(("source", "words"), ALONE.items())
def test_a_single_habit_is_named(source: str, words: str) -> None:
    """With what it is called here. TRUE as a column that is not there would let everybody pass who differs from it."""
    assert words in _told(source)


@pytest.mark.parametrize("source", ["!opted_out == 'yes' && vip", "!status in ['a'] && vip"])
def test_what_means_two_things_is_not_rewritten(source: str) -> None:
    """``!`` binds closer elsewhere than ``not`` does here: the line would ask for somebody else."""
    assert _told(source) == "write and"


@given(st.text(alphabet="ab =!<>&|'\"“”(),;ANDORNTIsnul", max_size=30))
def test_any_text_is_read_or_explained(text: str) -> None:
    """Whatever the rewriting makes of it."""
    try:
        compile_where(text, ROW_CONDITION)
    except ExpressionError as error:
        assert error.problem
