"""The kinds of value a workflow file holds: each reads one YAML value, or says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator
from pydantic_core import CoreSchema, PydanticCustomError

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expression_parser import did_you_mean
from airflow_outreach_provider.core.expressions import (
    EVENT,
    ROW,
    ExpressionError,
    compile_value,
    compile_where,
)
from airflow_outreach_provider.core.leads import check_target
from airflow_outreach_provider.core.phones import REGIONS
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.workflows.airflow_templates import check_template

MISTAKE = "outreach_mistake"


def mistake(message: str, hint: str = "", offset: int | None = None) -> PydanticCustomError:
    """What a field raises: a sentence, what to write instead, and where in the text (from 0) it goes wrong;
    None where the whole value is meant."""
    return PydanticCustomError(MISTAKE, "{message}", {"message": message, "hint": hint, "offset": offset})


def kind_of(value: object) -> str:
    """A YAML value's kind, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def text(value: object) -> str:
    if isinstance(value, str):
        if not value.strip():
            raise mistake("this is empty", "write something, or leave the key out")
        return value
    hint = "put quotes around it" if isinstance(value, (int, float)) else ""
    raise mistake(f"this must be text, not {kind_of(value)}", hint)


def _column(value: object) -> str:
    if isinstance(value, bool):
        raise mistake(
            f"this must be the name of a column, not {kind_of(value)}", "name the column that says so"
        )
    return text(value)


@dataclass(frozen=True, eq=False)
class Shape:
    """The JSON Schema of a value that pydantic cannot know."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def _field(read: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[Any, ...]:
    return (PlainValidator(read), Shape(schema))


_TEXT = {"type": "string", "minLength": 1}

Text = Annotated[str, *_field(text, _TEXT)]


Column = Annotated[str, *_field(_column, _TEXT)]


# Texts which Airflow renders at run time -----------------------------------------------------------------


def _templated(value: object) -> str:
    read = text(value)
    problem = check_template(read)
    if problem is not None:
        raise mistake(*problem)
    return read


TEMPLATE = "airflow-template"
Templated = Annotated[str, *_field(_templated, {**_TEXT, "format": TEMPLATE})]
"""Text in which Airflow's ``{{ var.value.x }}``, ``{{ params.x }}``, ``{{ ds }}`` … stand for values."""


def _plain(value: object) -> str:
    read = text(value)
    for opening in ("{{", "{%"):
        if opening in read:
            raise mistake(
                "this is read when the DAG is built, so it cannot be a template", "", read.index(opening)
            )
    return read


PlainText = Annotated[str, *_field(_plain, _TEXT)]


# Names ---------------------------------------------------------------------------------------------------

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,149}")


def _conn_id(value: object) -> str:
    read = _plain(value)
    bad = re.search(r"[^A-Za-z0-9_.\-:/#()]", read)
    if bad:
        raise mistake(f"a connection id has no {bad.group()!r}", "use letters, digits, _ - .", bad.start())
    return read


ConnectionId = Annotated[str, *_field(_conn_id, {**_TEXT, "pattern": r"^[A-Za-z0-9_.\-:/#()]+$"})]


def _dotted(value: object) -> str:
    read = _plain(value)
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", read):
        raise mistake(f"{read!r} is not the path of a function", "write package.module.function")
    return read


PythonPath = Annotated[str, *_field(_dotted, {**_TEXT, "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"})]


# Closed sets ---------------------------------------------------------------------------------------------


def choose(value: object, known: Iterable[str]) -> str:
    read = text(value)
    if read not in known:
        raise mistake(f"{read!r} is not a choice", did_you_mean(read, known))
    return read


def choice(known: Iterable[str]) -> tuple[Any, ...]:
    """Annotations of a text out of a closed set."""
    words = [str(each) for each in known]
    return _field(lambda value: choose(value, words), {"type": "string", "enum": words})


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _OneOrMany:
    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


