"""``order_by``: which rows come first. Numbers before texts, and what is empty last, whichever way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.suggest import did_you_mean

_NUMBER = re.compile(r"\s*[+-]?\d{1,15}(\.\d{1,15})?\s*", re.ASCII)
_DIRECTION = re.compile(r"(.*\S)\s+(asc|desc)\s*", re.IGNORECASE | re.DOTALL)


class RowOrder(NamedTuple):
    """:param column: of the source. :param falling: the largest first."""

    column: str
    falling: bool = False

    @classmethod
    def parse(cls, text: object) -> RowOrder:
        """Read ``score desc``, ``created_at``. :raises ConfigurationError: it is no text."""
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError(
                f"order_by holds {text!r}", 'name columns, e.g. ["score desc", "created_at"]'
            )
        match = _DIRECTION.fullmatch(text.strip())
        if match is None:
            return cls(text.strip())
        return cls(match[1], match[2].lower() == "desc")


def read_order(said: str | Iterable[str] | None) -> tuple[RowOrder, ...]:
    """``order_by`` as it is written: a text, or several, the first of which counts most."""
    if said is None:
        return ()
    return tuple(RowOrder.parse(each) for each in ([said] if isinstance(said, str) else said))


def order_advice(column: str, known: Iterable[str]) -> str:
    """What was meant by a column of ``order_by`` that is not there, in the writing of other tools too: ``-score``, ``a, b``.

    :param known: the columns there are.
    """
    columns = list(known)
    sign, rest = column[:1], column[1:].strip()
    if sign in {"-", "+"} and rest in columns:
        return f"write {rest} desc, the largest first" if sign == "-" else f"write {rest}"
    parts = [each.strip() for each in column.split(",")]
    if len(parts) > 1 and {RowOrder.parse(each or column).column for each in parts} <= {*columns}:
        return 'several make a list, e.g. ["score desc", "created_at"]'
    return did_you_mean(column, columns)


class _Falling:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Falling) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and bool(self.value == other.value)


def sort_key(order: Iterable[RowOrder], values: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row is sorted by; of whatever values, any two can be compared."""
    key: list[Any] = []
    for column, falling in order:
        kind, value = comparable(values.get(column))
        key.append((kind, _Falling(value) if falling else value))
    return tuple(key)


_A_NUMBER, _A_TEXT, _EMPTY = 0, 1, 2


class Comparable(NamedTuple):
    """A value that can be compared with that of any other row. :param value: a Decimal of a number, else text."""

    kind: int
    value: Any

    @property
    def empty(self) -> bool:
        return self.kind == _EMPTY

    @property
    def number(self) -> bool:
        return self.kind == _A_NUMBER


def comparable(value: Any) -> Comparable:
    """Numbers, however they are written, then texts and times, then what is empty."""
    return Comparable(*_comparable(value))


def _comparable(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return _A_NUMBER, Decimal(value.strip())
        return (_A_TEXT, value.strip().casefold()) if value.strip() else (_EMPTY, 0)
    if isinstance(value, int | float | Decimal):
        return (_A_NUMBER, Decimal(str(+value))) if value == value else (_EMPTY, 0)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return _A_TEXT, moment.replace(tzinfo=None).isoformat()
    if isinstance(value, date | time):
        return _A_TEXT, value.isoformat()
    return (_EMPTY, 0) if value is None else (_A_TEXT, str(value))
