"""What is suggested for a mistyped word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.suggest import did_you_mean, nearest

WORDS = st.lists(st.text("abcdefgh_", min_size=1, max_size=12), min_size=1, unique=True)


def test_the_nearest_word_is_suggested_as_it_is_known() -> None:
    """A slip of the fingers or of the shift key finds the word, in its own writing."""
    assert nearest("FIRST_NAM", ["first_name", "Last Name", "phone"]) == "first_name"
    assert nearest("last name", ["first_name", "Last Name", "phone"]) == "Last Name"
    assert did_you_mean("phoen", ["phone", "email"]) == "did you mean 'phone'?"


def test_far_words_are_no_suggestion() -> None:
    """Where nothing is near, all are named in their order, or what the caller has to say."""
    assert nearest("zzz", ["phone", "email"]) is None
    assert did_you_mean("zzz", ["phone", "email"]) == "known are: email, phone"
    assert did_you_mean("zzz", ["phone", "email"], "add it") == "add it"
    assert did_you_mean("zzz", [], "") == ""


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("disabled", "enabled"),
        ("where_not", "where"),
        ("approve_below", "approve_above"),
        ("max_rows", "min_rows"),
        ("max_accepted", "max_rejected"),
        ("neverResubmit", "resubmit"),
        ("uninterested", "interested"),
        ("subscribed", "unsubscribed"),
        ("Opted Out", "opted_in"),
    ],
)
def test_the_contrary_is_no_suggestion(word: str, known: str) -> None:
    """Whoever followed it would text the very people who were not meant."""
    assert nearest(word, [known]) is None
    assert nearest(known, [word]) is None


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("not interested", "not_interested"),
        ("notinterested", "not_interested"),
        ("enable", "enabled"),
        ("opt-in", "opt_in"),
        ("max_reject", "max_rejected"),
    ],
)
def test_the_same_in_another_writing_is_no_contrary(word: str, known: str) -> None:
    """A word that says no is the one that says no, however it is joined."""
    assert nearest(word, [known]) == known


def test_a_caller_says_what_makes_words_alike() -> None:
    """Blanks and hyphens do not tell columns apart, where the caller leaves them out."""
    assert nearest("P--h--o--n--e", ["phone"]) is None
    assert nearest("P--h--o--n--e", ["phone"], lambda word: re.sub(r"\W", "", word.lower())) == "phone"


@pytest.mark.slow
@given(words=WORDS, data=st.data())
def test_a_known_word_is_its_own_nearest(words: list[str], data: st.DataObject) -> None:
    """Whatever else is known, in capitals or not, a word that is known is suggested itself."""
    word = data.draw(st.sampled_from(words))
    assert nearest(word, words) == nearest(word.upper(), words) == word


@given(word=st.text(), words=WORDS)
def test_only_known_words_are_suggested(word: str, words: list[str]) -> None:
    """Any text gets a known word or none."""
    assert nearest(word, words) in (None, *words)
