"""A row that says itself that its person is not to be contacted, as exports of contacts do: ``Opted Out: yes``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.missing import is_missing
from airflow_outreach_provider.core.platforms.keys import Holds, read_key
from airflow_outreach_provider.core.platforms.no_names import is_plain_yes
from airflow_outreach_provider.core.platforms.no_words import is_no_word
from airflow_outreach_provider.core.platforms.persons import is_moment, opted_out, says_no
from airflow_outreach_provider.core.platforms.places import walk
from airflow_outreach_provider.core.platforms.reading import is_no_time, normalise, when

ROW_SAYS_NO = "row_says_no"
"""The reason of such a row."""


_MAY_REFUSE = Holds.REFUSAL | Holds.ASKED | Holds.NUMBER
_DAY = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?:[ T]+\d{1,2}:\d\d.*)?", re.ASCII)
_COMMENTED = re.compile(r"\s*[(\[,;:]|\s[-–—]+\s")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_BESIDE_NUMBERS = re.compile(r"[\d+().,;:|*\n\[\]]+|\s[-–—/]+\s")
_TICKS = frozenset("✓✔☑✅🗹")
_LONGEST_OBJECT = 20_000


def refusal_in(values: Mapping[str, Any]) -> str | None:
    """The column that says so, as the field of a contact in an event would; None where none does.

    A row is one person's: what a column asks in a word that is also another, ``Baja`` or ``TPS``, a plain yes answers.
    """
    for name, word, holds in _may_refuse(tuple(values)):
        value = _as_json(values[name])
        if value is None:
            continue
        if says_no((word, holds, value)) or (holds & Holds.ASKED and _is_plainly_so(word, value)):
            return name
        if holds & Holds.NUMBER and _is_noted(value):
            return name
    for name, value in values.items():
        kind = value.__class__
        object_ = kind is dict or kind is list or (kind is str and value[:1] == "{")
        if object_ and _says_no_within(name, value):
            return name
    return None


def _is_noted(value: Any) -> bool:
    """Whether somebody wrote the no beside the number: ``416 555 0123 (do not text)``; another number is no way around it."""
    if not isinstance(value, str) or not _LETTERS.search(value):
        return False
    return any(map(is_no_word, _BESIDE_NUMBERS.split(value)))


def _is_plainly_so(name: str, value: Any) -> bool:
    """Whether a value is a yes, a day, a refusal in other words, or the very name of its column."""
    if isinstance(value, int | float):
        return value == 1 or (not isinstance(value, bool) and is_moment(value))
    if not isinstance(value, str):
        return False
    said = value.strip().replace("\ufe0f", "")
    if said in _TICKS or when(said) is not None or is_no_word(said):
        return True
    if _DAY.fullmatch(said):
        return not is_no_time(said) and any(map(said.__contains__, "123456789"))
    words = {normalise(said), normalise(_COMMENTED.split(said, maxsplit=1)[0])}
    return any(word == name or is_plain_yes(word) for word in words)


def _says_no_within(name: object, value: Any) -> bool:
    """Whether an object says so that stands in a column, as a JSON column or a line of JSONL has them, or as its text."""
    if isinstance(value, str):
        if not value.endswith("}") or len(value) > _LONGEST_OBJECT:
            return False
        try:
            value = read_json(value.encode("utf-8", "replace"))
        except ValueError:
            return False
    if not isinstance(value, dict | list) or not isinstance(name, str):
        return False
    return bool(opted_out(walk({name: _as_json(value)})))


def _as_json(value: object) -> Any:
    """A value of a database or a data frame as a field of an event has it: a time as text, a number as one, NaN as none."""
    if isinstance(value, str | bool | int):
        return value
    if is_missing(value):
        return None
    if isinstance(value, float | Decimal):
        return None if Decimal(value).is_nan() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return str(value)


def may_refuse(column: str) -> bool:
    """Whether a column of this name may say so."""
    return bool(_may_refuse((column,)))


@lru_cache(maxsize=256)
def _may_refuse(names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    keys = [(name, *read_key(name)) for name in names if isinstance(name, str)]
    return tuple(each for each in keys if each[2] & _MAY_REFUSE)
