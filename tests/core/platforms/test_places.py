"""A no, and whose it is, wherever a body holds it; and nothing of ours or of former days read as one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.opt_outs import OptOut
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.sources import SourceSettings, source_settings

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
N, OURS, OTHER = "+14165550123", "+14165550199", "+14165550177"
RECEIVED = {"event": "message.received"}


def read(platform: str, body: dict[str, Any], **custom: Any) -> Incoming:
    source = SourceSettings("src", platform)
    if platform == "custom":
        extra = {"platform": platform, "custom": {"type": "{{ body.event }}", **custom}}
        source = source_settings("src", password="x" * 20, extra=extra)
    return read_event(source, json.dumps(body).encode(), {}, received_at=NOW)


def listed(platform: str, body: dict[str, Any], **custom: Any) -> tuple[str, ...] | None:
    said = read(platform, body, **custom).opt_out
    return None if said is None or said.lifts else said.numbers


STOP = {**RECEIVED, "text": "STOP"}
INBOUND = {"direction": "inbound", "message": "STOP"}
NAMED: list[tuple[str, dict[str, Any]]] = [
    *[("tether", {**STOP, key: N}) for key in
      ("Phone", "PhoneNumber", "mobilePhone", "contactPhone", "Phone Number", "lead_phone", "cell", "msisdn", "from", "From Number", "senderPhone")],
    *[("tether", {**STOP, "contact": each}) for each in
      (N, {"Phone Number": N}, {"phone": [N]}, {"phone": {"number": N}}, {"phones": [{"type": "mobile", "value": N}]},
       {"phone": {"countryCode": "1", "number": "4165550123"}}, {"id": 5, "channels": {"sms": {"phone": N}}})],
    ("tether", {**STOP, "contact": {"id": "5", "firstName": "Ada"}, "phoneNumber": N}),
    ("tether", {**RECEIVED, "data": {"text": "STOP"}, "phone": N}),
    ("tether", {**STOP, "contacts": [{"phone": N}]}),
    ("tether", {**STOP, "Contact": {"phone": N}}),
    ("tether", {**STOP, "lead": {"mobile": N}}),
    ("tether", {**STOP, "from": {"phone": N}, "to": {"phone": OURS}}),
    ("tether", {**RECEIVED, "message": {"text": "STOP", "from": N, "to": OURS}, "agent": {"phone": OURS}}),
    ("tether", {**STOP, "phone": N, "to_number": OURS, "owner": {"phone": OURS}, "company": {"phone": OURS}}),
    ("tether", {"event": "unsubscribed", "from": N, "to": OURS}),
    ("tether", {"event": "unsubscribed", "direction": "outbound", "from": OURS, "to": N}),
    ("tether", {**RECEIVED, "payload": {"text": "STOP", "phone": N}}),
    ("tether", {**RECEIVED, "conversation": {"lastMessage": {"content": "STOP"}}, "phone": N}),
    ("tether", {**RECEIVED, "conversation": {"direction": "outbound", "lastMessage": {"content": "STOP"}}, "phone": N}),
    ("tether", {**RECEIVED, "messages": [{"text": "STOP"}], "phone": N}),
    ("tether", {**RECEIVED, "messages": ["hello", "STOP"], "phone": N}),
    ("tether", {**RECEIVED, "message": [{"text": "hello"}, {"text": "STOP"}], "phone": N}),
    ("tether", {**RECEIVED, "messages": [{"role": "user", "text": "STOP"}, {"role": "assistant", "text": "As you like"}], "phone": N}),
    ("tether", {**RECEIVED, "phone": N, "messages": [{"text": "STOP", "sentAt": "2026-03-25T18:00:00Z"}, {"text": "hi", "sentAt": "2026-03-24T18:00:00Z"}]}),
    *[("tether", {"event": type_, "text": "STOP", "phone": N}) for type_ in ("message", "messages", "new message", "New SMS", "customer.message")],
    # Between whom, in other words; and what was tapped in place of being written, as WhatsApp sends it.
    *[("tether", {**STOP, **ends}) for ends in (
        {"sms_from": N, "sms_to": OURS}, {"phone_from": N, "phone_to": OURS}, {"messageFrom": N, "numberTo": OURS}, {"originationNumber": N, "destinationNumber": OURS})],
    *[("tether", {**RECEIVED, "entry": [{"changes": [{"value": {"messages": [{"from": N, **tapped}]}}]}]}) for tapped in (
        {"type": "button", "button": {"payload": "x", "text": "Stop promotions"}},
        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "STOP"}}},
        {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Unsubscribe"}}})],
    ("tether", {"event": "contact.propertyChange", "propertyName": "sms_opt_out", "propertyValue": "true", "phone": N}),
    ("supersend", {"event": "reply", "ContactId": "7", "contact": {"name": "x"}, "details": {"contact": {"phone": N}, "message": {"text": "STOP"}}}),
    ("supersend", {"type": "reply", "contact": {"phone": N, "reply": "STOP"}}),
    ("supersend", {"type": "reply", "contact": {"phone": N, "last_message": "STOP"}}),
    ("supersend", {"type": "reply", "contact": {"phone": N, "Sender": {"phone": OURS}}, "details": {"messages": [{"text": "STOP"}]}}),
    ("varda", {"event": "message.created", "data": {**INBOUND, "from": N, "to": OURS}}),
    ("varda", {"event": "message.created", "data": {**INBOUND, "direction": "Inbound ", "from_number": N, "to_number": OURS}}),
    ("varda", {"event": "message.created", "data": {"message": {"direction": "inbound", "body": "STOP", "from_number": N}}}),
    ("varda", {"event": "message.created", "data": {"message": INBOUND, "conversation": {"contact": {"phone": N}}}}),
    ("autoreach", {"event": "Reply Received", "message": "STOP", "data": {"lead": {"phone": N}}}),
    ("autoreach", {"event": "Reply Received", "content": "STOP", "data": {"id": 1}, "lead": {"phone": N}}),
    ("autoreach", {"event": "Reply Received", "content": "STOP", "phone": N}),
    ("autoreach", {"event": "Reply Received", "data": [{"message": {"content": "STOP"}, "lead": {"phone": N}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "body"), NAMED)
def test_a_no_is_the_persons_whose_number_stands_anywhere_in_its_body(
    platform: str, body: dict[str, Any]
) -> None:
    """Under any usual key, beside the contact, in lists and objects; the contact bears the number, never one of ours."""
    incoming = read(platform, body)
    assert incoming.opt_out is not None and incoming.opt_out.numbers == (N,)
    assert incoming.event.contact.phone == N


def test_a_number_that_went_through_a_table_is_listed() -> None:
    """``14165550123.0`` is read for the list, and makes no contact's number: it has no country code for sure."""
    for phone in (14165550123, 14165550123.0, [14165550123.0]):
        incoming = read("tether", {**STOP, "contact": {"phone": phone}})
        assert incoming.opt_out == OptOut((N,), by_stop_word=True)
        assert incoming.event.contact.phone is None


