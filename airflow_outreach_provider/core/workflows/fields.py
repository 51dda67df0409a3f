"""The kinds of value a workflow file holds: each reads one YAML value, or says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator
from pydantic_core import CoreSchema, PydanticCustomError

from airflow_outreach_provider.core.pacing import MOST_AT_ONCE
from airflow_outreach_provider.core.said_numbers import number_advice
from airflow_outreach_provider.core.suggest import did_you_mean, nearest
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
    raise mistake(f"this must be text, not {kind_of(value)}", _instead(value))


def worded(value: object, example: str) -> str:
    """A text of some form, which true and false are not with quotes around them either."""
    if isinstance(value, bool):
        raise mistake(f"this cannot be {kind_of(value)}", f"write e.g. {example}")
    return text(value)


def _instead(value: object) -> str:
    """What to write for something that is no text."""
    if isinstance(value, (int, float)):
        return "put quotes around it"
    if not isinstance(value, list):
        return ""
    alone = value[0] if len(value) == 1 else None
    return (
        f"write {alone} without brackets" if isinstance(alone, str) else "write one of them, without brackets"
    )


def _column(value: object) -> str:
    if isinstance(value, bool):
        raise mistake(
            f"this must be the name of a column, not {kind_of(value)}", "name the column that says so"
        )
    read = text(value)
    if found := _CONDITION.search(read):
        alone = read[: found.start()].strip().removeprefix("row.").strip("\"'")
        hint = (
            f"write {alone} alone, and a condition on rows under where:" if alone else "name the column alone"
        )
        raise mistake("this must be the name of a column, not a condition", hint, found.start())
    return read


_CONDITION = re.compile(
    r"\s*(?:==|!=|<=|>=)|\s+(?:is\s+(?:not\s+)?(?:none|true|false)\b|(?:not\s+)?in\s*[\[(])", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Shape:
    """The JSON Schema of a value that pydantic cannot know."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def annotated(read: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[Any, ...]:
    """What makes a type of a reading function: its validator and its JSON Schema."""
    return (PlainValidator(read), Shape(schema))


TEXT_SCHEMA = {"type": "string", "minLength": 1}

Text = Annotated[str, *annotated(text, TEXT_SCHEMA)]


Column = Annotated[str, *annotated(_column, TEXT_SCHEMA)]


def _consent(value: object) -> str:
    read = _column(value)
    if read.strip().lower() in {"yes", "no", "on", "off", "true", "false", "none", "required"}:
        raise mistake(
            f"this must be the name of a column, not {read.strip()}", "name the column that says so"
        )
    return read


ConsentColumn = Annotated[str, *annotated(_consent, TEXT_SCHEMA)]
"""Written as text, yes and no would be a column that is not there."""


# Texts which Airflow renders at run time -----------------------------------------------------------------


_CURLY = re.compile(r"\s*[“”„‟‘’‚‛](.*)[“”‟‘’‛]\s*", re.DOTALL)


def straight(read: str) -> str:
    """:raises PydanticCustomError: it stands in curly quotes, which YAML takes for a part of the text."""
    if (curly := _CURLY.fullmatch(read)) is not None:
        raise mistake("these quotes are not straight ones", f'write "{curly[1]}"')
    return read


def templated(value: object) -> str:
    read = straight(text(value))
    problem = check_template(read)
    if problem is not None:
        raise mistake(*problem)
    return read


TEMPLATE = "airflow-template"
Templated = Annotated[str, *annotated(templated, {**TEXT_SCHEMA, "format": TEMPLATE})]
"""Text in which Airflow's ``{{ var.value.x }}``, ``{{ params.x }}``, ``{{ ds }}`` … stand for values."""


def plain(value: object) -> str:
    read = text(value)
    for opening in ("{{", "{%"):
        if opening in read:
            raise mistake(
                "this is read when the DAG is built, so it cannot be a template", "", read.index(opening)
            )
    return read


PlainText = Annotated[str, *annotated(plain, TEXT_SCHEMA)]


# Names ---------------------------------------------------------------------------------------------------

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,149}")


def _conn_id(value: object) -> str:
    read = straight(plain(value))
    if "://" in read:
        raise mistake(
            "this is an address, not the id of a connection", "put it into a connection, and write its id"
        )
    bad = re.search(r"[^A-Za-z0-9_.\-:/#()]", read)
    if bad:
        raise mistake(f"a connection id has no {bad.group()!r}", "use letters, digits, _ - .", bad.start())
    return read


ConnectionId = Annotated[str, *annotated(_conn_id, {**TEXT_SCHEMA, "pattern": r"^[A-Za-z0-9_.\-:/#()]+$"})]


