"""What the platform modules share: names in any spelling, times in any form, a contact under any key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.events import Contact, EventKind
from airflow_outreach_provider.core.phones import WRITTEN_DOWN, parse_phone
from airflow_outreach_provider.core.proofs import Proof
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.core.times import read_time

MAX_TEXT = 500
MAX_TYPE = 100

# Outside of this a time is a placeholder ("never", "for ever") or a fault of the platform's clock.
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

# The platforms' and their users' spellings of one thing, most specific first.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "full_name", "fullName", "displayName", "display_name"),
    "first_name": ("first_name", "firstName", "firstname"),
    "last_name": ("last_name", "lastName", "lastname"),
    "email": ("email", "emailAddress", "email_address"),
    "phone": ("phone", "phoneNumber", "phone_number", "mobile"),
    "external_id": ("id", "_id", "contactId", "contact_id", "ContactId", "lead_id", "leadId", "external_id"),
}

# Names of keys are compared normalised: an owner writes them as they like.
_TEXT_KEYS = frozenset({
    "message", "text", "body", "content", "reply", "message_text", "message_body", "message_content", "reply_text", "reply_body",
    "plain_text", "text_body", "body_plain", "html", "html_body", "snippet", "last_message", "last_message_text", "last_reply",
    "inbound_message", "incoming_message", "user_message", "customer_message", "lead_message", "contact_message", "received_message",
    "sms", "sms_body", "sms_text", "sms_message", "msg",
})  # fmt: skip
_DEEPEST = 4
_WRITTEN = frozenset({EventKind.REPLIED, EventKind.MESSAGE_CREATED})
_INBOUND_TYPE = re.compile(r"(?:^|_)(?:received|inbound|incoming|reply|replied)(?:_|$)")
_OPT_OUT_TYPE = re.compile(
    r"(?:^|_)(?:unsubscribed?|unsubscription|opt(?:ed|ing)?_?out|do_not_contact|dnc)(?:_(?:created?|event|received|request(?:ed)?|added))?$"
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
_DIRECTION_KEYS = ("direction", "message_direction", "sms_direction")
_INBOUND = frozenset({"inbound", "incoming", "in", "received", "inbound_api", "mo"})
_OUTBOUND = frozenset({"outbound", "outgoing", "out", "sent", "outbound_api", "outbound_reply", "mt"})
_US = frozenset({
    "agent", "ai", "ai_agent", "assistant", "automation", "bot", "business", "campaign", "employee", "operator",
    "outbound", "owner", "sender", "staff", "system", "team", "team_member", "us", "user",
})  # fmt: skip
_OUR_SIDE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("sender_type", "sender", "author_type", "role", "sent_by"), _US),
    **dict.fromkeys(("from_me", "is_from_me", "outbound", "is_outbound"), frozenset({"true", "1"})),
    **dict.fromkeys(("inbound", "is_inbound", "incoming", "is_incoming"), frozenset({"false", "0"})),
}  # fmt: skip
_WHO_WROTE = (*_DIRECTION_KEYS, *_OUR_SIDE)
_FLAGS = frozenset({
    "unsubscribed", "is_unsubscribed", "has_unsubscribed", "opted_out", "opt_out", "is_opted_out", "has_opted_out", "sms_opt_out",
    "sms_opted_out", "do_not_contact", "dnc", "dnd", "do_not_text", "do_not_sms", "do_not_disturb",
})  # fmt: skip
_TIMES = frozenset(
    {
        f"{name}_{end}"
        for name in ("unsubscribed", "opted_out", "opt_out")
        for end in ("at", "on", "date", "time")
    }
)
_YES = frozenset({"true", "1", "yes", "y"})
_STATUSES = frozenset({"status", "subscription_status", "contact_status", "sms_status", "opt_in_status"})
_OPTED_OUT = frozenset({"unsubscribed", "opted_out", "opt_out", "optout", "do_not_contact", "dnc"})

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body says, before it has an id.

    :param occurred_at: UTC, None where the platform gives no time for the event.
    :param person: what the platform says of the contact, as it came.
    :param said: what the person wrote, where the event is a message of theirs; several readings of one message.
    :param stopped: that message is nothing but a stop word.
    :param id: the platform's own id of the event, where it stands in what is proven.
    """

    type: str
    kind: EventKind
    occurred_at: datetime | None = None
    contact: Contact = field(default_factory=Contact)
    campaign_id: str | None = None
    data: Any = None
    person: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    stopped: bool = False
    id: str | None = None


