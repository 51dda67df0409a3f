"""AutoReach: seven events, signed ``X-Webhook-Signature: sha256=…`` over the raw body.

Its documentation names the events and the three parts of a payload but not their spelling on the wire, so
every usual spelling is read. No time is signed: a replay can only be caught by de-duplication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_outreach_provider.core.events import Contact, EventKind
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.platforms.reading import KindRow, Parsed, Platform
from airflow_outreach_provider.core.signing import Scheme

ROWS = (
    KindRow(("Lead Created",), EventKind.LEAD_CREATED),
    KindRow(("Lead Scored",), EventKind.LEAD_SCORED),
    KindRow(("Reply Received",), EventKind.REPLIED),
    KindRow(("Message Sent",), EventKind.MESSAGE_SENT),
    KindRow(("AI Response Sent",), EventKind.AI_RESPONDED),
    KindRow(("Meeting Booked",), EventKind.APPOINTMENT_BOOKED),
    KindRow(("Enrichment Completed",), EventKind.LEAD_ENRICHED),
)
_KINDS = reading.kinds_of(ROWS)


def parse(body: Mapping[str, Any], region: str | None) -> Parsed | None:
    """Event name, timestamp and data, each under any of its usual keys."""
    type_ = reading.event_type(body, "event", "type", "event_name", "eventName", "event_type", "eventType")
    if type_ is None:
        return None
    data = reading.pick(body, "data", "payload")
    details = reading.mapping(data)
    kind = reading.kind_of(_KINDS, type_)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(
            reading.pick(body, "timestamp", "occurred_at", "occurredAt", "created_at", "createdAt")
        ),
        contact=_contact(details, region),
        campaign_id=reading.text(
            reading.pick(details, "campaign_id", "campaignId")
            or reading.pick(body, "campaign_id", "campaignId")
        ),
        data=body if data is None else data,
        person=_person(details),
        said=reading.message(kind, type_, details),
    )


def _contact(data: Mapping[str, Any], region: str | None) -> Contact:
    """The lead is ``data``, or one of its parts; on X and LinkedIn the user name may be all there is."""
    person = _person(data)
    contact = reading.contact(person, region)
    if person is data and (lead_id := reading.text(reading.pick(data, "lead_id", "leadId"))):
        # Beside a lead id, a plain id is that of the message or meeting.
        return replace(contact, external_id=lead_id)
    if contact.external_id is None:
        return replace(contact, external_id=reading.text(reading.pick(person, "username", "userName")))
    return contact


def _person(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return reading.mapping(data.get("lead")) or reading.mapping(data.get("contact")) or data


PLATFORM = Platform(
    name="autoreach",
    scheme=Scheme.AUTOREACH,
    rows=ROWS,
    parse=parse,
    how_to_connect="AutoReach → Settings → Webhooks → Add Webhook, one for each event, all with one secret",
)
