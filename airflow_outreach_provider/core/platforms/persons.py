"""Whom a body is about: every number and address of theirs, their id, and whether it says that they unsubscribed.

Generous where it is read for somebody who said no, under any usual key of any place that may describe the person;
strict where a number or an address becomes the contact's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from airflow_outreach_provider.core.accents import without_accents
from airflow_outreach_provider.core.events import Contact, EventKind
from airflow_outreach_provider.core.invisible import UNSEEN
from airflow_outreach_provider.core.platforms import messages
from airflow_outreach_provider.core.platforms.commented_no import (
    NO_ELSEWHERE,
    is_refused_behind_no,
    stays_no,
)
from airflow_outreach_provider.core.platforms.keys import (
    Holds,
    is_of_mail,
    read_key,
)
from airflow_outreach_provider.core.platforms.no_names import is_taken_consent
from airflow_outreach_provider.core.platforms.no_words import NO, is_denied, is_no_word
from airflow_outreach_provider.core.platforms.places import MOST_KEYS, BodyObject, Told
from airflow_outreach_provider.core.platforms.reading import (
    is_no_time,
    mapping,
    normalise,
    phone,
    text,
    when,
)

_NUMBERED = Holds.NUMBER | Holds.PERSON | Holds.PARTY
_ADDRESSED = Holds.EMAIL | Holds.PERSON | Holds.PARTY
_IDENTIFIED = Holds.ID | Holds.PERSON
_SOMEBODY = _NUMBERED | _ADDRESSED | _IDENTIFIED
_MOST_VALUES = 20
_WHOLE = 10**15
_NUMBER_PARTS = (
    "number",
    "phone",
    "phone_number",
    "value",
    "e164",
    "raw",
    "full",
    "formatted",
    "international",
    "mobile",
    "text",
    "national_number",
    "national",
    "cell",
    "home",
    "work",
    "primary",
    "main",
    "other",
)
_EMAIL_PARTS = ("address", "email", "email_address", "value", "text")
_CODES = ("country_code", "calling_code", "dial_code", "prefix")
_LIKE_A_NUMBER = re.compile(r"(?:tel:|sms:|whatsapp:)?\s*\+?[\d(][\d\s().\-/]{6,24}")
_BETWEEN_TAGS = re.compile(r"[,;|\n]|:::")  # Google's are parted by " ::: "
_DAYS = (
    (20000101, 20991231),
    (36526, 73050),
)  # of this century, as databases' keys and as spreadsheets number them
_ONLY_ZEROS = re.compile(r"[\s:.\-/+]*|(?=.*0)[0\s:.\-/TZ+]*")  # "T" alone is true
_YES = frozenset({"true", "t", "1", "yes", "y", "on", "active", "enabled", "permanent"})
_REFUSED = (21610, "21610")  # Twilio: "attempt to send to unsubscribed recipient"
_CEASED = frozenset({"baja", "baja_voluntaria"})  # as a status; as a tag it may be how urgent something is
_MAIL_ALONE = frozenset({"email", "e_mail", "emails", "email_only", "newsletter"})
_NOW = ("to", "new", "current", "value", "name", "label", "status", "state", "sms", "text", "mobile", "all")
# Whose ids stand beside the person: in what these events are about, a plain id is a message's, call's or conversation's.
_ABOUT_THE_PERSON = frozenset({
    EventKind.CONTACT_CREATED, EventKind.CONTACT_UPDATED, EventKind.LEAD_CREATED, EventKind.LEAD_SCORED, EventKind.LEAD_ENRICHED,
})  # fmt: skip
_ABOUT_SOMETHING = frozenset({
    EventKind.REPLIED, EventKind.MESSAGE_CREATED, EventKind.MESSAGE_SENT, EventKind.AI_RESPONDED, EventKind.CALL_STARTED,
    EventKind.CALL_ENDED, EventKind.CALL_OUTCOME, EventKind.CONVERSATION_CREATED, EventKind.CONVERSATION_RESOLVED,
    EventKind.CONVERSATION_CLOSED,
})  # fmt: skip


def completed(
    contact: Contact,
    places: Sequence[BodyObject],
    region: str | None,
    kind: EventKind,
    type_: str,
    said: Sequence[str],
) -> Contact:
    """The contact with what its own record lacks but these places say: a number and an address that are the only ones, an id."""
    holds = 0
    for place in places:
        holds |= place.holds
    more: dict[str, str | None] = {}
    if contact.phone is None and holds & _NUMBERED:
        inbound = is_inbound(kind, type_, places, said)
        more["phone"] = _only(numbers_said(places, inbound), lambda each: phone(each, region))
    if contact.email is None and holds & _ADDRESSED:
        more["email"] = _only(emails_said(places, is_inbound(kind, type_, places, said)), str)
    if contact.external_id is None and holds & _IDENTIFIED:
        more["external_id"] = _id_said(places)
    return replace(contact, **more) if any(more.values()) else contact


def is_inbound(kind: EventKind, type_: str, places: Sequence[BodyObject], said: Sequence[str]) -> bool | None:
    """Whether the person wrote, True, or we, False; None where that is not known."""
    if said:
        return True
    way = messages.direction(place for place in places if place.near)
    if way is None and kind in messages.OURS:
        return False
    received = kind is EventKind.UNSUBSCRIBED or messages.is_received(kind, type_)
    return True if way is None and received else way


def _only(values: Iterable[str], read: Callable[[str], str | None]) -> str | None:
    found = {each for value in values if (each := read(value))}
    return found.pop() if len(found) == 1 else None


def without_ids(kind: EventKind, record: Mapping[str, Any], body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record that may hold the person, without the ids that are not theirs.

    Those stand beside a message, or an id of the contact; and beside an event's name are its own id and name.
    """
    if record is body:
        return {name: value for name, value in body.items() if name not in {"id", "_id", "name"}}
    holds = 0
    for name in islice(record, MOST_KEYS):
        holds |= read_key(name).holds
    theirs = kind in _ABOUT_THE_PERSON or not (kind in _ABOUT_SOMETHING or holds & Holds.TEXT)
    if theirs and not holds & Holds.ID:
        return record
    return {name: value for name, value in record.items() if name not in {"id", "_id"}}


