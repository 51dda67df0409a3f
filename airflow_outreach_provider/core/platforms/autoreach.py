"""AutoReach: seven events, signed ``X-Webhook-Signature: sha256=…`` over the raw body.

Its documentation names the events and the three parts of a payload but not their spelling on the wire, so
every usual spelling is read. No time is signed: a replay can only be caught by de-duplication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import messages, reading
from airflow_outreach_provider.core.platforms.persons import completed, without_ids
from airflow_outreach_provider.core.platforms.places import walk
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
    places = walk(body)
    details = reading.only_mapping(data)
    kind = reading.kind_of(_KINDS, type_)
    said = messages.message(kind, type_, places)
    person = _person(body, details)
    record = without_ids(kind, person, body) if person is body or person is details else person
    contact = completed(reading.contact(record, region), places, region, kind, type_, said)
    if contact.external_id is None:  # on X and LinkedIn a user name may be all there is
        contact = replace(contact, external_id=reading.text(reading.pick(person, "username", "userName")))
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(
            reading.pick(body, "timestamp", "occurred_at", "occurredAt", "created_at", "createdAt")
        ),
        contact=contact,
        campaign_id=reading.text(
            reading.pick(details, "campaign_id", "campaignId")
            or reading.pick(body, "campaign_id", "campaignId")
        ),
        data=body if data is None else data,
        person=person,
        places=places,
        said=said,
    )


def _person(body: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lead is a part of ``data``, or stands beside it, or is ``data``."""
    records = (each.get(name) for each in (data, body) for name in ("lead", "contact"))
    return next((person for each in records if (person := reading.only_mapping(each))), data or body)


PLATFORM = Platform(
    name="autoreach",
    scheme=Scheme.AUTOREACH,
    rows=ROWS,
    parse=parse,
    how_to_connect="AutoReach → Settings → Webhooks → Add Webhook, one for each event, all with one secret",
)
