"""Messages that are nothing but "stop", in the languages people are texted in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

from airflow_outreach_provider.core.look_alikes import look_alikes
from airflow_outreach_provider.core.stop_vocabulary import (
    AFTER,
    BESIDE,
    COURTESIES,
    GREETINGS,
    IN_SENTENCES,
    NEGATIONS,
    REQUESTS,
    SALUTATIONS,
    START_WORDS,
    STOP_WORDS,
    WISHES,
)

_LONGEST_SAYING = 120
_MAIL = frozenset("<>&@")
_MAYBE_MARKED = frozenset("<&[")
_REPLIED = re.compile(r"\A(?:(?:re|aw|sv|antw|rif|res)\s?:\s{0,3}){1,3}", re.IGNORECASE)  # of a subject
# Scripts that put no blanks between words: each letter may begin one. Hangul comes taken apart, Thai without its marks.
_NO_BLANKS = (
    "\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?=[^\W_])[{_NO_BLANKS}]|[^\W_{_NO_BLANKS}]+")
_AGAIN_AND_AGAIN = re.compile(r"([^\W\d_])\1{2,}")
_SHORTEST_GLUED, _MOST_GLUED = 3, 3


class StopWords:
    """What counts as a stop word.

    :param changes: words on top of ``words``; one with ``-`` before it is not one any more.
    :param words: the usual ones.
    :param wishes: whether the usual sentences count too.
    """

    def __init__(
        self, changes: Iterable[str] = (), words: Iterable[str] = STOP_WORDS, *, wishes: bool = True
    ) -> None:
        words = set(map(_letters, words))
        gone = set()
        for change in changes:
            word = _letters(change)
            if change.strip().startswith("-"):
                words.discard(word)
                gone.add(word)
            elif word:
                words.add(word)
        self._words, self._has_wishes = frozenset(words), wishes
        # "STOP IT" taken out would still be STOP, and what changes nothing.
        self._gone = frozenset(gone - words)

    def changed(self, setting: str) -> StopWords:
        """These, and those of a setting: words separated by commas or line breaks; after ``=`` they are all there are."""
        rest = setting.strip()
        known: Iterable[str] = () if rest.startswith("=") else self._words
        changes = [word for word in re.split(r"[,;\n]", rest.lstrip("= ")) if word.strip()]
        wishes = self._has_wishes and not rest.startswith("=")
        return StopWords([*(f"-{word}" for word in self._gone), *changes], known, wishes=wishes)

    def __contains__(self, message: object) -> bool:
        """Whether a message is nothing but stop words.

        Case, blanks, punctuation, accents, courtesies and what else changes nothing beside them aside; so is whom it
        greets by name: "Hi Ann, stop". Letters and digits count for those they look like: ``ST0P``.
        """
        return any(
            self._holds(*said)
            for each in (*_readings(message), *_unsigned(message))
            for read in (_read(each), *_behind_greeting(each))
            for said in (read, *((other, _WORD.findall(other)) for other in look_alikes(read[0])))
        )

    def _holds(self, folded: str, parts: list[str]) -> bool:
        if "".join(parts) in self._gone:
            return False
        rest = _without_no(folded, parts)
        if (
            self._polite.make_up(parts)
            or (_ASKS.search(folded) and self._asked.make_up(rest))
            or ("?" not in folded and self._wide.make_up(rest))
        ):
            return True
        once = _AGAIN_AND_AGAIN.sub(r"\1", folded)
        return once != folded and self._holds(once, _WORD.findall(once))

    @cached_property
    def _polite(self) -> _Phrases:
        return _Phrases(self._words | self._wishes, _COURTESIES)

    @cached_property
    def _wide(self) -> _Phrases:
        return _Phrases((self._words - _IN_SENTENCES) | self._wishes, _BESIDE, _AFTER)

    @cached_property
    def _wishes(self) -> frozenset[str]:
        return _usual_wishes() - self._gone if self._has_wishes else frozenset()

    @cached_property
    def _asked(self) -> _Phrases:
        return _Phrases(self._words & _WISHES, _BESIDE | _REQUESTS, _AFTER)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StopWords) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._words)

    @property
    def _all(self) -> tuple[object, ...]:
        return self._words, self._gone, self._has_wishes


@lru_cache(maxsize=16)
def stop_words(setting: str) -> StopWords:
    """The words of ``[outreach] stop_words``: :meth:`StopWords.changed` of the usual ones."""
    return USUAL.changed(setting)


@lru_cache(maxsize=1)
def _usual_wishes() -> frozenset[str]:
    """Some thousands, made where the first message is read: most processes read none."""
    from airflow_outreach_provider.core.stop_wishes import STOP_WISHES

    return frozenset(map(_letters, STOP_WISHES))


def is_start_word(message: object) -> bool:
    """Whether a message is nothing but START or UNSTOP, and courtesies: nothing else may be taken for a yes."""
    return any(_START.make_up(_read(each)[1]) for each in _readings(message))


class _Phrases:
    """What texts may be put together of.

    :param words: one of them at least. :param beside: what may stand anywhere. :param after: what may follow a word.
    """

    def __init__(
        self, words: frozenset[str], beside: frozenset[str], after: frozenset[str] = frozenset()
    ) -> None:
        self.words, self.beside, self.after = words, beside, after
        self.beginnings = _beginnings(words | beside | after)

    def make_up(self, parts: list[str]) -> bool:
        """Whether the parts of a text, neighbours taken together or not, are such words and nothing else."""
        heard: list[bool | None] = [False] + [None] * len(
            parts
        )  # up to each part: whether a word is among them
        for start in range(len(parts)):
            before, piece = heard[start], ""
            if before is None:
                continue
            for end in range(start, len(parts)):
                piece += parts[end]
                if piece not in self.beginnings:
                    break
                if piece in self.words:
                    heard[end + 1] = True
                elif piece in self.beside or (before and piece in self.after):
                    heard[end + 1] = heard[end + 1] or before
        return heard[-1] is True or (len(parts) <= _MOST_GLUED and _unglued("".join(parts)) in self.words)


def _beginnings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[: number + 1] for word in words for number in range(len(word)))


@lru_cache(maxsize=8)
def _read(message: str) -> tuple[str, list[str]]:
    """What a message says, folded, and its words; remembered, for one is asked for STOP and for START."""
    folded = _fold(_added(message))
    return folded, _WORD.findall(folded)


def _behind_greeting(message: str) -> Iterator[tuple[str, list[str]]]:
    """The same of what stands behind a greeting with a name, where there is one."""
    folded = _read(message)[0]
    if greeting := _GREETED.match(folded):
        rest = folded[greeting.end() :]
        yield rest, _WORD.findall(rest)


@lru_cache(maxsize=8)
def _added(message: str) -> str:
    """What the writer said, where it is short enough; most messages are a line, not an e-mail."""
    said = _REPLIED.sub("", message.strip())
    if said.isprintable() and _MAYBE_MARKED.isdisjoint(said):
        return said if len(said) <= _LONGEST_SAYING and not said.startswith(">") else ""
    from airflow_outreach_provider.core.mail_text import written_text

    return written_text(said, _LONGEST_SAYING)


def _readings(message: object) -> Iterator[str]:
    """A message, and a few short lines also as one: what looks like a closing and a name may be a please and a word."""
    if not isinstance(message, str):
        return
    yield message
    said = message.strip()
    if "\n" in said and len(said) <= _LONGEST_SAYING and _MAIL.isdisjoint(said):
        yield " ".join(said.split())


def _unsigned(message: object) -> Iterator[str]:
    """A message without the name that its writer put below it, or behind a thanks."""
    if not isinstance(message, str) or (
        "\n" not in message and "<" not in message and not _THANKS.search(message)
    ):
        return
    if (signed := _SIGNED.fullmatch(_added(message))) is not None:
        yield signed["said"]


def _without_no(folded: str, parts: list[str]) -> list[str]:
    rest = _NO.sub("", folded)
    return parts if rest == folded else _WORD.findall(rest)


def _unglued(letters: str) -> str:
    """One word, without the courtesies written together with it: ``stopplease``."""
    while True:
        rest = letters
        if letters.startswith(_GLUED) or letters.endswith(_GLUED):
            for word in _GLUED:
                rest = rest.removeprefix(word).removesuffix(word)
        if rest == letters:
            return rest
        letters = rest


def _letters(text: str) -> str:
    """Letters and digits alone, without accents and case."""
    return "".join(_WORD.findall(_fold(text)))


def _fold(text: str) -> str:
    """Without case, accents apart from their letters; the Turkish ı is an i."""
    if text.isascii():
        return text.lower()
    return (
        unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
        .replace("ı", "i")
        .replace("؟", "?")
    )


_IN_SENTENCES = frozenset(map(_letters, IN_SENTENCES))
_COURTESIES = frozenset(map(_letters, COURTESIES))
_BESIDE = _COURTESIES | frozenset(map(_letters, BESIDE))
_AFTER = frozenset(map(_letters, AFTER))
_WISHES = frozenset(map(_letters, WISHES))
_ASKS = re.compile(r"[?؟]|\b(?:you|u|how|can)\b")
_REQUESTS = frozenset(map(_letters, REQUESTS))
_GLUED = tuple(sorted((each for each in _COURTESIES if len(each) >= _SHORTEST_GLUED), key=len, reverse=True))
_NAY = rf"(?:{'|'.join({*map(_fold, NEGATIONS), *map(_letters, NEGATIONS)})})"
_NO = re.compile(rf"^\W*(?:(?:{_NAY}\s+){{2,}}|{_NAY}(?:\s*[.,،、;:!\n]\W*|\s+[-–—]+\s+))+")
_NAME = r"(?!(?:don['’]?t|do|not?|never|why|what|when|how|where|who|if|i)\b)[^\W\d_][\w'’-]*"
_GREETED = re.compile(
    rf"\W*(?:{'|'.join(sorted(map(_fold, (*GREETINGS, *SALUTATIONS)), key=len, reverse=True))})"
    rf"\s+{_NAME}\.?(?:\s+{_NAME}){{0,2}}\s*(?:[,!.:;،、，\n]\W*|\s[–—-]+\s)"
)
_CAPITALS = r"[^\W\da-z_][\w.'’-]*"
_THANKS = re.compile(
    r"\b(?:thanks|thank you|thx|cheers|regards|danke|merci|gracias|grazie|obrigad[oa])", re.IGNORECASE
)
_SIGNED = re.compile(
    rf"(?P<said>\S.*?)(?:\s*\n[^\S\n]*\n\s*|(?i:{_THANKS.pattern})\s*[,.!–—-]\s*)"
    rf"{_CAPITALS}(?: {_CAPITALS}){{0,2}}[,.!]?(?:\n(?:[^a-z\n][^\n]*|[^\s@]+@[^\s@]+|www\.\S+)){{0,6}}",
    re.DOTALL,
)
_START = _Phrases(frozenset(map(_letters, START_WORDS)), _COURTESIES)
USUAL = StopWords()
