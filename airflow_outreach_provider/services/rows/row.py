"""One source row, and the words for what can be wrong with it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

MAX_DEPTH = 32
"""Objects and lists within each other; the outreach API's deepest payload has two."""


class RowFault(StrEnum):
    """Why a row could not be read; each is a reason of the state ``rejected``."""

    RAGGED = "row_ragged"
    QUOTES = "row_quotes"
    TOO_LONG = "row_too_long"
    NUL = "row_nul"
    UNDECODABLE = "row_undecodable"
    NOT_JSON = "row_not_json"
    NOT_OBJECT = "row_not_object"
    TOO_DEEP = "row_too_deep"
    DUPLICATE_KEY = "row_duplicate_key"


class Row(NamedTuple):
    """One source row.

    A named tuple, because a million of them are made a run: 0.2 µs each, a frozen dataclass takes 0.5.

    :param number: 1-based number of the line on which the record starts (lists: of the item).
    :param values: column name → value; ``str`` for CSV, JSON types for JSONL; empty when there is an error.
    :param error: a :class:`RowFault`, or None.
    :param detail: text for a person, names the line, no personal data.
    """

    number: int
    values: dict[str, object]
    error: str | None = None
    detail: str = ""


FAULT_TEXTS: dict[RowFault, str] = {
    RowFault.RAGGED: "the number of values differs from the number of columns",
    RowFault.QUOTES: "a quote is opened and not properly closed; write a quote inside a value as two quotes",
    RowFault.TOO_LONG: "the row is too long to be a lead (1 MiB a row or 128 KiB a value)",
    RowFault.NUL: "the row holds a NUL character; the file is damaged or not text",
    RowFault.UNDECODABLE: "the row holds bytes that are no text; save the file as UTF-8",
    RowFault.NOT_JSON: "the line is not valid JSON",
    RowFault.NOT_OBJECT: "the row is not an object of column names and values",
    RowFault.TOO_DEEP: f"values are nested more than {MAX_DEPTH} deep",
    RowFault.DUPLICATE_KEY: "a key occurs twice, so which value counts is unknown",
}


def faulty(number: int, fault: RowFault, text: str = "", *, unit: str = "line") -> Row:
    """A row in place of one that cannot be read. ``text`` must be free of personal data."""
    return Row(number, {}, fault.value, f"{unit} {number}: {text or FAULT_TEXTS[fault]}")


def unsound(values: dict[str, object]) -> RowFault | None:
    """What in the values could not be stored or sent as JSON, at any depth; None when all is well."""
    # Most rows are flat text: one look at all of it together.
    fault = _unsound_text("".join([*values, *[value for value in values.values() if type(value) is str]]))
    stack: list[tuple[object, int]] = [
        (value, 2) for value in values.values() if isinstance(value, dict | list | tuple | float)
    ]
    while stack and fault is None:
        value, depth = stack.pop()
        if isinstance(value, str):
            fault = _unsound_text(value)
        elif isinstance(value, float):
            fault = None if math.isfinite(value) else RowFault.NOT_JSON
        elif isinstance(value, dict | list | tuple):
            if depth > MAX_DEPTH:
                return RowFault.TOO_DEEP
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            stack.extend((item, depth + 1) for item in inner)
    return fault


def _unsound_text(text: str) -> RowFault | None:
    if text.isascii():
        return RowFault.NUL if "\0" in text else None
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return RowFault.UNDECODABLE
    return RowFault.NUL if "\0" in text else None
