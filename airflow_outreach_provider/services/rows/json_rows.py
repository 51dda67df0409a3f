"""One JSON array of objects, read element by element: memory does not grow with the file.

What is within an element is judged as on a line of JSON Lines. An array that breaks off, or a comma that is missing, ends
the reading with an error after the good rows: where the next element begins is then unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.rows.jsonl_rows import json_row
from airflow_outreach_provider.services.rows.lines import MAX_LINE, label, text_chunks
from airflow_outreach_provider.services.rows.row import Row

# Where an element ends, whatever is in it; what is wrong within, json_row says.
_BOUNDS = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_BLANK = re.compile(r"[ \t\r\n]*")


def read_json(stream: BinaryIO, *, name: str) -> Iterator[Row]:
    """The rows of a JSON array, numbered from 1, values as JSON types.

    :param stream: bytes, read forwards only; gzip and encodings are recognised.
    :param name: path or URI, for messages.
    :raises ConfigurationError: the file is no array; or it breaks off, after the good rows.
    """
    window = _Window(text_chunks(stream, name=name), label(name))
    window.open_array()
    number = 0
    while (element := window.element(number)) is not None:
        number += 1
        yield json_row(number, element, unit="row")


class _Window:
    """The text that was read and not used yet."""

    def __init__(self, chunks: Iterator[str], name: str) -> None:
        self._chunks, self._name = chunks, name
        self._text, self._at, self._more = "", 0, True

    def open_array(self) -> None:
        start = self._next_sign()
        if start != "[":
            lines = start == "{"
            raise ConfigurationError(
                f"{self._name} is no JSON array",
                "name it .jsonl if it has one object a line; an array that stands within an object has to be taken out"
                if lines
                else "write [{…}, {…}]",
            )
        self._at += 1

    def element(self, number: int) -> str | None:
        """The next element's text; None at the end of the array. :param number: how many there were."""
        sign = self._next_sign()
        if sign == "," and number:
            self._at += 1
            sign = self._next_sign()
        elif sign != "]" and number:
            raise self._broken(number)
        if sign == "]":
            return None
        while True:
            try:
                _, end = _BOUNDS.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                end = 0
            # A number that ends where the text does may go on in the next piece.
            if end and (end < len(self._text) or not self._more):
                found = self._text[self._at : end]
                self._at = end
                return found
            if not self._more or len(self._text) - self._at > MAX_LINE:
                raise self._broken(number)
            self._read()

    def _next_sign(self) -> str:
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more:
                return ""
            self._read()

    def _read(self) -> None:
        piece = next(self._chunks, None)
        self._more = piece is not None
        self._text, self._at = self._text[self._at :] + (piece or ""), 0

    def _broken(self, number: int) -> ConfigurationError:
        return ConfigurationError(
            f"{self._name} is no valid JSON after row {number}",
            "mend or upload it again; rows already read keep their state and are not sent twice",
        )
