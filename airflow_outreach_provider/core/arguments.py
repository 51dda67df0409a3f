"""Whether an argument is of a kind that it can be: what is wrong with it, where, and what to write instead.

A DAG is code, so an argument may be anything at all. Looked at where it is given: a mistake then shows in the DAG list,
and as one of the DAG, not as whatever a function deep below makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from inspect import isasyncgenfunction, isgeneratorfunction, signature
from math import inf
from os import PathLike
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.flags import flag_of
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.suggest import said_kind

_LONGEST = 60
# What Jinja and JSON write for a value that is not there, alone or beside other words: ``spring-None``.
_NOTHING = re.compile(r"(?<![^\W_])None(?![^\W_])")
_NULL = ("None", "null")


def wrong(name: str, value: object, remedy: str) -> ConfigurationError:
    """The error that names an argument, says what it is and what to write instead."""
    shown = value is None or isinstance(value, str | int | float | list | tuple)
    said = repr(value) if shown else said_kind(value)
    if isinstance(value, list | tuple) and len(said) > _LONGEST:
        said = said_kind(value)
    return ConfigurationError(f"{name} is {said[:_LONGEST]}", remedy)


def said_later(value: object) -> bool:
    """Whether what is given is known only when a task runs: a template, or what gives a value then."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return callable(value) or hasattr(value, "resolve")  # Airflow's outputs of tasks have that


def as_written(task: Any) -> dict[str, Any]:
    """What a DAG says of a task; of a mapped one what holds for all of them."""
    said: dict[str, Any] | None = getattr(task, "partial_kwargs", None)
    return vars(task) if said is None else said


def check_text(name: str, value: object, remedy: str) -> None:
    """:raises ConfigurationError: it is neither a text nor None, or one that cannot be stored."""
    if value is not None and not isinstance(value, str):
        raise wrong(name, value, remedy)
    if value is not None and storable(value) != value:
        raise ConfigurationError(
            f"{name} holds a character that no database stores", f"take it out: {value[:_LONGEST]!a}"
        )


def is_path(value: object) -> bool:
    """Whether it is a path of the standard library's kind, or of Airflow's."""
    return isinstance(value, PathLike) or type(value).__name__ == "ObjectStoragePath"


def check_connection(name: str, value: str, example: str) -> str:
    """The name of a connection, as it is given.

    :raises ConfigurationError: it names none, and nothing will when the task runs.
    """
    if not said_later(value) and not (isinstance(value, str) and value.strip()):
        raise wrong(name, value, f'name a connection, e.g. "{example}"')
    return value


def check_callable(name: str, value: object, remedy: str = "give a function") -> None:
    """:raises ConfigurationError: it cannot be called, or that would run nothing of it."""
    if not callable(value):
        raise ConfigurationError(f"{name} {repr(value)[:_LONGEST]} cannot be called", remedy)
    if isgeneratorfunction(value) or isasyncgenfunction(value):
        raise ConfigurationError(
            f"{name} {value!r} yields, so calling it runs nothing", "let it return instead"
        )


def refused_call(function: Callable[..., object], *given: object, **named: object) -> str | None:
    """Why a function cannot be called so; None where it can, and where it does not tell what it takes."""
    try:
        signature(function).bind(*given, **named)
    except TypeError as error:
        return str(error)
    except ValueError:  # one that is written in C
        return None
    return None


def check_handler(name: str, function: Callable[..., object], named: Mapping[str, object]) -> None:
    """:raises ConfigurationError: it cannot be called with an event and these: it would fail by each, for hours."""
    if (why := refused_call(function, None, **named)) is not None:
        raise ConfigurationError(
            f"{name} cannot be called with an event: {why}", "let it take one: def handle(event): …"
        )


def check_mapping(name: str, value: object, remedy: str) -> None:
    """:raises ConfigurationError: it is neither None nor a mapping whose keys are texts."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is {said_kind(value)}", remedy)
    for key in value:
        if not isinstance(key, str):
            raise ConfigurationError(f"{name} has the key {repr(key)[:_LONGEST]}, which is no text", remedy)


def check_texts(name: str, value: object, remedy: str, *, empty: bool = False) -> None:
    """:param empty: whether there may be none of them.

    :raises ConfigurationError: it is neither None, nor a text, nor a collection of texts.
    """
    if value is None or (isinstance(value, str) and value.strip()):
        return
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping) or not (value or empty):
        raise wrong(name, value, remedy)
    if not all(isinstance(each, str) and each.strip() for each in value):
        raise wrong(name, value, remedy)


def check_whole(name: str, value: object, remedy: str, *, least: int = 1, most: int | None = None) -> None:
    """:raises ConfigurationError: it is no whole number, or out of bounds."""
    if type(value) is not int or value < least or (most is not None and value > most):
        raise wrong(name, value, remedy)


def check_seconds(name: str, value: object, remedy: str = "write a number of seconds above 0") -> None:
    """:raises ConfigurationError: it is no time that passes."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not 0 < value < inf:  # type: ignore[operator]
        raise wrong(name, value, remedy)


def read_flag(name: str, value: object) -> bool:
    """True or false, also as a template writes it; nothing at all is neither.

    :raises ConfigurationError: it says neither. A template that yields nothing, be it none or an empty text, does not: what
        a flag forbids would be done.
    """
    if isinstance(value, str):
        if (said := flag_of(value)) is not None:
            return said
        if value.strip() in ("", *_NULL):
            raise _nothing(name, value.strip(), "true or false", "{{ var.value.get('it', 'true') }}")
    elif isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise wrong(name, value, "use true or false")


def read_name(name: str, value: object) -> str | None:
    """A name without blanks around it, by which nobody could tell two apart; None for none, and for an empty text.

    :raises ConfigurationError: it is no text, or what a template makes of a value that is not there.
    """
    check_text(name, value, "write a text, in quotes")
    text = str(value or "").strip()
    if says_nothing(text):
        raise _nothing(name, text, "a text", "{{ params.it or '' }}, which stands for the default")
    return text or None


def says_nothing(text: str) -> bool:
    """Whether it is what a template makes of a value that is not there: no name can be told from it."""
    return text in _NULL or _NOTHING.search(text) is not None


def _nothing(name: str, text: str, wanted: str, example: str) -> ConfigurationError:
    """What a template yields whose value is not there, and which is no value of the argument."""
    return ConfigurationError(
        f"{name} came out as {text[:_LONGEST] or 'an empty text'}",
        f"let the template give {wanted} where its value is not set too, e.g. {example}",
    )
