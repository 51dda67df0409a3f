"""``platform: custom``: the recipes of the page, with the payloads the vendors document, through the real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from documents import DOCS, blocks
from hypothesis import given
from hypothesis import strategies as st
from stored import stored_events

from airflow_outreach_provider.core.errors import ConfigurationError, SignatureError
from airflow_outreach_provider.core.intake import authenticate, read_events
from airflow_outreach_provider.core.opt_outs import OptOut
from airflow_outreach_provider.core.proofs import HmacProof
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.services.events.ingest import read_unrecognised_again
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import append
from airflow_outreach_provider.store.suppressions import every_entry

BASE = "https://airflow.example.com/outreach/in/"
FORM = "application/x-www-form-urlencoded"
NOW = datetime.now(UTC)


def recipes() -> dict[str, SourceSettings]:
    """Each connection of the page, under the name of its section."""
    page = (DOCS / "custom.md").read_text("utf-8")
    found = {}
    for block in blocks(DOCS / "custom.md"):
        if block.language != "json" or block.text.startswith("["):
            continue  # lists are of parts: tests/receiver/test_handshakes.py
        above = "\n".join(page.splitlines()[: block.line])
        name = above.rpartition("\n## ")[2].splitlines()[0].split()[0].strip(":").lower()
        fields = json.loads(block.text)
        found[name] = source_settings(
            name, password=fields["password"], extra=fields["extra"], url=BASE + name
        )
    return found


RECIPES = recipes()


@dataclass(frozen=True)
class Case:
    """What a platform sends, signed here as its documentation says and by none of our code where that says how.

    :param events: (type, kind, email, phone, external id) of each.
    """

    body: bytes
    sign: Callable[[bytes, str, datetime], dict[str, str]]
    events: list[tuple[str, str, str | None, str | None, str | None]]
    other: bytes
    kind: str = "application/json"


def keyed(secret: str, content: bytes, algorithm: str = "sha256") -> str:
    return base64.b64encode(hmac.new(secret.encode(), content, algorithm).digest()).decode()


def hubspot(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp() * 1000))
    content = b"POST" + (BASE + "hubspot").encode() + body + stamp.encode()
    return {"X-HubSpot-Signature-v3": keyed(secret, content), "X-HubSpot-Request-Timestamp": stamp}


def calendly(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, "sha256").hexdigest()
    return {"Calendly-Webhook-Signature": f"t={stamp},v1={signature}"}


def typeform(body: bytes, secret: str, _at: datetime) -> dict[str, str]:
    return {"Typeform-Signature": "sha256=" + keyed(secret, body)}


def facebook(body: bytes, secret: str, _at: datetime) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def twilio(body: bytes, secret: str, _at: datetime) -> dict[str, str]:
    from urllib.parse import parse_qs

    fields = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    content = BASE + "twilio" + "".join(name + fields[name] for name in sorted(fields))
    return {"X-Twilio-Signature": keyed(secret, content.encode(), "sha1")}


def shopify(body: bytes, secret: str, _at: datetime) -> dict[str, str]:
    return {"X-Shopify-Hmac-Sha256": keyed(secret, body), "X-Shopify-Topic": "customers/create"}


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def hubspot_event(event: int, type_: str, contact: int) -> dict[str, Any]:
    return {
        "eventId": event, "subscriptionId": 234567, "portalId": 12345678, "appId": 987654,
        "occurredAt": 1774463400000 + event, "subscriptionType": type_, "attemptNumber": 0,
        "objectId": contact, "changeFlag": "CREATED", "changeSource": "CRM_UI",
    }  # fmt: skip


def calendly_event(event: str, invitee: str) -> bytes:
    return dumped({
        "event": event,
        "created_at": "2026-03-25T18:30:00.000000Z",
        "created_by": "https://api.calendly.com/users/AAAA",
        "payload": {
            "uri": f"https://api.calendly.com/scheduled_events/EEEE/invitees/{invitee}",
            "email": "ada@example.com", "name": "Ada Lovelace", "first_name": None, "last_name": None,
            "status": "active", "text_reminder_number": "+1 212-555-0123", "timezone": "America/New_York",
            "questions_and_answers": [], "rescheduled": False,
            "scheduled_event": {
                "uri": "https://api.calendly.com/scheduled_events/EEEE", "name": "Intro",
                "event_type": "https://api.calendly.com/event_types/TTTT", "start_time": "2026-03-30T14:00:00Z",
            },
        },
    })  # fmt: skip


def calendly_rescheduled(invitee: str) -> bytes:
    """The half of a rescheduling that cancels."""
    told = json.loads(calendly_event("invitee.canceled", invitee))
    told["payload"] |= {
        "status": "canceled",
        "rescheduled": True,
        "new_invitee": "https://api.calendly.com/…/I2",
    }
    return dumped(told)


def typeform_event(event: str) -> bytes:
    def answer(ref: str, type_: str, key: str, value: str) -> dict[str, Any]:
        return {"type": type_, key: value, "field": {"id": "x", "type": type_, "ref": ref}}

    return dumped({
        "event_id": event,
        "event_type": "form_response",
        "form_response": {
            "form_id": "lT4Z3j", "token": "a3a12ec67a1365927098a606107fac15", "submitted_at": "2026-03-25T18:17:02Z",
            "landed_at": "2026-03-25T18:07:02Z", "hidden": {"user_id": "abc123456"},
            "definition": {"id": "lT4Z3j", "title": "Webhooks example", "fields": []},
            "answers": [
                answer("about", "text", "text", "It is cold."),
                answer("mail", "email", "email", "ada@example.com"),
                answer("first_name", "text", "text", "Ada"),
                answer("tel", "phone_number", "phone_number", "+12125550123"),
            ],
        },
    })  # fmt: skip


def facebook_change(lead: int) -> dict[str, Any]:
    ids = {"form_id": "444", "page_id": "555", "ad_id": "666", "adgroup_id": "777"}
    return {"field": "leadgen", "value": {"leadgen_id": str(lead), "created_time": 1774463400, **ids}}


def facebook_event(*leads: int) -> bytes:
    entries = [{"id": "555", "time": 1774463401, "changes": [facebook_change(lead)]} for lead in leads]
    return dumped({"object": "page", "entry": entries})


def twilio_event(sid: str, text: str) -> bytes:
    fields = {"ToCountry": "US", "MessageSid": sid, "SmsStatus": "received", "Body": text, "FromCity": "",
              "To": "+12125550100", "From": "+12125550123", "NumMedia": "0", "ApiVersion": "2010-04-01"}  # fmt: skip
    return urlencode(fields).encode()


def shopify_customer(customer: int) -> bytes:
    return dumped({
        "id": customer, "email": "ada@example.com", "created_at": "2026-03-25T14:17:02-04:00",
        "updated_at": "2026-03-25T14:17:02-04:00", "first_name": "Ada", "last_name": "Lovelace", "state": "disabled",
        "note": None, "verified_email": True, "tags": "", "currency": "USD", "phone": "+12125550123", "addresses": [],
    })  # fmt: skip


ADA = ("ada@example.com", "+12125550123")
CASES = {
    "hubspot": Case(
        dumped([hubspot_event(1, "contact.creation", 7), hubspot_event(2, "contact.propertyChange", 8)]),
        hubspot,
        [("contact.creation", "contact_created", None, None, "7"), ("contact.propertyChange", "contact_updated", None, None, "8")],
        dumped([hubspot_event(3, "contact.creation", 9)]),
    ),
    "calendly": Case(
        calendly_event("invitee.created", "I1"), calendly,
        [("invitee.created", "appointment_booked", *ADA, None)], calendly_event("invitee.canceled", "I1"),
    ),
    "typeform": Case(
        typeform_event("LtWXD3crgy"), typeform,
        [("form_response", "lead_created", *ADA, "a3a12ec67a1365927098a606107fac15")], typeform_event("other"),
    ),
    "facebook": Case(
        facebook_event(11, 12), facebook,
        [("leadgen", "lead_created", None, None, "11"), ("leadgen", "lead_created", None, None, "12")], facebook_event(13),
    ),
    "twilio": Case(
        twilio_event("SM1", "Yes & more +1"), twilio, [("received", "replied", None, "+12125550123", None)],
        twilio_event("SM2", "no"), FORM,
    ),
    "shopify": Case(
        shopify_customer(706405506930370084), shopify,
        [("customers/create", "contact_created", *ADA, "706405506930370084")], shopify_customer(8),
    ),
}  # fmt: skip


@pytest.fixture
def receiver(sqlite_store: Store, serving: Callable[..., Any]) -> Iterator[Any]:
    """A receiver with every recipe."""
    with serving(create_app(RECIPES, sqlite_store)) as client:
        yield client


def send(receiver: Any, name: str, body: bytes, headers: dict[str, str], kind: str) -> int:
    sent = {key.replace("-", "_"): value for key, value in headers.items()}
    return int(receiver.send(f"/outreach/in/{name}", body, Content_Type=kind, **sent)[0])


def test_every_recipe_of_the_page_is_tried() -> None:
    """A recipe without a documented payload is a guess."""
    assert CASES.keys() == RECIPES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_takes_what_its_platform_documents(name: str, receiver: Any, sqlite_store: Store) -> None:
    """Every event of the request, read; a retry signed anew, and a replay, are the same events."""
    case, secret = CASES[name], RECIPES[name].secrets[0]
    first = case.sign(case.body, secret, datetime.now(UTC))
    assert send(receiver, name, case.body, first, case.kind) == 202
    assert send(receiver, name, case.body, first, case.kind) == 200
    again = case.sign(case.body, secret, datetime.now(UTC) + timedelta(seconds=20))
    assert send(receiver, name, case.body, {**again, "X-Delivery-Id": "invented"}, case.kind) == 200
    read = [
        (each.type, each.kind.value, each.contact.email, each.contact.phone, each.contact.external_id)
        for each in stored_events(sqlite_store)
    ]
    assert sorted(read) == sorted(case.events)
    assert (
        send(receiver, name, case.other, case.sign(case.other, secret, datetime.now(UTC)), case.kind) == 202
    )


VARIANTS = {
    "a contact by HubSpot's newer subscriptions": (
        "hubspot", dumped([hubspot_event(4, "object.creation", 7) | {"objectTypeId": "0-1"}]), ("contact.creation", "contact_created"),
    ),
    "a company by them": (
        "hubspot", dumped([hubspot_event(5, "object.creation", 7) | {"objectTypeId": "0-2"}]), ("object.creation", "other"),
    ),
    "an appointment that moves": ("calendly", calendly_rescheduled("I1"), ("invitee.rescheduled", "other")),
    "a stop word in Twilio's own list": ("twilio", twilio_event("SM9", "Arrêt") + b"&OptOutType=STOP", ("STOP", "unsubscribed")),
    "a text by RCS": ("twilio", twilio_event("SM8", "Yes").replace(b"From=%2B", b"From=rcs%3A%2B"), ("received", "replied")),
    "a lead whose ids are numbers": (
        "facebook", facebook_event(55459717045641545).replace(b'"55459717045641545"', b"55459717045641545"), ("leadgen", "lead_created"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_else_a_platform_documents_is_read(variant: str, receiver: Any, sqlite_store: Store) -> None:
    """Other forms of the same events, and what looks like them and is another."""
    name, body, expected = VARIANTS[variant]
    signed = CASES[name].sign(body, RECIPES[name].secrets[0], datetime.now(UTC))
    assert send(receiver, name, body, signed, CASES[name].kind) == 202
    (event,) = stored_events(sqlite_store)
    assert (event.type, event.kind.value) == expected
    if name == "twilio":
        assert event.contact.phone == "+12125550123"
    if name == "facebook":
        assert event.contact.external_id == "55459717045641545"


@pytest.mark.parametrize("name", CASES)
def test_nothing_forged_is_stored(name: str, receiver: Any, sqlite_store: Store) -> None:
    """Another body, another secret, no signature, and an old one where a time is signed."""
    case, secret = CASES[name], RECIPES[name].secrets[0]
    good = case.sign(case.body, secret, datetime.now(UTC))
    assert send(receiver, name, case.other, good, case.kind) == 401
    assert (
        send(receiver, name, case.body, case.sign(case.body, secret + "x", datetime.now(UTC)), case.kind)
        == 401
    )
    assert send(receiver, name, case.body, {}, case.kind) == 401
    old = case.sign(case.body, secret, datetime.now(UTC) - timedelta(hours=1))
    if old != good:
        assert send(receiver, name, case.body, old, case.kind) == 401
    assert stored_events(sqlite_store) == []


def test_a_field_moved_within_a_form_is_no_other_event(receiver: Any, sqlite_store: Store) -> None:
    """Twilio's signature has nothing between names and values: what is signed is the event, not how it is cut."""
    source = RECIPES["twilio"]
    without_id = {**json.loads(json.dumps(extra_of("twilio"))), "id": ""}
    plain = source_settings(
        "twilio", password=source.secrets[0], extra={"platform": "custom", "custom": without_id}, url="u"
    )
    events = [
        read_events(plain, body, {}, received_at=NOW)[0].event.id
        for body in (b"Ab=c&From=x", b"A=bc&From=x", b"A=bd&From=x")
    ]
    assert events[0] == events[1] != events[2]


