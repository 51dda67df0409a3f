"""Tether: automations that POST a payload their owner writes, unsigned; and its contact list, polled.

Public documentation names one automation event, ``message.received``; the payload is the owner's own JSON.
So every usual key is read, and an owner may also write one of our kinds as the event's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.platforms.reading import KindRow, Parsed, Platform
from airflow_outreach_provider.core.signing import Scheme

ROWS = (
    KindRow(("message.received",), EventKind.REPLIED, "automation"),
    KindRow(("message.sent",), EventKind.MESSAGE_SENT, "automation"),
    KindRow(("conversation.created",), EventKind.CONVERSATION_CREATED, "automation"),
    KindRow(("contact.created",), EventKind.CONTACT_CREATED, "automation, or polling the contact list"),
    KindRow(("contact.updated",), EventKind.CONTACT_UPDATED, "automation, or polling the contact list"),
    KindRow(("any of our kinds",), EventKind.OTHER, "the kind of that name: the payload is yours to write"),
)
_KINDS = reading.kinds_of(ROWS[:-1])


def parse(body: Mapping[str, Any], region: str | None) -> Parsed | None:
    """Any object that names its event; the person under ``contact``, ``contacts``, ``data`` or at the root."""
    type_ = reading.event_type(body, "event", "type", "eventType", "event_type", "trigger", "kind")
    if type_ is None:
        return None
    data = reading.mapping(body.get("data"))
    nested = (body.get("contact"), body.get("contacts"), data.get("contact"))
    person = next((each for each in nested if isinstance(each, dict) and each), data or body)
    kind = reading.kind_of(_KINDS, type_)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(
            reading.pick(body, "timestamp", "occurred_at", "occurredAt", "createdAt", "created_at")
        ),
        contact=reading.contact(person if person is not body else _person_at_root(body), region),
        campaign_id=reading.text(
            reading.pick(body, "campaignId", "campaign_id", "configurationId", "configuration_id")
        ),
        data=body,
        person=person,
        said=reading.message(kind, type_, body, data),
    )


def _person_at_root(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Beside an event's name, a plain ``id`` is the event's and not the person's."""
    return {name: value for name, value in body.items() if name not in {"id", "_id", "name"}}


PLATFORM = Platform(
    name="tether",
    scheme=Scheme.NONE,
    rows=ROWS,
    parse=parse,
    how_to_connect="Tether → Automations → action “send webhook”; name the event in a key `event`",
)
