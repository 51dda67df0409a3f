"""Platform parsers: sample payloads of the platforms' own documents, byte for byte, and their variations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import JSON

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import read_event
from airflow_outreach_provider.core.platforms import PLATFORMS, platform_rows, platform_table
from airflow_outreach_provider.core.platforms.reading import normalise, when
from airflow_outreach_provider.core.platforms.varda import CallOutcome
from airflow_outreach_provider.core.sources import SourceSettings

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 25, 19, tzinfo=UTC)

JANE = Contact(name="Jane Doe", email="jane@example.com", phone="+18005551234", external_id="456")
CALLER = Contact(name="Jane Doe", phone="+18005559876", external_id="456")


def read(platform: str, body: bytes | dict[str, Any], **headers: str) -> ContactEvent:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_event(SourceSettings("src", platform), raw, headers, received_at=NOW).event


@pytest.mark.parametrize(
    ("name", "kind", "occurred_at", "contact", "campaign_id"),
    [
        (
            "supersend_click",
            EventKind.CLICKED,
            NOW,
            Contact(email="andrew@xoxo.capital", external_id="345b2b81-b2cf-4879-bf46-73a33275e22b"),
            "d9ff359d-8d50-378b-989a-34100a0503c1",
        ),
        (
            "varda_conversation_created",
            EventKind.CONVERSATION_CREATED,
            datetime(2026, 3, 25, 18, 30, tzinfo=UTC),
            JANE,
            "spring-sale",
        ),
        (
            "varda_message_created",
            EventKind.REPLIED,
            datetime(2026, 3, 25, 18, 31, tzinfo=UTC),
            JANE,
            "spring-sale",
        ),
        (
            "varda_call_ended",
            EventKind.CALL_ENDED,
            datetime(2026, 3, 25, 18, 35, tzinfo=UTC),
            CALLER,
            "spring-sale",
        ),
        (
            "varda_call_outcome_tagged",
            EventKind.CALL_OUTCOME,
            datetime(2026, 3, 25, 18, 35, 30, tzinfo=UTC),
            CALLER,
            "spring-sale",
        ),
    ],
)
def test_sample_payloads(
    name: str, kind: EventKind, occurred_at: datetime, contact: Contact, campaign_id: str
) -> None:
    """Every sample payload the platforms publish becomes one canonical event, and nothing of it is lost."""
    platform = name.split("_")[0]
    raw = (GOLDEN / f"{name}.json").read_bytes()
    event = read(platform, raw)
    body = json.loads(raw)
    assert (event.kind, event.occurred_at, event.contact, event.campaign_id) == (
        kind,
        occurred_at,
        contact,
        campaign_id,
    )
    assert event.type == body.get("event", body.get("type"))
    assert event.data == body.get("data", body)
    assert event.received_at == NOW
    assert ContactEvent.from_json(event.to_json()) == event


@pytest.mark.parametrize(
    ("type_", "contact", "kind"),
    [
        ("open", {}, "opened"),
        ("click", {}, "clicked"),
        ("reply", {}, "replied"),
        ("bounce", {}, "bounced"),
        ("interest", {"interest": "interested"}, "interested"),
        ("interest", {"interest": "Interested"}, "interested"),
        ("interest", {"interest": "not interested"}, "not_interested"),
        ("interest", {"interest": "maybe later"}, "interest_changed"),
        ("interest", {"interest": None}, "interest_changed"),
        ("appointment", {"appointment": True}, "appointment_booked"),
        ("appointment", {"appointment": False}, "appointment_cancelled"),
        *(
            ("appointment", {"appointment": each}, "appointment_cancelled")
            for each in ("false", "False", "0", 0, "no")
        ),
        *(
            ("appointment", {"appointment": each}, "appointment_booked")
            for each in ("true", 1, None, "2026-03-25")
        ),
        ("sent", {}, "message_sent"),
        ("unsubscribe", {}, "unsubscribed"),
        ("teleport", {}, "other"),
    ],
)
def test_supersend_kinds_in_both_shapes(type_: str, contact: dict[str, Any], kind: str) -> None:
    """SuperSend's six types, the later two and unknown ones have the same kind in either shape of body."""
    older = read("supersend", {"type": type_, "CampaignId": "c", "contact": {"email": "a@b.ca", **contact}})
    newer = read(
        "supersend",
        {
            "event": type_,
            "timestamp": "2026-03-25T18:00:00Z",
            "CampaignId": "c",
            "ContactId": "x",
            "details": {"email": "a@b.ca", **contact},
        },
    )
    assert (older.kind, older.type, older.campaign_id) == (kind, type_, "c")
    assert (newer.kind, newer.type, newer.campaign_id) == (kind, type_, "c")
    assert older.contact.email == newer.contact.email == "a@b.ca"
    assert newer.contact.external_id == "x"
    assert (older.occurred_at, newer.occurred_at) == (NOW, datetime(2026, 3, 25, 18, tzinfo=UTC))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("conversation.created", "conversation_created"),
        ("conversation.resolved", "conversation_resolved"),
        ("conversation.closed", "conversation_closed"),
        ("message.created", "message_created"),
        ("call.started", "call_started"),
        ("call.ended", "call_ended"),
        ("call.outcome_tagged", "call_outcome"),
        ("contact.created", "contact_created"),
        ("contact.updated", "contact_updated"),
        ("invoice.paid", "other"),
    ],
)
def test_varda_kinds(type_: str, kind: str) -> None:
    """Varda's nine events each have their kind; one it invents later is kept as other."""
    assert read("varda", {"event": type_, "timestamp": "2026-03-25T18:30:00Z", "data": {}}).kind == kind