def extra_of(name: str) -> dict[str, Any]:
    custom = RECIPES[name].custom
    assert custom is not None
    return custom.section.model_dump(mode="json", exclude_unset=True)


def test_a_stop_word_by_twilio_is_heard(receiver: Any, sqlite_store: Store) -> None:
    """STOP in a form opts out at once, and the answer is TwiML."""
    body = twilio_event("SM3", "Stop!")
    headers = twilio(body, RECIPES["twilio"].secrets[0], datetime.now(UTC))
    sent = {key.replace("-", "_"): value for key, value in headers.items()}
    status, _, answered = receiver.send("/outreach/in/twilio", body, Content_Type=FORM, **sent)
    assert (status, answered["content-type"]) == (202, "text/xml; charset=utf-8")
    (event,) = stored_events(sqlite_store)
    assert event.kind == "unsubscribed"
    assert [each.phone for each in every_entry(sqlite_store)] == ["+12125550123"]


def test_who_told_the_carrier_to_stop_is_who_a_failed_text_went_to() -> None:
    """A status of Twilio's at the URL of what comes in: From is us there, and never listed."""
    body = b"MessageSid=SM4&MessageStatus=undelivered&ErrorCode=21610&To=%2B12125550123&From=%2B16475550199"
    (incoming,) = read_events(RECIPES["twilio"], body, {}, received_at=NOW)
    assert incoming.opt_out == OptOut(("+12125550123",), by_stop_word=True)


