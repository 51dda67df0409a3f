"""Columns of which one cell is more than Python can hold: that cell becomes text or nothing, the others stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def arrow_values(column: Any, arrow: Any) -> list[Any]:
    """The values of an Arrow column. :param arrow: the module of the library.

    Nanoseconds, which Python has none of, are cut; a time beyond Python's becomes its text in ISO 8601, one in a zone
    that is not known the same moment in UTC, and what has no text becomes None.
    """
    if arrow.types.is_dictionary(column.type) and _in_nanoseconds(column.type.value_type):
        column = column.dictionary_decode()
    if _in_nanoseconds(column.type):
        column = _cut(column, arrow)
    values: list[Any] = _or_else(column.to_pylist, lambda: [_arrow_cell(each, arrow) for each in column])
    return values


def polars_values(column: Any) -> list[Any]:
    """The values of a Polars column, in the same way."""
    cells = range(len(column))
    values: list[Any] = _or_else(column.to_list, lambda: [_polars_cell(column[n : n + 1]) for n in cells])
    return values


def _or_else(read: Callable[[], Any], other: Callable[[], Any]) -> Any:
    """What the one gives, or where it fails the other: what a library raises for a value is not one kind of error."""
    try:
        return read()
    except BaseException as error:
        # What Polars raises when its Rust gives up is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
    return other()


def _in_nanoseconds(kind: Any) -> bool:
    return getattr(kind, "unit", None) == "ns"


def _cut(values: Any, arrow: Any) -> Any:
    """An Arrow column or cell in nanoseconds, in microseconds."""
    kind, types = values.type, arrow.types
    if types.is_timestamp(kind):
        return values.cast(arrow.timestamp("us", kind.tz), safe=False)
    return values.cast(arrow.duration("us") if types.is_duration(kind) else arrow.time64("us"), safe=False)


def _arrow_cell(cell: Any, arrow: Any) -> Any:
    if isinstance(cell, arrow.DictionaryScalar):
        return _arrow_cell(cell.value, arrow)
    if not cell.is_valid:
        return None
    if isinstance(cell, arrow.ListScalar) and not isinstance(cell, arrow.MapScalar):
        return [_arrow_cell(each, arrow) for each in cell.values]
    if isinstance(cell, arrow.StructScalar):
        return {name: _arrow_cell(each, arrow) for name, each in cell.items()}
    if _in_nanoseconds(cell.type):
        cell = _cut(cell, arrow)
    return _or_else(cell.as_py, lambda: _or_else(lambda: _arrow_time(cell, arrow), lambda: None))


def _arrow_time(cell: Any, arrow: Any) -> Any:
    """A date or time that is beyond Python's or in a zone that is not known; None where it is neither."""
    kind = cell.type
    if arrow.types.is_timestamp(kind) and kind.tz:
        cell = cell.cast(arrow.timestamp(kind.unit, "UTC"))
    elif not (arrow.types.is_timestamp(kind) or arrow.types.is_date(kind)):
        return None
    return _or_else(cell.as_py, lambda: _iso(cell.cast(arrow.string()).as_py()))


def _polars_cell(alone: Any) -> Any:
    """:param alone: the column of this cell only."""
    return _or_else(alone.to_list, lambda: _or_else(lambda: [_iso(alone.cast(str)[0])], lambda: [None]))[0]


def _iso(text: str) -> str | None:
    """A time as Arrow or Polars writes it; None where they say that they cannot."""
    return text.lstrip("+").replace(" ", "T") if text.lstrip("+-")[:1].isdecimal() else None
