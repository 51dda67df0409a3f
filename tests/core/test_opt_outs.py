"""What an event says about being contacted, whoever brings it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.emails import email_columns, hash_email
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import polled_event, read_event
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
     "jane@example.com.", "\u200bjane@example.com"],
)  # fmt: skip
def test_one_address_has_one_hash(writing: str) -> None:
    """However it is written, it is the same person; and another address is another's."""
    assert hash_email(writing) == hash_email("jane@example.com")
    assert hash_email(writing) != hash_email("john@example.com")


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