TOKENS = {
    "a header": ({"scheme": "token", "header": "X-Api-Key"}, {"X-Api-Key": "s" * 20}, {"X-Api-Key": "s" * 19}),
    "a bearer": ({"scheme": "token", "header": "Authorization", "prefix": "Bearer "}, {"Authorization": "Bearer " + "s" * 20}, {"Authorization": "s" * 20}),
    "basic": ({"scheme": "basic", "user": "us"}, {"Authorization": "Basic " + base64.b64encode(b"us:" + b"s" * 20).decode()}, {"Authorization": "Basic " + base64.b64encode(b"me:" + b"s" * 20).decode()}),
    "ours": ({"scheme": "token"}, {"X-Outreach-Token": "s" * 20}, {"X-Outreach-Token": "s" * 21}),
}  # fmt: skip


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_opens_and_another_does_not(
    case: str, sqlite_store: Store, serving: Callable[..., Any]
) -> None:
    """In a header of the platform's own, behind a prefix, or as a password."""
    verify, good, bad = TOKENS[case]
    custom = {"type": "{{ body.event }}", "person": "{{ body.lead }}", "verify": verify}
    source = source_settings(
        "s", password="s" * 20, extra={"platform": "custom", "custom": json.dumps(custom)}
    )
    body = dumped({"event": "replied", "lead": {"firstName": "Ada", "phone": "+12125550123"}})
    with serving(create_app({"s": source}, sqlite_store)) as client:
        assert send(client, "s", body, bad, "application/json") == 401
        assert send(client, "s", body, {}, "application/json") == 401
        assert send(client, "s", body, good, "application/json") == 202
        assert send(client, "s", body, good, "application/json") == 200
        assert send(client, "s", body, good, FORM) == 415
    (event,) = stored_events(sqlite_store)
    assert (event.kind, event.contact.first_name, event.contact.phone) == ("replied", "Ada", "+12125550123")
    assert event.data["lead"]["firstName"] == "Ada"


