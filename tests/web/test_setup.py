"""The page *Setup*: every check with its remedy, and there while the store is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web import setup

Site = Callable[..., Any]
KEY = "user_hunter2_of_nobody"


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


@pytest.fixture
def api(sim: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outreach connection whose key is wrong."""
    fields = {"conn_type": "outreach", "host": sim.url, "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(fields))
    monkeypatch.setattr(setup, "_quick", (-setup._KEEP_SECONDS, []))


def test_an_editor_sees_every_check_with_what_to_do(
    site: Site, tasks_store: Store, api: None, sim: RunningSimulator
) -> None:
    """The page and its data say the same; connections are tried, nobody is texted, no secret is shown."""
    editor = site("OP")
    page, data = editor.get(url("/setup")), editor.get(url("/api/setup")).json()
    assert page.status_code == 200
    assert data["tested"]
    found = {each["name"]: each for each in data["checks"]}
    assert found["plugin"]["state"] == "ok"
    assert found["store"]["state"] == "ok"
    assert found["connection outreach_default"]["state"] == "fail"
    assert "does not take this key" in found["connection outreach_default"]["found"]
    assert data["state"] == "fail"
    for text in ("does not take this key", "start it: airflow triggerer", "airflow outreach doctor"):
        assert text in page.text
    assert KEY not in page.text + json.dumps(data)
    assert sim.report()["people"] == 0


def test_a_viewer_asks_no_other_side(site: Site, tasks_store: Store, api: None) -> None:
    """Without edit rights the fields are read and nobody is called; without log-in there is no page."""
    data = site("VIEWER").get(url("/api/setup")).json()
    assert not data["tested"]
    assert {each["name"]: each["state"] for each in data["checks"]}["connection outreach_default"] == "ok"
    assert site(None).get(url("/setup")).status_code == 401


def test_the_overview_leads_there_when_something_is_missing(
    site: Site, tasks_store: Store, api: None
) -> None:
    """Nothing of Airflow runs in this test: the first page says so and links, and so does the menu of each page."""
    page = site("VIEWER").get(url("/overview")).text
    assert '<a href="/af/outreach/setup">Setup</a>: scheduler, dag processor, triggerer need a look' in page


def test_the_overview_is_silent_when_all_is_well(
    site: Site, tasks_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fails: only the menu names it."""
    monkeypatch.setattr(setup, "_quick", (float("inf"), []))
    assert "need a look" not in site("VIEWER").get(url("/overview")).text


@pytest.mark.slow
def test_while_the_store_is_not_ready_every_page_leads_to_the_setup(
    airflow_db: None, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where upgrading is an administrator's step: the page says what to run, an event is told to come again, and
    once it is done the pages are there."""
    from airflow.api_fastapi.app import create_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    from airflow_outreach_provider.plugins import outreach
    from airflow_outreach_provider.store.migrate import upgrade

    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", postgres_url)
    monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", "False")
    monkeypatch.setattr(outreach, "_TRY_AGAIN_SECONDS", 0.0)
    app = create_app(apps="core")
    app.mount("/outreach", outreach.LazyApp(outreach._build, outreach._build_setup))
    app.router.routes.insert(0, app.router.routes.pop())
    token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="x", role="VIEWER"))
    browser = TestClient(app, cookies={"_token": token}, headers={"accept": "text/html"})
    for path in ("/outreach/overview", "/outreach/leads", "/outreach/setup"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.url.path == "/outreach/setup"
        assert "run &#39;airflow outreach db upgrade&#39;" in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert browser.get("/outreach/api/leads").status_code == 503
    assert browser.get("/outreach/static/style.css").status_code == 200
    event = browser.post("/outreach/in/nobody", json={})
    assert (event.status_code, event.headers["retry-after"]) == (503, "5")
    assert TestClient(app).get("/outreach/setup").status_code == 401
    upgrade(Store(postgres_url))
    answer = browser.get("/outreach/leads")
    assert (answer.status_code, answer.url.path) == (200, "/outreach/leads")