ONE_OR_MANY = (Field(min_length=1), BeforeValidator(_as_list), _OneOrMany())
"""A list, not empty; one item alone may stand without brackets."""


def _region(value: object) -> str:
    if value is False:
        raise mistake("this must be text, not false", 'Norway is "NO", in quotes')
    read = text(value).strip().upper()
    if read not in REGIONS:
        advice = {"UK": "did you mean 'GB'?", "EU": "name one country, e.g. DE", "USA": "did you mean 'US'?"}
        raise mistake(
            f"{value!r} is not a region that has phone numbers",
            advice.get(read, "use a two-letter ISO 3166 code such as US, CA, GB or DE"),
        )
    return read


Region = Annotated[str, *_field(_region, {"type": "string", "pattern": "^[A-Za-z]{2}$"})]


def _zone(value: object) -> str:
    read = text(value)
    try:
        ZoneInfo(read)
    except (KeyError, ValueError, OSError):
        raise mistake(f"{read!r} is not a time zone", _zone_hint(read)) from None
    return read


def _zone_hint(read: str) -> str:
    hint = did_you_mean(read, {zone.lower(): zone for zone in available_timezones()})
    if not hint.startswith("did"):
        return "use an IANA name such as Europe/Berlin"
    guess = hint.removeprefix("did you mean '").removesuffix("'?")
    return f"did you mean {next(z for z in available_timezones() if z.lower() == guess)!r}?"


Zone = Annotated[str, *_field(_zone, _TEXT)]


# Numbers and spans ---------------------------------------------------------------------------------------


def _number(value: object, least: float, whole: bool) -> float:
    right = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, bool) or not right:
        said = kind_of(value)
        unquote = isinstance(value, str) and value.strip().lstrip("-").isdigit()
        raise mistake(
            f"this must be a {'whole ' if whole else ''}number, not {said}",
            "remove the quotes" if unquote else "",
        )
    assert isinstance(value, (int, float))
    if value < least:
        raise mistake(f"this must be {least:g} or more, not {value}")
    return value


def _whole(least: int) -> tuple[Any, ...]:
    return _field(lambda value: _number(value, least, whole=True), {"type": "integer", "minimum": least})


Count = Annotated[int, *_whole(0)]
Positive = Annotated[int, *_whole(1)]
Rate = Annotated[
    float,
    *_field(lambda value: _number(value, 0.001, whole=False), {"type": "number", "exclusiveMinimum": 0}),
]


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    meant = words.get(str(value).strip().lower(), str(value).strip().lower())
    hint = f"did you mean {meant}?" if meant in {"true", "false"} else ""
    raise mistake(f"this must be true or false, not {kind_of(value)}", hint)


Flag = Annotated[bool, *_field(_flag, {"type": "boolean"})]

_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*(?:,|and)?", re.IGNORECASE)
SPAN_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*(\d+(\.\d+)?\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)\s*(,|and)?\s*)+$",
    "examples": ["15m", "2 hours", "1d"],
}


def span(value: object) -> timedelta:
    """``15m``, ``1h 30m``, ``2 days`` as a timedelta."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise mistake("this span of time has no unit", f"write {value}s for seconds, or e.g. 5m, 2h, 1d")
    read = text(value)
    position, seconds = 0, 0.0
    for match in _SPAN.finditer(read):
        unit = match.group(2).lower()
        factor = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if match.start() != position or factor is None:
            break
        seconds += float(match.group(1)) * factor
        position = match.end()
    if position != len(read.rstrip()) or seconds <= 0 or seconds > 366 * 86400 * 10:
        raise mistake(f"{read!r} is not a span of time", "write e.g. 30s, 15m, 2h, 1d")
    return timedelta(seconds=seconds)


Span = Annotated[timedelta, *_field(span, SPAN_SCHEMA)]


def _moment(value: object) -> datetime:
    read = text(value)
    try:
        moment = datetime.fromisoformat(read)
    except ValueError:
        raise mistake(
            f"{read!r} is not a date", "write e.g. 2026-01-31 or 2026-01-31T09:00:00+01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, *_field(_moment, {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([T ].*)?$"})]


def _share_or_count(value: object) -> str | int:
    """``5%`` or a number of rows."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(_number(value, 0, whole=True))
    if isinstance(value, float):
        raise mistake("this must be a share with % or a whole number", f"write {value * 100:g}%")
    read = text(value).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", read)
    if not match or float(match.group(1)) > 100:
        raise mistake(f"{read!r} is not a share of the rows", "write e.g. 5% or a number of rows, e.g. 20")
    return read.replace(" ", "")