@pytest.mark.parametrize("outcome", list(CallOutcome))
def test_varda_call_outcomes(outcome: CallOutcome) -> None:
    """All eight call outcomes are within reach as data.outcome_type."""
    event = read("varda", {"event": "call.outcome_tagged", "data": {"outcome_type": outcome.value}})
    assert (event.kind, event.data["outcome_type"]) == (EventKind.CALL_OUTCOME, outcome.value)


def test_varda_contact_event_is_about_data_itself() -> None:
    """A contact event's person is the data itself where no contact is nested."""
    event = read("varda", {"event": "contact.updated", "data": {"id": 7, "phone": "+14165550123"}})
    assert event.contact == Contact(external_id="7", phone="+14165550123")


@pytest.mark.parametrize(
    ("direction", "phone"), [("inbound", "+14165550101"), ("outbound", "+14165550102"), (None, None)]
)
def test_varda_call_with_a_stranger(direction: str | None, phone: str | None) -> None:
    """A call with somebody who is no contact yet carries the other party's number."""
    data = {"direction": direction, "from_number": "+14165550101", "to_number": "+14165550102"}
    assert read("varda", {"event": "call.started", "data": data}).contact.phone == phone


@pytest.mark.parametrize("spell", ["{}", "{lower}", "{snake}", "{dotted}", "{camel}"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Lead Created", "lead_created"),
        ("Lead Scored", "lead_scored"),
        ("Reply Received", "replied"),
        ("Message Sent", "message_sent"),
        ("AI Response Sent", "ai_responded"),
        ("Meeting Booked", "appointment_booked"),
        ("Enrichment Completed", "lead_enriched"),
    ],
)
def test_autoreach_events_in_any_spelling(name: str, kind: str, spell: str) -> None:
    """AutoReach's seven events are known however the wire spells them and whichever keys it uses."""
    words = name.split()
    type_ = spell.format(
        name,
        lower=name.lower(),
        snake="_".join(words).lower(),
        dotted=".".join(words).lower(),
        camel=words[0].lower() + "".join(words[1:]),
    )
    lead = {"name": "Ann Lee", "username": "annlee", "email": "ann@example.com", "score": 87}
    for keys in (("event", "timestamp", "data"), ("event_name", "occurred_at", "payload")):
        event = read("autoreach", dict(zip(keys, (type_, "2026-03-25T18:30:00+00:00", lead), strict=True)))
        assert (event.type, event.kind, event.data) == (type_, kind, lead)
        assert event.contact == Contact(name="Ann Lee", email="ann@example.com", external_id="annlee")
        assert event.occurred_at == datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


