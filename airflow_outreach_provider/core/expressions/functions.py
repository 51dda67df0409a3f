"""The filters, tests and operators an expression may use, as tables of total functions.

None of them raises and none of them can be made to run long: what cannot be computed is ``None``, and a
text never grows beyond ``MAX_TEXT`` characters. Names and meaning follow Jinja's own where it has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from airflow_outreach_provider.core.times import read_time

MAX_TEXT = 100_000
_MAX_DIGITS = 40
_MAX_NUMBER = 10**_MAX_DIGITS


class Type(StrEnum):
    """What is known of a value before it is there, in words for a message."""

    TEXT = "text"
    NUMBER = "a number"
    BOOL = "true or false"
    TIME = "a time"
    LIST = "a list"
    NONE = "none"
    ANY = "anything"


def type_of(value: object) -> Type:
    if value is None:
        return Type.NONE
    for type_, classes in (
        (Type.TEXT, str),
        (Type.BOOL, bool),
        (Type.NUMBER, (int, float)),
        (Type.TIME, datetime),
        (Type.LIST, (list, tuple)),
    ):
        if isinstance(value, classes):
            return type_
    return Type.ANY


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its function of (value, *arguments), the arguments' names, what goes in and comes out."""

    run: Callable[..., Any]
    gives: Type
    takes: frozenset[Type]
    arguments: tuple[str, ...] = ()
    required: int = 0
    help: str = ""


def text_of(value: object) -> str | None:
    """A value as the text a person would write: no ``None``, no ``True`` for true, no ``1.0`` for 1."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _MAX_NUMBER else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
    if isinstance(value, (date, time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() and abs(value.adjusted()) < _MAX_DIGITS else None
    return str(value) if isinstance(value, UUID) else None


def _on_text(work: Callable[..., Any]) -> Callable[..., Any]:
    def run(value: object, *arguments: object) -> Any:
        text = value if isinstance(value, str) else text_of(value)
        return None if text is None else work(text, *arguments)

    return run


def _number(value: object) -> int | float | None:
    if isinstance(value, Decimal):  # as databases give it
        if not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS:
            return None
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < _MAX_NUMBER else None  # also turns away NaN and infinities


def _parse_number(value: object) -> float | int | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        text = value.strip().replace("_", "x")  # Python would read 1_000
        if len(text) > _MAX_DIGITS:
            return None
        try:
            return int(text)
        except ValueError:
            pass
        try:
            value = float(text)
        except ValueError:
            return None
    return _number(value)


def _int(value: object, default: object = None) -> object:
    number = _parse_number(value)
    return default if number is None else int(number)


def _float(value: object, default: object = None) -> object:
    number = _parse_number(value)
    return default if number is None else float(number)


def _round(value: object, precision: object = 0) -> object:
    number = _parse_number(value)
    if number is None or not isinstance(precision, int) or abs(precision) > 15:
        return None
    return round(float(number), precision) if precision > 0 else int(round(number, precision))


def _abs(value: object) -> object:
    number = _parse_number(value)
    return None if number is None else abs(number)


def _default(value: object, default: object = None, boolean: object = False) -> object:
    # Unlike Jinja's, an empty cell counts as missing: a CSV knows no other way to say it.
    return default if value is None or value == "" or (boolean and not value) else value


def _replace(text: str, old: object, new: object) -> str | None:
    if not isinstance(old, str) or not isinstance(new, str) or not old:
        return None
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        return None
    return text.replace(old, new)


def _truncate(text: str, length: object = 255, end: object = "…") -> str | None:
    if not isinstance(length, int) or not isinstance(end, str) or length < len(end):
        return None
    return text if len(text) <= length else text[: length - len(end)] + end


def _split(text: str, separator: object = None) -> list[str] | None:
    if separator is not None and (not isinstance(separator, str) or not separator):
        return None
    return text.split(separator)


def _join(value: object, separator: object = "") -> str | None:
    if not isinstance(value, (list, tuple)) or not isinstance(separator, str):
        return None
    parts = [part for part in map(text_of, value) if part is not None]
    if sum(map(len, parts)) + len(separator) * len(parts) > MAX_TEXT:
        return None
    return separator.join(parts)


def _length(value: object) -> int | None:
    return len(value) if isinstance(value, (str, list, tuple, Mapping)) else None


def _item(index: int) -> Callable[[object], object]:
    return lambda value: value[index] if isinstance(value, (str, list, tuple)) and value else None


def _selectattr(value: object, attr: object, test: object, wanted: object) -> list[object] | None:
    """Jinja's, with the one test that pays: the elements whose ``attr`` (keys with dots) equals ``wanted``."""
    if (
        not isinstance(value, (list, tuple))
        or not isinstance(attr, str)
        or test not in ("equalto", "eq", "==")
    ):
        return None
    keys = attr.split(".")
    return [each for each in value if _equal(_down(each, keys), wanted)]


