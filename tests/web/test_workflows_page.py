"""*Workflows*: what each DAG of ours does, what waits for it, and red where no run is in sight; from Airflow's own tables."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.workflow_parts import parts_of
from airflow_outreach_provider.store.deliveries import fan_out
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox.filters import note_filter
from airflow_outreach_provider.workflows.import_errors import BrokenWorkflowFile, _BrokenFile

ACTION = {"X-Outreach-Action": "1"}
AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
YAML = """
lead_syncs:
  website_leads:
    leads: {csv: "s3://bucket/leads.csv"}
    outreach: {configuration_id: 68d6}
    schedule: "@daily"
event_routes:
  interested:
    kinds: [interested]
    source: supersend
    where: contact.email is defined and data.score > 10
    deliver: {endpoint: crm}
"""
Site = Callable[..., Any]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


def python_dag() -> Any:
    from airflow.sdk import DAG

    from airflow_outreach_provider.operators.outreach import DeliverEventsOperator, SubmitLeadsOperator
    from airflow_outreach_provider.sensors.outreach import ContactEventSensor

    with DAG("by_hand", schedule=None, start_date=AT) as dag:
        SubmitLeadsOperator(task_id="submit", leads="/data/a.csv", campaign="spring")
        batches = ContactEventSensor(task_id="wait", consumer="replies", kinds=["replied"]).output
        DeliverEventsOperator.partial(task_id="deliver", route="replies_to_crm", endpoint_conn_id="crm").expand(batch=batches)  # fmt: skip
    return dag


def import_error(said: str) -> str:
    """What Airflow keeps of a broken workflow file: a traceback through two lines of its own and ours before it."""
    placeholder: Any = object.__new__(_BrokenFile)
    placeholder._errors = said
    try:
        placeholder.get_serialized_fields()
    except BrokenWorkflowFile:
        return traceback.format_exc(limit=-2)


@pytest.fixture
def known(airflow_knows: Callable[..., None]) -> None:
    """The workflows of a YAML file and one in Python; and two files that cannot be imported, one of them ours."""
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session

    airflow_knows(YAML, python_dag())
    with create_session() as session:
        session.add(ParseImportError(filename="workflows/bad.yaml", bundle_name="looks", timestamp=AT, stacktrace=import_error("1 mistake in bad.yaml\n\nbad.yaml:3:5: unknown key 'shedule', did you mean 'schedule'?")))  # fmt: skip
        session.add(ParseImportError(filename="theirs.py", bundle_name="looks", timestamp=AT, stacktrace="No module named 'nothing_of_ours'"))  # fmt: skip


def event(store: Store, n: int, **values: Any) -> str:
    given = {"source": "supersend", "kind": EventKind.INTERESTED, "contact": Contact(phone=f"+1416555010{n}", email="a@example.com")} | values  # fmt: skip
    made = ContactEvent(f"evt_{n}", given["source"], "supersend", "x", given["kind"], AT, AT, given["contact"], None, {})  # fmt: skip
    inbox_append.append(store, [Incoming(made, b'{"score": 3}', "[]")])
    return made.id


def by_id(browser: Any) -> dict[str, Any]:
    answer = browser.get(url("/api/workflows"))
    assert answer.status_code == 200, answer.text
    return {each["dag_id"]: each for each in answer.json()["workflows"]}


def test_every_workflow_says_what_it_does(site: Site, store: Store, known: None) -> None:
    """YAML and Python alike, in words, with schedule and pause; its YAML opens; a broken file shows its place."""
    found = by_id(site("VIEWER"))
    sync, route = found["outreach_lead_sync__website_leads"], found["outreach_event_route__interested"]
    assert sync["says"] == ["s3://bucket/leads.csv → campaign 68d6"]
    assert route["schedule"] == "when events come"
    assert route["says"] == ["interested, from supersend → crm"]
    assert found["by_hand"]["says"] == ["/data/a.csv → campaign spring", "replied → crm"]
    assert (found["by_hand"]["paused"], found["by_hand"]["health"], found["by_hand"]["schedule"]) == (True, "paused", "by hand")  # fmt: skip
    assert (sync["health"], sync["file"].endswith("all.yaml"), sync["line"]) == ("healthy", True, 3)
    page = site("VIEWER").get(url("/workflows")).text
    assert "bad.yaml:3:5: unknown key" in page
    for shown in (page, site("VIEWER").get(url("/overview")).text):
        assert ">1 mistake in bad.yaml\n" in shown
        assert "Traceback" not in shown
    assert "nothing_of_ours" not in page
    detail = site("VIEWER").get(url("/workflows/outreach_event_route__interested")).text
    assert "where: contact.email is defined" in detail
    assert site("VIEWER").get(url("/workflows/nothing")).status_code == 404


@pytest.mark.slow
def test_work_without_a_run_in_sight_is_red(site: Site, store: Store, known: None) -> None:
    """Unread events of a paused DAG make it stuck, said first and on the Overview; with their count and age."""
    consumers.register(store, "replies", "beginning")
    note_filter(store, "replies", None, ["replied"])
    consumers.note_routes(store, "replies", ["replies_to_crm"], None)
    event(store, 1, kind=EventKind.REPLIED)
    consumers.read_new(store, "replies", kinds=["replied"])
    stuck = by_id(site("VIEWER"))["by_hand"]
    assert (stuck["health"], stuck["unread"], stuck["why"]) == ("stuck", 1, "1 event waits, and it is paused")
    assert stuck["unread_since"].startswith("2026-03-25T18:00")
    assert 'class="stuck"' in site("VIEWER").get(url("/workflows")).text
    overview = site("VIEWER").get(url("/overview")).text
    assert "is stuck" in overview
    assert "workflows/bad.yaml" in overview


@pytest.mark.slow
def test_each_route_says_what_it_made_of_an_event(site: Site, store: Store, known: None) -> None:
    """Taken, other kind, where was false with what it saw, paused: and it can be sent to a route all the same."""
    for name, routes, source, kinds, where in (
        ("taker", ["taker"], None, None, None), ("interested", ["interested"], "supersend", ["interested"], "contact.email is defined and data.score > 10"),
        ("clicks", ["clicks"], None, ["clicked"], None), ("others", ["others"], "varda", None, None), ("replies", ["replies_to_crm"], None, ["interested"], None),
    ):  # fmt: skip
        consumers.register(store, name, "beginning")
        note_filter(store, name, source, kinds)
        consumers.note_routes(store, name, routes, where)
    event_id = event(store, 1)
    fan_out.fan_out(store, "taker", consumers.read_new(store, "taker"), ["taker"])
    consumers.read_new(store, "interested", kinds=["interested"], where=lambda _: False)
    said = site("VIEWER").get(url(f"/api/events/{event_id}")).json()["routes"]
    verdicts = {each["route"]: each["verdict"] for each in said}
    assert verdicts.items() >= {
        "taker": "taken", "interested": "where was false", "clicks": "other kind", "others": "other source", "replies_to_crm": "paused",
    }.items()  # fmt: skip
    saw = next(each for each in said if each["route"] == "interested")["saw"]
    assert saw == {"contact.email": '"•••"', "data.score": '"•••"'}
    revealed = site("OP").post(url(f"/events/{event_id}"), headers=ACTION).text
    assert "<code>data.score</code> was 3" in revealed
    body = {"event_id": event_id, "route": "interested"}
    editor = site("OP")
    plan = editor.post(url("/api/actions/send-to-route"), json=body, headers=ACTION).json()
    assert plan["count"] == 1
    assert "0101" not in plan["says"].replace("•••0101", "")
    assert editor.post(url("/api/actions/send-to-route"), json=body | {"go": True}, headers=ACTION).json()[
        "done"
    ]
    assert editor.post(url("/api/actions/send-to-route"), json=body, headers=ACTION).json()["count"] == 0
    assert editor.post(url("/api/actions/send-to-route"), json=body | {"route": "intrested"}, headers=ACTION).status_code == 400  # fmt: skip
    verdicts = {each["route"]: each["verdict"] for each in editor.get(url(f"/api/events/{event_id}")).json()["routes"]}  # fmt: skip
    assert verdicts["interested"] == "taken"


@pytest.mark.parametrize("reads_code", [True, False])
def test_who_may_read_one_dag_sees_its_workflow(
    site: Site, mounted: Any, known: None, monkeypatch: pytest.MonkeyPatch, reads_code: bool
) -> None:
    """Its line and its page, no other's, no broken file and nothing to try; its YAML with the right to read its code."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

    mine = "outreach_event_route__interested"
    rights = {DagAccessEntity.TASK_INSTANCE, *([DagAccessEntity.CODE] if reads_code else [])}

    def may(*, details: Any = None, access_entity: Any = None, **_: Any) -> bool:
        return details is not None and details.id == mine and access_entity in rights

    monkeypatch.setattr(mounted.manager, "is_authorized_dag", may)
    monkeypatch.setattr(mounted.manager, "get_authorized_dag_ids", lambda **_: {mine, "by_hand"})
    browser = site("VIEWER")
    assert list(by_id(browser)) == [mine]
    said = browser.get(url("/api/workflows")).json()
    assert (said["broken"], said["workflows"][0]["tries"]) == ([], False)
    listed, one = browser.get(url("/workflows")).text, browser.get(url(f"/workflows/{mine}")).text
    assert "by_hand" not in listed and "shedule" not in listed and "/try" not in listed + one
    assert ("where: contact.email is defined" in one) is reads_code
    assert browser.get(url("/workflows/by_hand")).status_code == 404
    assert browser.get(url(f"/workflows/{mine}/try")).status_code == 403
    assert browser.get(url("/"), follow_redirects=False).headers["location"].endswith("/workflows")


def test_what_is_nothing_of_ours_is_no_workflow() -> None:
    """Odd serialised forms and DAGs of others have no parts, and raise nothing."""
    for data in ({}, {"dag": None}, {"dag": {"tasks": [{"__var": {"task_type": "BashOperator"}}, 3, None]}}, {"dag": {"tasks": "x"}}):  # fmt: skip
        assert parts_of(data) is None
