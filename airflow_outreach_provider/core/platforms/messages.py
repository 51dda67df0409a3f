"""What the person wrote: whose a message of an event is, and where in its body it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms.keys import (
    DIRECTIONS,
    OURS_IF_TRUE,
    THEIRS_IF_TRUE,
    WRITERS,
    Holds,
)
from airflow_outreach_provider.core.platforms.places import BodyObject
from airflow_outreach_provider.core.platforms.reading import normalise, when

_RECEIVED = re.compile(r"(?:^|_)(?:received|inbound|incoming|reply|replied|replies|responded|mo)(?:_|$)")
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|res|rif|odp|fw|fwd|wg|tr)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_MESSAGE = re.compile(
    r"(?:(?:new|customer|contact|lead|client|prospect|subscriber|user|person)_)?(?:messages?|sms|mms|text|text_message|chat_message|whatsapp)"
    r"(?:_(?:created?|event|new|added))?"
)
# Whose events may carry a message where they say which way it went.
_CARRYING = frozenset(
    {
        EventKind.OTHER,
        EventKind.CONVERSATION_CREATED,
        EventKind.CONVERSATION_RESOLVED,
        EventKind.CONVERSATION_CLOSED,
    }
)
# A text in a body that names no event is the person's, where nothing says that it is ours.
_WRITTEN = frozenset({EventKind.MESSAGE_CREATED, EventKind.UNRECOGNISED})
OURS = frozenset({EventKind.MESSAGE_SENT, EventKind.AI_RESPONDED})
_INBOUND = frozenset({"inbound", "incoming", "in", "received", "inbound_api", "mo"})
_OUTBOUND = frozenset({"outbound", "outgoing", "out", "sent", "outbound_api", "outbound_reply", "mt"})
# On platforms where an AI texts, the user is the person: so ``user`` is none of these.
_US_SURELY = frozenset({
    "agent", "ai", "ai_agent", "assistant", "bot", "employee", "operator", "staff", "team_member", "us",
})  # fmt: skip
_US = _US_SURELY | {"automation", "business", "campaign", "outbound", "owner", "sender", "system", "team"}
_THEM = frozenset({
    "candidate", "client", "contact", "customer", "end_user", "human", "inbound", "lead", "patient", "person", "prospect",
    "subscriber", "visitor",
})  # fmt: skip
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_NEVER = datetime.min.replace(tzinfo=UTC)


def message(kind: EventKind, type_: str, places: Sequence[BodyObject]) -> tuple[str, ...]:
    """What the person wrote, several readings of one message; nothing where it is not theirs.

    A text that stands by itself comes before one of a list, the event's own before one that lies deeper. Of a list of
    messages the newest of theirs counts, the last one where it gives no times.
    """
    received = is_received(kind, type_)
    written = received or kind in _WRITTEN or _is_message(kind, type_)
    if not written and kind not in _CARRYING:
        return ()
    within = [each for each in places if each.near and each.reached & Holds.TEXT and not _texts(each)]
    below = direction(within) if within else None
    ranked: dict[tuple[bool, bool], list[BodyObject]] = {}
    for place in places:
        if _texts(place) and _is_theirs(place, below, written=written, received=received):
            ranked.setdefault((not place.near, place.element is not None), []).append(place)
    for _, found in sorted(ranked.items()):
        if texts := tuple(dict.fromkeys(each for place in _newest(found) for each in _texts(place))):
            return texts
    return _subjects(places, below) if received else ()


def _subjects(places: Sequence[BodyObject], below: bool | None) -> tuple[str, ...]:
    """The subject of a mail that says nothing below it, where it is not the answer to one of ours."""
    above = (place for place in places if place.holds & Holds.SUBJECT)
    return tuple(
        value
        for place in above
        if _is_theirs(place, below, written=True, received=True)
        for _, holds, value in place.told
        if holds & Holds.SUBJECT and isinstance(value, str) and not _ANSWER.match(value)
    )


def is_received(kind: EventKind, type_: str) -> bool:
    """Whether the type itself says that the person wrote."""
    return kind is EventKind.REPLIED or (kind is EventKind.OTHER and bool(_RECEIVED.search(normalise(type_))))


def _is_message(kind: EventKind, type_: str) -> bool:
    return kind is EventKind.OTHER and bool(_MESSAGE.fullmatch(normalise(type_)))


def direction(places: Iterable[BodyObject]) -> bool | None:
    """Whether these places say that it came in, True, or went out, False; None where none says it."""
    telling = [place for place in places if place.holds & Holds.WHO]
    for way_of in (_written_way, _flagged_way):
        for place in telling:
            if (way := way_of(place)) is not None:
                return way
    return None


def _is_theirs(place: BodyObject, below: bool | None, *, written: bool, received: bool) -> bool:
    above = list(_with_envelopes(place))
    way = direction(above)
    if way is None and place.near and place.element is None:
        way = below
    if way is not None:
        return way
    if received:
        return not _writers(place) & _US_SURELY
    who = {word for each in above for word in _writers(each)}
    return not who & _US if written else place.near and bool(who & _THEM)


def _with_envelopes(place: BodyObject) -> Iterator[BodyObject]:
    """A place, and what it is the message or the content of."""
    here: BodyObject | None = place
    while here is not None and (here is place or here.near or here.reached & Holds.TEXT):
        yield here
        here = here.above if here.near or here.reached & Holds.TEXT else None


def _written_way(place: BodyObject) -> bool | None:
    for name, _, value in place.told:
        if name in DIRECTIONS and (word := _word(value)) in _INBOUND | _OUTBOUND:
            return word in _INBOUND
    return None


def _flagged_way(place: BodyObject) -> bool | None:
    ways = [
        way
        for name, holds, value in place.told
        if holds & Holds.WHO and (way := _flag(name, _word(value))) is not None
    ]
    return all(ways) if ways else None


def _flag(name: str, word: str) -> bool | None:
    """``from_me: true`` and ``inbound: false`` are of ours, ``inbound: true`` is theirs; ``from_me: false`` says nothing."""
    if name in OURS_IF_TRUE:
        return False if word in _TRUE else None
    if name in THEIRS_IF_TRUE and word in _TRUE | _FALSE:
        return word in _TRUE
    return None


def _writers(place: BodyObject) -> set[str]:
    if not place.holds & Holds.WHO:
        return set()
    found = set()
    for name, _, value in place.told:
        if name in WRITERS:
            word = _word(value.get("type") or value.get("role") if isinstance(value, dict) else value)
            found.add("contact" if word == "user" and name == "role" else word)
    return found


def _word(value: object) -> str:
    return normalise(str(value)) if isinstance(value, str | bool | int) else ""


def _newest(found: Sequence[BodyObject]) -> Iterator[BodyObject]:
    """What stands by itself, and of each list the newest of everybody who writes in it."""
    lists: dict[tuple[int, str], list[BodyObject]] = {}
    for place in found:
        if place.element is None:
            yield place
        else:
            lists.setdefault((place.element[0], _sender(place)), []).append(place)
    for places in lists.values():
        timed = [(_time(place), place) for place in places]
        if any(moment is None for moment, _ in timed):
            yield places[-1]
        else:
            yield max(timed, key=lambda each: each[0] or _NEVER)[1]


def _sender(place: BodyObject) -> str:
    """Whose a message of a list is, as it says itself."""
    above = place if place.holds & Holds.SENDER or place.above is None else place.above
    ends = (
        value for _, holds, value in above.told if holds & Holds.SENDER and above.element == place.element
    )
    return next((str(value) for value in ends if isinstance(value, str | int | dict)), "")


def _time(place: BodyObject) -> datetime | None:
    times = (when(value) for _, holds, value in place.told if holds & Holds.TIME)
    return next((moment for moment in times if moment is not None), None)


def _texts(place: BodyObject) -> list[str]:
    asked = Holds.TEXT | Holds.VALUE if place.reached & Holds.TEXT else Holds.TEXT
    if not place.holds & asked:
        return []
    values = (value for _, holds, value in place.told if holds & asked)
    lasts = (value[-1] if isinstance(value, list) and value else value for value in values)
    return [each for each in lasts if isinstance(each, str) and each.strip()]