WITHOUT_BRACES: dict[str, Any] = {
    "type": "event", "id": "meta.id", "time": "meta.sent-at", "campaign": "body.meta.form",
    "contact": {"email": "lead.e-mail", "phone": "lead.phones.1", "external_id": "lead.key"},
    "scheme": "hmac", "header": "X-Sig",
}  # fmt: skip


def test_keys_without_braces_are_places_and_two_events_are_two(
    sqlite_store: Store, serving: Callable[..., Any]
) -> None:
    """Of each field, and with the proof beside them: no two events share an id, a person or a type that nobody sent."""
    source = source_settings("s", password="s" * 20, extra={"platform": "custom", "custom": WITHOUT_BRACES})

    def request(number: int) -> bytes:
        lead = {"e-mail": f"a{number}@x.ca", "phones": ["none", f"+1416555010{number}"], "key": number}
        meta = {"id": f"m{number}", "sent-at": "2026-03-25T18:00:00Z", "form": 7}
        return dumped({"event": "replied", "meta": meta, "lead": lead})

    with serving(create_app({"s": source}, sqlite_store)) as client:
        for number, answer in ((1, 202), (2, 202), (1, 200)):
            body = request(number)
            signed = {"X-Sig": hmac.new(b"s" * 20, body, "sha256").hexdigest()}
            assert send(client, "s", body, signed, "application/json") == answer
        assert send(client, "s", request(3), {"X-Sig": "0" * 64}, "application/json") == 401
    told = [(each.kind, each.contact.email, each.contact.phone, each.contact.external_id, each.campaign_id)
            for each in stored_events(sqlite_store)]  # fmt: skip
    assert sorted(told) == [
        ("replied", "a1@x.ca", "+14165550101", "1", "7"),
        ("replied", "a2@x.ca", "+14165550102", "2", "7"),
    ]


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ({"type": "lead"}, ("lead", None, None)),
        ({"type": "lead.sent", "campaign": "spring"}, ("lead.sent", "spring", None)),
        ({"type": "event", "types": {"event": "replied"}}, ("event", None, None)),
        ({"type": "replied", "campaign": "tag"}, ("replied", "9", None)),
        ({"type": "tag"}, ("9", None, None)),
        ({"type": "data"}, ("data", None, None)),
        ({"type": "event", "contact": "data.who"}, ("sent", None, "ada@x.ca")),
        ({"type": "event", "contact": {"email": "data.nobody"}}, ("sent", None, None)),
    ],
)
def test_a_word_that_is_no_place_stands_for_itself_where_it_can(custom: Any, expected: Any) -> None:
    """A type and a campaign may be the same for every event; a contact may be the place of the person."""
    body = {"event": "sent", "replied": "x", "tag": 9, "data": {"who": {"email": "ada@x.ca"}}}
    source = source_settings("s", password="s" * 20, extra={"platform": "custom", "custom": custom})
    (read,) = read_events(source, dumped(body), {}, received_at=NOW)
    assert (read.event.type, read.event.campaign_id, read.event.contact.email) == expected


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "items"])
def test_a_request_of_thousands_of_events_is_read_whole_or_not_taken(
    path: str, sqlite_store: Store, serving: Callable[..., Any]
) -> None:
    """Each of them is an event with its opt-out; too many are refused, and nothing of them is stored."""
    custom = {
        "type": "{{ body.event }}",
        "contact": {"phone": "{{ body.from }}"},
        "events": path,
        "verify": {"scheme": "github"},
    }
    source = source_settings(
        "s", password="s" * 20, extra={"platform": "custom", "custom": json.dumps(custom)}
    )

    def request(many: int) -> bytes:
        found = [{"event": "unsubscribed", "from": f"+1416555{each:04}"} for each in range(many)]
        return dumped({path: found} if path else found)

    with serving(create_app({"s": source}, sqlite_store)) as client:
        for body, answer in ((request(1_001), 202), (request(1_001), 200), (request(10_001), 413)):
            digits = hmac.new(b"s" * 20, body, "sha256").hexdigest()
            signed = {"X-Hub-Signature-256": f"sha256={digits}"}
            assert send(client, "s", body, signed, "application/json") == answer
    events = stored_events(sqlite_store)
    assert len(events) == 1_001
    assert {each.kind for each in events} == {"unsubscribed"}
    assert len(list(every_entry(sqlite_store))) == 1_001


