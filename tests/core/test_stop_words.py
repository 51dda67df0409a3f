"""A message that is nothing but a stop word opts out; a message that only holds one does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.sources import source_settings
from airflow_outreach_provider.core.stop_words import STOP_WORDS, USUAL, is_start_word, stop_words


@pytest.mark.parametrize(
    "message",
    ["STOP", "stop", "Stop.", " STOP!! ", "s t o p", "StopAll", "stop all", "UNSUBSCRIBE", "cancel", "END", "quit", "Revoke",
     "OPT OUT", "opt-out", "OptOut", "unsub", "ARRÊT", "arret", "Baja", "alto", "PARAR", "Stopp", "abmelden", "SAIR",
     "cancelar", "annulla", "СТОП", "退订", "수신거부", "İPTAL", "ＳＴＯＰ", "STOP 🛑", "\u200eSTOP\u200f", "«Stop»", "STOP STOP",
     "stop, unsubscribe", "STOP\n\nOn Mon, 2 Mar 2026 at 10:00, Ann <ann@example.com> wrote:\n> Hello",
     "<div>Stop</div><br><blockquote>Hello Jane, are you free?</blockquote>", "Unsubscribe\n\nSent from my iPhone",
     "stop\n> Hello", "Stop&nbsp;", "ANNULER", "REVOKE.", "OPTOUT", "S.T.O.P.", "S\u200bT\u200bO\u200bP", "𝐒𝐓𝐎𝐏", "🅂🅃🄾🄿", "\ufeffstop", "✋ stop 🙏",
     "[STOP]", "*stop*", "Please stop", "stop, please", "Stop thanks", "Stop texting me", "unsubscribe me", "取消", "por favor, baja",
     "S'il vous plaît arrêter", "STOP STOP!!!"],
)  # fmt: skip
def test_nothing_but_a_stop_word_is_a_stop_word(message: str) -> None:
    """Case, blanks, punctuation, accents, quoted mail and the language do not matter."""
    assert message in USUAL


@pytest.mark.parametrize(
    "message",
    ["please stop by tomorrow", "Stop by at 5", "can't stop laughing", "nonstop", "the end", "I quit my job, call me",
     "cancel my 3pm and book 4pm", "do not stop", "bus stop", "", " ", "...", "🛑", "yes", "START", "stopwatch", "end of month?",
     "please", "thanks", "please call", "stop please call me", "thanks, not now",
     "Hi!\n\nOn Mon, Ann wrote:\n> STOP", "> STOP", "x" * 50_000, "stop " * 2000],
)  # fmt: skip
def test_a_message_that_says_more_is_none(message: str) -> None:
    """Whoever writes a sentence means the sentence, and what is quoted was said by somebody else."""
    assert message not in USUAL


@settings(deadline=None)
@given(
    st.sampled_from(STOP_WORDS),
    st.text(" .,!?*_-\"'()\t\n\u00a0\u200b", max_size=4),
    st.text(" .,!?*_-\"'()\t\n\u00a0\u200b", max_size=4),
    st.sampled_from([str, str.lower, str.upper, str.title, str.swapcase]),
)
def test_every_word_counts_in_every_case_between_any_marks(
    word: str, before: str, after: str, case: object
) -> None:
    """The listed words are stop words however they are set."""
    assert before + case(word) + after in USUAL  # type: ignore[operator]


def test_an_installation_adds_and_removes_words() -> None:
    """``[outreach] stop_words`` adds to the usual words, and takes those out that have a - before them."""
    words = stop_words("Genug, -END\nlass mich in Ruhe")
    assert "GENUG!" in words
    assert "Lass mich in Ruhe." in words
    assert "end" not in words
    assert "stop" in words
    assert "genug" not in USUAL


def test_a_setting_may_replace_the_usual_words_and_a_source_change_those_of_the_installation() -> None:
    """After ``=`` the words named are all there are; a source goes on from what the installation says."""
    own = stop_words("= GENUG; fertig")
    assert ("genug" in own, "FERTIG." in own, "stop" in own) == (True, True, False)
    of_source = source_settings(
        "s", password=None, extra={"platform": "tether", "stop_words": "Klaar, -fertig"}, stop_words=own
    ).stop_words
    assert ("klaar" in of_source, "genug" in of_source, "fertig" in of_source) == (True, True, False)
    assert source_settings("s", password=None, extra={"platform": "tether"}).stop_words == USUAL
    assert stop_words("") == USUAL


@pytest.mark.parametrize(
    ("message", "is_one"),
    [("START", True), ("unstop.", True), ("start the car", False), ("yes", False), (None, False)],
)
def test_start_words(message: object, is_one: bool) -> None:
    """START and UNSTOP, alone, take a stop word back."""
    assert is_start_word(message) is is_one