@pytest.mark.parametrize(
    "body",
    [{**STOP, "Email Address": "a@b.ca"}, {**STOP, "from": "a@b.ca", "to": "us@b.ca"}, {**STOP, "contact": "a@b.ca"},
     {**STOP, "contact": {"emails": [{"address": "a@b.ca"}]}, "agent": {"email": "us@b.ca"}, "owner_email": "us@b.ca"}],
)  # fmt: skip
def test_a_no_is_the_persons_whose_address_stands_anywhere_in_its_body(body: dict[str, Any]) -> None:
    """As with numbers."""
    incoming = read("tether", body)
    assert incoming.opt_out == OptOut((), (hash_email("a@b.ca"),), by_stop_word=True)
    assert incoming.event.contact.email == "a@b.ca"


@pytest.mark.parametrize(
    "body",
    [{**STOP, "to": OURS}, {**STOP, "sms_to": OURS}, {**STOP, "phoneTo": OURS}, {**STOP, "agent": {"phone": OURS}}, {**STOP, "assignedUser": {"phone": OURS}}, {**STOP, "user": {"phone": OURS}},
     {**STOP, "contact": {"owner": {"phone": OURS}}}, {**STOP, "previous": {"phone": OURS}}, {**STOP, "campaign": {"phone": OURS}}],
)  # fmt: skip
def test_what_is_of_ours_is_nobodys_number(body: dict[str, Any]) -> None:
    """Who wrote is unknown then: nobody is listed in their place."""
    incoming = read("tether", body)
    assert incoming.opt_out == OptOut(by_stop_word=True)
    assert incoming.event.contact.phone is None


