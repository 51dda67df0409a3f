"""SuperSend: six types of its public documentation ("Webhooks"), two later ones, two shapes of body.

There is no event id, no time of the event in the first shape, and no signature. The ``CampaignId`` inside
``contact`` can differ from the one at the root; the root one is the event's.
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
    KindRow(("open", "opened"), EventKind.OPENED),
    KindRow(("click", "clicked"), EventKind.CLICKED),
    KindRow(("reply", "replied"), EventKind.REPLIED),
    KindRow(("bounce", "bounced"), EventKind.BOUNCED),
    KindRow(("interest",), EventKind.INTERESTED, "`contact.interest` is `interested`"),
    KindRow(("interest",), EventKind.NOT_INTERESTED, "`contact.interest` is `not_interested`"),
    KindRow(("interest",), EventKind.INTEREST_CHANGED, "`contact.interest` is anything else"),
    KindRow(("appointment",), EventKind.APPOINTMENT_BOOKED, "`contact.appointment` is not `false`"),
    KindRow(("appointment",), EventKind.APPOINTMENT_CANCELLED, "`contact.appointment` is `false`"),
    KindRow(("sent",), EventKind.MESSAGE_SENT, "later version"),
    KindRow(("unsubscribe", "unsubscribed"), EventKind.UNSUBSCRIBED, "later version"),
    KindRow(("contact.created",), EventKind.CONTACT_CREATED, "from polling the contact list"),
    KindRow(("contact.updated",), EventKind.CONTACT_UPDATED, "from polling the contact list"),
)
_KINDS = reading.kinds_of(ROWS)
_NO = frozenset({"false", "0", "no"})  # a boolean, and what becomes of one on its way through other tools
_INTEREST = {
    "interested": EventKind.INTERESTED,
    "not_interested": EventKind.NOT_INTERESTED,
    "uninterested": EventKind.NOT_INTERESTED,
}


def parse(body: Mapping[str, Any], region: str | None) -> Parsed | None:
    """``{"type", "CampaignId", "contact"}`` or ``{"event", "timestamp", "CampaignId", "ContactId", …}``."""
    type_ = reading.event_type(body, "type", "event")
    if type_ is None:
        return None
    places = walk(body)
    details = reading.mapping(body.get("details"))
    person = reading.only_mapping(body.get("contact")) or reading.only_mapping(details.get("contact"))
    kind = _kind(type_, person or details)
    contact = reading.contact(person or without_ids(kind, details, body), region)
    if contact_id := reading.text(body.get("ContactId")):
        contact = replace(contact, external_id=contact_id)
    said = messages.message(kind, type_, places)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(body.get("timestamp")),
        contact=completed(contact, places, region, kind, type_, said),
        campaign_id=reading.text(reading.pick(body, "CampaignId", "campaignId", "campaign_id")),
        data=body,
        person=person or details,
        places=places,
        said=said,
    )


def _kind(type_: str, person: Mapping[str, Any]) -> EventKind:
    match reading.normalise(type_):
        case "interest":
            interest = reading.text(person.get("interest")) or ""
            return _INTEREST.get(reading.normalise(interest), EventKind.INTEREST_CHANGED)
        case "appointment":
            cancelled = reading.normalise(str(person.get("appointment"))) in _NO
            return EventKind.APPOINTMENT_CANCELLED if cancelled else EventKind.APPOINTMENT_BOOKED
        case _:
            return reading.kind_of(_KINDS, type_)


PLATFORM = Platform(
    name="supersend",
    scheme=Scheme.NONE,
    rows=ROWS,
    parse=parse,
    how_to_connect="SuperSend → Integrations → Webhooks → Webhook URL",
)