def _down(value: object, keys: Sequence[str]) -> object:
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _trim(text: str, characters: object = None) -> str:
    return text.strip(characters if isinstance(characters, str) else None)


_ALL = frozenset(Type)
_TEXTS = frozenset({Type.TEXT, Type.NUMBER, Type.TIME, Type.BOOL, Type.NONE, Type.ANY})
_NUMBERS = frozenset({Type.TEXT, Type.NUMBER, Type.BOOL, Type.NONE, Type.ANY})
_LISTS = frozenset({Type.LIST, Type.ANY})
_MANY = _LISTS | {Type.TEXT}

FILTERS: dict[str, Filter] = {
    "trim": Filter(_on_text(_trim), Type.TEXT, _TEXTS, ("chars",), help="spaces at both ends removed"),
    "lower": Filter(_on_text(str.lower), Type.TEXT, _TEXTS, help="in small letters"),
    "upper": Filter(_on_text(str.upper), Type.TEXT, _TEXTS, help="in capital letters"),
    "title": Filter(_on_text(str.title), Type.TEXT, _TEXTS, help="Each Word Capitalised"),
    "capitalize": Filter(_on_text(str.capitalize), Type.TEXT, _TEXTS, help="First letter capital"),
    "replace": Filter(
        _on_text(_replace), Type.TEXT, _TEXTS, ("old", "new"), 2, "every `old` replaced by `new`"
    ),
    "truncate": Filter(
        _on_text(_truncate), Type.TEXT, _TEXTS, ("length", "end"), help="at most `length` characters"
    ),
    "split": Filter(_on_text(_split), Type.LIST, _TEXTS, ("sep",), help="a list of the parts"),
    "string": Filter(text_of, Type.TEXT, _TEXTS, help="as text"),
    "int": Filter(_int, Type.NUMBER, _NUMBERS, ("default",), help="as a whole number"),
    "float": Filter(_float, Type.NUMBER, _NUMBERS, ("default",), help="as a number"),
    "round": Filter(_round, Type.NUMBER, _NUMBERS, ("precision",), help="rounded"),
    "abs": Filter(_abs, Type.NUMBER, _NUMBERS, help="without its sign"),
    "default": Filter(
        _default, Type.ANY, _ALL, ("default_value", "boolean"), 1, "this instead, where the value is missing"
    ),
    "d": Filter(_default, Type.ANY, _ALL, ("default_value", "boolean"), 1, "short for `default`"),
    "join": Filter(_join, Type.TEXT, _LISTS, ("d",), help="a list as one text"),
    "first": Filter(_item(0), Type.ANY, _MANY, help="the first element"),
    "last": Filter(_item(-1), Type.ANY, _MANY, help="the last element"),
    "selectattr": Filter(
        _selectattr,
        Type.LIST,
        _LISTS,
        ("attr", "test", "value"),
        3,
        "the elements whose key `attr` has that value: `selectattr('type', 'equalto', 'email')`",
    ),
    "length": Filter(_length, Type.NUMBER, _MANY, help="how many characters or elements"),
    "count": Filter(_length, Type.NUMBER, _MANY, help="the same as `length`"),
}

