"""A list of leads that a template wrote as text: what Airflow makes of one without native rendering."""

from __future__ import annotations

import ast
import json
from typing import Any

_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def looks_written(text: str) -> bool:
    """Whether a text is a list or a mapping rather than a path; ``[ab].csv`` is a path."""
    plain = text.strip()
    return len(plain) > 1 and _BRACKETS.get(plain[0]) == plain[-1]


def written_list(text: str) -> list[Any] | None:
    """The list that is written as JSON or as Python shows it; None where there is none."""
    found = _json(text)
    if found is None:
        found = _python(text)
    return list(found) if isinstance(found, list | tuple) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _python(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
