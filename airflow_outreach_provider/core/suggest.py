"""Did you mean: the known word that somebody who wrote another one most likely meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches

_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NEGATIONS = frozenset(
    ["not", "no", "non", "never", "dont", "without", "exclude", "excluding", "except", "skip", "ignore"]
)
_OPPOSITES = frozenset(
    frozenset(pair.split())
    for pair in (
        "min max", "above below", "over under", "before after", "start end", "in out", "on off", "include exclude",
        "accepted rejected", "allow deny", "first last", "from to", "since until",
    )
)  # fmt: skip
_TURNS = ("un", "dis", "in", "non", "not", "no")


def looks_like(name: str) -> str:
    """What a person sees of a name: macOS writes é as two characters, and web pages their blanks so that none breaks."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def nearest(word: str, known: Iterable[str], plain: Callable[[str], str] = str.lower) -> str | None:
    """The known word that ``word`` resembles most; None where it resembles none, or only its contrary.

    :param plain: what is left of a word before it is compared.
    """
    words = {plain(each): each for each in map(str, known)}
    close = get_close_matches(plain(word), words, n=1)
    return words[close[0]] if close and not _are_opposites(word, words[close[0]]) else None


def _are_opposites(one: str, other: str) -> bool:
    """Whether two names that look alike ask for the contrary: ``disabled`` and ``enabled``, ``opt_out`` and ``opt_in``."""
    here, there = (_WORD.findall(_HUMP.sub("_", each).lower()) for each in (one, other))
    if "".join(here) == "".join(there):
        return False
    only_here, only_there = set(here) - set(there), set(there) - set(here)
    if (only_here | only_there) & _NEGATIONS:
        return True
    return any(
        frozenset((a, b)) in _OPPOSITES or _turns(a, b) or _turns(b, a) for a in only_here for b in only_there
    )


def _turns(word: str, other: str) -> bool:
    """``unsubscribed`` of ``subscribed``, ``disabled`` of ``enabled``."""
    return word in {turn + rest for turn in _TURNS for rest in (other, other.removeprefix("en"))}


def said_kind(value: object) -> str:
    """What a value is, for a message: ``a list``, ``pandas.DataFrame``."""
    usual: dict[type, str] = {
        list: "a list",
        tuple: "a tuple",
        dict: "a dict",
        str: "a text",
        set: "a set",
        bytes: "bytes",
    }
    kind = type(value)
    if value is None or kind in usual:
        return usual.get(kind, "None")
    module = kind.__module__.partition(".")[0]
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Advice on an unknown word: the nearest known one, else ``otherwise``, else all of them."""
    words = sorted(map(str, known))
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known are: {', '.join(words)}" if otherwise is None else otherwise
