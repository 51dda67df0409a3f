"""*Try it* for a route: an event through its filter, and the request that would be sent; nothing is sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

ACTION = {"X-Outreach-Action": "1"}
# How deep Python reads, it says itself: from 3.14 on so deep that it comes to the end.
DEEP = "line 1, column 60001" if sys.version_info >= (3, 14) else "not JSON that can be read"
AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
XSS = "<img src=x onerror=window.pwned=1>"
SECRET, KEY = "whsec_dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJz", "a-key-of-the-crm"
MAIL = "jane.roe@example.com"
YAML = """
event_routes:
  hot:
    kinds: [interested]
    where: data.score > 10
    deliver:
      endpoint: tried_crm
      method: PUT
      path: contacts/{{ contact.email }}
      query: {from: outreach, who: "{{ contact.phone }}"}
      headers: {X-Campaign: "{{ campaign_id }}"}
      payload: {mail: "{{ contact.email }}", known_as: "{{ saved.crm_id }}", score: "{{ data.score }}"}
  raw:
    kinds: [interested]
    deliver: {endpoint: tried_crm, payload: received}
  listed:
    kinds: [unsubscribed]
    deliver: {suppress: true}
"""
HOT, RAW, LISTED = (f"outreach_event_route__{name}" for name in ("hot", "raw", "listed"))
Site = Callable[..., Any]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


@pytest.fixture
def known(airflow_knows: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three routes, and the endpoint of two of them, with a secret and a key."""
    from airflow_outreach_provider.web import connections

    airflow_knows(YAML)
    extra = {"signature": "standard-webhooks", "headers": {"X-Api-Key": KEY}}
    connection = {
        "conn_type": "outreach_endpoint",
        "host": "https://crm.example.com/hooks",
        "password": SECRET,
    }
    monkeypatch.setenv("AIRFLOW_CONN_TRIED_CRM", json.dumps({**connection, "extra": extra}))
    monkeypatch.setenv("AIRFLOW_CONN_TRIED_SRC", json.dumps({"conn_type": "outreach_source", "password": SECRET, "extra": {"platform": "supersend"}}))  # fmt: skip
    connections._seen.clear()


@pytest.fixture
def events(store: Store) -> None:
    """One that the route takes, and one whose score is too low, with a hostile text in it."""
    for name, score in (("evt_high", 42), ("evt_low", XSS)):
        data = {"score": score, "campaign": "spring"}
        made = ContactEvent(
            name, "src", "supersend", "x", EventKind.INTERESTED, AT, AT, Contact(phone="+14165550123", email=MAIL),
            "spring", data,
        )  # fmt: skip
        body = json.dumps({**data, "mine": name}).encode()
        inbox_append.append(store, [Incoming(made, body, "[]")])


