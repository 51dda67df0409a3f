"""Varda: nine events in an envelope, signed like Stripe's in ``X-Varda-Signature``, with a delivery id.

Money is in cents (``estimated_value_cents``, ``actual_value_cents``, ``revenue_cents``). Varda waits 10 s
for an answer, tries five times, and switches an endpoint off after ten failures in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import messages, reading
from airflow_outreach_provider.core.platforms.persons import completed
from airflow_outreach_provider.core.platforms.places import BodyObject, walk
from airflow_outreach_provider.core.platforms.reading import KindRow, Parsed, Platform
from airflow_outreach_provider.core.signing import Scheme


class CallOutcome(StrEnum):
    """What an agent tagged a call with: ``data.outcome_type`` of ``call.outcome_tagged``."""

    BOOKED = "booked"
    QUOTED = "quoted"
    FOLLOW_UP = "follow_up"
    NOT_INTERESTED = "not_interested"
    NO_ANSWER = "no_answer"
    SPAM = "spam"
    WRONG_NUMBER = "wrong_number"
    OTHER = "other"


ROWS = (
    KindRow(("conversation.created",), EventKind.CONVERSATION_CREATED),
    KindRow(("conversation.resolved",), EventKind.CONVERSATION_RESOLVED),
    KindRow(("conversation.closed",), EventKind.CONVERSATION_CLOSED),
    KindRow(("message.created",), EventKind.REPLIED, "`data.direction` is `inbound`: the person wrote"),
    KindRow(("message.created",), EventKind.MESSAGE_SENT, "`data.direction` is `outbound`"),
    KindRow(("message.created",), EventKind.MESSAGE_CREATED, "no direction given"),
    KindRow(("call.started",), EventKind.CALL_STARTED),
    KindRow(("call.ended",), EventKind.CALL_ENDED, "completed, failed or abandoned: `data.disposition`"),
    KindRow(
        ("call.outcome_tagged",),
        EventKind.CALL_OUTCOME,
        "`data.outcome_type`: " + ", ".join(f"`{outcome}`" for outcome in CallOutcome),
    ),
    KindRow(("contact.created",), EventKind.CONTACT_CREATED, "the contact is `data` itself"),
    KindRow(("contact.updated",), EventKind.CONTACT_UPDATED, "the contact is `data` itself"),
)
_KINDS = reading.kinds_of(ROWS)
_DIRECTIONS = {True: EventKind.REPLIED, False: EventKind.MESSAGE_SENT, None: EventKind.MESSAGE_CREATED}


def parse(body: Mapping[str, Any], region: str | None) -> Parsed | None:
    """``{"event", "timestamp", "data": {…}}``."""
    type_ = reading.event_type(body, "event")
    data = body.get("data")
    if type_ is None or not isinstance(data, dict):
        return None
    places = walk(body)
    kind = _kind(type_, places)
    said = messages.message(kind, type_, places)
    person = _person(type_, data)
    contact = reading.contact(person, region)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(body.get("timestamp")),
        contact=completed(contact, places, region, kind, type_, said),
        campaign_id=reading.text(reading.mapping(data.get("attribution")).get("campaign")),
        data=data,
        person=person,
        places=places,
        said=said,
    )


def _kind(type_: str, places: tuple[BodyObject, ...]) -> EventKind:
    if reading.normalise(type_) == "message_created":
        return _DIRECTIONS[messages.direction(place for place in places if place.near)]
    return reading.kind_of(_KINDS, type_)


def _person(type_: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    person = reading.only_mapping(data.get("contact"))
    return data if not person and reading.normalise(type_).startswith("contact_") else person


PLATFORM = Platform(
    name="varda",
    scheme=Scheme.STRIPE,
    signature_header="X-Varda-Signature",
    delivery_header="X-Varda-Delivery",
    rows=ROWS,
    parse=parse,
    how_to_connect="Varda → Settings → Webhooks → Add endpoint; put its signing secret into the password",
)
