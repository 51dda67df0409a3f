"""What an event says about being contacted, whoever brings it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.emails import (
    email_columns,
    email_hashes,
    emails_in,
    hash_email,
    without_emails,
)
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import polled_event, read_event, read_events
from airflow_outreach_provider.core.opt_outs import OptOut, opt_out_of
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.sources import SourceSettings

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


def said(platform: str, body: dict[str, Any], region: str | None = None) -> OptOut | None:
    source = SourceSettings("src", platform, default_region=region)
    return read_event(source, json.dumps(body).encode(), {}, received_at=NOW).opt_out


def test_a_stop_word_names_every_number_and_address_of_the_person() -> None:
    """In each writing the platform gives; what the list holds of an address is its hash."""
    person = {"phone": "+5215512345678", "mobile": "0171 1234567/8", "email": "Jane@Example.com"}
    got = said("tether", {"event": "message.received", "contact": person, "text": "stop"}, "DE")
    assert got == OptOut(
        ("+525512345678", "+491711234567"), (hash_email("jane@example.com"),), by_stop_word=True
    )


NUMBER = "+14165550123"
NAMELESS: list[tuple[Any, bool]] = [
    # Whoever wrote the payload forgot the event's name.
    ({"phone": NUMBER, "text": "STOP"}, True),
    ({"contact": {"phone": NUMBER}, "message": {"direction": "inbound", "body": "Please stop"}}, True),
    ({"data": {"contact": {"phone": NUMBER, "sms_opted_out": True}}}, True),
    ({"entry": [{"changes": [{"value": {"from": NUMBER, "text": {"body": "unsubscribe"}}}]}]}, True),
    ([{"phone": NUMBER, "text": "STOP"}], True),
    ([{"phone": NUMBER, "opted_out": "yes"}, {"phone": "+14165550199", "opted_out": "no"}], True),
    ({"phone": NUMBER, "direction": "outbound", "text": "STOP"}, False),
    ({"phone": NUMBER, "from_me": True, "text": "STOP"}, False),
    ({"phone": NUMBER, "text": "Reply STOP to opt out"}, False),
    ({"phone": NUMBER, "note": "STOP"}, False),
    ({"phone": NUMBER, "text": "START"}, False),  # whoever starts what: nothing is taken back
    ({"phone": NUMBER, "opted_out": False}, False),
    (NUMBER, False),
]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("body", "is_no"), NAMELESS, ids=lambda value: str(value)[:60])
def test_a_no_is_heard_in_what_is_no_event(platform: str, body: Any, is_no: bool) -> None:
    """A body that its platform does not know is kept as it came, and a person's no in it counts."""
    read = read_event(SourceSettings("src", platform), json.dumps(body).encode(), {}, received_at=NOW)
    numbers = read.opt_out.numbers if read.opt_out is not None else ()
    assert numbers == ((NUMBER,) if is_no else ())
    assert read.event.kind in {EventKind.UNRECOGNISED, EventKind.UNSUBSCRIBED}
    assert read.event.data == body