MISTAKES = {
    "no object": ("x", "needs 'custom' in the extra"),
    "no type": ({}, "custom.type is missing"),
    "an unknown key": ({"type": "x", "contat": {}}, "custom.contat is unknown — did you mean 'contact'?"),
    "an unknown field": ({"type": "x", "contact": {"fone": "y"}}, "custom.contact.fone is unknown — did you mean 'phone'?"),
    "a secret for a key": ({"type": "x", "verify": {"scheme": "github", "sk_live_4242": 1}}, "custom.verify: 'sk_l…' (12 characters) is unknown"),
    "a secret of another form": ({"type": "x", "verify": {"scheme": "standard-webhooks"}}, "signing secret 1 does not fit standard-webhooks"),
    "a wrong expression": ({"type": "{{ row.x }}"}, "custom.type: unknown name 'row'"),
    "an unknown kind": ({"type": "x", "types": {"r": "replyed"}}, "did you mean 'replied'?"),
    "a hash without a header": ({"type": "x", "verify": {"scheme": "hmac"}}, "needs 'header'"),
    "a body that is not signed": ({"type": "x", "verify": {"scheme": "hmac", "header": "X", "signed": "{timestamp}"}}, "neither {body} nor {form}"),
    "a time from nowhere": ({"type": "x", "verify": {"scheme": "hmac", "header": "X", "signed": "{body}{timestamp}"}}, "timestamp_header"),
    "an unknown part": ({"type": "x", "verify": {"scheme": "hmac", "header": "X", "signed": "{bdy}{body}"}}, "{bdy} is unknown"),
    "a form that is none": ({"type": "x", "verify": {"scheme": "hmac", "header": "X", "signed": "{form}"}}, "set custom.form to true"),
    "an unknown scheme": ({"type": "x", "verify": {"scheme": "rot13"}}, "custom.verify.scheme"),
    "basic without a user": ({"type": "x", "verify": {"scheme": "basic"}}, "needs 'user'"),
    "an algorithm of a scheme that has its own": (
        {"type": "x", "verify": {"scheme": "github", "algorithm": "sha1"}}, "algorithm has no effect with scheme github",
    ),
    "a header of none": ({"type": "x", "scheme": "basic", "user": "u", "header": "X"}, "header has no effect with scheme basic"),
    "a handshake for anybody": ({"type": "x", "handshake": {"query": "c"}}, "needs 'token_query' and a 'token'"),
    "a hash that is not asked for": ({"type": "x", "handshake": {"body": "c", "hash_prefix": "sha256="}}, "no effect without 'hash_key'"),
    "open and with a token": ({"type": "x", "handshake": {"query": "c", "open": True, "token": "t" * 8}}, "there is no token"),
    "a hash that signs forms too": (
        {"type": "x", "form": True, "verify": {"scheme": "hmac", "header": "X"}, "handshake": {"query": "c", "hash_key": "h"}},
        "a form is signed by the same hash",
    ),
    "one id for all": ({"type": "x", "id": "the event"}, "id is the same for every event"),
    "no path": ({"type": "x", "events": "a..b"}, "dots between them"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named(case: str) -> None:
    """What, where, and what to write."""
    custom, expected = MISTAKES[case]
    with pytest.raises(ConfigurationError) as caught:
        source_settings("crm", password="s" * 20, extra={"platform": "custom", "custom": custom})
    assert str(caught.value).startswith("connection 'crm': ")
    assert expected in str(caught.value)


PROOFS = st.builds(
    HmacProof,
    st.just("X-Sig"),
    st.sampled_from(["sha256", "sha1", "sha512"]),
    st.sampled_from(["hex", "base64"]),
    st.sampled_from(["", "sha256=", "v1:"]),
    st.sampled_from(
        ["{body}", "{timestamp}.{body}", "{id}{method}{url}{body}{timestamp}", "v0:{timestamp}:{body}"]
    ),
    st.just("X-Time"),
    st.just("X-Id"),
    st.just("https://u"),
)


@pytest.mark.slow
@given(PROOFS, st.binary(max_size=50), st.binary(max_size=50), st.text("ab", min_size=16, max_size=20))
def test_what_was_signed_is_taken_and_nothing_else(
    proof: HmacProof, body: bytes, other: bytes, secret: str
) -> None:
    """The law of a proof: its own headers prove the body, with any of the secrets, and no other body, nor secret."""
    headers = proof.headers(body, secret, "m1", NOW)
    proof.check(body, headers, ["c" * 16, secret], NOW, 300)
    if other != body:
        with pytest.raises(SignatureError):
            proof.check(other, headers, [secret], NOW, 300)
    with pytest.raises(SignatureError):
        proof.check(body, headers, [secret + "c"], NOW, 300)
    if proof.dated:
        with pytest.raises(SignatureError):
            proof.check(body, headers, [secret], NOW + timedelta(seconds=302), 300)


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["entry", "changes", "x"]), inner, max_size=3)
        ),
        max_leaves=30,
    )
)
def test_every_body_is_kept(value: Any) -> None:
    """Whatever a proven body holds, at least one event comes of it, each stored as JSON that reads again."""
    events = read_events(RECIPES["facebook"], dumped(value), {}, received_at=NOW)
    assert events
    for each in events:
        json.loads(each.body)
    assert len({each.event.id for each in events}) >= 1