def numbers_said(places: Iterable[BodyObject], inbound: bool | None) -> Iterator[str]:
    """Every number that a body gives for the person, as written.

    :param inbound: whether they wrote, or we; where nobody knows, neither end of it is taken.
    """
    for holds, value in _values(places, inbound, _NUMBERED):
        if holds & Holds.NUMBER:
            yield from _numbers(value)
            continue
        for each in _scalars(value):
            written = _number(each)
            if written is not None and "@" not in written and _LIKE_A_NUMBER.fullmatch(written):
                yield written


def emails_said(places: Iterable[BodyObject], inbound: bool | None) -> Iterator[str]:
    """Every address that a body gives for the person."""
    for holds, value in _values(places, inbound, _ADDRESSED):
        for each in _leaves(value, _EMAIL_PARTS) if holds & Holds.EMAIL else _scalars(value):
            if (written := text(each)) and "@" in written:
                yield written


def _values(places: Iterable[BodyObject], inbound: bool | None, asked: int) -> Iterator[tuple[int, Any]]:
    """The values of such keys, where they are the person's: the sender of what came in, the recipient of what went out."""
    ours = {True: Holds.RECIPIENT, False: Holds.SENDER, None: Holds.PARTY}[inbound]
    for place in places:
        if place.holds & asked and not place.side & ours:
            for _, holds, value in place.told:
                if holds & asked and not holds & ours:
                    yield holds, value


def _numbers(value: Any) -> Iterator[str]:
    for each in _leaves(value, _NUMBER_PARTS):
        if isinstance(each, dict):
            continue
        if (written := _number(each)) is not None:
            yield written


def _number(value: Any) -> str | None:
    """As text; a number that went through a table may have become ``14165550123.0``."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    return text(value)


def _scalars(value: Any) -> list[Any]:
    """A value, or those of a list; objects are places of their own."""
    return value[:_MOST_VALUES] if isinstance(value, list) else [value]


def _leaves(value: Any, parts: Sequence[str], depth: int = 3) -> Iterator[Any]:
    """A value, those of a list, and those of an object like ``{"number": …}``."""
    if isinstance(value, list):
        for each in value[:_MOST_VALUES] if depth else ():
            yield from _leaves(each, parts, depth - 1)
    elif isinstance(value, dict):
        fields = {read_key(name).word: each for name, each in value.items()}
        code = next((found for name in _CODES if (found := _number(fields.get(name)))), "")
        for name in parts if depth else ():
            if (each := fields.get(name)) is not None:
                yield from _leaves(_dialled(code, each), parts, depth - 1)
    else:
        yield value


def _dialled(code: str, value: Any) -> Any:
    written = _number(value)
    digits = code.strip().lstrip("+").removeprefix("00")
    if written is None or not digits.isdigit() or written.startswith(("+", "00", digits)) or "@" in written:
        return value
    return f"+{digits} {written}"


def _id_said(places: Iterable[BodyObject]) -> str | None:
    """The first id that can only be a person's; a text under ``contact`` is one where it is no number and no address."""
    for holds, value in _values(places, None, _IDENTIFIED):
        found = text(value)
        if found and (
            holds & Holds.ID or not (_LIKE_A_NUMBER.fullmatch(found) or "@" in found or " " in found)
        ):
            return found
    return None