def tried(browser: Any, dag: str, **query: str) -> Any:
    answer = browser.get(url(f"/api/workflows/{dag}/try"), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def paste(browser: Any, dag: str, text: str, source: str = "", route: str = "hot") -> Any:
    body = {"route": route, "source": source, "text": text}
    return browser.post(url(f"/workflows/{dag}/try/pasted"), json=body, headers=ACTION)


def test_a_stored_event_goes_through_the_filter_with_what_it_saw(
    site: Site, store: Store, known: None, events: None
) -> None:
    """Taken and not, each with what the condition looked at; a viewer sees no value of it."""
    viewer = site("VIEWER")
    high, low = (tried(viewer, HOT, event=name)["trial"] for name in ("evt_high", "evt_low"))
    assert (high["verdict"], low["verdict"]) == ("would be taken", "where was false")
    assert high["saw"] == low["saw"] == {"data.score": '"•••"'}
    page = site("OP").post(url(f"/workflows/{HOT}/try?route=hot&event=evt_low"), headers=ACTION).text
    assert "&lt;img src=x onerror" in page
    assert XSS not in page


def test_the_request_is_the_one_that_is_sent(
    site: Site, store: Store, known: None, events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method, path, headers and body of a delivery of that event, byte for byte, but for the moment it is signed."""
    from airflow_outreach_provider.core.request_form import RequestForm
    from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
    from airflow_outreach_provider.services.deliveries.preview import preview
    from airflow_outreach_provider.store.inbox import lists

    got: list[tuple[str, str, dict[str, str], bytes]] = []

    def answer(method: str, path: str, headers: Any, body: bytes) -> Any:
        got.append((method, path, {name.lower(): value for name, value in headers.items()}, body))
        return 200, b"", {}

    with scripted(answer) as address:
        extra = {
            "signature": "standard-webhooks",
            "headers": {"X-Api-Key": KEY},
            "allow_networks": ["127.0.0.0/8"],
        }
        connection = {
            "conn_type": "outreach_endpoint",
            "host": f"{address}/hooks",
            "password": SECRET,
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_TRIED_CRM", json.dumps(connection))
        endpoint = OutreachEndpointHook("tried_crm").endpoint()
        form = RequestForm(
            {"mail": "{{ contact.email }}"},
            "PUT",
            "contacts/{{ contact.email }}",
            {"q": "{{ kind }}"},
            {"X-Y": "{{ id }}"},
        )
        (stored,) = lists.load(store, ["evt_high"])
        made = preview(store, endpoint, "hot", form, stored, datetime.now(UTC), stored=True)
        assert got == []
        deliver_once(store, endpoint, form)
    ((method, path, headers, body),) = got
    assert (method, path, body) == (made.method, made.url.raw_path_qs, made.body)
    said = {
        name.lower(): value for name, value in {**made.connection_headers, **made.message_headers}.items()
    }
    timed = {"webhook-timestamp", "webhook-signature"}
    assert said.keys() - headers.keys() == set()
    assert {name: headers[name] for name in said.keys() - timed} == {
        name: said[name] for name in said.keys() - timed
    }
    assert headers.keys() - said.keys() <= {"host", "content-length", "connection", "accept"}


def deliver_once(store: Store, endpoint: Any, form: Any) -> None:
    from datetime import timedelta

    from airflow_outreach_provider.core.owner import Owner
    from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
    from airflow_outreach_provider.services.deliveries.webhooks import deliver

    task = TaskTry(Owner("d", "t", "r"), lease=timedelta(minutes=5))
    deliver(store, Batch("hot", ["evt_high"]), endpoint, task, form=form)


def test_a_viewer_sees_the_request_and_nothing_that_is_secret_or_anybodys(
    site: Site, store: Store, known: None, events: None
) -> None:
    """Method, host, names of headers, the shape of body and signature; no value, key, secret or whole signature."""
    sent = tried(site("VIEWER"), HOT, event="evt_high")["trial"]["request"]
    headers = dict(sent["headers"])
    assert sent["method"] == "PUT"
    assert sent["url"] == "https://crm.example.com/…/contacts/{{ contact.email }}?from=•••&who=•••"
    assert headers["webhook-signature"] == "v1,…"
    assert (headers["X-Api-Key"], headers["X-Campaign"]) == ("•••", "•••")
    assert json.loads(sent["body"]) == {"mail": "•••", "known_as": None, "score": "•••"}
    text = site("VIEWER").get(url(f"/workflows/{HOT}/try?event=evt_high")).text
    for secret in (MAIL, SECRET, KEY, "4165550123", "hooks"):
        assert secret not in json.dumps(sent) + text, secret
    assert site("VIEWER").post(url(f"/workflows/{HOT}/try"), headers=ACTION).status_code == 403
    assert audit.entries(store).rows == []


def test_an_editor_sees_all_of_it_but_the_secret_and_it_is_audited(
    site: Site, store: Store, known: None, events: None
) -> None:
    """Address, body and signature whole, after a row in the audit; keys of the connection stay hidden."""
    page = site("OP").post(url(f"/workflows/{HOT}/try?route=hot&event=evt_high"), headers=ACTION).text
    assert "PUT https://crm.example.com/hooks/contacts/jane.roe%40example.com?from=outreach&amp;who=" in page
    assert "X-Campaign: spring" in page
    assert "v1,…" not in page
    assert KEY not in page
    assert SECRET not in page
    (row,) = audit.entries(store).rows
    assert (row.action, row.subject) == ("reveal trial", "evt_high through hot")


def test_the_signature_of_what_was_pasted_is_never_shown(site: Site, store: Store, known: None) -> None:
    """Else whoever may paste could have anything signed in our name; and only who may edit may paste."""
    text = json.dumps(
        {"type": "x", "kind": "interested", "contact": {"email": MAIL}, "data": {"score": 11, "note": XSS}}
    )
    page = paste(site("OP"), HOT, text).text
    assert "would be taken" in page
    assert "contacts/jane.roe%40example.com" in page
    assert "v1,…" in page
    assert XSS not in page
    assert paste(site("VIEWER"), HOT, text).status_code == 403


def test_a_pasted_event_reads_nothing_of_a_stored_one(
    site: Site, store: Store, known: None, events: None
) -> None:
    """Under the id of a stored event somebody gets what they pasted, not the body that is stored under it."""
    text = json.dumps({"id": "evt_high", "type": "x", "kind": "interested", "data": {"of": "the paste"}})
    page = paste(site("OP"), RAW, text, route="raw").text
    assert "of the paste" not in page
    assert "the paste" in page
    assert "mine" not in page


def test_a_pasted_webhook_is_read_as_its_platform_sends_it(site: Site, store: Store, known: None) -> None:
    """The same reading as the receiver's; one that says nothing is unrecognised, and nothing of it is stored."""
    from airflow_outreach_provider.store.inbox.lists import EventFilter, list_events

    body = {
        "type": "contact.interest_updated",
        "timestamp": "2026-03-25T18:00:00Z",
        "contact": {"id": "1", "email": MAIL, "interest": "interested"},
    }
    page = paste(site("OP"), RAW, json.dumps(body), "tried_src", "raw").text
    assert MAIL in page
    assert "other kind" in paste(site("OP"), RAW, '{"a": 1}', "tried_src", "raw").text
    assert list_events(store, EventFilter()).rows == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1, column 2"),
        ("[1]", "no JSON object"),
        ('{"kind": "strange", "type": "x"}', "has the kind"),
        ('{"kind": "interested", "contact": 3}', "is no mapping"),
        pytest.param("[" * 60_000, DEEP, id="deep"),
        ('{"type": "x", "kind": "interested", "occurred_at": "yesterday"}', "is no time"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(site: Site, store: Store, known: None, text: str, says: str) -> None:
    """Beside the field, with what to paste; a text that is too long is refused before it is read."""
    answer = paste(site("OP"), HOT, text)
    assert answer.status_code == 200
    assert says in answer.text
    assert paste(site("OP"), HOT, "x" * 70_000).status_code == 422


def test_who_and_what_is_not_there_is_told(site: Site, store: Store, known: None, events: None) -> None:
    """An unknown workflow, route or event; a route without a request says where the event goes."""
    viewer = site("VIEWER")
    for path in (
        "/workflows/none/try",
        f"/workflows/{HOT}/try?route=nothing",
        f"/workflows/{HOT}/try?event=evt_none",
    ):
        assert viewer.get(url(path)).status_code == 404, path
    assert tried(viewer, LISTED)["trial"] is None
    notes = tried(viewer, LISTED, event="evt_high")["trial"]["notes"]
    assert any("do-not-contact list" in each for each in notes)
    assert tried(viewer, HOT)["trial"]["event"]["id"] in ("evt_high", "evt_low")
