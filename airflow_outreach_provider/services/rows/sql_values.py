"""A database's own types as what a lead can hold: text, or nothing; no lead is rejected for a column's type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from airflow_outreach_provider.core.missing import is_missing

_BITS = {b"\x00": False, b"\x01": True}
_AS_IT_IS = frozenset({str, int, bool, NoneType, datetime, date, time, UUID})


def plain_values(row: Iterable[Any]) -> list[Any]:
    """The values of a row: spans as ISO 8601, networks, ranges and the like as the database's driver writes them.

    Bytes become text where they are text, and a single bit, as MySQL has them, is yes or no; what has no text (an image, an infinite number, none at all) becomes None.
    """
    return [value if type(value) in _AS_IT_IS else _plain(value) for value in row]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _BITS.get(data := bytes(value), _text_of(data))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=repr)
    if is_missing(value):
        return None
    return value if type(value) in _AS_IT_IS else str(value)


def _span(value: timedelta) -> str | None:
    try:
        return str(to_jsonable_python(value))
    except ValueError:  # pandas has longer ones than Python
        return None


def _text_of(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
