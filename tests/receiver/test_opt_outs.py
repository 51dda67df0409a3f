"""No means no on receipt: STOP and unsubscribe of each platform, no route running, then the person's lead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from stored import stored_events

from airflow_outreach_provider.core.notices import Notice, NoticeKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.platforms.custom import custom_source
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.services.events.ingest import read_unrecognised_again, utc_now
from airflow_outreach_provider.services.notices import tell
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import leads

SECRET = "a-signing-secret-of-ours"
TOKEN = "a-token-nobody-can-guess"
OLD, LINE = "+5215512345678", "+525512345678"
AT = "2026-03-25T18:30:00Z"


@pytest.fixture
def client(store: Store, sources: dict[str, SourceSettings], serving: Callable[..., Any]) -> Iterator[Any]:
    """A receiver on the store of this test, on each database in turn."""
    with serving(create_app(sources, store)) as client:
        yield client


def send(client: Any, platform: str, body: dict[str, Any]) -> None:
    """One event as its platform sends and proves it."""
    raw = json.dumps(body).encode()
    if platform == "varda":
        status, *_ = client.varda(raw)
    elif platform == "autoreach":
        status, *_ = client.send(
            "/in/autoreach", raw, **sign(Scheme.AUTOREACH, raw, [SECRET], message_id="m", now=utc_now())
        )
    else:
        status, *_ = client.send(f"/in/{platform}?token={TOKEN}", raw)
    assert status == 202


def lead(store: Store, row: dict[str, str], **rules: Any) -> tuple[str, str]:
    """What becomes of a lead now: state and reason; nobody is texted."""

    @asynccontextmanager
    async def nobody() -> AsyncIterator[Any]:
        yield None

    options = SubmitOptions(
        LeadRules(configuration_id="on", **rules), dry_run=True, max_rejected=RejectLimit(None, None)
    )
    run = SubmitRun(store, nobody(), read_list([row]), options, owner=Owner("lead"))
    [(state, reason)] = loop.run(run.run()).reasons
    return state, reason


def is_stopped(store: Store, row: dict[str, str], reason: str = "do_not_contact", **rules: Any) -> bool:
    return lead(store, row, **rules) == ("suppressed", reason)


SMS = {"name": "Jane", "phone": OLD}
MAIL = {"email": "Jane.Doe@Example.com"}


def messages(text: str) -> list[tuple[str, dict[str, Any]]]:
    """A message from the person on each platform, in the shapes they are known to have."""
    return [
        ("tether", {"event": "message.received", "timestamp": AT, "contact": {"phoneNumber": OLD}, "message": text}),
        ("tether", {"event": "message.received", "phoneNumber": OLD, "message": {"body": text, "direction": "inbound"}}),
        ("tether", {"type": "message.received", "timestamp": AT, "data": {"contact": {"phone": OLD}, "text": text}}),
        ("tether", {"event": "replied", "timestamp": AT, "contacts": {"phoneNumber": OLD}, "content": text}),
        ("tether", {"event": "sms.inbound", "timestamp": AT, "contact": {"phoneNumber": OLD}, "body": text}),
        ("supersend", {"type": "reply", "CampaignId": "c", "contact": {"id": "1", **SMS}, "message": text}),
        ("supersend", {"event": "reply", "timestamp": AT, "CampaignId": "c", "ContactId": "1",
                       "details": {"contact": SMS, "body": text}}),
        ("varda", {"event": "message.created", "timestamp": AT,
                   "data": {"id": 1, "direction": "inbound", "sender_type": "contact", "content": text, "contact": {"id": 4, **SMS}}}),
        ("varda", {"event": "message.created", "timestamp": AT,
                   "data": {"id": 1, "sender_type": "contact", "content": text, "contact": {"id": 4, **SMS}}}),
        ("autoreach", {"event": "Reply Received", "timestamp": AT, "data": {"content": text, "lead": SMS}}),
        ("autoreach", {"type": "reply_received", "timestamp": AT, "payload": {"message": {"content": text}, "lead_id": "1", **SMS}}),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(messages(""))))
def test_stop_on_any_platform_stops_the_person_at_once(client: Any, store: Store, number: int) -> None:
    """A stop word alone, from a number in a writing of former days: the event is an unsubscribe, the lead stopped."""
    platform, body = messages(" Stop. ")[number]
    send(client, platform, body)
    [event] = stored_events(store)
    assert (event.kind, event.contact.phone) == ("unsubscribed", LINE)
    [row] = suppressions.entries(store, phone=LINE).rows
    assert (row.reason, row.source) == ("unsubscribed", f"event {event.id} of {platform}")
    for written in (LINE, OLD, "55 1234 5678", "52 1 55 1234 5678"):
        assert is_stopped(store, {"phone": written}, default_region="MX")
    started = messages("START")[number][1]
    send(
        client, platform, started | ({"timestamp": "2026-03-25T18:40:00Z"} if "timestamp" in started else {})
    )
    assert lead(store, {"phone": LINE}) == ("planned", "would_be_sent")


@pytest.mark.parametrize(
    "text",
    ["Please stop. Thanks", "Hi, remove me from your list now", "Стоп, пожалуйста",
     "<html><head><style>P{margin:0}</style></head><body><div>STOP</div><hr><b>From:</b> Ann</body></html>",
     "STOP\n\nOn Mon, Mar 2, 2026 at 10:00 AM Ann <ann@example.com>\nwrote:\n\n" + "> Hello Jane\n" * 3_000],
    ids=range(5),
)  # fmt: skip
def test_a_no_is_heard_whatever_stands_around_it(client: Any, store: Store, text: str) -> None:
    """Courtesies, a greeting, the markup of a mail program, a long quote: the person is not texted again."""
    send(client, *messages(text)[0])
    assert stored_events(store)[0].kind == "unsubscribed"
    assert is_stopped(store, {"phone": LINE})


@pytest.mark.parametrize("number", range(len(messages(""))))
def test_a_reply_that_says_more_stops_nobody(client: Any, store: Store, number: int) -> None:
    """ "Please stop by tomorrow" is a reply like any other."""
    platform, body = messages("Please stop by tomorrow")[number]
    send(client, platform, body)
    assert stored_events(store)[0].kind != "unsubscribed"
    assert suppressions.entries(store).rows == []


@pytest.mark.parametrize(
    ("platform", "body"),
    [
        ("tether", {"event": "message.sent", "contact": {"phoneNumber": OLD}, "message": "STOP"}),
        ("tether", {"event": "message.received", "contact": {"phoneNumber": OLD}, "message": {"text": "STOP", "direction": "outbound"}}),
        ("varda", {"event": "message.created", "timestamp": AT, "data": {"direction": "outbound", "content": "STOP", "contact": SMS}}),
        ("varda", {"event": "message.created", "timestamp": AT, "data": {"sender_type": "agent", "content": "STOP", "contact": SMS}}),
        ("autoreach", {"event": "Message Sent", "timestamp": AT, "data": {"content": "STOP", "lead": SMS}}),
        ("autoreach", {"event": "AI Response Sent", "timestamp": AT, "data": {"content": "STOP", "lead": SMS}}),
        ("supersend", {"type": "sent", "contact": SMS, "message": "STOP"}),
        ("supersend", {"type": "bounce", "contact": {**SMS, **MAIL}}),
        ("supersend", {"type": "interest", "contact": {**SMS, "interest": "not_interested"}}),
    ],
)  # fmt: skip
def test_what_we_wrote_and_what_routes_decide_stops_nobody_on_receipt(
    client: Any, store: Store, platform: str, body: dict[str, Any]
) -> None:
    """Only the person's own word counts at once; a bounce or no interest is for routes, as ever."""
    send(client, platform, body)
    assert suppressions.entries(store).rows == []


