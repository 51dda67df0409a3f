"""How far a sync came in a column whose values grow, and which of its values can say so."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from airflow_outreach_provider.core.row_order import comparable
from airflow_outreach_provider.core.times import read_time

# A time that names no zone is that of its place, which may be as far ahead of UTC as this; clocks differ a little too.
_FURTHEST_ZONE = timedelta(hours=14)
_CLOCKS_DIFFER = timedelta(minutes=5)
_UTC_BY_NAME = re.compile(r"(?<=\d)\s*(?:utc|gmt|z)\s*$", re.IGNORECASE)
_ZONE = re.compile(r":.*[+-]\d\d(?::?\d\d){0,2}\s*$", re.ASCII)


class MarkKind(IntEnum):
    """Values that can be compared with each other; the numbers are those that marks are written with."""

    NUMBER = 0
    TIME = 1


class Odd(StrEnum):
    """What is no mark, as a note says it."""

    NO_TIME = "holds neither a time nor a number"
    OTHER_KIND = "holds a number where the others hold times, or the reverse"
    TO_COME = "holds a time that is still to come"


class MarkValue(NamedTuple):
    """A value that says how far a sync came. :param value: a Decimal, or an aware time in UTC."""

    kind: MarkKind
    value: Any

    def __str__(self) -> str:
        said = self.value.isoformat() if self.kind is MarkKind.TIME else self.value
        return f"{self.kind.value}:{said}"

    @classmethod
    def read(cls, text: str, now: datetime) -> MarkValue | None:
        """What ``str`` wrote; None where an earlier version wrote what can be none: no time, or one that is not yet."""
        kind, _, said = text.partition(":")
        if kind == str(MarkKind.NUMBER.value):
            return cls(MarkKind.NUMBER, Decimal(said))
        moment = _moment_of(said)
        return None if moment is None or moment > now else cls(MarkKind.TIME, moment)


class CellReading(NamedTuple):
    """What a cell says. :param mark: None where it says nothing a mark can be compared with. :param moves: whether one may move there."""

    mark: MarkValue | None = None
    moves: bool = True
    odd: Odd | None = None


_EMPTY = CellReading()


def read_cell(value: object, now: datetime) -> CellReading:
    """A cell of the column. No mark moves to a time after ``now``: all that comes until then would be older."""
    found = comparable(value)
    if found.empty:
        return _EMPTY
    if found.number:
        return (
            CellReading(MarkValue(MarkKind.NUMBER, found.value))
            if found.value.is_finite()
            else CellReading(odd=Odd.NO_TIME)
        )
    moment = _moment_of(value)
    if moment is None:
        return CellReading(odd=Odd.NO_TIME)
    mark = MarkValue(MarkKind.TIME, moment)
    if moment <= now:
        return CellReading(mark)
    at_most = _CLOCKS_DIFFER if _is_zoned(value) else _FURTHEST_ZONE
    return CellReading(mark, False, Odd.TO_COME if moment - now > at_most else None)


def _moment_of(value: object) -> datetime | None:
    """The moment of a time or date, or of a text in ISO 8601, whose zone may be ``UTC`` by name."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    moment = read_time(value)
    if moment is None and isinstance(value, str):
        moment = read_time(_UTC_BY_NAME.sub("+00:00", value))
    if moment is None or moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within a day of the first or the last of all times
        return moment.replace(tzinfo=UTC)


def _is_zoned(value: object) -> bool:
    if isinstance(value, str):
        return _ZONE.search(_UTC_BY_NAME.sub("+00:00", value)) is not None
    return isinstance(value, datetime) and value.tzinfo is not None