def _templated_conn_id(value: object) -> str:
    return templated(value) if isinstance(value, str) and "{{" in value else _conn_id(value)


TemplatedConnection = Annotated[
    str, *annotated(_templated_conn_id, {**TEXT_SCHEMA, "pattern": r"^([A-Za-z0-9_.\-:/#()]+|.*\{\{.*)$"})
]


def dotted_path(value: object) -> str:
    read = plain(value)
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", read):
        dots = read.replace(":", ".").removesuffix("()")
        near = dots if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", dots) else "package.module.function"
        raise mistake(f"{read!r} is not the path of a function", f"write {near}")
    return read


PythonPath = Annotated[
    str, *annotated(dotted_path, {**TEXT_SCHEMA, "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"})
]


# Closed sets ---------------------------------------------------------------------------------------------


def choose(value: object, known: Iterable[str], meant: Mapping[str, str] | None = None) -> str:
    if isinstance(value, bool):
        raise mistake(f"{kind_of(value)} is not a choice", f"known are: {', '.join(sorted(map(str, known)))}")
    read = text(value)
    if read not in known:
        raise mistake(f"{read!r} is not a choice", _choice_meant(read, [*map(str, known)], meant or {}))
    return read


def _choice_meant(read: str, known: Sequence[str], meant: Mapping[str, str]) -> str:
    """One of several, or the contrary of what is written, would let others through than are meant."""
    words = read.lower().split()
    if "," in read:
        near = [nearest(each.strip(), known) or each.strip() for each in read.split(",") if each.strip()]
        return f"write a list: [{', '.join(near)}]"
    if read.startswith(("-", "!", "~")) or "not" in words[:1]:
        return "name those that are meant: none can be taken out here"
    if words in (["all"], ["any"], ["*"], ["every"]):
        return "leave the key out for all of them"
    return did_you_mean(meant.get(read.lower(), read), known)


def choice(known: Iterable[str], meant: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """Annotations of a text out of a closed set. :param meant: what others call it → what it is called here."""
    words = [str(each) for each in known]
    return annotated(lambda value: choose(value, words, meant), {"type": "string", "enum": words})


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _OneOrMany:
    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


ONE_OR_MANY = (Field(min_length=1), BeforeValidator(_as_list), _OneOrMany())
"""A list, not empty; one item alone may stand without brackets."""


# Numbers --------------------------------------------------------------------------------------------------


_MOST_DIGITS = 18  # more are read as a text, as of an id


def number(value: object, least: float, whole: bool, most: float | None = None) -> float:
    """A number of at least ``least``, and at most ``most``; texts and booleans are none."""
    right = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, bool) or not right:
        if isinstance(value, str) and value.strip().lstrip("-").isdigit() and len(value) > _MOST_DIGITS:
            raise mistake("this number is too large", f"write one of at most {_MOST_DIGITS} digits")
        raise mistake(
            f"this must be a {'whole ' if whole else ''}number, not {kind_of(value)}",
            _number_meant(value, least),
        )
    assert isinstance(value, (int, float))
    if value < least:
        raise mistake(f"this must be {least:g} or more, not {value}")
    if most is not None and value > most:
        raise mistake(f"this must be {most:,} or less, not {value}")
    return value


def _number_meant(value: object, least: float) -> str:
    if isinstance(value, str):
        return number_advice(value, least)
    if isinstance(value, bool):
        return "write how many"
    return "write one without a point" if isinstance(value, float) else ""


def _whole(least: int, most: int | None = None) -> tuple[Any, ...]:
    schema = {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})
    return annotated(lambda value: number(value, least, whole=True, most=most), schema)


AtOnce = Annotated[int, *_whole(1, MOST_AT_ONCE)]
Count = Annotated[int, *_whole(0)]
Positive = Annotated[int, *_whole(1)]
Rate = Annotated[
    float,
    *annotated(lambda value: number(value, 0.001, whole=False), {"type": "number", "exclusiveMinimum": 0}),
]


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = dict.fromkeys(("yes", "on", "y", "1"), "true") | dict.fromkeys(("no", "off", "n", "0"), "false")
    meant = words.get(str(value).strip().lower(), str(value).strip().lower())
    hint = f"did you mean {meant}?" if meant in {"true", "false"} else "write true or false"
    raise mistake(f"this must be true or false, not {kind_of(value)}", hint)


Flag = Annotated[bool, *annotated(_flag, {"type": "boolean"})]


def _dry_run(value: object) -> bool | str:
    return templated(value) if isinstance(value, str) and "{{" in value else _flag(value)


DryRun = Annotated[
    bool | str, *annotated(_dry_run, {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": r"\{\{"}]})
]
