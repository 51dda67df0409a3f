"""The events of one body: the elements of its lists, whatever else stands on the way to them, and what stands beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_outreach_provider.core.errors import TooManyEvents

MAX_EVENTS = 10_000


def split(body: Any, keys: Sequence[str]) -> list[Any]:
    """The elements of the lists at these keys; the body itself where there are none.

    What is on the way and has no such key is an event too: nothing else of the request would tell of it.

    :raises TooManyEvents: more than a request is read for.
    """
    found = list(_elements(body, keys))
    if not any(is_listed for is_listed, _ in found):
        return [body]
    return checked_number([each for _, each in found])


def beside(body: Any, keys: Sequence[str]) -> dict[str, Any]:
    """What :func:`split` leaves of an object: all but the lists at these keys, and what else is among its events."""
    rest = _rest(body, keys) if keys else None
    return rest if isinstance(rest, dict) else {}


def checked_number(found: list[Any]) -> list[Any]:
    """The events of a request. :raises TooManyEvents: more than a request is read for."""
    if len(found) > MAX_EVENTS:
        raise TooManyEvents(f"a request holds more than {MAX_EVENTS:,} events")
    return found


def _elements(value: Any, keys: Sequence[str]) -> Iterator[tuple[bool, Any]]:
    for each in value if isinstance(value, list) else [value]:
        if each is None:
            continue
        if keys and isinstance(each, dict) and each.get(keys[0]) is not None:
            yield from _elements(each[keys[0]], keys[1:])
        else:
            yield not keys, each


def _rest(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [rest for each in value if (rest := _rest(each, keys))]
    if not keys or not isinstance(value, dict) or value.get(keys[0]) is None:
        return None
    rest = {name: each for name, each in value.items() if name != keys[0]}
    below = _rest(value[keys[0]], keys[1:])
    return {**rest, keys[0]: below} if below else rest
