"""What somebody pasted is an event as one that came in, under nobody's id; or a message that says what to paste."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import JSON

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.intake import read_events
from airflow_outreach_provider.core.pasted_events import MOST_CHARACTERS, pasted_event
from airflow_outreach_provider.core.sources import SourceSettings, source_settings

NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
SUPERSEND = SourceSettings("src", "supersend")


def test_our_own_form_comes_back_as_it_was() -> None:
    """An event copied from a page or a delivery, but for its id, is the event."""
    body = {"type": "x", "kind": "interested", "source": "src", "platform": "varda", "contact": {"email": "a@example.com"}, "data": {"score": 3}}  # fmt: skip
    made = pasted_event(json.dumps(body | {"id": "evt_stored"}), None, NOW, of="other")
    assert (made.source, made.platform, made.kind) == ("src", "varda", EventKind.INTERESTED)
    assert (made.contact.email, made.data) == ("a@example.com", {"score": 3})
    assert made.id != "evt_stored"
    assert pasted_event('{"type": "x"}', None, NOW, of="other").source == "other"


@pytest.mark.slow
@given(JSON)
def test_a_webhook_is_read_as_the_receiver_reads_it(value: object) -> None:
    """Whatever was pasted: kind, contact and data are those that the receiver would store."""
    text = json.dumps(value)
    (stored,) = read_events(SUPERSEND, text.encode(), {}, received_at=NOW)
    made = pasted_event(text, SUPERSEND, NOW)
    assert (made.kind, made.contact, made.data) == (
        stored.event.kind,
        stored.event.contact,
        stored.event.data,
    )
    assert made.id != stored.event.id


@pytest.mark.slow
@given(st.text(max_size=200) | JSON.map(json.dumps), st.booleans())
def test_whatever_is_pasted_is_an_event_or_a_message(text: str, webhook: bool) -> None:
    """No text ends in anything but one of the two."""
    try:
        made = pasted_event(text, SUPERSEND if webhook else None, NOW)
    except OutreachError as error:
        assert str(error)
    else:
        assert isinstance(made, ContactEvent)
        made.to_json()


@pytest.mark.parametrize(
    "text", ["[" * 60_000, '{"a":' * 10_000, "x" * (MOST_CHARACTERS + 1), "\ud800", '"\\ud800"']
)
def test_what_is_too_deep_too_long_or_no_text_says_so(text: str) -> None:
    """Before it costs anything."""
    with pytest.raises(OutreachError):
        pasted_event(text, None, NOW)


HMAC = {"scheme": "hmac", "header": "X-Sig"}
VERIFIES: dict[str, dict[str, Any] | None] = {
    "none": None,
    "hmac": HMAC,
    "hmac of a time": {**HMAC, "signed": "{timestamp}{body}", "timestamp_header": "X-Time"},
    "hmac of an id": {**HMAC, "signed": "{id}.{body}", "id_header": "X-Id"},
    "hmac of all": {
        **HMAC, "signed": "{method}{url}{timestamp}{id}{body}", "timestamp_header": "X-Time", "id_header": "X-Id",
        "url": "https://a.example/outreach/in/s",
    },
    "standard-webhooks": {"scheme": "standard-webhooks"},
    "github": {"scheme": "github"},
    "stripe": {"scheme": "stripe"},
    "autoreach": {"scheme": "autoreach"},
    "token": {"scheme": "token", "header": "X-Token"},
    "basic": {"scheme": "basic", "user": "u"},
}  # fmt: skip


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("scheme", VERIFIES)
def test_what_is_pasted_needs_no_header_of_its_request(scheme: str, several: bool) -> None:
    """A text proves nothing, so nothing is asked for that its source signs: a time, an id, the URL."""
    verify = {} if VERIFIES[scheme] is None else {"verify": VERIFIES[scheme]}
    custom = {"type": "{{ body.event }}", **verify}
    secret = "whsec_" + "ab" * 16 if scheme == "standard-webhooks" else "a-signing-secret-of-ours"
    source = source_settings("s", password=secret, extra={"platform": "custom", "custom": custom})
    text = '[{"event": "x"}, {"event": "y"}]' if several else '{"event": "x"}'
    assert pasted_event(text, source, NOW).type == "x"


def test_a_pasted_form_needs_no_header_of_its_request() -> None:
    """The same of a form, whose fields are signed in their order."""
    verify = {**HMAC, "signed": "{timestamp}{form}", "timestamp_header": "X-Time"}
    custom = {"type": "{{ body.event }}", "form": True, "verify": verify}
    source = source_settings(
        "s", password="a-signing-secret-of-ours", extra={"platform": "custom", "custom": custom}
    )
    assert pasted_event("event=x&to=y", source, NOW).type == "x"
