"""What a lead's field is made of: a column, a template, or a value that is the same for everybody.

A text names a column, or is a template where it holds ``{{ … }}``; in quotes of its own, ``"'sms'"``, it is itself, and so
is a text in a list. Numbers, true and false, null, lists and objects are themselves, with whatever stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from airflow_outreach_provider.core.errors import ConfigurationError

SECTIONS = ("contacts", "applications", "conversations")
_QUOTED = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\")\s*")

Getter = Callable[[Mapping[str, Any]], object]


class WrittenNull:
    """A field that the mapping itself says is null: sent as null, where one without a value is left out."""

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "null"


NULL: Final = WrittenNull()


class ReadText(NamedTuple):
    """A text of a mapping that reads the row.

    :param path: where it stands, from the target on. :param template: else the text is a column's name.
    """

    path: tuple[str | int, ...]
    text: str
    template: bool


def flat_mapping(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """``{applications: {jobTitle: title}}`` as ``{applications.jobTitle: title}``; all else as it is."""
    flat: dict[str, Any] = {}
    for target, value in mapping.items():
        if target in SECTIONS and isinstance(value, Mapping):
            flat |= {f"{target}.{inner}": each for inner, each in value.items()}
        else:
            flat[target] = value
    return flat


def meant_section(target: str, value: object) -> str | None:
    """The section that was meant by its singular, or in capitals, with fields below; None where none was.

    An object of its own would go into the contact, and what was to be an application's field be none.
    """
    section = target.lower().removesuffix("s") + "s"
    return section if section in SECTIONS and section != target and isinstance(value, Mapping) else None


def literal_text(text: str) -> str | None:
    """The text within quotes of its own; None where there are none."""
    match = _QUOTED.fullmatch(text)
    if match is None:
        return None
    return match[1] if match[1] is not None else match[2]


def read_texts(
    value: object, path: tuple[str | int, ...] = (), *, listed: bool = False
) -> Iterator[ReadText]:
    """Every text below a value of a mapping that reads the row.

    :param listed: whether it stands in a list.
    """
    if isinstance(value, str):
        template = "{{" in value
        if template or not (listed or literal_text(value) is not None):
            yield ReadText(path, value, template)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from read_texts(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from read_texts(each, (*path, index), listed=True)


def compile_mapped(value: object, compile_value: Callable[[str], Getter], *, listed: bool = False) -> Getter:
    """A value of a mapping as a function of a row.

    :raises ConfigurationError: it is of a kind that no lead can hold, or a template of it cannot be.
    """
    if isinstance(value, str):
        if "{{" in value:
            return compile_value(value)
        said = literal_text(value)
        return _column(value) if said is None and not listed else _always(value if said is None else said)
    if isinstance(value, Mapping):
        fields = {str(key): compile_mapped(each, compile_value) for key, each in value.items()}
        return lambda row: _object(fields, row)
    if isinstance(value, list | tuple):
        items = [compile_mapped(each, compile_value, listed=True) for each in value]
        return lambda row: [get(row) for get in items]
    if value is None:
        return _always(NULL)
    if isinstance(value, bool | int | float):
        return _always(value)
    raise ConfigurationError(
        f"a mapping cannot hold {type(value).__name__}",
        "write a column name, a template, a number, true, false, null, a list or an object of these",
    )


def _object(fields: Mapping[str, Getter], row: Mapping[str, Any]) -> object:
    """Without what has no value, and nothing at all where no field has one."""
    found = {key: value for key, get in fields.items() if (value := get(row)) is not None and value != ""}
    return found or None


def _column(name: str) -> Getter:
    def get(row: Mapping[str, Any]) -> object:
        return row.get(name)

    return get


def _always(value: object) -> Getter:
    return lambda _row: value