ShareOrCount = Annotated[
    str | int,
    *_field(
        _share_or_count,
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
                {"type": "integer", "minimum": 0},
            ]
        },
    ),
]


def _quiet_hours(value: object) -> str:
    read = text(value)
    try:
        QuietHours.parse(read)
    except ConfigurationError as error:
        message = str(error).removesuffix(f" — {error.remedy}").removeprefix("quiet_hours ")
        raise mistake(message, error.remedy or "") from None
    return read


QuietSpan = Annotated[
    str, *_field(_quiet_hours, {"type": "string", "pattern": r"^\s*\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}\s*$"})
]


class Resubmit(StrEnum):
    """What to do with a person who was texted before and whose row has changed."""

    NEVER = "never"
    CHANGED = "changed"


def _resubmit(value: object) -> str | timedelta:
    if isinstance(value, str) and not value[:1].isdigit():
        try:
            return choose(value, list(Resubmit))
        except PydanticCustomError:
            raise mistake(
                f"{value!r} is not a choice", did_you_mean(value, list(Resubmit)) + "; or a span such as 90d"
            ) from None
    if isinstance(value, int) and not isinstance(value, bool):
        raise mistake("this span of time has no unit", f"write e.g. {value}d for days")
    return span(value)


ResubmitRule = Annotated[
    str | timedelta,
    *_field(_resubmit, {"anyOf": [{"type": "string", "enum": list(Resubmit)}, SPAN_SCHEMA]}),
]


# Expressions ---------------------------------------------------------------------------------------------


def _expression_mistake(error: ExpressionError) -> PydanticCustomError:
    return mistake(error.problem, error.remedy or "", error.offset)


def _where(value: object) -> str:
    read = text(value)
    try:
        compile_where(read)
    except ExpressionError as error:
        raise _expression_mistake(error) from None
    return read


Where = Annotated[str, *_field(_where, _TEXT)]


def _map_value(scope: Any) -> Callable[[object], str]:
    def read_value(value: object) -> str:
        read = text(value)
        if not any(opening in read for opening in ("{{", "}}", "{%", "{#")):
            return read
        try:
            compile_value(read, scope)
        except ExpressionError as error:
            raise _expression_mistake(error) from None
        return read

    return read_value


def _event_value(value: object) -> str:
    read = text(value)
    if "{{" in read or "{%" in read:
        return str(_map_value(EVENT)(read))
    try:  # without braces it is one of the event's fields, as a column is one of the row's
        compile_value("{{" + read + "}}", EVENT)
    except ExpressionError as error:
        raise mistake(error.problem, error.remedy or "", max(0, error.offset - 2)) from None
    return read


RowValue = Annotated[str, *_field(_map_value(ROW), _TEXT)]
"""A column's name, or a template over ``row``."""
EventValue = Annotated[str, *_field(_event_value, _TEXT)]
"""One of the event's fields, or a template over them."""


def _target(value: object) -> str:
    read = text(value)
    try:
        check_target(read)
    except ConfigurationError as error:
        message = str(error).removesuffix(f" — {error.remedy}").removeprefix("mapping target ")
        raise mistake(message, error.remedy or "") from None
    return read


Target = Annotated[str, *_field(_target, _TEXT)]
"""A field of the lead: ``phoneNumber``, a custom name, ``applications.jobTitle``, …"""
