"""JSON from strangers: strict about the format, bounded in depth, and safe to store.

RFC 8259 asks for UTF-8. Two things it allows break databases and encoders further on, and real platforms
send both: ``\\u0000``, which PostgreSQL cannot hold in text, and half of a surrogate pair, which is what an
emoji becomes when somebody cuts a message by length. Both become U+FFFD; the raw body keeps them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

MAX_DEPTH = 200  # the fast parser's own limit; held for the slow one too

_BOM = b"\xef\xbb\xbf"
_REPLACEMENT = "�"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_STRUCTURE = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


def read_json(body: bytes) -> Any:
    """The JSON value of ``body``.

    :raises ValueError: not UTF-8, not JSON (NaN and Infinity are not), nested deeper than about 200 levels,
        or holding an integer of more than 4,300 digits. The message holds no part of the body.
    """
    body = body.removeprefix(_BOM)
    escapes = b"\\u" in body
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        if not escapes:  # the parser's messages name a place and never quote the body
            raise ValueError(f"the body is not JSON: {error}") from None
        value = _read_with_halves(body)
    return storable(value) if escapes else value


def _read_with_halves(body: bytes) -> Any:
    """The standard library reads what the fast parser refuses: half of a surrogate pair."""
    _check_depth(body)
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} at character {error.pos}") from None


def _refuse_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is no JSON value", "", 0)


def _check_depth(body: bytes) -> None:
    depth = 0
    in_string = False
    for token in _STRUCTURE.finditer(body):
        mark = token.group()
        if mark == b'"':
            in_string = not in_string
        elif in_string or len(mark) > 1:
            continue
        elif mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"the body is nested deeper than {MAX_DEPTH} levels")
        else:
            depth -= 1


def storable(value: Any) -> Any:
    """The value with U+FFFD for what no database takes, in every text and key of it: half surrogates and NULs."""
    match value:
        case str():
            return _UNSTORABLE.sub(_REPLACEMENT, value) if _UNSTORABLE.search(value) else value
        case Mapping():
            return {storable(name): storable(each) for name, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case _:
            return value