LISTED = st.fixed_dictionaries({"changes": st.lists(st.integers(0, 9), max_size=3)})
NOT_LISTED = st.sampled_from(
    [{"messaging": [{"text": "STOP", "from": "+12125550123"}]}, 7, "x", {"changes": None}]
)


@given(st.lists(LISTED | NOT_LISTED, max_size=5))
def test_what_stands_among_lists_of_events_is_kept(entries: list[Any]) -> None:
    """An element on the way that has no list is an event too, in its place, and who says no in it is heard."""
    source = RECIPES["facebook"]
    listed = [each for entry in entries if isinstance(entry, dict) for each in entry.get("changes") or []]
    events = read_events(source, dumped({"object": "page", "entry": entries}), {}, received_at=NOW)
    if not listed:
        assert len(events) == 1
        return
    expected: list[Any] = []
    for entry in entries:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        expected += [entry] if changes is None else changes
    assert [json.loads(each.body) for each in events] == expected
    said = [each.opt_out.numbers for each in events if each.opt_out]
    assert said == [("+12125550123",)] * sum(
        "messaging" in each for each in entries if isinstance(each, dict)
    )


PART = st.sampled_from(["", "a", "b", 7, "u" * 600 + "1", "u" * 600 + "2"]) | st.none()
IDS = ["{{ body.a }} {{ body.b.c }}", "{{ body.a ~ '-' ~ body.b.c }}", "{{ body.a }}-{{ body.b.c | upper }}"]


