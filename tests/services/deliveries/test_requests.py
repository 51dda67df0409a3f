"""Requests as CRMs want them, at a real HTTP endpoint: method, address, headers, content, signature."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from servers import scripted

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.deliveries import lane_of
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.signing import Scheme, verify
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries.batch import Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.store.deliveries import endpoints, lists, saved
from airflow_outreach_provider.store.engine import Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Crm:
    """An API that answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.status = 200
        self.body = b"{}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        self.seen.append(Seen(method, path, dict(headers), body))
        return self.status, self.body, {}


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def endpoint(crm: Crm) -> Iterator[Endpoint]:
    with scripted(crm.answer) as url:
        target = Target(
            parse_url(f"{url}/crm/v3/?portal=1"), {"X-Key": "k"}, 5, parse_networks("127.0.0.0/8")
        )
        yield Endpoint("crm_conn", target, Scheme.STANDARD_WEBHOOKS, (SECRET,))


def events(*emails: str | None) -> list[ContactEvent]:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    return [
        ContactEvent(f"evt_{n}", "dag", "airflow", "x", EventKind.REPLIED, at, at, Contact(external_id=f"c{n}", email=email))
        for n, email in enumerate(emails, 1)
    ]  # fmt: skip


def run(store: Store, endpoint: Endpoint, form: RequestForm, *emails: str | None) -> Report:
    return run_events(store, endpoint, form, *events(*emails))


def run_events(store: Store, endpoint: Endpoint, form: RequestForm, *made: ContactEvent) -> Report:
    task = TaskTry(Owner("dag", "run", "deliver", 0, 1))
    return deliver(store, Batch("crm", [each.id for each in made], None, made), endpoint, task, form=form)


def test_an_update_goes_to_the_events_own_address(sqlite_store: Store, crm: Crm, endpoint: Endpoint) -> None:
    """PATCH below the endpoint's path with its query and ours, both headers, and a signature over exactly these bytes."""
    form = RequestForm(
        {"properties": {"email": "{{ contact.email }}", "phone": "{{ contact.phone }}"}}, "PATCH",
        "objects/contacts/{{ contact.email }}", {"idProperty": "email"}, {"X-Kind": "{{ kind }}"}, omit_empty=True,
    )  # fmt: skip
    assert run(sqlite_store, endpoint, form, "a+b@x.com").states == {"delivered": 1}
    [seen] = crm.seen
    assert seen.method == "PATCH"
    assert seen.path == "/crm/v3/objects/contacts/a%2Bb%40x.com?portal=1&idProperty=email"
    assert json.loads(seen.body) == {"properties": {"email": "a+b@x.com"}}
    assert (seen.headers["X-Key"], seen.headers["X-Kind"]) == ("k", "replied")
    assert seen.headers["Content-Type"] == "application/json"
    verify(Scheme.STANDARD_WEBHOOKS, seen.body, seen.headers, [SECRET], now=datetime.now(UTC))


def test_a_form_is_sent_as_one(sqlite_store: Store, crm: Crm, endpoint: Endpoint) -> None:
    """Content type and bytes of a form, signed like any other."""
    form = RequestForm({"email": "{{ contact.email }}", "kind": "{{ kind }}"}, content_type="form")
    run(sqlite_store, endpoint, form, "a@x.com")
    [seen] = crm.seen
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(seen.body.decode()) == [("email", "a@x.com"), ("kind", "replied")]
    verify(Scheme.STANDARD_WEBHOOKS, seen.body, seen.headers, [SECRET], now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("status", "state"),
    [(204, "delivered"), (404, "delivered"), (410, "delivered"), (409, "failed"), (422, "dead")],
)
def test_what_is_deleted_has_no_body_and_may_be_gone(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint, status: int, state: str
) -> None:
    """DELETE sends nothing but its address; who is gone already is deleted."""
    crm.status = status
    report = run(
        sqlite_store, endpoint, RequestForm(method="DELETE", path="contacts/{{ contact.email }}"), "a@x.com"
    )
    assert report.states == {state: 1}
    [seen] = crm.seen
    assert (seen.method, seen.body, seen.headers.get("Content-Type")) == ("DELETE", b"", None)
    assert seen.headers["Content-Length"] == "0"
    verify(Scheme.STANDARD_WEBHOOKS, b"", seen.headers, [SECRET], now=datetime.now(UTC))


