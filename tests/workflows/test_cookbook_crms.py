"""The recipes for CRMs and chats, run against fakes that demand what the real API's documentation does.

Each fake names the page it was written after; it answers 400 to whatever that page would not take.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from airflow.sdk import BaseNotifier
from servers import as_json, scripted

import airflow_outreach_provider
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

COOKBOOK = Path(airflow_outreach_provider.__file__).parent / "docs" / "cookbook.md"
RECIPES = dict(re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", COOKBOOK.read_text("utf-8"), re.DOTALL))
Answer = tuple[int, bytes, dict[str, str]]


class FakeApi:
    """What all fakes share: they note what they took, and say why they refuse the rest."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, Any]] = []
        self.refused: list[str] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            return self.take(method, path, headers, body)
        except (AssertionError, ValueError, KeyError, TypeError) as error:
            self.refused.append(f"{method} {path}: {error!r}")
            return 400, as_json({"error": str(error)}), {}

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise NotImplementedError

    def noted(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        assert headers["Content-Type"] == "application/json"
        said = json.loads(body)
        self.taken.append((method, path, said))
        return said


def only(mapping: Mapping[str, Any], required: set[str], optional: set[str]) -> None:
    assert required <= set(mapping) <= required | optional, sorted(mapping)


class HubSpot(FakeApi):
    """https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/batch/upsert-contacts"""

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert headers["Authorization"] == "Bearer pat-of-a-private-app"
        said = self.noted(method, path, headers, body)
        if (method, path) == ("POST", "/crm/v3/objects/contacts/batch/upsert"):
            only(said, {"inputs"}, set())
            assert 1 <= len(said["inputs"]) <= 100
            for each in said["inputs"]:
                only(each, {"id", "properties"}, {"idProperty", "objectWriteTraceId"})
                assert all(isinstance(value, str) and value for value in each["properties"].values())
                assert each["properties"][each["idProperty"]] == each["id"]
            results = [
                {"id": "151", "new": True, "properties": each["properties"]} for each in said["inputs"]
            ]
            return 200, as_json({"status": "COMPLETE", "results": results}), {}
        assert (method, path) == ("PATCH", "/crm/v3/objects/contacts/151")
        only(said, {"properties"}, set())
        return 200, as_json({"id": "151", "properties": said["properties"]}), {}


class Salesforce(FakeApi):
    """https://developer.salesforce.com/docs/platform/api-rest/guide/dome-upsert.html"""

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path == "/services/oauth2/token":
            asked = parse_qs(body.decode())
            assert asked == {
                "grant_type": ["client_credentials"], "client_id": ["app"], "client_secret": ["secret-of-the-app"],
            }  # fmt: skip
            return 200, as_json({"access_token": "00D-token", "token_type": "Bearer", "scope": "api"}), {}
        assert headers["Authorization"] == "Bearer 00D-token"
        said = self.noted(method, path, headers, body)
        found = re.fullmatch(r"/services/data/v\d+\.0/sobjects/Lead/Outreach_Id__c/([^/?]+)", path)
        assert method == "PATCH" and found
        if unquote(found[1]) == "twice":
            return (
                300,
                as_json(["/services/data/v62.0/sobjects/Lead/1", "/services/data/v62.0/sobjects/Lead/2"]),
                {},
            )
        assert not {"Id", "Outreach_Id__c"} & set(said), "no id of any kind in the body"
        assert {"LastName", "Company"} <= set(said) and all(
            isinstance(each, str) and each for each in said.values()
        )
        return 201, as_json({"id": "00Q1", "success": True, "errors": [], "created": True}), {}


class Pipedrive(FakeApi):
    """https://developers.pipedrive.com/docs/api/v1/Persons and …/Deals"""

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert headers["x-api-token"] == "token-of-a-user"
        said = self.noted(method, path, headers, body)
        if (method, path) == ("POST", "/api/v2/persons"):
            only(
                said,
                {"name"},
                {"emails", "phones", "org_id", "owner_id", "label_ids", "visible_to", "custom_fields"},
            )
            for each in [*said["emails"], *said["phones"]]:
                only(each, {"value"}, {"primary", "label"})
                assert isinstance(each["value"], str) and isinstance(each["primary"], bool)
            return 200, as_json({"success": True, "data": {"id": 42, "name": said["name"]}}), {}
        assert (method, path) == ("POST", "/api/v2/deals")
        only(
            said,
            {"title"},
            {"person_id", "org_id", "owner_id", "value", "currency", "stage_id", "custom_fields"},
        )
        assert isinstance(said["person_id"], int)
        return 200, as_json({"success": True, "data": {"id": 7}}), {}


class Slack(FakeApi):
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        said = self.noted(method, path, headers, body)
        assert (method, path) == ("POST", "/services/T0/B0/secret0of0the0channel")
        assert isinstance(said["text"], str) and said["text"], "no_text"
        return 200, b"ok", {}


class Teams(FakeApi):
    """https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using"""

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        said = self.noted(method, path, headers, body)
        assert method == "POST" and said["type"] == "message"
        [card] = said["attachments"]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        content = card["content"]
        assert content["type"] == "AdaptiveCard" and re.fullmatch(r"1\.[0-5]", content["version"])
        assert all(each["type"] == "TextBlock" and each["text"] for each in content["body"])
        return 202, b"", {}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``connect("crm", fake, path="/…", **extra)``: the fake as a connection of that id."""
    from contextlib import ExitStack

    with ExitStack() as running:

        def connecting(conn_id: str, fake: FakeApi, path: str = "", **extra: Any) -> None:
            url = running.enter_context(scripted(fake))
            said = {
                name: value.format(url=url) if isinstance(value, str) else value
                for name, value in extra.items()
            }
            connection = {
                "conn_type": "outreach_endpoint", "host": url + path,
                "extra": {"allow_networks": "127.0.0.0/8", **said},
            }  # fmt: skip
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

        yield connecting


def event(
    number: int,
    kind: EventKind,
    name: str = "Ada Lovelace",
    external_id: str = "c/1",
    email: str = "Ada@Example.com",
    **data: Any,
) -> ContactEvent:
    at = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
    first, _, last = name.partition(" ")
    contact = Contact(name, first, last or None, email, "+12125550123", external_id)
    return ContactEvent(f"evt_{number}", "varda", "varda", kind.value, kind, at, at, contact, "c-1", data)


def arrive(store: Store, *events: ContactEvent) -> None:
    inbox_append.append(store, [Incoming(each, as_json(each.data), "[]") for each in events])


def run(load_dags: Callable[..., Any], recipe: str, *routes: str) -> list[dict[tuple[str, int], str]]:
    dags = load_dags(**{recipe: RECIPES[recipe]})
    return [dags.run(f"outreach_event_route__{route}") for route in routes]


@pytest.mark.slow
def test_hubspot_upserts_by_e_mail_and_updates_by_its_own_id(
    load_dags: Callable[..., Any], outreach_store: Store, connect: Callable[..., None]
) -> None:
    """One contact without empty properties, whose id the next event's address has."""
    hubspot = HubSpot()
    connect("hubspot", hubspot, headers={"Authorization": "Bearer pat-of-a-private-app"})
    arrive(
        outreach_store, event(1, EventKind.INTERESTED, "Ada"), event(2, EventKind.APPOINTMENT_BOOKED, "Ada")
    )
    run(load_dags, "hubspot.yaml", "interested_to_hubspot", "booked_to_hubspot")
    assert hubspot.refused == []
    (_, _, upsert), (_, path, update) = hubspot.taken
    assert upsert["inputs"][0]["properties"] == {
        "email": "ada@example.com", "firstname": "Ada", "phone": "+12125550123",
    }  # fmt: skip
    assert path.endswith("/151") and update == {"properties": {"hs_lead_status": "OPEN_DEAL"}}


@pytest.mark.slow
def test_hubspot_takes_many_contacts_at_once(
    load_dags: Callable[..., Any], outreach_store: Store, connect: Callable[..., None]
) -> None:
    """Five contacts are one task and one request."""
    hubspot = HubSpot()
    connect("hubspot", hubspot, headers={"Authorization": "Bearer pat-of-a-private-app"})
    arrive(
        outreach_store,
        *(event(n, EventKind.REPLIED, external_id=f"c{n}", email=f"P{n}@x.com") for n in range(5)),
    )
    [states] = run(load_dags, "hubspot_batch.yaml", "replies_to_hubspot")
    assert hubspot.refused == [] and states[("deliver", 0)] == "success" and ("deliver", 1) not in states
    [(_, _, said)] = hubspot.taken
    assert sorted(each["id"] for each in said["inputs"]) == [f"p{n}@x.com" for n in range(5)]


@pytest.mark.slow
def test_salesforce_upserts_by_external_id(
    load_dags: Callable[..., Any], outreach_store: Store, connect: Callable[..., None]
) -> None:
    """With a token by client credentials; an id with a slash in it stays one part of the path."""
    salesforce = Salesforce()
    connect(
        "salesforce", salesforce, oauth2_url="{url}/services/oauth2/token", oauth2_client_id="app",
        oauth2_client_secret="secret-of-the-app", oauth2_auth="body",
    )  # fmt: skip
    arrive(outreach_store, event(1, EventKind.REPLIED, company="Engines"))
    [states] = run(load_dags, "salesforce.yaml", "replies_to_salesforce")
    assert salesforce.refused == []
    by_path = {path.rpartition("/")[2]: said for _, path, said in salesforce.taken}
    assert by_path["c%2F1"] == {
        "LastName": "Lovelace", "FirstName": "Ada", "Company": "Engines", "Email": "Ada@Example.com",
        "MobilePhone": "+12125550123",
    }  # fmt: skip
    assert states[("deliver", 0)] == "success"


@pytest.mark.slow
def test_pipedrive_gets_a_person_and_their_deal(
    load_dags: Callable[..., Any], outreach_store: Store, connect: Callable[..., None]
) -> None:
    """The deal bears the id that Pipedrive gave the person, as a number."""
    pipedrive = Pipedrive()
    connect("pipedrive", pipedrive, headers={"x-api-token": "token-of-a-user"})
    arrive(outreach_store, event(1, EventKind.INTERESTED), event(2, EventKind.APPOINTMENT_BOOKED))
    run(load_dags, "pipedrive.yaml", "interested_to_pipedrive", "booked_to_pipedrive")
    assert pipedrive.refused == []
    (_, _, person), (_, _, deal) = pipedrive.taken
    assert person["emails"] == [{"value": "Ada@Example.com", "primary": True, "label": "work"}]
    assert deal == {"title": "Appointment with Ada Lovelace", "person_id": 42}


@pytest.mark.slow
def test_slack_and_teams_get_a_message(
    load_dags: Callable[..., Any], outreach_store: Store, connect: Callable[..., None]
) -> None:
    """A name that would call the whole channel is text."""
    slack, teams = Slack(), Teams()
    connect("slack", slack, "/services/T0/B0/secret0of0the0channel")
    connect("teams", teams, "/workflows/1/triggers/manual/paths/invoke?sig=secret")
    arrive(outreach_store, event(1, EventKind.INTERESTED, "<!channel> & Co"))
    run(load_dags, "slack_and_teams.yaml", "interested_to_slack", "interested_to_teams")
    assert slack.refused == teams.refused == []
    [(_, _, said)] = slack.taken
    assert said == {"text": "&lt;!channel&gt; &amp; Co is interested (varda, campaign c-1)"}
    [(_, path, card)] = teams.taken
    assert (
        path.endswith("?sig=secret")
        and "is interested (varda)" in card["attachments"][0]["content"]["body"][0]["text"]
    )


@pytest.mark.slow
def test_a_notifier_is_told_each_event(
    load_dags: Callable[..., Any], outreach_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its templates have the event; a name that looks like a template is text."""
    told: list[str] = []

    class MailNotifier(BaseNotifier):
        template_fields = ("subject", "html_content")

        def __init__(self, to: str, from_email: str, subject: str, html_content: str) -> None:
            super().__init__()
            self.subject, self.html_content = subject, html_content

        def notify(self, context: Any) -> None:
            told.append(f"{self.subject}: {self.html_content}")

    module = ModuleType("our_notifiers")
    module.MailNotifier = MailNotifier  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "our_notifiers", module)
    monkeypatch.setitem(
        RECIPES, "notifier.yaml",
        RECIPES["notifier.yaml"].replace("airflow.providers.smtp.notifications.smtp.SmtpNotifier", "our_notifiers.MailNotifier"),
    )  # fmt: skip
    arrive(outreach_store, *(event(n, EventKind.INTERESTED, f"Ada{n} {{{{ 1 }}}}", f"c{n}") for n in (1, 3)))
    [states] = run(load_dags, "notifier.yaml", "interested_by_mail")
    assert sorted(told) == [f"Ada{n} is interested: <p>Campaign c-1, by varda</p>" for n in (1, 3)]
    assert [state for (task, _), state in states.items() if task == "notify"].count("success") == 2