UNSUBSCRIBES = [
    ("supersend", {"type": "unsubscribe", "CampaignId": "c", "contact": {"id": "1", "phone": None, **MAIL}}),
    ("supersend", {"event": "unsubscribe", "timestamp": AT, "ContactId": "1", "details": {"contact": MAIL}}),
    ("supersend", {"type": "click", "contact": {**MAIL, "unsubscribed": True}}),
    ("tether", {"event": "unsubscribed", "contact": MAIL}),
    ("tether", {"event": "contact.opted_out", "contact": MAIL}),
    ("tether", {"event": "message.received", "contact": MAIL, "message": "unsubscribe"}),
    ("varda", {"event": "contact.updated", "timestamp": AT, "data": {"id": 1, "status": "unsubscribed", **MAIL}}),
    ("varda", {"event": "message.created", "timestamp": AT,
               "data": {"direction": "inbound", "content": "<p>Stop</p>", "contact": {"id": 1, **MAIL}}}),
    ("autoreach", {"event": "Reply Received", "timestamp": AT, "data": {"content": "Arrêt", "lead": MAIL}}),
    ("autoreach", {"event": "Lead Unsubscribed", "timestamp": AT, "data": MAIL}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("platform", "body"), UNSUBSCRIBES)
def test_an_unsubscribe_that_knows_only_an_address_stops_a_later_lead_with_it(
    client: Any, store: Store, platform: str, body: dict[str, Any]
) -> None:
    """In any campaign, in both formats, sent or only in the row; the address itself is not on the list."""
    send(client, platform, body)
    row = {"phone": "+14165550101", "email": " jane.doe@example.com"}
    nested = {"contacts.phoneNumber": "phone", "contacts.email": "email"}
    assert is_stopped(store, row, "opted_out_email")
    assert is_stopped(store, row, "opted_out_email", campaign="autumn")
    assert is_stopped(store, row, "opted_out_email", payload_format="fixed")
    assert is_stopped(store, row, "opted_out_email", payload_format="fixed", mapping=nested)
    assert is_stopped(store, row, "opted_out_email", mapping={"phoneNumber": "phone"})
    assert is_stopped(
        store, {"phone": "+14165550101", "E-Mail Address": "Jane <JANE.DOE@example.com>"}, "opted_out_email"
    )
    assert lead(store, {**row, "email": "john.doe@example.com"}) == ("planned", "would_be_sent")
    with store.read() as connection:
        stored = connection.execute(sa.text("SELECT phone, source FROM suppressions")).all()
    assert "jane" not in str(stored).lower()


@pytest.mark.parametrize(
    "columns",
    [{"email": "jane.doe@example.com; john@example.com"}, {"email": "john@example.com, jane.doe@example.com"}, {"email": "john@example.com/jane.doe@example.com"},
     {"email": "n/a", "Work Email": "jane.doe@example.com"}, {"email": "john@example.com", "Home Email": "jane.doe@example.com"},
     {"email": "jane.doe%40example.com"}, {"Adresse électronique": "jane.doe@example.com"}],
)  # fmt: skip
def test_an_opt_out_of_any_address_of_a_lead_stops_it(
    client: Any, store: Store, columns: dict[str, str]
) -> None:
    """Several in a cell, and several columns: each is the person's, and one no is enough."""
    send(client, "tether", {"event": "unsubscribed", "contact": MAIL})
    assert is_stopped(store, {"phone": "+14165550101", **columns}, "opted_out_email")
    others = [
        {"phone": "+14165550102", "email": "john@example.com; ann@example.com"},
        {"phone": "+14165550103", "email": "n/a"},
    ]
    for row in others:
        assert lead(store, row) == ("planned", "would_be_sent")


def test_an_unsubscribe_with_several_addresses_lists_each(client: Any, store: Store) -> None:
    """In one field of the event, as platforms write what somebody typed."""
    send(
        client,
        "tether",
        {"event": "unsubscribed", "contact": {"email": "ann@example.com; jane.doe@example.com"}},
    )
    for email in ("ann@example.com", "jane.doe@example.com"):
        assert is_stopped(store, {"phone": "+14165550101", "email": email}, "opted_out_email")


@pytest.mark.parametrize(
    ("written", "line"),
    [("0171 1234567 neu", "+491711234567"), ("0171 1234567/8", "+491711234567"), ("+49 (0)171/1234567", "+491711234567"),
     ("00491711234567", "+491711234567"), ("4915123456789", "+4915123456789"), ("+22507123456", "+2250707123456"),
     ("+551187654321", "+5511987654321"), ("+4901711234567", "+491711234567"), ("+1 416 555 0123 ext 4", "+14165550123")],
)  # fmt: skip
def test_an_opt_out_counts_however_its_platform_writes_the_number(
    store: Store, written: str, line: str, serving: Any
) -> None:
    """What no text would be sent to still says whom not to text."""
    source = SourceSettings("german", "tether", (TOKEN,), default_region="DE")
    with serving(create_app({"german": source}, store)) as client:
        body = {"event": "unsubscribed", "contact": {"phoneNumber": written}}
        assert client.send(f"/in/german?token={TOKEN}", body)[0] == 202
    assert is_stopped(store, {"phone": line})


def unsubscribes(number: str) -> list[tuple[str, dict[str, Any]]]:
    """An unsubscribe that is an event of its own, on each platform, in the shapes that know a number."""
    who = {"name": "Jane", "phone": number}
    return [
        ("tether", {"event": "unsubscribed", "timestamp": AT, "contact": {"phoneNumber": number}}),
        ("tether", {"event": "contact.opted_out", "timestamp": AT, "contacts": {"phoneNumber": number}}),
        ("supersend", {"type": "unsubscribe", "CampaignId": "c", "contact": {"id": "1", **who}}),
        ("supersend", {"event": "unsubscribe", "timestamp": AT, "ContactId": "1", "details": {"contact": who}}),
        ("varda", {"event": "contact.updated", "timestamp": AT, "data": {"id": 1, "status": "unsubscribed", **who}}),
        ("autoreach", {"event": "Lead Unsubscribed", "timestamp": AT, "data": {"lead": who}}),
    ]  # fmt: skip


LEGACY = [
    ("+5215512345678", "+525512345678"),  # Mexico's 1 before mobiles
    ("+54 11 15 2345-6789", "+5491123456789"),  # Argentina's 15 in place of its 9
    ("+4901711234567", "+491711234567"),  # a trunk zero after the country code
    ("+22507123456", "+2250707123456"),  # Côte d'Ivoire before 2021
    ("+551187654321", "+5511987654321"),  # Brazil's mobiles without their 9
    ("+22997123456", "+2290197123456"),  # Benin before 2024
    ("+841231234567", "+84831234567"),  # Viet Nam before 2018
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(unsubscribes("")) + len(messages(""))))
def test_unsubscribe_and_stop_of_each_platform_stop_the_line_in_every_writing(
    client: Any, store: Store, number: int
) -> None:
    """The event bears a writing of former days; the lead comes in that of today, or in the old one."""
    for written, line in LEGACY:
        platform, body = [*unsubscribes(written), *messages("STOP")][number]
        assert lead(store, {"phone": line}) == ("planned", "would_be_sent")
        send(client, platform, json.loads(json.dumps(body).replace(OLD, written)))
        assert is_stopped(store, {"phone": line})
        assert lead(store, {"phone": written})[0] != "planned"


