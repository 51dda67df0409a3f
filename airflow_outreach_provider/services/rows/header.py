"""What a CSV header tells: the separator, and names that can be relied on. Pure functions over text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.suggest import looks_like

_SEPARATORS = "\t|;,"  # in the order that wins a draw: commas occur in prose, tabs do not
_QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|$)')
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\w\s]|\t)"?\s*', re.IGNORECASE)

# A phone number or an e-mail address where a column name should be.
_PHONE_CHARACTERS = frozenset("0123456789+-()./'  ")
_DATE = re.compile(r"\d{4}([-/.])\d\d\1\d\d|\d\d([-/.])\d\d\2\d{4}")
_SCIENTIFIC = re.compile(r"'?\d([.,]\d+)?e\+?\d+", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+\.[^@\s]+")


class Dialect(NamedTuple):
    delimiter: str
    skipinitialspace: bool
    """``a, b, c``: blanks after separators belong to the layout, not to the values."""


def separator_line(line: str) -> str | None:
    """The separator out of Excel's ``sep=;``, when that is what the line is."""
    match = _SEPARATOR_LINE.fullmatch(line)
    return match[1] if match else None


def sniff(line: str, separator: str | None = None) -> Dialect:
    """The dialect by the header's first line: what separates most often outside quotes."""
    bare = _QUOTED.sub("", line)
    likely = separator or max(_SEPARATORS, key=bare.count)
    if likely not in bare:
        return Dialect(separator or ",", False)
    return Dialect(likely, bare.count(likely) == bare.count(likely + " "))


def separator_in(line: str) -> str:
    """What separates most often in a line outside quotes; empty where nothing does."""
    bare = _QUOTED.sub("", line)
    likely = max(_SEPARATORS, key=bare.count)
    return likely if likely in bare else ""


Reads = Callable[[str], bool]
"""Whether anything is made of the column of a name."""


def reads_all(_column: str) -> bool:
    """Where all columns are sent."""
    return True


def column_names(values: Sequence[str], where: str, reads: Reads = reads_all) -> list[str]:
    """Trimmed names; trailing nameless columns (Excel's ``a,b,,``) are left out.

    :param where: file and line, opens the message.
    A column that is read under a name of the same looks has that one.

    :raises ConfigurationError: no names, a nameless column between others, a name twice that is read, or values of
        a lead in place of names.
    """
    names = [value.replace("\ufeff", "").strip() for value in values]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ConfigurationError(f"{where} holds no column names", "put them on the first line")
    if names[0].startswith(("{", "[")):
        raise ConfigurationError(
            f"{where} looks like JSON, not like column names",
            "name the file .jsonl if it holds one object a line",
        )
    personal = [at for at, name in enumerate(names, 1) if _is_personal(name)]
    if personal:
        raise ConfigurationError(
            f"{where} looks like a lead, not like column names: column {personal[0]} holds a phone number or "
            "an e-mail address",
            "put a first line with column names, such as phoneNumber,firstName, above it",
        )
    if "" in names:
        at = ", ".join(str(at) for at, name in enumerate(names, 1) if not name)
        raise ConfigurationError(
            f"{where}: column {at} has no name", "name it or leave it out (pandas: to_csv(index=False))"
        )
    names = [_as_read(name, names, reads) for name in names]
    twice = [name for name, count in Counter(names).items() if count > 1 and reads(name)]
    if twice:
        raise ConfigurationError(
            f"{where}: more than one column is named {mask_text(', '.join(map(repr, twice)))}",
            "give each column a name of its own",
        )
    return names


def _as_read(name: str, names: Sequence[str], reads: Reads) -> str:
    """The name a column is read under: whoever wrote it sees no difference between two writings."""
    if reads(name):
        return name
    seen = looks_like(name)
    for other in (seen, unicodedata.normalize("NFD", seen)):
        if reads(other) and other not in names:
            return other
    return name


def _is_personal(name: str) -> bool:
    if _EMAIL.fullmatch(name[:300]) or _SCIENTIFIC.fullmatch(name[:40]):
        return True
    digits = sum(map(str.isdecimal, name))
    return 7 <= digits <= 20 and _PHONE_CHARACTERS.issuperset(name) and not _DATE.fullmatch(name)