TESTS: dict[str, Callable[[object], bool]] = {
    "defined": lambda value: value is not None,
    "undefined": lambda value: value is None,
    "none": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float, Decimal)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "mapping": lambda value: isinstance(value, Mapping),
    "sequence": lambda value: isinstance(value, (list, tuple)),
}


ASK_FOR_NONE = frozenset({"none", "defined", "undefined"})
# What a column of texts holds for no; blanks and capitals aside.
_NO_WORDS = frozenset({"", "0", "0.0", "false", "f", "no", "n", "off"})


def says_yes(value: object) -> bool:
    """Whether a value of a column of texts counts as true, where nothing is asked of it but that."""
    return bool(value) and not (isinstance(value, str) and value.strip().lower() in _NO_WORDS)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    """Numbers with numbers, texts with texts, times with times; whatever else is not in that order."""

    def run(left: object, right: object) -> bool:
        if isinstance(left, datetime) or isinstance(right, datetime):
            left, right = read_time(left), read_time(right)
        elif not (isinstance(left, str) and isinstance(right, str)):
            left, right = _number(left), _number(right)
        return left is not None and right is not None and compare(left, right)

    return run


def _equal(left: object, right: object) -> bool:
    if isinstance(left, datetime) is not isinstance(right, datetime):
        moment = read_time(left)
        return moment is not None and moment == read_time(right)
    if isinstance(left, bool) is not isinstance(right, bool):
        return False  # Python's 1 == True is no help to anybody here
    return left == right


def _contained(left: object, right: object) -> bool:
    if isinstance(right, str):
        return isinstance(left, str) and left in right
    if isinstance(right, (list, tuple)):
        return any(_equal(left, each) for each in right)
    return isinstance(right, Mapping) and isinstance(left, str) and left in right


COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _ordering(lambda left, right: left < right),
    "lteq": _ordering(lambda left, right: left <= right),
    "gt": _ordering(lambda left, right: left > right),
    "gteq": _ordering(lambda left, right: left >= right),
    "in": _contained,
    "notin": lambda left, right: not _contained(left, right),
}


def _arithmetic(work: Callable[[Any, Any], Any]) -> Callable[[object, object], object]:
    def run(left: object, right: object) -> object:
        left, right = _number(left), _number(right)
        if left is None or right is None:
            return None
        try:
            return _number(work(left, right))
        except (ZeroDivisionError, OverflowError):
            return None

    return run


_sum = _arithmetic(lambda left, right: left + right)


def _add(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        return concatenate((left, right))
    return _sum(left, right)


def concatenate(parts: Sequence[object]) -> str | None:
    """The parts as one text; a missing part is empty."""
    texts = [text_of(part) or "" for part in parts]
    return "".join(texts) if sum(map(len, texts)) <= MAX_TEXT else None


def concatenate_whole(parts: Sequence[object]) -> str | None:
    """The parts as one text; none where one of them is missing or empty."""
    return concatenate(parts) if all(map(text_of, parts)) else None


ARITHMETIC: dict[str, Callable[[object, object], object]] = {
    "+": _add,
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(lambda left, right: left / right),
    "//": _arithmetic(lambda left, right: left // right),
    "%": _arithmetic(lambda left, right: left % right),
}


def negative(value: object) -> object:
    number = _number(value)
    return None if number is None else -number


def below_in(above: Any, key: str | int) -> Any:
    """One look-up in a mapping or list, never a Python attribute."""
    if isinstance(above, Mapping):
        return above.get(key)
    if isinstance(key, int) and isinstance(above, (list, tuple)) and -len(above) <= key < len(above):
        return above[key]
    return None