@pytest.mark.parametrize(
    "body",
    [
        {**RECEIVED, "text": "hello", "history": [{"text": "STOP"}]},
        {**RECEIVED, "text": "hello", "messages": [{"text": "STOP"}, {"text": "hello"}]},
        {**RECEIVED, "text": "hello", "conversation": {"lastMessage": {"content": "STOP"}}},
        {**RECEIVED, "messages": [{"text": "STOP"}, {"text": "hello"}]},
        {**RECEIVED, "messages": [{"text": "hi"}, {"role": "assistant", "text": "STOP"}]},
        {**RECEIVED, "message": {"text": "hi", "quoted": {"text": "STOP"}, "buttons": [{"text": "STOP"}]}},
        {**RECEIVED, "message": {"attachments": [{"text": "STOP"}]}, "notes": [{"text": "STOP"}], "template": {"body": "STOP"}},
        {**RECEIVED, "lastOutboundMessage": {"text": "STOP"}},
        {**RECEIVED, "message": {"text": "hi", "button": {"text": "STOP"}}, "button": {"title": "STOP"}},
        {"event": "message.sent", "message": {"type": "interactive", "interactive": {"button_reply": {"title": "STOP"}}}},
        {"event": "contact.propertyChange", "propertyName": "sms_opt_out", "propertyValue": "false"},
        {**RECEIVED, "message": {"text": "STOP", "direction": "outbound"}, "direction": "inbound"},
        {**RECEIVED, "message": {"text": "STOP", "from_me": True}},
        {**RECEIVED, "message": {"text": "STOP", "role": "assistant"}},
        {"event": "message.created", "message": {"text": "STOP", "sender": {"type": "agent"}}},
        {"event": "message", "message": {"text": "STOP", "sent_by": "campaign"}},
        {"event": "message.sent", "messages": [{"text": "STOP"}]},
        {"event": "conversation.updated", "conversation": {"lastMessage": {"content": "STOP"}}},
    ],
)  # fmt: skip
def test_what_they_did_not_write_just_now_is_no_no(body: dict[str, Any]) -> None:
    """What was said before, what is offered or remarked, and what we wrote."""
    assert listed("tether", {**body, "contact": {"phone": N}}) is None


@pytest.mark.parametrize(
    "message",
    [{"role": "user"}, {"sender": "user"}, {"senderType": "USER"}, {"sender_type": "contact"}, {"author": {"type": "user"}},
     {"sender": "system"}, {"outbound": "false"}, {"direction": None}],
)  # fmt: skip
def test_a_type_that_says_received_is_theirs(message: dict[str, Any]) -> None:
    """Where an AI texts, the user is the person; and what stands around the message does not make it ours."""
    body = {**RECEIVED, "message": {"text": "STOP", **message}, "contact": {"phone": N}}
    assert listed("tether", body) == (N,)
    assert listed("tether", {**body, "sent_by": "campaign", "owner": "ann"}) == (N,)
    spoken = {**message, "role": "user"}
    chat = {"event": "conversation.updated", "message": {"text": "STOP", **spoken}, "phone": N}
    assert listed("tether", chat) == (N,)