@pytest.mark.slow
@pytest.mark.parametrize("template", IDS)
@given(first=st.tuples(PART, PART), second=st.tuples(PART, PART))
def test_an_id_is_one_events_or_none(template: str, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
    """Of an id that is made of several fields each has to be there, and all of it counts: else the body says which event."""
    custom = {"type": "lead", "id": template, "verify": {"scheme": "github"}}
    source = source_settings("s", password="s" * 20, extra={"platform": "custom", "custom": custom})

    def identity(parts: tuple[Any, Any], **more: Any) -> str:
        body = {"a": parts[0], "b": {"c": parts[1]}, **more}
        return read_events(source, dumped(body), {}, received_at=NOW)[0].event.id

    assert (identity(first) == identity(second)) is (first == second)
    is_whole = None not in first and "" not in first
    assert (identity(first) == identity(first, more=1)) is is_whole


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(["m1", "m2", "m3"]), st.integers(0, 200)), min_size=1, max_size=5))
def test_a_signed_id_tells_messages_apart(sent: list[tuple[str, int]]) -> None:
    """By Standard Webhooks a message has its id in every retry: one body under two ids is two events, however late."""
    secret = "whsec_" + base64.b64encode(b"s" * 24).decode()
    custom = {"type": "{{ body.type }}", "verify": {"scheme": "standard-webhooks"}}
    source = source_settings("s", password=secret, extra={"platform": "custom", "custom": custom})
    found: dict[str, set[str]] = {}
    body = b'{"type": "opened", "contact": {"email": "ada@example.com"}}'
    for message, ago in sent:
        at = NOW - timedelta(seconds=ago)
        headers = sign(Scheme.STANDARD_WEBHOOKS, body, [secret], message_id=message, now=at)
        authenticate(source, body, headers, token=None, now=NOW)
        (read,) = read_events(source, body, headers, received_at=NOW + timedelta(hours=ago))
        assert read.fingerprint is None
        found.setdefault(message, set()).add(read.event.id)
    assert all(len(each) == 1 for each in found.values())
    assert len(set.union(*found.values())) == len(found)


