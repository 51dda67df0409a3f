"""Tether: automations that POST a payload their owner writes, unsigned; and its contact list, polled.

Public documentation names one automation event, ``message.received``; the payload is the owner's own JSON.
So every usual key is read, and an owner may also write one of our kinds as the event's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import messages, reading
from airflow_outreach_provider.core.platforms.persons import completed, without_ids
from airflow_outreach_provider.core.platforms.places import walk
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
    places = walk(body)
    data = reading.mapping(body.get("data"))
    person = _person(body, data)
    kind = reading.kind_of(_KINDS, type_)
    said = messages.message(kind, type_, places)
    record = without_ids(kind, person, body) if person is body or person is data else person
    contact = reading.contact(record, region)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(
            reading.pick(body, "timestamp", "occurred_at", "occurredAt", "createdAt", "created_at")
        ),
        contact=completed(contact, places, region, kind, type_, said),
        campaign_id=reading.text(
            reading.pick(body, "campaignId", "campaign_id", "configurationId", "configuration_id")
        ),
        data=body,
        person=person,
        places=places,
        said=said,
    )


def _person(body: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of the person, or else what stands around it."""
    records = (body.get("contact"), body.get("contacts"), data.get("contact"), data.get("contacts"))
    return next((person for each in records if (person := reading.only_mapping(each))), data or body)


PLATFORM = Platform(
    name="tether",
    scheme=Scheme.NONE,
    rows=ROWS,
    parse=parse,
    how_to_connect="Tether → Automations → action “send webhook”; name the event in a key `event`",
)
