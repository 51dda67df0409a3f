"""Varda: nine events in an envelope, signed like Stripe's in ``X-Varda-Signature``, with a delivery id.

Money is in cents (``estimated_value_cents``, ``actual_value_cents``, ``revenue_cents``). Varda waits 10 s
for an answer, tries five times, and switches an endpoint off after ten failures in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from airflow_outreach_provider.core.events import Contact, EventKind
from airflow_outreach_provider.core.platforms import reading
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
_DIRECTIONS = {"inbound": EventKind.REPLIED, "outbound": EventKind.MESSAGE_SENT}
# The other party of a call, for calls of people who are no contacts yet.
_OTHER_PARTY = {"inbound": "from_number", "outbound": "to_number"}


def parse(body: Mapping[str, Any], region: str | None) -> Parsed | None:
    """``{"event", "timestamp", "data": {…}}``."""
    type_ = reading.event_type(body, "event")
    data = body.get("data")
    if type_ is None or not isinstance(data, dict):
        return None
    kind = _kind(type_, data)
    return Parsed(
        type=type_,
        kind=kind,
        occurred_at=reading.when(body.get("timestamp")),
        contact=_contact(type_, data, region),
        campaign_id=reading.text(reading.mapping(data.get("attribution")).get("campaign")),
        data=data,
        person=_person(type_, data),
        said=reading.message(kind, type_, data),
    )


def _kind(type_: str, data: Mapping[str, Any]) -> EventKind:
    if reading.normalise(type_) == "message_created":
        return _DIRECTIONS.get(str(data.get("direction")).lower(), EventKind.MESSAGE_CREATED)
    return reading.kind_of(_KINDS, type_)


def _contact(type_: str, data: Mapping[str, Any], region: str | None) -> Contact:
    contact = reading.contact(_person(type_, data), region)
    if contact.phone is None and (number := _OTHER_PARTY.get(str(data.get("direction")).lower())):
        contact = replace(contact, phone=reading.phone(data.get(number), region))
    return contact


def _person(type_: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    person = reading.mapping(data.get("contact"))
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
