"""The plugin in a real API server application, and in every other process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored import stored_events

from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store

TOKEN = "a-token-nobody-can-guess"


def connection(**fields: Any) -> str:
    return json.dumps({"conn_type": "outreach_source", **fields})


@pytest.fixture(scope="module")
def api_server(airflow_db: None) -> Any:
    """Airflow's API server without us."""
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture
def mounted(api_server: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's API server with the plugin mounted as Airflow mounts it."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", sqlite_url)
    monkeypatch.setenv("AIRFLOW_CONN_TETHER_MAIN", connection(password=TOKEN, extra={"platform": "tether"}))
    monkeypatch.setenv("AIRFLOW_CONN_MISSPELT", connection(extra={"platform": "tehter"}))
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": "h"}))
    from fastapi.testclient import TestClient

    from airflow_outreach_provider.plugins.outreach import LazyApp, OutreachPlugin, _build

    declared = OutreachPlugin.fastapi_apps[0]
    api_server.mount(declared["url_prefix"], LazyApp(_build))
    # Airflow mounts plugins before its catch-all for the UI.
    routes = api_server.router.routes
    routes.insert(0, routes.pop())
    yield TestClient(api_server, raise_server_exceptions=False)
    del routes[0]


def post(client: Any, source: str, **headers: str) -> Any:
    return client.post(f"/outreach/in/{source}", json={"event": "message.received"}, headers=headers)


@pytest.mark.slow
def test_the_receiver_in_the_api_server(mounted: Any, sqlite_url: str) -> None:
    """Mounted in Airflow's API server the receiver knows its sources by connection and stores their events."""
    client = mounted
    answer = post(client, "tether_main", **{"X-Outreach-Token": TOKEN})
    assert answer.status_code == 202, answer.text
    assert post(client, "tether_main", **{"X-Outreach-Token": TOKEN}).status_code == 200
    assert post(client, "tether_main").status_code == 401
    assert post(client, "misspelt").status_code == 503
    assert post(client, "other").status_code == 404
    assert post(client, "nobody").status_code == 404
    assert [event.id for event in stored_events(Store(sqlite_url))] == [answer.json()["id"]]


@pytest.mark.slow
def test_a_source_that_cannot_be_looked_up_is_not_said_to_be_unknown(
    mounted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Airflow's own database is away a source nobody has asked for yet is 503, never 404."""
    from airflow.secrets.metastore import MetastoreBackend

    def away(*args: Any, **kwargs: Any) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("no route to host"))

    monkeypatch.setattr(MetastoreBackend, "get_connection", away)
    assert post(mounted, "in_the_database").status_code == 503


@pytest.mark.slow
def test_a_store_that_is_not_ready(mounted: Any, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """Where upgrading is an administrator's step the application answers 503 before it, and works after."""
    from airflow_outreach_provider.plugins import outreach
    from airflow_outreach_provider.store.migrate import upgrade

    client = mounted
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", postgres_url)
    monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", "False")
    monkeypatch.setattr(outreach, "_TRY_AGAIN_SECONDS", 0.0)
    assert post(client, "tether_main", **{"X-Outreach-Token": TOKEN}).status_code == 503
    upgrade(Store(postgres_url))
    assert post(client, "tether_main", **{"X-Outreach-Token": TOKEN}).status_code == 202


@pytest.mark.slow
def test_the_plugin_is_cheap_for_workers() -> None:
    """Loading the plugin imports neither FastAPI nor the store nor our receiver."""
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules)\n"
        "import airflow_outreach_provider.plugins.outreach\n"
        "new = {name for name in set(sys.modules) - before}\n"
        "print(sorted(name for name in new if name.split('.')[0] in ('fastapi', 'sqlalchemy', 'phonenumbers')"
        " or name.startswith(('airflow_outreach_provider.store', 'airflow_outreach_provider.receiver'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "executor", "forks"),
    [
        (["scheduler"], "LocalExecutor", True),
        (["scheduler", "--daemon"], "CeleryExecutor,LocalExecutor", True),
        (["scheduler"], "CeleryExecutor", False),
        (["dag-processor"], "KubernetesExecutor", True),
        (["api-server"], "LocalExecutor", False),
        (["triggerer"], "LocalExecutor", False),
        (["tasks", "run", "scheduler"], "LocalExecutor", False),
        ([], "LocalExecutor", False),
    ],
)
def test_who_forks_tasks_imports_once_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    command: list[str],
    executor: str,
    forks: bool,
) -> None:
    """The scheduler that runs tasks itself, and who reads DAG files; what cannot be imported is logged, and no plugin is lost."""
    from airflow_outreach_provider.plugins import outreach

    imported = []

    def broken(name: str) -> None:
        imported.append(name)
        raise ImportError("no module named so")

    monkeypatch.setattr(sys, "argv", ["airflow", *command])
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    monkeypatch.setattr(outreach.importlib, "import_module", broken)
    outreach.OutreachPlugin.on_load()
    assert imported == ["airflow_outreach_provider.preload"] * forks
    assert ("each of them will try by itself" in caplog.text) is forks


@pytest.mark.slow
def test_nothing_of_ours_is_left_to_import_for_a_task(
    airflow_db: None, sim: RunningSimulator, tmp_path: Path
) -> None:
    """A sync sends its leads after what forks tasks has imported what they need: it imports no module of ours."""
    (tmp_path / "leads.csv").write_text("phone\n+14165550123\n")
    file = tmp_path / "a_dag.py"
    file.write_text(f"""
import sys
import airflow_outreach_provider.plugins.outreach
import airflow_outreach_provider.preload
before = set(sys.modules)
from airflow.sdk import DAG
from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator
with DAG("d", schedule=None) as dag:
    SubmitLeadsOperator(
        task_id="sync", leads={str(tmp_path / "leads.csv")!r}, campaign="c", outreach_conn_id="somebody"
    )
if __name__ == "__main__":
    print(dag.test().state)
    print(sorted(each for each in set(sys.modules) - before if each.startswith("airflow_outreach_provider.")))
""")
    environment = {
        **os.environ,
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW_CONN_SOMEBODY": json.dumps(sim.connection),
        "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'outreach.db'}",
    }
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert "\nsuccess\n[]\n" in f"\n{done.stdout}\n", done.stdout + done.stderr