SHAPES: list[tuple[str, dict[str, Any], bool]] = [
    # An owner of a Tether automation writes the payload, in any keys and as deep as they like.
    ("tether", {"event": "message.received", "contact": {"phone": NUMBER}, "message": {"text": {"body": "STOP"}}}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "Message": "Stop"}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "Message Text": "Stop"}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "lastMessageText": "STOPALL"}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "sms": {"Direction": "INBOUND", "body": "END"}}, True),
    ("tether", {"event": "sms", "phone": NUMBER, "direction": "inbound", "text": "Quit"}, True),
    ("tether", {"event": "conversation.updated", "phone": NUMBER, "message": {"direction": "incoming", "text": "REVOKE"}}, True),
    ("tether", {"event": "Message Received", "phone": NUMBER, "msg": "please stop"}, True),
    ("tether", {"event": "sms", "phone": NUMBER, "direction": "outbound", "text": "Quit"}, False),
    ("tether", {"event": "conversation.updated", "phone": NUMBER, "message": {"text": "STOP"}}, False),
    ("tether", {"event": "message.sent", "phone": NUMBER, "direction": "inbound", "text": "STOP"}, False),
    ("tether", {"event": "message.received", "phone": NUMBER, "isFromMe": True, "text": "STOP"}, False),
    ("tether", {"event": "message.received", "phone": NUMBER, "note": "STOP"}, False),
    # What a carrier says of a text of ours; the sender is us.
    ("tether", {"event": "message.status", "To": NUMBER, "From": "+16475550199", "MessageStatus": "failed", "ErrorCode": "21610"}, True),
    ("tether", {"event": "message.failed", "contact": {"phone": NUMBER}, "error": {"code": 21610, "message": "unsubscribed recipient"}}, True),
    ("tether", {"event": "message.failed", "contact": {"phone": NUMBER}, "errors": [{"code": "21610"}]}, True),
    ("tether", {"event": "message.failed", "contact": {"phone": NUMBER}, "error": {"code": 30004}}, False),
    ("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, "subscription": {"sms": "unsubscribed"}}}, True),
    ("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, "subscription": {"email": "unsubscribed", "sms": "subscribed"}}}, False),
    ("tether", {"event": "opt-out", "data": {"number": NUMBER}}, True),
    ("tether", {"event": "stop", "Number": "1 (416) 555-0123"}, True),
    ("supersend", {"event": "reply", "ContactId": "1", "details": {"contact": {"phone": NUMBER}, "message": {"content": "Arrêt"}}}, True),
    ("supersend", {"type": "reply", "contact": {"phone": NUMBER}, "reply": {"text": "ANNULER"}}, True),
    ("supersend", {"type": "unsubscription", "contact": {"phone": NUMBER}}, True),
    ("supersend", {"type": "click", "contact": {"phone": NUMBER, "unsubscribedAt": "2026-03-25T18:30:00Z"}}, True),
    ("supersend", {"type": "click", "contact": {"phone": NUMBER, "unsubscribedAt": None, "opted_out": 0}}, False),
    ("varda", {"event": "message.created", "data": {"direction": "inbound", "content": {"text": "SAIR"}, "contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "contact.updated", "data": {"id": 1, "phone": NUMBER, "dnd": 1}}, True),
    ("varda", {"event": "contact.opt_out.received", "data": {"contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "call.started", "data": {"direction": "inbound", "content": "STOP", "contact": {"phone": NUMBER}}}, False),
    ("autoreach", {"event": "reply_received", "payload": {"message": {"content": {"text": "baja"}}, "lead": {"phone": NUMBER}}}, True),
    ("autoreach", {"event": "Lead Opt-Out Requested", "data": {"phone": NUMBER}}, True),
    # A type, a record or a field of the owner's own that says so in other words.
    *(("tether", {"event": type_, "contact": {"phone": NUMBER}}, True) for type_ in (
        "do_not_contact", "contact.do_not_contact", "doNotContact", "do_not_text", "complaint", "email.complained", "spam_complaint", "spamreport",
        "marked_as_spam", "contact.blocked", "contact_blacklisted", "consent.revoked", "sms_consent_withdrawn")),
    *(("tether", {"event": type_, "contact": {"phone": NUMBER}}, False) for type_ in (
        "do_not_contact.removed", "contact.unblocked", "not_opted_out", "consent.given", "message.blocked", "complaint_resolved", "wrong_number")),
    *(("supersend", {"type": "interest", "contact": {"phone": NUMBER, **record}}, True) for record in (
        {"interest": "unsubscribed"}, {"interest": "Do Not Contact"}, {"do_not_call": True}, {"is_blocked": True}, {"blacklisted": "yes"}, {"complained": 1},
        {"status": "UNSUBSCRIBED_BY_USER"}, {"status": "unsubscribe requested"}, {"status": ["active", "opted_out"]}, {"smsConsent": {"status": "REVOKED"}},
        {"consent": "withdrawn"}, {"custom_fields": [{"name": "City", "value": "Rome"}, {"name": "Opt Out", "value": "true"}]})),
    *(("supersend", {"type": "interest", "contact": {"phone": NUMBER, **record}}, False) for record in (
        {"interest": "not_interested"}, {"status": "revoked"}, {"consent": "given"}, {"is_blocked": False}, {"complained": None},
        {"custom_fields": [{"name": "City", "value": "Rome"}, {"name": "Opt Out", "value": "no"}]})),
    ("varda", {"event": "contact.updated", "data": {"contact": {"phone": NUMBER}, "changes": [{"field": "opted_out", "old": False, "new": True}]}}, True),
    ("varda", {"event": "contact.updated", "data": {"contact": {"phone": NUMBER}, "changes": [{"field": "opted_out", "old": True, "new": False}]}}, False),
    ("varda", {"event": "call.outcome_tagged", "data": {"outcome_type": "do_not_contact", "contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "call.outcome_tagged", "data": {"outcome_type": "spam", "contact": {"phone": NUMBER}}}, False),
    ("varda", {"event": "message.created", "data": {"direction": "inbound", "content": "", "caption": "STOP", "contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "message.created", "data": {"direction": "inbound", "image": {"caption": "STOP"}, "contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "message.created", "data": {"direction": "inbound", "transcript": "Stop.", "contact": {"phone": NUMBER}}}, True),
    ("varda", {"event": "message.created", "data": {"direction": "outbound", "caption": "STOP", "contact": {"phone": NUMBER}}}, False),
    # Below a picture, and above a mail that is empty.
    ("tether", {"event": "message.received", "phone": NUMBER, "text": "", "attachments": [{"type": "image", "caption": "STOP"}]}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "message": {"text": None, "media": {"caption": "Stop!", "phone": "+14165550199"}}}, True),
    ("tether", {"event": "message.received", "phone": NUMBER, "text": "see", "attachments": [{"name": "STOP", "text": "STOP"}]}, False),
    ("tether", {"event": "message.sent", "phone": NUMBER, "attachments": [{"caption": "STOP"}]}, False),
    ("supersend", {"type": "reply", "contact": {"phone": NUMBER}, "subject": "Unsubscribe", "body": ""}, True),
    ("supersend", {"type": "reply", "contact": {"phone": NUMBER}, "email": {"subject": "STOP"}}, True),
    ("supersend", {"type": "reply", "contact": {"phone": NUMBER}, "subject": "Unsubscribe", "body": "Yes, tell me more"}, False),
    ("supersend", {"type": "reply", "contact": {"phone": NUMBER}, "subject": "Re: Stop", "body": ""}, False),
    ("supersend", {"type": "open", "contact": {"phone": NUMBER}, "subject": "Unsubscribe"}, False),
    ("supersend", {"type": "reply", "direction": "outbound", "contact": {"phone": NUMBER}, "subject": "Unsubscribe"}, False),
    # A number in whatever writing and place.
    *(("tether", {"event": "unsubscribed", "contact": {"phone": phone}}, True) for phone in (
        "+1_416_555_0123", "+1*416*555*0123", "+1%20416%20555%200123", '["+14165550123"]', {"country_code": "+1", "national_number": "4165550123"},
        {"primary": NUMBER}, {"home": NUMBER}, 14165550123, "tel:+1-416-555-0123", "+1 416 555 0123 x12")),
    *(("tether", {"event": "unsubscribed", "contact": {name: NUMBER}}, True) for name in ("externalPhone", "remote_number", "directDial", "ANI")),
    ("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, "dndSettings": {"SMS": {"status": "active"}}}}, True),
    ("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, "dndSettings": {"SMS": {"status": "inactive"}}}}, False),
    ("autoreach", {"event": "Opt Out Reverted", "data": {"phone": NUMBER}}, False),
    # A person's channels and subscriptions are no several people; and a no to e-mail alone is none to a text.
    *(("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, **record}}, True) for record in (
        {"channels": [{"type": "sms", "status": "unsubscribed"}, {"type": "email", "status": "subscribed"}]},
        {"subscriptions": [{"name": "Offers", "status": "unsubscribed"}, {"name": "News", "status": "subscribed"}]},
        {"lists": [{"id": 1, "unsubscribed": True}, {"id": 2, "unsubscribed": False}]}, {"dndSettings": {"SMS": {"status": "permanent"}}},
        {"sms_marketing_consent": {"state": "unsubscribed"}}, {"email_and_sms_status": "unsubscribed"},
        {"email": {"contact": {"unsubscribed": True}}})),
    *(("tether", {"event": "contact.updated", "contact": {"phone": NUMBER, **record}}, False) for record in (
        {"channels": [{"type": "email", "status": "unsubscribed"}, {"type": "sms", "status": "subscribed"}]},
        {"email_marketing_consent": {"state": "unsubscribed"}, "sms_marketing_consent": {"state": "subscribed"}}, {"email_status": "unsubscribed"},
        {"subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}}, {"emails": [{"address": "a@b.ca", "status": "unsubscribed"}]},
        {"opted_out": {"email": True, "sms": False}}, {"dndSettings": {"SMS": {"status": "inactive"}, "Email": {"status": "active"}}})),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "body", "opted_out"), SHAPES)
def test_a_no_is_heard_in_whatever_shape_it_comes(
    platform: str, body: dict[str, Any], opted_out: bool
) -> None:
    """The person's own word counts under any usual key; what we wrote, or what says nothing of who wrote, does not."""
    got = said(platform, body)
    assert (got.numbers if got else None) == ((NUMBER,) if opted_out else None)


def test_a_person_of_several_says_no_by_one_of_their_lists() -> None:
    """Theirs is who it belongs to, and nobody of the others, named as they may be."""
    people = [
        {"phone": NUMBER, "lists": [{"status": "unsubscribed"}, {"status": "active"}]},
        {"phone": "+14165550199"},
    ]
    opt_out = said("tether", {"event": "contact.updated", "contacts": people})
    assert opt_out == OptOut((NUMBER,))
    nameless = [{"id": 1, "unsubscribed": True}, {"id": 2, "phone": NUMBER}]
    assert said("tether", {"event": "contact.updated", "data": nameless}) == OptOut()


TWO = "+14165550199"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "nos"),
    [
        # Who stands beside the list is whom all of it is about.
        ({"phone": NUMBER, "data": [{"event": "message.received", "text": "STOP"}]}, [(NUMBER,)]),
        ({"contact": {"phone": NUMBER}, "items": [{"type": "text", "text": "hi"}, {"type": "text", "text": "STOP"}]}, [None, (NUMBER,)]),
        ({"contact": {"phone": NUMBER}, "items": [{"event": "message.received", "text": "STOP"}, {"event": "message.received", "text": "hi"}]}, [(NUMBER,), None]),
        ({"phone": TWO, "events": [{"event": "message.received", "text": "STOP", "from": NUMBER}]}, [(NUMBER,)]),
        ({"from": NUMBER, "records": [{"event": "message.received", "text": "STOP"}]}, [(NUMBER,)]),
        # A relay says who sends it, and not who it is about.
        ({"from": "relay", "events": [{"event": "message.received", "text": "STOP", "phone": NUMBER}, {"event": "open", "phone": TWO}]}, [(NUMBER,), None]),
        # One of several says no, the first or the last of them, and names who they are.
        ([{"phone": NUMBER, "text": "STOP"}, {"phone": TWO, "text": "hi"}], [(NUMBER,), None]),
        ({"data": [{"phone": TWO, "text": "hi"}, {"phone": NUMBER, "text": "STOP"}]}, [None, (NUMBER,)]),
    ],
)  # fmt: skip
def test_a_no_in_one_of_several_is_of_whoever_it_names_or_of_who_stands_beside_them(
    body: Any, nos: list[tuple[str, ...] | None]
) -> None:
    """What a request is taken apart into, each says no for itself; and nobody's number is lost by it."""
    found = read_events(SourceSettings("src", "tether"), json.dumps(body).encode(), {}, received_at=NOW)
    assert [each.opt_out and each.opt_out.numbers for each in found] == nos


@pytest.mark.parametrize(
    ("platform", "body"),
    [("varda", {"event": "contact.unsubscribed", "contact": {"phone": NUMBER}}), ("supersend", {"event_name": "Opted Out", "phone": NUMBER})],
)  # fmt: skip
def test_what_is_no_event_of_its_platform_says_no_by_the_type_it_gives(platform: str, body: Any) -> None:
    """However the platform names its events, a type that says no is one."""
    assert said(platform, body) == OptOut((NUMBER,))


def test_a_plain_number_is_read_no_further_than_a_number_goes() -> None:
    """A body is a stranger's to write: a megabyte of digits costs as much as a line of them."""
    assert said("tether", {"event": "stop", "number": "1 " * 100_000}) == OptOut()


def test_a_plain_number_beside_several_people_is_no_ones() -> None:
    """Of which of them it would be nobody can say; it may be an order's."""
    people = [{"name": "Ann", "opted_out": True}, {"name": "Bob", "phone": "+12125550123"}]
    assert said("tether", {"event": "batch", "number": NUMBER, "contacts": people}) == OptOut()
    assert said("tether", {"event": "batch", "number": NUMBER, "contact": people[0]}) == OptOut((NUMBER,))


def test_what_was_said_to_the_carrier_is_what_start_takes_back() -> None:
    """The error tells of a STOP; where the record says no as well, it is the platform's."""
    failed = {"event": "message.failed", "to": NUMBER, "error_code": 21610}
    assert said("tether", failed) == OptOut((NUMBER,), by_stop_word=True)
    assert said("tether", {**failed, "opted_out": True}) == OptOut((NUMBER,))


def test_a_stop_that_no_answer_could_be_sent_to_is_the_writers() -> None:
    """The error is of our answer; the number written to is ours."""
    stop = {"event": "message.received", "from": NUMBER, "to": "+16475550199", "text": "STOP"}
    for error in ({"error_code": 21610}, {"error": {"code": "21610"}}):
        assert said("tether", {**stop, **error}) == OptOut((NUMBER,), by_stop_word=True)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_unsubscribe_of_any_platform_is_one_that_start_does_not_lift(platform: str) -> None:
    """Only what a stop word set is START's to lift."""
    got = said(
        platform,
        {
            "event": "unsubscribed",
            "data": {"contact": {"phone": "+14165550123"}},
            "contact": {"phone": "+14165550123"},
        },
    )
    assert got == OptOut(("+14165550123",))


@pytest.mark.parametrize(
    ("row", "opted_out"),
    [({"unsubscribed": True}, True), ({"optedOut": "true"}, True), ({"status": "Do Not Contact"}, True), ({"dnc": True}, True),
     ({"unsubscribed": False}, False), ({"status": "active"}, False), ({"status": "Stop by"}, False), ({}, False)],
)  # fmt: skip
@pytest.mark.parametrize("platform", ["tether", "supersend"])
def test_a_polled_contact_that_unsubscribed_opts_out(
    platform: str, row: dict[str, Any], opted_out: bool
) -> None:
    """A contact list tells it in the contact's record; the event stays what it is."""
    source = SourceSettings("src", platform)
    got = polled_event(source, "contact.updated", {"id": 1, "phone": "+14165550123", **row}, ("1",), NOW, NOW)
    assert got.event.kind is EventKind.CONTACT_UPDATED
    assert got.opt_out == (OptOut(("+14165550123",)) if opted_out else None)


def test_an_event_made_without_a_body_opts_out_by_its_kind() -> None:
    """Whoever appends an unsubscribe by other means is heard as well."""
    contact = Contact(phone="+14165550123", email="jane@example.com")
    made = ContactEvent("evt_1", "s", "tether", "x", EventKind.UNSUBSCRIBED, NOW, NOW, contact)
    assert opt_out_of(made) == OptOut(("+14165550123",), (hash_email("jane@example.com"),))
    assert opt_out_of(ContactEvent("evt_1", "s", "tether", "x", EventKind.BOUNCED, NOW, NOW, contact)) is None


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.sampled_from(list(PLATFORMS)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["STOP", "inbound", "+14165550123"]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["message", "text", "body", "data", "contact", "direction", "phone", "email", "status", "lead"]), inner, max_size=5),
        max_leaves=12,
    ),
)  # fmt: skip
def test_no_message_breaks_the_reading(platform: str, data: Any) -> None:
    """Whatever JSON a message is made of, the event is stored with or without an opt-out."""
    said(platform, {"event": "message.received", "data": data, "contact": data, "message": data})


@pytest.mark.parametrize(
    "writing",
    ["jane@example.com", " Jane@Example.COM ", "<jane@example.com>", "Jane Doe <jane@example.com>", "mailto:jane@example.com",
     "jane@example.com.", "\u200bjane@example.com", "\u2068jane@example.com\u2069", "\u2066jane\u2069@example.com", "ＪＡＮＥ@example.com", "jane%40example.com", "mailto:jane@example.com?subject=Hi&cc=ann@example.com",
     "MAILTO:jane%40example.com?subject=x", "jane@example.com|", "jane@example.com/", "jane@example.com!", "jane@example.com; john@example.com"],
)  # fmt: skip
def test_one_address_has_one_hash(writing: str) -> None:
    """However it is written, it is the same person; and another address is another's."""
    assert hash_email(writing) == hash_email("jane@example.com")
    assert hash_email(writing) != hash_email("john@example.com")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("jane@bücher.example", "Jane@xn--bcher-kva.example", True), ("jane@BÜCHER.example", "jane@bu\u0308cher.example", True),
     ("jane@例え.jp", "jane@xn--r8jz45g.jp", True), ("jane@bucher.example", "jane@bücher.example", False),
     ("jane+news@example.com", "jane@example.com", False), ("j.ane@gmail.com", "jane@gmail.com", False),
     ("jane@example.com", "jane@mail.example.com", False), ("jane@xn--.example", "jane@example", False)],
)  # fmt: skip
def test_domains_are_one_in_both_writings_and_tags_tell_people_apart(
    one: str, other: str, same: bool
) -> None:
    """``xn--`` is another writing of the same name; ``+tag`` may be another person's, and so may dots be."""
    assert (hash_email(one) == hash_email(other)) == same


@pytest.mark.parametrize(
    ("cell", "found"),
    [("n/a", ()), ("", ()), (None, ()), (7, ()), ("@jane", ()), ("14165550123@c.us", ()), ('"jane doe"@example.com', ('"jane doe"@example.com',)),
     (["jane@example.com", None, "john@example.com"], ("jane@example.com", "john@example.com")), ("Jane@Example.com, jane@example.com", ("jane@example.com",)),
     ("first/last@example.com", ("first/last@example.com",)), ("Jane (work: jane@example.com, home: j@example.org)", ("jane@example.com", "j@example.org"))],
)  # fmt: skip
def test_a_cell_holds_the_addresses_that_stand_in_it(cell: object, found: tuple[str, ...]) -> None:
    """Each once, in order, and none where there is none: a placeholder is nobody's address."""
    assert emails_in(cell) == found


ADDRESSES = st.from_regex(
    r"[a-z]{1,8}(?:[.+_-][a-z0-9]{1,5})?@[a-z]{2,8}(?:[.-][a-z]{2,5}){1,2}", fullmatch=True
)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(50))
@given(
    emails=st.lists(ADDRESSES, min_size=1, max_size=4, unique=True),
    between=st.sampled_from(["; ", ", ", ",", "/", " / ", "|", " ", "\n", " or ", "\t", "; mailto:"]),
)
def test_every_address_of_a_cell_counts_and_the_first_is_the_persons(emails: list[str], between: str) -> None:
    """Whatever stands between them; nothing of them is left to be read as a number."""
    cell = between.join(emails)
    assert emails_in(cell) == tuple(emails)
    assert email_hashes(cell) == tuple(map(hash_email, emails))
    assert hash_email(cell) == hash_email(emails[0])
    assert "@" not in str(without_emails(cell))


@pytest.mark.parametrize(
    "column",
    ["Adresse électronique", "Correo electrónico", "E-Mail-Adresse", "Indirizzo e-mail", "E-posta", "Sähköposti", "E-post", "Электронная почта", "邮箱", "メールアドレス", "이메일",
     "Courriel", "contact_email", "Home Email"],
)  # fmt: skip
def test_columns_of_addresses_are_known_in_other_languages(column: str) -> None:
    """With accents, in letters of any script."""
    assert email_columns((column, "Name")) == (column,)


def test_columns_of_the_persons_address_are_known() -> None:
    """The person's own address counts, not that of somebody of ours."""
    columns = (
        "Email",
        "E-mail Address",
        "Work Email",
        "Contact owner email",
        "mail",
        "emailOptIn",
        "Sender E-Mail",
        "Name",
    )
    assert email_columns(columns)[:3] == ("Email", "E-mail Address", "Work Email")
    assert not {"Contact owner email", "Sender E-Mail", "Name"} & set(email_columns(columns))
