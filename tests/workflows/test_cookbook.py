"""Every recipe of the cookbook is linted, built and run: syncs against the simulator, routes on real events."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from servers import scripted

import airflow_outreach_provider
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

DOCS = Path(airflow_outreach_provider.__file__).parent / "docs"
RECIPES = dict(
    re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", (DOCS / "cookbook.md").read_text("utf-8"), re.DOTALL)
)
ROW = {
    "phone": "(212) 555-0123",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "name": "Ada Lovelace",
    "email": "Ada@Example.com ",
    "title": " Analyst ",
    "partner": "acme",
    "score": 93,
    "sms_opt_in": "yes",
}
ADA = "+12125550123"


def test_the_page_has_the_promised_recipes() -> None:
    """Object storage, SQL, forms, approval, CRM, bookings, do-not-contact, platform to platform, defaults."""
    assert len(RECIPES) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_good(name: str) -> None:
    """No mistake, and the editors' schema takes it."""
    assert load_texts({name: RECIPES[name]}).problems == []
    located, _ = read_yaml(RECIPES[name], name)
    assert located is not None
    jsonschema.validate(located.data, workflow_schema())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "workflow", "expected"),
    [
        ("csv_from_object_storage.yaml", "partner_lists", {"firstName": "Ada", "leadSource": "partner Acme"}),
        ("website_forms.yaml", "website_leads", {"firstName": "Ada", "email": "ada@example.com"}),
        ("shared_settings.yaml", "toronto", {"first_name": None, "firstName": "Ada"}),
        ("shared_settings.yaml", "montreal", {"firstName": "Ada"}),
        ("approval.yaml", "winter_campaign", {"firstName": "Ada"}),
        ("behind_assets.yaml", "scored_leads", {"firstName": "Ada"}),
        ("some_rows.yaml", "analysts", {"fullName": "Ada LOVELACE", "score": 42, "tags": ["web", "analyst"]}),
    ],
)
def test_lead_syncs_text_who_they_should(
    recipe: str,
    workflow: str,
    expected: dict[str, Any],
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The recipe as it stands, with a file given in the trigger form in place of the bucket."""
    monkeypatch.setenv("AIRFLOW_VAR_PARTNER_CONFIGURATION_ID", simulator.configuration_id)
    leads = tmp_path / "leads.jsonl"
    leads.write_text(json.dumps(ROW) + "\n")
    text = _at_any_hour(RECIPES[recipe]).replace("68d6d7de324658b8a1760d5e", simulator.configuration_id)
    states = load_dags(**{recipe: text}).run(f"outreach_lead_sync__{workflow}", leads=str(leads))
    assert set(states.values()) == {"success"}
    assert simulator.texts() == {ADA: 1}
    payload = simulator.texts(ADA)["last_payload"]
    contact = payload.get("contacts", payload)
    assert {key: contact.get(key) for key in expected} == expected


@pytest.mark.slow
def test_dev_looks_at_what_prod_sends(
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the variable in dev, where the sync texts nobody and the route is no DAG; in prod both are at work."""
    files = {"environments.yaml": RECIPES["environments.yaml"], "renewals.csv": f"phone\n{ADA}\n"}
    sync, route = "outreach_lead_sync__renewals", "outreach_event_route__replies_to_crm"
    for variable, dags_there, texts in ((None, {sync}, {}), ("prod", {sync, route}, {ADA: 1})):
        if variable:
            monkeypatch.setenv("AIRFLOW_VAR_OUTREACH_ENVIRONMENT", variable)
        dags = load_dags(**files)
        assert set(dags.bag.dags) == dags_there
        assert dags.run(sync) == {("submit", -1): "success"}
        assert simulator.texts() == texts


@pytest.mark.slow
def test_the_sql_recipe_reads_a_database(
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow's SQL hook, a real database, the templated query, the mapped score."""
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook

    path = tmp_path / "warehouse.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE leads (phone, first_name, last_name, email, score INT, scored_on)")
        database.execute("INSERT INTO leads VALUES ('2125550123', 'Ada', 'L', 'a@x.com', 93, '2999-01-01')")
        database.execute("INSERT INTO leads VALUES ('2125550124', 'Old', 'L', 'o@x.com', 93, '2000-01-01')")

    class SqliteHook(DbApiHook):
        conn_name_attr = "conn_id"

        def get_conn(self) -> Any:
            return sqlite3.connect(path)

        def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Any:
            import sqlalchemy

            return sqlalchemy.create_engine(f"sqlite:///{path}")

    monkeypatch.setattr(BaseHook, "get_hook", classmethod(lambda cls, conn_id: SqliteHook(conn_id=conn_id)))
    dags = load_dags(**{"sql.yaml": RECIPES["sql_warehouse.yaml"]})
    assert dags.run("outreach_lead_sync__warehouse_leads") == {("submit", -1): "success"}
    assert simulator.texts() == {ADA: 1}
    assert simulator.texts(ADA)["last_payload"]["priority"] == "high"


@pytest.mark.slow
def test_interested_replies_reach_the_crm(
    load_dags: Callable[..., Any], outreach_store: Store, endpoint: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By webhook with the recipe's body, and by the user's own function; other events go nowhere."""
    _arrive(outreach_store, _event(1, EventKind.INTERESTED), _event(2, EventKind.OPENED))
    called: list[Any] = []
    module = ModuleType("my_company")
    crm = ModuleType("my_company.crm")
    crm.upsert_contact = called.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_company", module)
    monkeypatch.setitem(sys.modules, "my_company.crm", crm)
    dags = load_dags(**{"crm.yaml": RECIPES["interested_to_crm.yaml"]})
    states = dags.run("outreach_event_route__interested_to_crm")
    assert states == {("wait_for_events", -1): "success", ("deliver", 0): "success"}
    assert endpoint == [
        {
            "id": "evt_1",
            "email": "ada@example.com",
            "name": "Ada Lovelace",
            "campaign": "c-1",
            "at": "2026-03-25T18:30:00.000Z",
        }
    ]
    states = dags.run("outreach_event_route__interested_by_python")
    assert states[("call", 0)] == "success"
    assert [event.id for event in called] == ["evt_1"]


@pytest.mark.slow
def test_booked_calls_of_two_platforms_reach_one_endpoint(
    load_dags: Callable[..., Any], outreach_store: Store, endpoint: list[Any]
) -> None:
    """An appointment and a call tagged as booked; a call with another outcome does not."""
    _arrive(
        outreach_store,
        _event(1, EventKind.APPOINTMENT_BOOKED),
        _event(2, EventKind.CALL_OUTCOME, {"outcome_type": "booked"}),
        _event(3, EventKind.CALL_OUTCOME, {"outcome_type": "spam"}),
    )
    load_dags(**{"booked.yaml": RECIPES["booked_calls.yaml"]}).run("outreach_event_route__booked_calls")
    assert sorted(each["id"] for each in endpoint) == ["evt_1", "evt_2"]


@pytest.mark.slow
def test_who_opts_out_is_not_texted_any_more(
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    tmp_path: Path,
) -> None:
    """The event route and the lead sync share one do-not-contact list."""
    _arrive(outreach_store, _event(1, EventKind.UNSUBSCRIBED))
    leads = tmp_path / "leads.jsonl"
    leads.write_text(json.dumps(ROW) + "\n")
    dags = load_dags(
        **{
            "out.yaml": RECIPES["do_not_contact.yaml"],
            "in.yaml": _at_any_hour(RECIPES["shared_settings.yaml"]),
        }
    )
    assert dags.run("outreach_event_route__opt_outs")[("suppress", 0)] == "success"
    dags.run("outreach_lead_sync__toronto", leads=str(leads))
    assert simulator.texts() == {}


@pytest.mark.slow
def test_a_hot_lead_of_one_platform_is_texted_by_another(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """Once, however many events there are of the same person; a low score is not texted."""
    _arrive(
        outreach_store,
        _event(1, EventKind.LEAD_SCORED, {"score": 91, "channel": "sms"}),
        _event(2, EventKind.LEAD_SCORED, {"score": 95}),
        _event(3, EventKind.LEAD_SCORED, {"score": 12}, phone="+14165550199"),
    )
    text = _at_any_hour(RECIPES["event_to_outreach.yaml"])
    text = text.replace("68d6d7de324658b8a1760d5e", simulator.configuration_id)
    states = load_dags(**{"hot.yaml": text}).run("outreach_event_route__hot_leads_to_sms")
    assert set(states.values()) == {"success"}
    assert simulator.texts() == {ADA: 1}
    assert simulator.texts(ADA)["last_payload"]["leadSource"] == "autoreach sms"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A webhook endpoint on loopback, under the names the recipes use; what it was sent."""
    received: list[Any] = []

    def take(_method: str, _path: str, _headers: Mapping[str, str], body: bytes) -> Any:
        received.append(json.loads(body))
        return 204, b"", {}

    with scripted(take) as url:
        connection = {
            "conn_type": "outreach_endpoint",
            "host": f"{url}/hook",
            "password": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "extra": {"allow_networks": "127.0.0.0/8", "allow_http": True},
        }
        for name in ("CRM", "CALENDAR"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
        yield received


def _event(number: int, kind: EventKind, data: Any = None, phone: str = ADA) -> ContactEvent:
    moment = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
    contact = Contact("Ada Lovelace", "Ada", "Lovelace", "Ada@example.com", phone, phone)
    return ContactEvent(
        f"evt_{number}", "autoreach", "autoreach", kind.value, kind, moment, moment, contact, "c-1", data or {}
    )  # fmt: skip


def _arrive(store: Store, *events: ContactEvent) -> None:
    inbox_append.append(store, [Incoming(each, each.to_json(), "[]") for each in events])


def _at_any_hour(text: str) -> str:
    """The recipe without quiet hours: a test must not depend on when it runs."""
    return re.sub(r'(,\s*)?quiet_hours: "[^"]*"', "", text)
