"""One canonical contact event for every platform, and how it is written as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.errors import ConfigurationError


class EventKind(StrEnum):
    """What happened, in the same word for every platform.

    ``other`` is a real event of a type we have no word for; ``unrecognised`` a body that does not read as
    an event of its platform. Both are kept with everything they carried.
    """

    REPLIED = "replied"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    INTEREST_CHANGED = "interest_changed"
    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    LEAD_CREATED = "lead_created"
    LEAD_SCORED = "lead_scored"
    LEAD_ENRICHED = "lead_enriched"
    CONTACT_CREATED = "contact_created"
    CONTACT_UPDATED = "contact_updated"
    MESSAGE_SENT = "message_sent"
    MESSAGE_CREATED = "message_created"
    AI_RESPONDED = "ai_responded"
    CALL_STARTED = "call_started"
    CALL_ENDED = "call_ended"
    CALL_OUTCOME = "call_outcome"
    CONVERSATION_CREATED = "conversation_created"
    CONVERSATION_RESOLVED = "conversation_resolved"
    CONVERSATION_CLOSED = "conversation_closed"
    OTHER = "other"
    UNRECOGNISED = "unrecognised"


def kind_names(kinds: Collection[str] | None) -> list[str] | None:
    """Kinds as sorted plain texts; a single text is one kind, None is every kind.

    :raises ConfigurationError: none at all: such a reader would wait for ever.
    """
    if kinds is None:
        return None
    names = [kinds] if isinstance(kinds, str) else sorted(str(kind) for kind in kinds)
    if not any(names):
        raise ConfigurationError("kinds is empty, so no event would ever come", "name kinds, or leave it out")
    return names


@dataclass(frozen=True, slots=True)
class Contact:
    """The person an event is about; None where the platform did not say.

    :param phone: E.164, or None when the number given cannot be read as one (it is then in ``data``).
    :param external_id: the platform's own id of the person, as text.
    """

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    external_id: str | None = None

    @property
    def key(self) -> str | None:
        """What tells this person from others within one source: platform id, else phone, else e-mail."""
        return self.external_id or self.phone or (self.email.lower() if self.email else None)


CONTACT_FIELDS = tuple(each.name for each in fields(Contact))


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """One thing that happened to one contact.

    :param id: stable for ever; what a receiver de-duplicates on. ``evt_`` and 32 hexadecimal digits.
    :param source: the Airflow connection id it came through.
    :param platform: ``tether``, ``supersend``, ``varda`` or ``autoreach``.
    :param type: the platform's own word for what happened, as sent.
    :param occurred_at: by the platform's clock; ``received_at`` where the platform does not say. UTC.
    :param received_at: by our clock, UTC.
    :param campaign_id: the platform's campaign, as text.
    :param data: what the platform sent about it: the body's ``data`` (or ``payload``) where it has an
        envelope, else the whole body.
    :param seq: its place in the inbox's reading order, None before it has one. Not part of the JSON: it is
        new after a re-parse, ``id`` is not.
    """

    id: str
    source: str
    platform: str
    type: str
    kind: EventKind
    occurred_at: datetime
    received_at: datetime
    contact: Contact = field(default_factory=Contact)
    campaign_id: str | None = None
    data: Any = field(default=None, repr=False)
    seq: int | None = field(default=None, compare=False)

    @property
    def ordering_key(self) -> str:
        """Events with the same key are about one person and keep their order."""
        return f"{self.source}\x1f{self.contact.key or self.id}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; times as ``2026-03-25T18:30:00.000Z``."""
        return {
            "id": self.id,
            "source": self.source,
            "platform": self.platform,
            "type": self.type,
            "kind": self.kind.value,
            "occurred_at": write_time(self.occurred_at),
            "received_at": write_time(self.received_at),
            "contact": {name: getattr(self.contact, name) for name in CONTACT_FIELDS},
            "campaign_id": self.campaign_id,
            "data": self.data,
        }

    def to_json(self) -> bytes:
        """UTF-8 JSON of :meth:`to_dict`; what JSON cannot say (an infinite number) becomes null."""
        return to_json(self.to_dict(), inf_nan_mode="null")

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ContactEvent:
        """The inverse of :meth:`to_dict`.

        :raises KeyError: a field is missing. :raises ValueError: one has a value it cannot have.
        """
        return cls(
            id=value["id"],
            source=value["source"],
            platform=value["platform"],
            type=value["type"],
            kind=EventKind(value["kind"]),
            occurred_at=datetime.fromisoformat(value["occurred_at"]),
            received_at=datetime.fromisoformat(value["received_at"]),
            contact=Contact(**{name: value["contact"].get(name) for name in CONTACT_FIELDS}),
            campaign_id=value.get("campaign_id"),
            data=value.get("data"),
        )

    @classmethod
    def from_json(cls, body: bytes) -> ContactEvent:
        """The inverse of :meth:`to_json`."""
        return cls.from_dict(json.loads(body))


def write_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, e.g. ``2026-03-25T18:30:00.000Z``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