def test_an_event_without_its_address_is_refused_alone(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """Nothing is sent for it, the others go out, and the endpoint is neither at fault nor disabled, however many there are."""
    form = RequestForm(method="DELETE", path="contacts/{{ contact.email }}")
    report = run(sqlite_store, endpoint, form, *[None] * 12, "..", "a@x.com")
    assert report.states == {"dead": 13, "delivered": 1}
    assert [each.path for each in crm.seen] == ["/crm/v3/contacts/a%40x.com?portal=1"]
    status = endpoints.status(sqlite_store, "crm_conn")
    assert status.disabled_at is None and status.resting_since is None
    assert "nothing for {{ contact.email }}" in report.reason()


def test_one_record_that_is_gone_disables_no_endpoint(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """410 for one event's own address is that event's; the endpoint stays."""
    crm.status = 410
    report = run(sqlite_store, endpoint, RequestForm(method="PATCH", path="contacts/{{ id }}"), "a@x.com")
    assert (report.states, report.disabled) == ({"dead": 1}, None)


def test_what_the_connection_says_is_not_said_again(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """A name of the query that the endpoint's URL has already is a mistake of the route; nothing is sent."""
    with pytest.raises(ConfigurationError, match="portal"):
        run(sqlite_store, endpoint, RequestForm(query={"portal": "2"}), "a@x.com")
    assert crm.seen == []


CREATE = RequestForm(
    {"email": "{{ contact.email }}"}, path="contacts", save={"crm_id": "{{ response.data.id }}"}
)
UPDATE = RequestForm(
    {"kind": "{{ kind }}", "was": "{{ saved.crm_id }}"}, "PATCH", "contacts/{{ saved.crm_id }}"
)


def test_a_later_event_addresses_the_record_an_earlier_one_made(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """What the answer said of the contact is kept, past the 4 KB that are shown, and found by another route; by no other
    contact, and at no other endpoint."""
    crm.body = b'{"more": "%b", "data": {"id": 77}}' % (b"x" * 20_000)
    first, other = events("a@x.com", "b@x.com")
    later = replace(first, id="evt_later")
    assert run_events(sqlite_store, endpoint, CREATE, first).states == {"delivered": 1}
    assert run_events(sqlite_store, endpoint, UPDATE, later, other).states == {"delivered": 1, "dead": 1}
    assert [each.path for each in crm.seen] == ["/crm/v3/contacts?portal=1", "/crm/v3/contacts/77?portal=1"]
    assert json.loads(crm.seen[1].body) == {"kind": "replied", "was": 77}
    elsewhere = replace(endpoint, conn_id="another")
    report = run_events(sqlite_store, elsewhere, UPDATE, replace(first, id="evt_elsewhere"))
    assert report.states == {"dead": 1}
    [sent] = lists.every_delivery(sqlite_store, lists.DeliveryFilter(event_ids=[first.id]))
    [attempt] = lists.attempts_of(sqlite_store, sent.id)
    assert len(attempt.answer) == 4096


def test_an_answer_is_read_as_windows_writes_it(sqlite_store: Store, crm: Crm, endpoint: Endpoint) -> None:
    """JSON over several lines, behind a byte order mark: what is to be kept of it is kept."""
    crm.body = b'\xef\xbb\xbf{\r\n  "data": {\r\n    "id": "r-1"\r\n  }\r\n}\r\n'
    [first] = events("a@x.com")
    run_events(sqlite_store, endpoint, CREATE, first)
    assert run_events(sqlite_store, endpoint, UPDATE, replace(first, id="evt_2")).states == {"delivered": 1}
    assert crm.seen[1].path == "/crm/v3/contacts/r-1?portal=1"


def test_the_events_of_one_batch_know_what_was_saved_before(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """One task, one contact, two events: the second has what the answer to the first said."""
    crm.body = b'{"data": {"id": "r-1"}}'
    form = replace(CREATE, payload={"was": "{{ saved.crm_id }}"})
    [first] = events("a@x.com")
    run_events(sqlite_store, endpoint, form, first, replace(first, id="evt_2"))
    assert [json.loads(each.body)["was"] for each in crm.seen] == [None, "r-1"]


def test_an_answer_that_refuses_or_says_nothing_changes_nothing(
    sqlite_store: Store, crm: Crm, endpoint: Endpoint
) -> None:
    """Neither a refusal nor an answer without the field replaces what is known."""
    [first] = events("a@x.com")
    for number, (status, body) in enumerate(
        [(200, b'{"data": {"id": 1}}'), (422, b'{"data": {"id": 2}}'), (200, b"ok")]
    ):
        crm.status, crm.body = status, body
        run_events(sqlite_store, endpoint, CREATE, replace(first, id=f"evt_{number}"))
    assert saved.of_contact(sqlite_store, "crm_conn", lane_of(first)) == {"crm_id": 1}