def test_an_installation_may_have_stop_words_of_its_own(store: Store, serving: Any) -> None:
    """``[outreach] stop_words`` reaches the receiver with its sources."""
    from airflow_outreach_provider.core.stop_words import stop_words

    source = SourceSettings("own", "tether", (TOKEN,), stop_words=stop_words("Genug"))
    with serving(create_app({"own": source}, store)) as client:
        body = {"event": "message.received", "contact": {"phoneNumber": LINE}, "message": "GENUG!"}
        assert client.send(f"/in/own?token={TOKEN}", body)[0] == 202
    assert is_stopped(store, {"phone": LINE})


BY_ID = [
    ("tether", {"event": "contact.created", "contact": {"_id": "64f0", **SMS}}, {"event": "message.received", "contact": {"_id": "64f0"}, "text": "STOP"}),
    ("supersend", {"type": "open", "contact": {"id": "7", **SMS}}, {"event": "unsubscribe", "ContactId": "7", "timestamp": AT}),
    ("varda", {"event": "contact.created", "timestamp": AT, "data": {"id": 7, **SMS}},
     {"event": "message.created", "timestamp": AT, "data": {"direction": "inbound", "content": "stop", "contact": {"id": 7}}}),
    ("autoreach", {"event": "Lead Created", "timestamp": AT, "data": {"lead": {"id": "7", **SMS}}},
     {"event": "Reply Received", "timestamp": AT, "data": {"content": "Stopp", "lead_id": "7"}}),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "before", "no"), BY_ID, ids=[each[0] for each in BY_ID])
