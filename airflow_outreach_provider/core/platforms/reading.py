"""What the platform modules share: names in any spelling, times in any form, a contact under any key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_outreach_provider.core.accents import without_accents
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.events import Contact, EventKind
from airflow_outreach_provider.core.phones import WRITTEN_DOWN, parse_phone
from airflow_outreach_provider.core.proofs import Proof
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.core.times import read_time

if TYPE_CHECKING:
    from airflow_outreach_provider.core.platforms.places import BodyObject

MAX_TEXT = 500
MAX_TYPE = 100

# Outside of this a time is a placeholder ("never", "for ever") or a fault of the platform's clock.
_SECONDS = re.compile(r"\d{10,16}(?:\.\d{1,9})?", re.ASCII)  # with a fraction as Slack writes them
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

_OPT_OUT_TYPE = re.compile(
    r"(?:^|_)(?:(?:unsub(?:scribed?|bed)?|unsubscription|opt(?:ed|ing)?_?outs?)(?:_|$)"
    r"|(?:do_not_(?:contact|text|sms|message|call)|dnc|dnd)(?:_(?:created?|event|received|request(?:ed)?|added|enabled))?$"
    r"|(?:contact|lead|customer|subscriber|recipient|person|phone|number)_(?:blocked|black_?listed|block_?listed|suppressed)$"
    r"|consent_(?:revoked|withdrawn)$)"
    r"|^(?:(?:sms|mms|text|message|email|mail|contact|lead|customer|recipient|spam|abuse)_)*(?:complain(?:ed|ts?)|spam_?report(?:s|ed)?|marked_(?:as_)?spam)"
    r"(?:_(?:received|event|created))?$"
    r"|^(?:(?:sms|text|message|mms|keyword|contact|lead|customer|whatsapp|carrier)_)?stop(?:_?all)?"
    r"(?:_(?:sms|text|message|keyword|word|reply|received|request(?:ed)?|event|created))?$"
)
_TAKEN_BACK = re.compile(
    r"(?:^|_)(?:revert(?:ed)?|remov(?:e|ed|al)|cancel(?:l?ed)?|delet(?:e|ed)|revok(?:e|ed)|lift(?:ed)?|undo|undone|reversed?|withdrawn"
    r"|restored?|cleared?|expired|rejected|disabled|(?<!do_)not|no|un)(?:_|$)"
)
_CONSENT_TAKEN_BACK = re.compile(r"consent_(?:revoked|withdrawn)$")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body says, before it has an id.

    :param occurred_at: UTC, None where the platform gives no time for the event.
    :param person: what the platform says of the contact, as it came.
    :param places: the objects of the body that may be about the person.
    :param named: those where the person stands, where the source says where that is.
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
    places: tuple[BodyObject, ...] = ()
    named: tuple[BodyObject, ...] = ()
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
    if (
        known is None
        and _OPT_OUT_TYPE.search(name)
        and not _TAKEN_BACK.search(_CONSENT_TAKEN_BACK.sub("", name))
    ):
        return EventKind.UNSUBSCRIBED
    return known or EventKind.OTHER


def is_taken_back(word: str) -> bool:
    """Whether a normalised word alone says that something holds no longer."""
    return _TAKEN_BACK.fullmatch(word) is not None


@lru_cache(maxsize=1024)
def normalise(name: str) -> str:
    """``Lead Created``, ``lead.created``, ``leadCreated`` → ``lead_created``; accents count for nothing."""
    return _NO_WORD.sub("_", _WORD_BREAK.sub("_", without_accents(name)).lower()).strip("_")


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


def only_mapping(value: object) -> Mapping[str, Any]:
    """``value``, or the only element of the list that it is, if it is a JSON object; else an empty one."""
    return mapping(value[0] if isinstance(value, list) and len(value) == 1 else value)


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


def is_no_time(value: object) -> bool:
    """Whether a time stands for none: before or after all that a platform can mean."""
    return when(value) is None and _moment(value) is not None


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str) and len(value) <= 40:
            if _SECONDS.fullmatch(value):
                return _moment(float(value) if "." in value else int(value))
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
