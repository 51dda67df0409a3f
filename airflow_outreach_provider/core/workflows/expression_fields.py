"""Values that are expressions, and what a mapping maps to."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Annotated, Any

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_value, compile_where
from airflow_outreach_provider.core.expressions.scope import EVENT, ROW, ROW_CONDITION, Scope
from airflow_outreach_provider.core.leads import check_target
from airflow_outreach_provider.core.mapping import SECTIONS
from airflow_outreach_provider.core.request_form import path_parts
from airflow_outreach_provider.core.workflows.fields import (
    TEXT_SCHEMA,
    Shape,
    annotated,
    kind_of,
    mistake,
    text,
)


def _expression_mistake(error: ExpressionError) -> PydanticCustomError:
    return mistake(error.problem, error.remedy, error.offset)


def _condition(scope: Scope) -> Callable[[object], str]:
    def read_condition(value: object) -> str:
        if not isinstance(value, str):
            raise mistake(f"this must be a condition, not {kind_of(value)}", _one_condition(value, scope))
        read = text(value)
        try:
            compile_where(read, scope)
        except ExpressionError as error:
            raise _expression_mistake(error) from None
        return read

    return read_condition


def _one_condition(value: object, scope: Scope) -> str:
    """One of several would let more people through than are meant."""
    example = "title == 'Nurse'" if scope.bare else "kind == 'replied'"
    if isinstance(value, bool):
        return f"leave the key out for every {scope.name}" if value else f"write e.g. {example}"
    if isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) for each in value):
        return 'join them in one text: "' + " and ".join(map(_in_brackets, value)) + '"'
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return f"write {value[0]} without brackets"
    if isinstance(value, dict) and value and all(isinstance(each, str) for each in value.values()):
        return 'write "' + " and ".join(f"{name} == {each!r}" for name, each in value.items()) + '"'
    return f"write e.g. {example}"


def _in_brackets(condition: str) -> str:
    return f"({condition})" if " or " in condition else condition


Where = Annotated[str, *annotated(_condition(EVENT), TEXT_SCHEMA)]
RowWhere = Annotated[str, *annotated(_condition(ROW_CONDITION), TEXT_SCHEMA)]
"""A condition on a row's columns."""


_CURLY = re.compile(r"\s*[“”„‘’‚]([^“”„‘’‚'\"{}]*)[“”‘’]\s*")


def _map_value(scope: Scope) -> Callable[[object], str]:
    def read_value(value: object) -> str:
        read = text(value)
        if (said := _CURLY.fullmatch(read)) is not None:
            hint = f"write \"'{said[1]}'\" for a text that is the same for everybody"
            raise mistake("these quotes are not straight ones", hint)
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
        raise mistake(error.problem, error.remedy, max(0, error.offset - 2)) from None
    return read


_row_text = _map_value(ROW)


def _row_value(value: object) -> object:
    """What stands within a list or an object the checks look at, each where it stands."""
    if isinstance(value, str):
        return _row_text(value)
    if isinstance(value, float) and not isfinite(value):
        raise mistake("this is no number that can be sent", "write a number, or put quotes around a text")
    return value


RowValue = Annotated[Any, *annotated(_row_value, {})]
"""A column's name, a template over ``row``, or a value that is the same for everybody, whatever stands in it."""
EventValue = Annotated[str, *annotated(_event_value, TEXT_SCHEMA)]
"""One of the event's fields, or a template over them."""


def _target(value: object) -> str:
    read = text(value)
    try:
        if read not in SECTIONS:  # whether fields stand below it, the checks know
            check_target(read)
    except ConfigurationError as error:
        message = str(error).removesuffix(f" — {error.remedy}").removeprefix("mapping target ")
        raise mistake(message, error.remedy or "") from None
    return read


Target = Annotated[str, *annotated(_target, TEXT_SCHEMA)]
"""A field of the lead: ``phoneNumber``, a custom name, ``applications.jobTitle``, …"""


def _path(value: object) -> str:
    read = text(value)
    try:
        path_parts(read)
    except ExpressionError as error:
        raise _expression_mistake(error) from None
    return read


EventPath = Annotated[str, *annotated(_path, TEXT_SCHEMA)]
"""What follows an endpoint's URL: text and templates over the event."""


def _texts(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise mistake(f"this must be a mapping, not {kind_of(value)}", "write name: value")
    return value


EventTexts = Annotated[dict[str, Any], PlainValidator(_texts), Shape({"type": "object", "minProperties": 1})]
"""Names and what they are for an event; the templates are read by the checks, each in its place."""