def test_a_no_that_names_its_contact_by_id_alone_stops_the_person(
    client: Any, store: Store, platform: str, before: dict[str, Any], no: dict[str, Any]
) -> None:
    """Who the id is, earlier events of the source tell; the same id elsewhere is somebody else."""
    send(client, platform, before)
    other = {"event": "contact.created", "timestamp": AT, "data": {"id": 7, "phone": "+14165550102"}}
    if platform != "varda":
        send(client, "varda", other)
    send(client, platform, no)
    assert is_stopped(store, {"phone": LINE})
    assert lead(store, {"phone": "+14165550102"}) == ("planned", "would_be_sent")


def test_a_no_is_heard_of_a_contact_whose_id_only_its_lead_bears(client: Any, store: Store) -> None:
    """The outreach API's answer told the contact's id when the lead was accepted."""
    with store.write() as connection:
        connection.execute(
            leads.insert().values(
                campaign="spring", phone=LINE, state="accepted", contact_id="64f0", created_at=store.now(connection), updated_at=store.now(connection)
            )
        )  # fmt: skip
    send(client, "tether", {"event": "unsubscribed", "contact": {"_id": "64f0"}})
    assert is_stopped(store, {"phone": OLD})


def test_a_no_that_names_nobody_is_told_once_a_day_for_its_source(client: Any, store: Store) -> None:
    """Somebody has to look whose it is; the notice bears the event's id and nothing of its text."""
    heard: list[Notice] = []
    for text in ("STOP", "Stop!"):
        send(client, "tether", {"event": "message.received", "text": text, "to": "+14165550199"})
    send(client, "tether", {"event": "message.received", "text": "STOP", "contactId": "c1"})
    tell(store, [], heard.append)
    [notice] = heard
    assert (notice.kind, notice.subject) == (NoticeKind.OPT_OUT_OF_NOBODY, "tether")
    ids = [event.id for event in stored_events(store)]
    assert notice.detail in [f"event {each} opts out and names nobody" for each in ids]
    assert suppressions.entries(store).rows == []