@dataclass(frozen=True, slots=True)
class KindRow:
    """One line of the table in the documentation.

    :param types: the platform's spellings, the documented one first.
    :param note: what else decides, or where the type is from.
    """

    types: tuple[str, ...]
    kind: EventKind
    note: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the inbox has to know about a platform.

    :param scheme: how it signs; ``Scheme.NONE`` where it cannot, and a token takes the signature's place.
    :param signature_header: where that differs from the scheme's usual header.
    :param delivery_header: the header with an id that is the same in every retry of one delivery.
    :param proof: in place of the scheme, where a source proves itself in a way of its own.
    :param parse: (body as a JSON object, region of numbers without country code) → what it says, or None
        when it is no event of this platform.
    """

    name: str
    scheme: Scheme
    rows: Sequence[KindRow]
    parse: Callable[[Mapping[str, Any], str | None], Parsed | None]
    signature_header: str | None = None
    delivery_header: str | None = None
    how_to_connect: str = ""
    proof: Proof | None = None


def kinds_of(rows: Sequence[KindRow]) -> dict[str, EventKind]:
    """Normalised type → kind."""
    return {normalise(each): row.kind for row in rows for each in row.types}


def kind_of(kinds: Mapping[str, EventKind], type_: str) -> EventKind:
    """The kind of a type in any spelling; a type that reads like one of our kinds is that kind."""
    name = normalise(type_)
    known = kinds.get(name) or _OUR_WORDS.get(name)
    if known is None and _OPT_OUT_TYPE.search(name):
        return EventKind.UNSUBSCRIBED
    return known or EventKind.OTHER


@lru_cache(maxsize=1024)
def normalise(name: str) -> str:
    """``Lead Created``, ``lead.created``, ``leadCreated`` → ``lead_created``."""
    return _NO_WORD.sub("_", _WORD_BREAK.sub("_", name).lower()).strip("_")


_OUR_WORDS = {kind.value: kind for kind in EventKind if kind not in {EventKind.OTHER, EventKind.UNRECOGNISED}}


def text(value: object, limit: int = MAX_TEXT) -> str | None:
    """A short single-line text or number as text; None for anything else and for nothing."""
    if isinstance(value, str):
        short = value[:limit]
        return (short if short.isprintable() else _CONTROL.sub(" ", short)).strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        return str(value)
    return None


def pick(value: Mapping[str, Any], *names: str) -> Any:
    """The first of ``names`` that is there and not null."""
    for name in names:
        if (found := value.get(name)) is not None:
            return found
    return None


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def event_type(body: Mapping[str, Any], *names: str) -> str | None:
    """The event's name under the first of ``names`` that holds a text."""
    for name in names:
        if isinstance(value := body.get(name), str) and (found := text(value, MAX_TYPE)):
            return found
    return None


def when(value: object) -> datetime | None:
    """ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970; None if it is neither.

    None too for a time that no platform can mean, such as the year 1 or 9999.
    """
    moment = _moment(value)
    return moment if moment is not None and _EARLIEST <= moment < _LATEST else None


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str) and len(value) <= 40:
            if value.isdigit() and len(value) >= 10:
                return _moment(int(value))
            return moment.astimezone(UTC) if (moment := read_time(value)) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value >= 1e11 else value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def phone(value: object, region: str | None) -> str | None:
    """E.164, or None when the value is no number that could be called; read as leads are."""
    written = text(value)
    if written is None or len(written) > 60:
        return None
    try:
        return parse_phone(written, region, WRITTEN_DOWN).e164
    except LeadRejected:
        # The platform's own E.164 is taken at its word, also where numbering plans moved on.
        return written if _E164.fullmatch(written) else None


def phones_said(person: Mapping[str, Any], *more: object) -> list[str]:
    """Every number the platform gives for a person, as written."""
    values = [*(person.get(name) for name in _ALIASES["phone"]), *more]
    return list(dict.fromkeys(found for value in values if (found := text(value))))


def emails_said(person: Mapping[str, Any]) -> list[str]:
    """Every address the platform gives for a person."""
    found = (text(person.get(name)) for name in _ALIASES["email"])
    return list(dict.fromkeys(each for each in found if each and "@" in each))


def says_opted_out(person: Mapping[str, Any]) -> bool:
    """Whether the platform's record of a person says that they are not to be contacted."""
    for name, value in person.items():
        word = normalise(name) if isinstance(name, str) else ""
        if word in _FLAGS and str(value).strip().lower() in _YES:
            return True
        if word in _TIMES and when(value) is not None:
            return True
        if word in _STATUSES and isinstance(value, str) and normalise(value) in _OPTED_OUT:
            return True
    return False


def message(kind: EventKind, type_: str, *places: object) -> tuple[str, ...]:
    """What the person wrote, from the places of a body where it may stand; nothing where it is not theirs.

    :param places: the body and its parts; what is no JSON object is passed over.
    """
    objects = [_named(each) for place in places if (each := mapping(place))]
    level = objects
    for _ in range(_DEEPEST):
        level = [
            _named(inner)
            for each in level
            for name in each
            if name in _TEXT_KEYS and (inner := mapping(each[name]))
        ]
        objects = [*objects, *level]
    if not _is_theirs(kind, type_, objects):
        return ()
    texts = (value for each in objects for name, value in each.items() if name in _TEXT_KEYS)
    return tuple(dict.fromkeys(each for each in texts if isinstance(each, str) and each.strip()))


def _named(value: Mapping[str, Any]) -> dict[str, Any]:
    return {normalise(name): each for name, each in value.items() if isinstance(name, str)}


def _is_theirs(kind: EventKind, type_: str, objects: Sequence[Mapping[str, Any]]) -> bool:
    said = {name: normalise(str(each[name])) for each in objects for name in _WHO_WROTE if name in each}
    direction = next((said[name] for name in _DIRECTION_KEYS if name in said), None)
    written = kind in _WRITTEN or (kind is EventKind.OTHER and _INBOUND_TYPE.search(normalise(type_)))
    if direction in _INBOUND or direction in _OUTBOUND:
        return direction in _INBOUND and bool(written or kind in _CARRYING)
    return bool(written) and not any(
        value in _OUR_SIDE[name] for name, value in said.items() if name in _OUR_SIDE
    )


def contact(value: Mapping[str, Any], region: str | None) -> Contact:
    """The person described by ``value``, whichever usual keys it uses."""
    if not value:
        return Contact()
    found: dict[str, Any] = {name: pick(value, *aliases) for name, aliases in _ALIASES.items()}
    first, last = text(found["first_name"]), text(found["last_name"])
    email = text(found["email"])
    return Contact(
        name=text(found["name"]) or " ".join(part for part in (first, last) if part) or None,
        first_name=first,
        last_name=last,
        email=email if email and "@" in email else None,
        phone=phone(found["phone"], region),
        external_id=text(found["external_id"]),
    )