def names_anybody(places: Sequence[BodyObject]) -> bool:
    """Whether a body says of anybody who they are: by a number, an address or an id, at whichever end of a message."""
    found = (said(places, way) for said in (numbers_said, emails_said) for way in (True, False))
    return any(next(each, None) for each in found) or _id_said(places) is not None


def opted_out(places: Sequence[BodyObject]) -> tuple[BodyObject, ...]:
    """What there is of whoever's record says that they are not to be contacted; nothing where none says it.

    All of the body; of a list of several people those alone. A list that names nobody is of one person's channels or
    subscriptions.
    """
    flagged = [
        place
        for place in places
        if place.holds & Holds.REFUSAL and not place.of_mail and any(map(says_no, place.told))
    ]
    if not flagged:
        return ()
    people = {place.element[0] for place in places if place.element is not None and _names_somebody(place)}
    elements = {_element_of(place, people) for place in flagged}
    if None in elements:
        return tuple(places)
    return tuple(place for place in places if place.element in elements)


def _names_somebody(place: BodyObject) -> bool:
    return bool(place.holds & _SOMEBODY or place.reached & Holds.PERSON)


def _element_of(place: BodyObject, people: set[int]) -> tuple[int, int] | None:
    """Which of several people it belongs to; None where it is everybody's who is named."""
    here: BodyObject | None = place
    while here is not None and here.element is not None:
        if here.element[0] in people:
            return here.element
        here = here.above
    return None


def says_no(told: Told) -> bool:
    """Whether one field says that a person is not to be contacted."""
    name, holds, value = told
    if not holds & Holds.REFUSAL:
        return False
    if holds & Holds.FLAG:
        return _is_yes(value)
    if holds & Holds.SINCE:
        return is_moment(value)
    if holds & Holds.ERROR:
        return _is_refused(value)
    if holds & Holds.TAGS or isinstance(value, list):
        return any(map(is_no_word, _tags(value)))
    return any(
        is_no_word(each)
        or _word(each) in _CEASED
        or is_taken_consent(name, _word(each))
        or is_refused_behind_no(each)
        for each in _states(value)
    )


def _is_refused(value: Any) -> bool:
    """Whether a text was not sent for the person had said STOP to the carrier, as an error's code tells it."""
    errors = value[:_MOST_VALUES] if isinstance(value, list) else [value]
    return any((mapping(each).get("code") if isinstance(each, dict) else each) in _REFUSED for each in errors)


def is_refused(places: Iterable[BodyObject]) -> bool:
    """Whether an error says so, and nothing else: the person is who was written to, and said STOP to the carrier."""
    saying = [told for place in places for told in place.told if says_no(told)]
    return bool(saying) and all(holds & Holds.ERROR for _, holds, _ in saying)


def _is_yes(value: Any) -> bool:
    """Anything but an explicit no, such as the time since when."""
    if isinstance(value, dict):
        return any(
            _is_yes(each) and (_word(each) in _YES or isinstance(each, dict | list))
            for name, each in value.items()
            if not is_of_mail(read_key(name).word)
        )
    if isinstance(value, list):
        return any(map(_is_yes, value))
    if isinstance(value, str) and _word(value) in _MAIL_ALONE:
        return False
    if isinstance(value, int | float):
        return value != 0
    if not isinstance(value, str) or "://" in value or is_no_time(value):
        return False
    if (stays := stays_no(value)) is not None:
        return not stays
    if value.isascii():
        word = _word(value)
        known = word in NO or value.strip().casefold() in NO_ELSEWHERE or is_denied(word)
        return not known and _ONLY_ZEROS.fullmatch(value) is None
    return _is_yes_elsewhere(unicodedata.normalize("NFKC", value.translate(UNSEEN)).casefold().strip())


def _is_yes_elsewhere(said: str) -> bool:
    """The same of a text that is not ASCII: a word in any script or a tick is something, a dash is nothing."""
    plain = without_accents(said)
    if plain.isascii():
        return _is_yes(plain)
    return said not in NO_ELSEWHERE and any(
        each.isalnum() or unicodedata.category(each) == "So" for each in said
    )


def is_moment(value: Any) -> bool:
    """Whether a value says since when, or yes."""
    if isinstance(value, dict):
        return any(map(is_moment, value.values()))
    if isinstance(value, int | float) and any(first <= value <= last for first, last in _DAYS):
        return True
    return when(value) is not None or (isinstance(value, str | bool) and _is_yes(value))


def _word(value: Any) -> str:
    return normalise(str(value)) if isinstance(value, str | int) else ""


def _states(value: Any) -> Iterator[str]:
    """What stands there now, where an object says from what to what."""
    for each in [mapping(value).get(name) for name in _NOW] if isinstance(value, dict) else [value]:
        if isinstance(each, str):
            yield each


def _tags(value: Any) -> Iterator[str]:
    for each in value[:200] if isinstance(value, list) else [value]:
        for said in _states(each):
            yield from _BETWEEN_TAGS.split(said)