def test_autoreach_lead_within_a_message() -> None:
    """In a message event the person is the lead, and the message's id is not mistaken for theirs."""
    nested = read("autoreach", {"event": "Reply Received", "data": {"id": "m1", "lead": {"id": "l1"}}})
    flat = read("autoreach", {"event": "Reply Received", "data": {"id": "m1", "lead_id": "l1"}})
    assert nested.contact.external_id == flat.contact.external_id == "l1"


def test_tether_payload_of_the_owners_own_making() -> None:
    """A Tether automation's payload is read in the keys its owner chose, kinds included."""
    person = {"_id": "507f", "firstName": "John", "lastName": "Doe", "phoneNumber": "(416) 555-0123"}
    source = SourceSettings("src", "tether", default_region="CA")
    body = {"event": "message.received", "configurationId": "68d6", "contact": person}
    event = read_event(source, json.dumps(body).encode(), {}, received_at=NOW).event
    assert event.kind is EventKind.REPLIED
    assert event.contact == Contact("John Doe", "John", "Doe", None, "+14165550123", "507f")
    assert event.campaign_id == "68d6"
    flat = read("tether", {"event": "unsubscribed", "id": "event-id", "phoneNumber": "+14165550123"})
    assert (flat.kind, flat.contact) == (EventKind.UNSUBSCRIBED, Contact(phone="+14165550123"))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"{}", b'{"event": 3, "type": []}'])
def test_a_body_that_is_no_event_is_kept_as_unrecognised(platform: str, body: bytes) -> None:
    """Authentic JSON that is no event of its platform becomes an unrecognised event with all its data."""
    event = read(platform, body)
    assert (event.kind, event.type, event.data) == (
        EventKind.UNRECOGNISED,
        "unrecognised",
        json.loads(body),
    )


KEYS = st.sampled_from(
    ["type", "event", "timestamp", "contact", "data", "details", "CampaignId", "id", "phone", "email", "lead"]
)


@pytest.mark.slow
@given(st.sampled_from(list(PLATFORMS)), st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON)))
def test_no_envelope_breaks_a_parser(platform: str, body: dict[str, Any]) -> None:
    """Whatever JSON stands in the known places, reading it gives an event that can be written and read."""
    event = read(platform, body)
    again = ContactEvent.from_json(event.to_json())
    assert (again.id, again.kind, again.contact) == (event.id, event.kind, event.contact)
    for value in (event.type, event.contact.name, event.contact.email, event.campaign_id):
        assert value is None or ("\x00" not in value and len(value) <= 1100)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-25T18:30:00Z", datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        ("2026-03-25T18:30:00", datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        ("2026-03-25T14:30:00-04:00", datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        (1774463400, datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        (1774463400000, datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        ("1774463400", datetime(2026, 3, 25, 18, 30, tzinfo=UTC)),
        ("1774463400.500000", datetime(2026, 3, 25, 18, 30, 0, 500_000, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59.9999999Z", None),
        (95617584000, None),
        (1e300, None),
        (True, None),
        ([], None),
        ("²" * 12, None),
    ],
)
def test_times(value: object, expected: datetime | None) -> None:
    """Times are read in every usual form, as UTC, and nonsense is no time rather than an error."""
    assert when(value) == expected


def test_normalise() -> None:
    """Spellings of one name meet in one form."""
    assert {normalise(name) for name in ("AI Response Sent", "aiResponseSent", "AIResponseSent")} == {
        "ai_response_sent"
    }


def test_table_of_kinds_is_generated_and_complete() -> None:
    """The documented table has a line for every type of every platform, and only kinds that exist."""
    rows = list(platform_rows())
    assert {row.platform for row in rows} == {"tether", "supersend", "varda", "autoreach"}
    assert {row.kind for row in rows} - {"…"} <= set(EventKind)
    assert len(platform_table().splitlines()) == len(rows) + 2
