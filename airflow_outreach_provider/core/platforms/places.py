"""All of a body that may be about the person: its objects, however deep and in whatever lists.

Somebody of ours, messages of former days and what is offered to be chosen are left out. So is what lies deeper, or is
more, than any platform sends: a body is a stranger's to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from airflow_outreach_provider.core.platforms.keys import (
    ATTACHED,
    CAPTIONS,
    CHOSEN,
    NUMBERED_IN_RECORDS,
    Holds,
    is_of_mail,
    read_key,
)

_DEEPEST = 7
_MOST = 200
_MOST_ELEMENTS = 50
MOST_KEYS = 1_000
_FIELD_NAMES = ("name", "key", "field", "fieldKey", "property", "propertyName", "label")
_FIELD_VALUES = ("value", "fieldValue", "field_value", "propertyValue", "new", "new_value", "newValue")
_FIELDS = frozenset(_FIELD_VALUES)
_NAMED = Holds.REFUSAL | Holds.NUMBER | Holds.EMAIL
_RECORDED = Holds.RECORD | Holds.PERSON
_PLAIN_NUMBER = re.compile(r"\s*\+?[\d(][\d\s().\-/]{6,24}")
_CHANNELS = ("channel", "Channel", "type", "Type", "medium", "channel_type", "channelType")


Told = tuple[str, int, Any]
"""A key, normalised, what it holds, and its value: where that is not empty, and known to hold something or an object."""


class BodyObject(NamedTuple):
    """One object of a body.

    :ivar reached: what the key holds under which it stands.
    :ivar holds: what any of its keys holds.
    :ivar near: the event's own: reached by envelopes and messages alone.
    :ivar side: ``SENDER`` or ``RECIPIENT`` where it describes one of the two.
    :ivar element: of which list of several, and which of it.
    :ivar of_mail: what it refuses is e-mail alone.
    """

    reached: int
    told: Sequence[Told]
    holds: int
    above: BodyObject | None
    near: bool
    side: int
    element: tuple[int, int] | None
    depth: int
    of_mail: bool = False


def walk(body: Mapping[str, Any]) -> tuple[BodyObject, ...]:
    """The objects of a body, the nearest first; the body itself is the first."""
    found = [_place(Holds.ENVELOPE, body, None, None)]
    for place in found:
        if place.depth < _DEEPEST and len(found) < _MOST:
            _look_within(place, found)
    return tuple(found[:_MOST])


def _look_within(place: BodyObject, found: list[BodyObject]) -> None:
    for word, holds, value in place.told:
        if value.__class__ is not dict and value.__class__ is not list:
            continue
        if holds & Holds.ELSEWHERE or (holds & Holds.SENDER and not place.near):
            continue  # a person's own sender is who of ours writes to them
        of_mail = not holds & Holds.PERSON and (place.of_mail or is_of_mail(word))
        if value.__class__ is dict:
            found.append(_place(holds, value, place, place.element, of_mail=of_mail))
            continue
        objects = [each for each in value[-_MOST_ELEMENTS:] if each.__class__ is dict]
        number = len(found)
        for position, each in enumerate(objects):
            several = len(objects) > 1 and _named_field(each) is None
            element = (number, position) if several else place.element
            mails = of_mail or (not holds & Holds.PERSON and _is_mails(each))
            found.append(_place(holds, each, place, element, of_mail=mails))


def _is_mails(value: Mapping[str, Any]) -> bool:
    """Whether one of several says that it is the person's e-mail: ``{"channel": "email", "status": "unsubscribed"}``."""
    said = (value[name] for name in _CHANNELS if isinstance(value.get(name), str))
    return any(is_of_mail(read_key(each).word) for each in said)


def _place(
    reached: int,
    value: Mapping[str, Any],
    above: BodyObject | None,
    element: tuple[int, int] | None,
    *,
    of_mail: bool = False,
) -> BodyObject:
    told: list[Told] = []
    holds = 0
    for name, each in value.items() if len(value) <= MOST_KEYS else islice(value.items(), MOST_KEYS):
        word, what = read_key(name)
        if word in NUMBERED_IN_RECORDS and reached & _RECORDED and _is_number(each):
            what = Holds.NUMBER
        if what:
            if each is not None and each != "":
                told.append((word, what, each))
                holds |= what
                if what == Holds.ELSEWHERE and word in ATTACHED and (captions := _captions(each)):
                    told += captions
                    holds |= Holds.TEXT
        elif each.__class__ is dict or each.__class__ is list:
            told.append((word, 0, each))
        if word in CHOSEN and each.__class__ is dict and (chosen := _chosen(word, each, value)):
            told.append(chosen)
            holds |= Holds.TEXT
    if (field := _named_field(value, reached)) is not None and field[1]:
        told.append(field)
        holds |= field[1]
    if above is None:
        return BodyObject(reached, told, holds, None, True, reached & Holds.PARTY, element, 0)
    near = above.near and reached & Holds.ENVELOPE != 0
    side = reached & Holds.PARTY or above.side
    return BodyObject(reached, told, holds, above, near, side, element, above.depth + 1, of_mail)


def _is_number(value: Any) -> bool:
    """Whether a field of a record that may hold a text or a number holds a number alone."""
    if isinstance(value, str):
        return _PLAIN_NUMBER.fullmatch(value) is not None
    if isinstance(value, dict):
        return any(
            _is_number(value[each])
            for each in ("value", "number")
            if each in value and not isinstance(value[each], dict)
        )
    return isinstance(value, int | float) and value >= 10**6


def _captions(attached: Any) -> list[Told]:
    """What is written below the pictures of a message; all else of them may be somebody else's card."""
    each = attached if isinstance(attached, list) else [attached]
    objects = [one for one in each[-_MOST_ELEMENTS:] if isinstance(one, dict)]
    return [(name, Holds.TEXT, one[name]) for one in objects for name in CAPTIONS if one.get(name)]


def _chosen(word: str, choice: Mapping[str, Any], message: Mapping[str, Any]) -> Told | None:
    """The words of the button or the line of a list that somebody tapped; what is offered is none."""
    name = CHOSEN[word]
    said = choice.get(name)
    if not isinstance(said, str) or (word == "button" and message.get("type") != word):
        return None
    return name, Holds.TEXT, said


def _named_field(value: Mapping[str, Any], reached: int = 0) -> Told | None:
    """What an object like ``{"name": "opted_out", "value": true}`` says of whom it is a field of.

    Refusals alone, for a change may be of anybody's number; of a record's fields also numbers and addresses.
    """
    if _FIELDS.isdisjoint(value):
        return None
    now = next((value[each] for each in _FIELD_VALUES if each in value), None)
    name = next((value[each] for each in _FIELD_NAMES if isinstance(value.get(each), str)), None)
    if now is None or name is None:
        return None
    word, holds = read_key(name)
    return word, holds & (_NAMED if reached & Holds.RECORD else Holds.REFUSAL), now