RECORDS: list[dict[str, Any]] = [
    {"attributes": {"SMS": N, "LASTNAME": "Doe"}}, {"attributes": {"PHONE": N}}, {"attributes": {"WHATSAPP": N}}, {"contact": {"attributes": {"SMS": N}}},
    {"content": [{"email": "jane@example.com", "attributes": {"SMS": N, "OPT_IN": True}}]}, {"contact": {"sms": N}}, {"merge_fields": {"SMSPHONE": N}},
    {"properties": {"phone": {"value": N}}}, {"properties": {"sms": {"value": N}}}, {"properties": {"hs_calculated_phone_number": N}},
    {"fields": {"Phone": N}}, {"fields": {"Mobile Phone": N}}, {"record": {"fields": {"Phone": N}}}, {"custom_fields": {"phone": N}},
    {"custom_fields": [{"name": "City", "value": "Rome"}, {"name": "Phone", "value": N}]}, {"customFields": [{"fieldKey": "contact.phone", "value": N}]},
    {"contact": {"fields": [{"label": "Phone", "type": "tel", "value": N}, {"label": "Email", "value": "jane@example.com"}]}},
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("type_", ["unsubscribed", "contact.updated"])
def test_a_person_is_found_by_the_fields_of_their_record(type_: str, record: dict[str, Any]) -> None:
    """As platforms keep a contact's own fields: by name, as a list of names and values, and the number under ``SMS``."""
    body = {"event": type_, "unsubscribed": True, **record}
    got = read("tether", body)
    assert got.event.contact.phone == N
    assert got.opt_out is not None
    assert got.opt_out.numbers == (N,)


@pytest.mark.parametrize("written", ["14165550123", 14165550123, "+1 (416) 555-0123"])
def test_a_number_under_sms_is_listed_in_any_form(written: Any) -> None:
    """As Brevo keeps it: without a plus."""
    assert listed("tether", {"event": "unsubscribed", "attributes": {"SMS": written}}) == (N,)


@pytest.mark.parametrize(
    "body",
    [
        {**RECEIVED, "from": N, "sms": OTHER},
        {**RECEIVED, "from": N, "attributes": {"sms": "call 416 555 0177"}},
        {**RECEIVED, "phone": N, "changes": [{"field": "phone", "old": OURS, "new": OTHER}]},
        {**RECEIVED, "phone": N, "attributes": {"SMS": True, "owner": {"phone": OURS}}},
        {**RECEIVED, "phone": N, "user_attributes": {"SMS": OURS}},
    ],
)
def test_what_is_no_field_of_a_record_is_no_number_of_the_person(body: dict[str, Any]) -> None:
    """A text that is a number is what they wrote, and no field of theirs; so is a number in a sentence."""
    assert read("tether", body).event.contact.phone == N
    assert listed("tether", {**body, "unsubscribed": True}) == (N,)


REFUSALS: list[tuple[dict[str, Any], bool]] = [
    *[({"unsubscribed": value}, True) for value in (True, 1, 1.0, "on", "Yes", "2026-03-25T18:30:00Z", "since March", ["sms"], {"sms": True})],
    *[({"unsubscribed": value}, False) for value in
      (False, 0, 0.0, "0", "no", "Off", "n", "F", "", " ", None, "none", "null", "never", "0.0", [], {}, [False], {"sms": False}, "0000-00-00 00:00:00",
       "0001-01-01T00:00:00Z", "https://example.com/unsubscribed")],
    ({"unsubscribedAt": "03/25/2026"}, True), ({"Opted Out Date": "25. März 2026"}, True), ({"unsubscribed_at": {"$date": "2026-03-25"}}, True),
    ({"unsubscribedAt": "never"}, False), ({"unsubscribedAt": 0}, False), ({"unsubscribedAt": "0001-01-01T00:00:00Z"}, False),
    ({"preferences": {"dnd": True}}, True), ({"channels": [{"type": "sms", "optedOut": "on"}]}, True), ({"preferences": {"dnd": False}}, False),
    ({"status": "STOP"}, True), ({"smsStatus": {"from": "active", "to": "opted out"}}, True), ({"previous_status": "unsubscribed"}, False),
    ({"status": "stopped"}, False), ({"previous": {"unsubscribed": True}}, False), ({"stats": {"unsubscribed": 12}}, False),
    ({"tags": ["vip", "Unsubscribed"]}, True), ({"tags": [{"name": "DNC"}]}, True), ({"tags": "vip, opt-out"}, True),
    ({"tags": ["unsubscribed-2020 list"]}, False), ({"removedTags": ["unsubscribed"]}, False), ({"has_opted_out_of_sms": "true"}, True),
    ({"smsOptIn": False}, False), ({"subscribed": False}, False), ({"sms_consent": False, "marketing_consent": "no"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("said", "refused"), REFUSALS)
@pytest.mark.parametrize("where", ["contact", "data", "body"])
def test_a_record_says_no_by_any_value_of_a_flag_that_is_not_an_explicit_no(
    said: dict[str, Any], refused: bool, where: str
) -> None:
    """In the record of the person, and in what stands around it; a consent that is not given is no opt-out."""
    contact = {"phone": N, **(said if where == "contact" else {})}
    body: dict[str, Any] = {"event": "contact.updated", "data": {"contact": contact}}
    if where != "contact":
        (body if where == "body" else body["data"]).update(said)
    assert listed("tether", body) == ((N,) if refused else None)


def test_of_several_contacts_those_are_listed_who_said_no() -> None:
    """The others of the list are other people."""
    contacts = [{"phone": OTHER}, {"phone": N, "unsubscribed": True}]
    assert listed("tether", {"event": "contact.updated", "contacts": contacts}) == (N,)
    assert read("tether", {"event": "contact.updated", "contacts": contacts}).event.contact.phone is None


@pytest.mark.parametrize("stop", [{"text": "STOP"}, {"text": {"body": "STOP"}}])
def test_a_no_is_heard_before_what_another_one_wrote(stop: dict[str, Any]) -> None:
    """A platform may send what several people wrote as one event; of each the newest counts."""
    hi = {"text": {"body": "hi"}} if isinstance(stop["text"], dict) else {"text": "hi"}
    messages = [{"from": N, **stop}, {"from": OTHER, **hi}]
    assert N in (listed("tether", {**RECEIVED, "messages": messages}) or ())
    assert listed("tether", {**RECEIVED, "messages": [{"from": N, **stop}, {"from": N, **hi}]}) is None


def test_a_start_takes_back_nobodys_no_where_several_are_named() -> None:
    """A STOP that may be anybody's of them lists all; a START that may be anybody's lifts none."""
    contacts = {"contacts": [{"phone": N}, {"phone": OTHER}]}
    assert read("tether", {**STOP, **contacts}).opt_out == OptOut((N, OTHER), by_stop_word=True)
    assert read("tether", {**RECEIVED, "text": "START", **contacts}).opt_out == OptOut(lifts=True)
    started = {**RECEIVED, "text": "START", "from": N, "to": OURS}
    assert read("tether", started).opt_out == OptOut((N,), lifts=True)


@pytest.mark.parametrize(
    ("type_", "opted_out"),
    [("STOP", True), ("sms_stop", True), ("Stop Received", True), ("opt_out.confirmed", True), ("opt_out.sms", True), ("dnd.enabled", True),
     ("unsubscribe.created", True), ("sms_unsub", True), ("opt_out.deleted", False), ("unsubscribe.reverted", False), ("campaign.stop", False), ("stopped", False),
     ("bus.stop.added", False), ("resubscribed", False), ("do_not_contact.checked", False)],
)  # fmt: skip
def test_a_type_that_says_no(type_: str, opted_out: bool) -> None:
    """However it goes on, unless it takes it back."""
    assert listed("tether", {"event": type_, "phone": N}) == ((N,) if opted_out else None)


@pytest.mark.parametrize(
    ("platform", "body", "external_id"),
    [
        ("tether", {**RECEIVED, "data": {"id": "msg_1", "contactId": "c1", "text": "hi"}}, "c1"),
        ("tether", {**RECEIVED, "data": {"id": "msg_1", "text": "hi", "phone": N}}, None),
        ("tether", {**RECEIVED, "message": {"id": "m", "text": "hi"}, "contact": "c1"}, "c1"),
        ("tether", {**RECEIVED, "message": {"id": "m", "text": "hi", "Contact ID": "c1"}}, "c1"),
        ("tether", {"event": "contact.created", "data": {"id": "c1", "phone": N}}, "c1"),
        ("tether", {**RECEIVED, "contact": {"id": "c1"}, "contactId": "c2", "text": "hi"}, "c1"),
        ("supersend", {"event": "reply", "details": {"id": "m", "text": "hi", "contact_id": "c1"}}, "c1"),
        ("autoreach", {"event": "Reply Received", "data": {"id": "m", "content": "hi", "email": "a@b.ca"}}, None),
        ("autoreach", {"event": "Reply Received", "data": {"id": "m", "content": "hi"}, "leadId": "l1"}, "l1"),
        ("autoreach", {"event": "Lead Created", "data": {"id": "l1", "email": "a@b.ca"}}, "l1"),
        ("autoreach", {"event": "Meeting Booked", "data": {"id": "l1", "email": "a@b.ca"}}, "l1"),
    ],
)  # fmt: skip
def test_the_id_of_a_message_is_not_its_persons(
    platform: str, body: dict[str, Any], external_id: str | None
) -> None:
    """Beside a message, or an id of the contact, a plain id is not the contact's: one person has one lane."""
    assert read(platform, body).event.contact.external_id == external_id


CUSTOM = {"message": "{{ body.txt }}", "contact": {"phone": "{{ body.from }}"}}


@pytest.mark.parametrize(
    "type_", ["inbound", "sms.inbound", "message.received", "reply", "MO", "text_in", "x"]
)
def test_what_a_custom_source_declares_as_their_words_is_heard_of_any_type(type_: str) -> None:
    """Unless the type is one of our messages, or the body says that it went out."""
    body = {"event": type_, "txt": "STOP", "from": N}
    assert listed("custom", body, **CUSTOM) == (N,)
    assert listed("custom", {**body, "direction": "outbound"}, **CUSTOM) is None
    assert listed("custom", body, **CUSTOM, types={type_: "message_sent"}) is None
    assert listed("custom", {**body, "txt": "please stop by"}, **CUSTOM) is None


@pytest.mark.parametrize("written", [[N], 14165550123.0, {"number": N}, N])
def test_a_number_where_a_custom_source_says_is_listed_in_any_form(written: Any) -> None:
    """And where it is not there, any other number of the person in the body."""
    body = {"event": "unsubscribed", "from": written, "referrer": {"phone": OTHER}}
    assert listed("custom", body, contact=CUSTOM["contact"]) == (N,)
    body = {"event": "unsubscribed", "data": {"phone": written}}
    assert listed("custom", body, contact=CUSTOM["contact"]) == (N,)


WRAPS = st.lists(
    st.sampled_from(
        ["data", "payload", "Details", "event_data", "[conversation]", "contact", "x", "[entry]"]
    ),
    max_size=3,
)
KEYS = st.sampled_from(["phone", "Phone", "phoneNumber", "mobile_phone", "Contact Phone", "from"])
ASIDE = st.sampled_from(["owner", "agent", "history", "previous", "quoted", "company", "assignedTo", "to"])


def wrapped(value: dict[str, Any], wraps: list[str]) -> dict[str, Any]:
    for name in wraps:
        value = {name[1:-1]: [value]} if name.startswith("[") else {name: value}
    return value


@settings(deadline=None, max_examples=examples(40))
@given(st.sampled_from(["tether", "autoreach"]), WRAPS, WRAPS, KEYS, ASIDE, WRAPS)
def test_a_no_is_heard_and_named_however_deep_and_nothing_aside_changes_it(
    platform: str, text: list[str], person: list[str], key: str, aside: str, deep: list[str]
) -> None:
    """The text and the number in any objects and lists of the body; what is of ours, or was, says nothing."""
    body = {
        "event": "reply_received",
        "one": wrapped({"text": "STOP"}, text),
        "other": wrapped({key: N}, person),
        aside: wrapped({"phone": OURS, "text": "hello", "unsubscribed": False}, deep),
    }
    assert listed(platform, body) == (N,)
    body["one"] = wrapped({"text": "hello"}, text)
    body[aside] = (
        wrapped({"phone": OURS, "text": "STOP", "unsubscribed": True}, deep) if aside != "to" else {}
    )
    assert listed(platform, body) is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_body_that_goes_on_for_ever_is_read_as_far_as_platforms_write(platform: str) -> None:
    """What is deeper, or more, than any platform sends costs little, and hides nothing that stands before it."""
    deep: dict[str, Any] = {"phone": OURS}
    for _ in range(50):
        deep = {"message": deep}
    body = {"event": "unsubscribed", "contact": {"phone": N}, "data": {"contact": {"phone": N}}, "more": deep}
    body["many"] = [{"message": {f"k{n}": "STOP"}} for n in range(2_000)]
    assert listed(platform, body) == (N,)
