"""JSON Lines: one object a line; a line that is none is an error of that line alone.

Decisions: blank lines are skipped. ``NaN``, ``Infinity`` and numbers beyond a float (``1e999``) are not JSON
(RFC 8259) and would come out as something no API reads. A key that occurs twice is an error, since which value
counts differs from reader to reader. Half surrogate pairs and NULs written as escapes are errors too: neither
UTF-8 nor PostgreSQL can hold them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.rows.lines import label, line_blocks
from airflow_outreach_provider.services.rows.row import MAX_DEPTH, Row, RowFault, faulty, unsound

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[\[\]{}]")


class _NotJson(ValueError):
    """A fault the decoder lets pass; carries which and a text for a person."""

    def __init__(self, fault: RowFault, text: str) -> None:
        self.fault, self.text = fault, text
        super().__init__(text)


def read_jsonl(stream: BinaryIO, *, name: str) -> Iterator[Row]:
    """The rows of a JSON Lines file, values as JSON types.

    :param stream: bytes, read forwards only; gzip and encodings are recognised.
    :param name: path or URI, for messages.
    :raises ConfigurationError: the file is one JSON document; or its gzip is damaged, after the good rows.
    """
    number, first = 0, True
    for block in line_blocks(stream, name=name):
        for index, line in enumerate(block.lines):
            number += 1
            text = line.strip()
            if index in block.faults:
                yield faulty(number, block.faults[index])
            elif text:
                if first:
                    _refuse_document(text, name)
                yield json_row(number, text)
            first = first and not text


def _refuse_document(text: str, name: str) -> None:
    if text.startswith("[") or text == "{":
        raise ConfigurationError(
            f"{label(name)} is one JSON document, not JSON Lines",
            "name it .json where it is one array of objects, or write one object a line, without brackets around",
        )


def json_row(number: int, text: str, *, unit: str = "line") -> Row:
    """The row that is written as one JSON object. :param unit: what ``number`` counts."""
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        return faulty(number, RowFault.TOO_DEEP, unit=unit)
    try:
        values, end = _DECODER.raw_decode(text)
    except _NotJson as error:
        return faulty(number, error.fault, error.text, unit=unit)
    except json.JSONDecodeError as error:
        said = f"not valid JSON at character {error.pos + 1}: {error.msg}"
        return faulty(number, RowFault.NOT_JSON, said, unit=unit)
    except ValueError:  # Python's own limit on the digits of an integer
        return faulty(number, RowFault.NOT_JSON, "a number has thousands of digits", unit=unit)
    if end != len(text):
        said = f"more text after the object, at character {end + 1}"
        return faulty(number, RowFault.NOT_JSON, said, unit=unit)
    if type(values) is not dict:
        return faulty(number, RowFault.NOT_OBJECT, unit=unit)
    fault = unsound(values) if "\\u" in text else None  # raw NULs and bad bytes were caught in the line
    return faulty(number, fault, unit=unit) if fault else Row(number, values)


def _depth(text: str) -> int:
    """How deep the brackets outside strings go; the decoder would recurse as deep."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _NotJson(RowFault.DUPLICATE_KEY, f"the key {mask_text(twice, 60)!r} occurs twice; leave one")
    return values


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _NotJson(RowFault.NOT_JSON, "a number is too large")
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise _NotJson(RowFault.NOT_JSON, f"{constant} is not JSON; write null")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=_refuse_constant)