@pytest.mark.parametrize(
    "body",
    [
        {"phoneNumber": OLD, "message": "STOP"},
        {
            "events": [
                {"event": "message.received", "contact": {"phone": OLD}, "text": "Stop please"},
                {"event": "sms"},
            ]
        },
        [{"event": "contact.updated", "contact": {"phone": OLD, "optedOut": True}}],
        {"record": {"phone": OLD, "do_not_contact": "yes"}},
    ],
    ids=["no event's name", "a list of events", "a bare list", "a record alone"],
)
def test_a_no_in_a_shape_of_nobodys_is_heard(client: Any, store: Store, body: Any) -> None:
    """What is sent without an event's name, or several at once, is kept, and its person is not texted."""
    send(client, "tether", body)
    assert is_stopped(store, SMS)


def test_a_no_that_is_read_later_is_heard(store: Store, serving: Any) -> None:
    """A source whose fields stood elsewhere than its connection said: mended and read again, its opt-outs count."""

    def source(type_: str) -> SourceSettings:
        custom = {"type": type_, "contact": {"external_id": "{{ body.who.key }}"}}
        return SourceSettings("ours", "custom", (TOKEN,), custom=custom_source("connection 'ours'", custom))

    body = {
        "what": {"name": "profile.changed"},
        "who": {"key": "k-1", "mobile": OLD, "sms_opted_out": "true"},
    }
    with serving(create_app({"ours": source("{{ body.name }}")}, store)) as client:
        client.send(f"/in/ours?token={TOKEN}", json.dumps(body).encode())
    [event] = stored_events(store)
    assert event.kind == "unrecognised"
    with store.write() as connection:  # as before this version, which heard it at once
        connection.execute(sa.text("DELETE FROM suppressions"))
    assert not is_stopped(store, SMS)
    assert read_unrecognised_again(store, {"ours": source("{{ body.what.name }}")}.get) == 1
    assert is_stopped(store, SMS)
