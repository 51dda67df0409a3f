"""Many rows in one statement: a JSON array as the only parameter, read as a table by the database.

One statement a group keeps the cost a lead at a few microseconds, and the database at work without Python's
global lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

_TYPES = {"int": ("INTEGER", "bigint"), "text": ("TEXT", "text")}


def rows_param(rows: Iterable[Sequence[Any]]) -> str:
    """The parameter: rows as a JSON array of arrays, ASCII only."""
    return json.dumps(list(rows), separators=(",", ":"))


def rowset(dialect: str, columns: Sequence[tuple[str, str]], param: str = "rows") -> str:
    """A subquery that yields the rows of parameter ``:rows``, with their position as ``ord``.

    :param columns: name and type (``int`` or ``text``) of each.
    """
    if dialect == "sqlite":
        picked = ", ".join(f"json_extract(value, '$[{i}]') AS {name}" for i, (name, _) in enumerate(columns))
        return f"(SELECT key AS ord, {picked} FROM json_each(:{param}))"
    picked = ", ".join(
        f"CAST(value->>{i} AS {_TYPES[kind][1]}) AS {name}" for i, (name, kind) in enumerate(columns)
    )
    return (
        f"(SELECT ordinality - 1 AS ord, {picked} "
        f"FROM jsonb_array_elements(CAST(:{param} AS jsonb)) WITH ORDINALITY)"
    )


def values_param(values: Iterable[int | str]) -> str:
    """The parameter for ``valueset``: a flat JSON array."""
    return json.dumps(list(values), separators=(",", ":"))


def valueset(dialect: str, kind: str, param: str = "values") -> str:
    """A subquery that yields the values of parameter ``:values`` as column ``v``, with their position ``ord``."""
    if dialect == "sqlite":
        return f"(SELECT key AS ord, value AS v FROM json_each(:{param}))"
    return (
        f"(SELECT ordinality - 1 AS ord, CAST(value AS {_TYPES[kind][1]}) AS v "
        f"FROM jsonb_array_elements_text(CAST(:{param} AS jsonb)) WITH ORDINALITY)"
    )
