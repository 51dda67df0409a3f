"""JSON that is written as text within a body, as queues and buses wrap what they pass on: SNS, SQS, Pub/Sub, Kinesis.

What somebody wrote is no envelope, whatever it looks like: beside whoever a body is about, a text stays a text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.platforms.keys import Holds, read_key
from airflow_outreach_provider.core.platforms.places import walk

_DEEPEST = 4
_MOST_LOOKED_AT = 2_000
_MOST_OPENED = 100
_MOST_CHARACTERS = 1_000_000
_SHORTEST = 7  # {"a":1}
_BASE64 = (
    "eyJ",
    "eyA",
    "ewo",
    "ew0",
    "ewk",
    "W3s",
    "WyA",
    "Wwo",
    "Ww0",
)  # of { and [, and what may follow them
_FIRST = frozenset("{[eW \t\r\n")
_PLAIN_BASE64 = str.maketrans("-_", "+/")
# Keys of envelopes beside those of an event: of the three first somebody may have written what stands there.
_WRAPPING = frozenset(
    {"message", "body", "content", "data_base64", "event_body", "message_json", "body_json", "payload_json"}
)
_ABOUT_SOMEBODY = Holds.NUMBER | Holds.EMAIL | Holds.ID | Holds.PERSON | Holds.PARTY | Holds.WHO


class SealedText(NamedTuple):
    """A text that may be JSON. :ivar is_text: somebody may have written it."""

    holder: Mapping[str, Any]
    name: str
    is_text: bool


class _Budget:
    """What is left to be opened of one body."""

    def __init__(self) -> None:
        self.texts, self.characters = _MOST_OPENED, _MOST_CHARACTERS

    def allows(self, text: str) -> bool:
        self.texts -= 1
        self.characters -= len(text)
        return self.texts >= 0 and self.characters >= 0


def is_sealed(body: Mapping[str, Any]) -> bool:
    """Whether a body holds what may be JSON as text, by its first characters alone."""
    return next(_texts(body), None) is not None


def opened(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects that stand as text in a body's envelopes, those within an opened one in its place."""
    return list(_opened(body, _Budget(), _DEEPEST))


def _opened(body: Mapping[str, Any], budget: _Budget, depth: int) -> Iterator[dict[str, Any]]:
    found = list(_texts(body))
    if not found or not depth:
        return
    named = any(each.is_text for each in found) and any(place.holds & _ABOUT_SOMEBODY for place in walk(body))
    for each in found:
        text = each.holder[each.name]
        if (each.is_text and named) or not budget.allows(text):
            continue
        value = _read(text)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from list(_opened(inner, budget, depth - 1)) or [inner]


def _texts(body: Mapping[str, Any]) -> Iterator[SealedText]:
    """Texts that begin as JSON does, or as base64 of it, under keys that stand for an event, a message or its content."""
    places: list[Mapping[str, Any]] = [body]
    for place in places:
        for name, value in place.items():
            if value.__class__ is str:
                if value[:1] in _FIRST and _begins_as_json(value):
                    word, holds = read_key(name)
                    if word in _WRAPPING or (holds & Holds.ENVELOPE and not holds & Holds.TEXT):
                        yield SealedText(place, name, bool(holds & Holds.TEXT))
            elif value.__class__ is dict or value.__class__ is list:
                places += _within(name, value) if len(places) < _MOST_LOOKED_AT else ()


def _within(name: str, value: Any) -> list[dict[str, Any]]:
    if read_key(name).holds & Holds.ELSEWHERE:
        return []
    inner = value[:_MOST_LOOKED_AT] if isinstance(value, list) else [value]
    return [each for each in inner if isinstance(each, dict)]


def _begins_as_json(value: str) -> bool:
    return len(value) >= _SHORTEST and (value.startswith(_BASE64) or value.lstrip()[:1] in ("{", "["))


def _read(text: str) -> Any:
    """The JSON of a text, plain or in base64; None where it is none."""
    try:
        raw = text.encode()
        if text.startswith(_BASE64):
            plain = text.translate(_PLAIN_BASE64)
            raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        return read_json(raw.strip())
    except (ValueError, RecursionError):
        return None