IN_HEADERS: dict[str, Any] = {
    "verify": {"scheme": "hmac", "header": "X-Signature", "encoding": "hex"},
    "type": "{{ headers.x_topic }}",
    "campaign": "{{ headers['X-Form'] | upper }}",
    "contact": {"email": "{{ headers['x-contact'] or body.email }}"},
}


def in_headers(**more: Any) -> SourceSettings:
    extra = {"platform": "custom", "custom": {**IN_HEADERS, **more}}
    return source_settings("s", password="s" * 20, extra=extra, url="u")


@given(st.sampled_from(["X-Topic", "x-topic", "X-TOPIC", "X-Topic"]), st.sampled_from(["X-Form", "x-form"]))
def test_fields_are_read_from_headers_in_any_case(topic: str, form: str) -> None:
    """Under a dot with _ for -, or in brackets as they are written."""
    headers = {topic: "lead_created", form: "spring", "X-CONTACT": "ada@example.com"}
    (read,) = read_events(in_headers(), b"{}", headers, received_at=NOW)
    event = read.event
    assert (event.kind, event.campaign_id, event.contact.email) == (
        "lead_created",
        "SPRING",
        "ada@example.com",
    )


@pytest.mark.slow
@given(st.lists(st.sampled_from(["replied", "lead_created", "opened"]), max_size=6), st.booleans())
def test_one_body_under_two_types_is_two_events_and_a_retry_is_none(types: list[str], dated: bool) -> None:
    """Where the type stands in a header, each type counts, however often it comes and whatever id a header invents."""
    source = in_headers(delivery_header="X-Delivery", **({"time": "{{ body.at }}"} if dated else {}))
    body = b'{"at": "2026-03-25T18:17:02Z"}'
    ids = {
        read_events(source, body, {"X-Topic": each, "X-Delivery": str(place)}, received_at=NOW)[0].event.id
        for place, each in enumerate(types)
    }
    assert len(ids) == len(set(types))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"id": "{{ headers.x_id }}"}, "name it in delivery_header"),
        ({"time": "{{ headers['X-At'] }}"}, "leave it out"),
        ({"type": "{{ headers.authorization }}"}, "holds a secret by its name"),
        ({"contact": {"phone": "{{ headers['X-Auth-Token'] }}"}}, "holds a secret by its name"),
        ({"type": "{{ header.x_topic }}"}, "did you mean"),
    ],
)
def test_what_no_header_can_say_is_told(more: dict[str, Any], words: str) -> None:
    """An id or a time that no signature covers, and what opens a door."""
    with pytest.raises(ConfigurationError, match=words):
        in_headers(**more)


def test_an_event_of_a_header_is_read_again_after_an_upgrade(sqlite_store: Store) -> None:
    """Its stored headers are looked at, so that a type which is new to the connection becomes known."""
    blind = in_headers(type="{{ body.type }}")
    (read,) = read_events(blind, b"{}", {"X-Topic": "replied"}, received_at=NOW)
    assert read.event.kind == "unrecognised"
    append(sqlite_store, [read])
    assert read_unrecognised_again(sqlite_store, lambda _name: in_headers()) == 1
    assert [each.kind for each in stored_events(sqlite_store)] == ["replied"]
