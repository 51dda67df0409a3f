"""A number as people write it, ``1,000`` or ``three``, for advice: what is read is a number alone."""

from __future__ import annotations

import re

_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_NAMED = {word: number for number, word in enumerate(_WORDS)} | {
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
    "a hundred": 100,
    "one hundred": 100,
    "thousand": 1000,
    "a thousand": 1000,
    "one thousand": 1000,
}
_PARTED = re.compile(r"\d{1,3}(?:([,'’_ \u00a0\u202f])\d{3})(?:\1\d{3})*")
_POINTED = re.compile(r"\d{1,3}(?:\.\d{3})+")
_THOUSANDS = re.compile(r"(\d+(?:\.\d{1,3})?)\s*k", re.IGNORECASE)
_COUNTED = re.compile(
    r"(\d[\d,]*)\s*(?:,|;|people|persons?|leads?|rows?|contacts?|texts?|times?|x|runs?|tasks?"
    r"|(?:requests?|req|r)?\s*(?:/|per\s)\s*s(?:ec(?:ond)?)?|rps)",
    re.IGNORECASE,
)
_ALL = frozenset(
    [
        "all",
        "any",
        "everything",
        "everybody",
        "unlimited",
        "infinite",
        "infinity",
        "inf",
        "never",
        "max",
        "maximum",
        "no",
        "limit",
        "unset",
        "default",
    ]
)
_NONE = frozenset(("none", "no", "off", "null", "disabled"))


def said_number(text: str) -> int | None:
    """The whole number that a text says; None where it says none, or one that can be read in two ways."""
    read = text.strip()
    if (named := _NAMED.get(" ".join(read.lower().split()))) is not None:
        return named
    if read.isdecimal() and read.isascii():
        return int(read)
    if _PARTED.fullmatch(read) or (_POINTED.fullmatch(read) and read.count(".") > 1):
        return int(re.sub(r"\D", "", read))
    if found := _THOUSANDS.fullmatch(read):
        return round(float(found[1]) * 1000)
    if found := _COUNTED.fullmatch(read):
        return said_number(found[1])
    return None


def number_advice(text: str, least: float) -> str:
    """What to write for a text where a number belongs; empty where it says none.

    :param least: the smallest that may stand there.
    """
    read = " ".join(text.lower().split())
    if (meant := said_number(text)) is not None and meant >= least:
        return "remove the quotes" if text.strip() == str(meant) else f"write {meant}"
    if _POINTED.fullmatch(read):
        return f"write {read.replace('.', '')}, or {int(read.split('.')[0])}: a point does not part thousands"
    if read.endswith("%"):
        return "write how many: a share is not counted here"
    if read in _NONE and least == 0:
        return "write 0, or leave the key out"
    if read in _NONE or (read and all(word in _ALL for word in read.split())):
        return "leave the key out"
    return ""
