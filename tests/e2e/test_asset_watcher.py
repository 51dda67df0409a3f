"""A ContactEventTrigger behind an AssetWatcher in a real Airflow: the asset event is only a doorbell."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.store import inbox
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

DAG = """
from datetime import datetime
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow_outreach_provider.operators.outreach import DeliverEventsOperator
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger

bell = AssetWatcher(name="bell", trigger=ContactEventTrigger("watched", kinds=["replied"], poll_interval=1.0))
with DAG("watched", schedule=[Asset("contact_events", watchers=[bell])], start_date=datetime(2026, 1, 1),
         catchup=False, max_active_runs=1):
    events = ContactEventSensor(task_id="wait", consumer="watched", kinds=["replied"], deferrable=False,
                                poll_interval=1.0, timeout=5, soft_fail=True)
    DeliverEventsOperator.partial(task_id="deliver", route="watched", endpoint_conn_id="hook").expand(
        batch=events.output)
"""


class Endpoint:
    """Takes every event, after a while; remembers them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.pause = 0.0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"])
                time.sleep(endpoint.pause)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()


@pytest.fixture
def airflow(tmp_path: Path, endpoint: Endpoint) -> Iterator[RunningAirflow]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "watched.py").write_text(DAG)
    connection = {
        "conn_type": "outreach_endpoint",
        "host": f"http://127.0.0.1:{endpoint.server.server_port}/",
        "extra": {"signature": "none", "allow_networks": ["127.0.0.0/8"]},
    }
    settings = {
        "AIRFLOW_CONN_HOOK": json.dumps(connection),
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    }
    with running_airflow(tmp_path / "home", tmp_path / "dags", environment=settings) as airflow:
        airflow.wait_for_dag("watched")
        yield airflow


def until(what: Callable[[], object], seconds: float, failing: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, failing()
        time.sleep(0.2)


def arrive(url: str, wave: str) -> list[str]:
    """Three events of three contacts; their ids."""
    now = datetime.now(UTC)
    events = [
        ContactEvent(
            f"evt_{wave}_{who}", "src", "varda", "x", EventKind.REPLIED, now, now, Contact(external_id=who)
        )
        for who in ("ann", "bob", "eve")
    ]
    store = Store(url)
    upgrade(store)
    inbox.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    store.close()
    return [event.id for event in events]


def test_every_event_arrives_once_whatever_happens_to_the_doorbell(
    airflow: RunningAirflow, endpoint: Endpoint
) -> None:
    """Events before, during a run, while the triggerer is dead and after the store was away: each, once."""
    database = airflow.home / "outreach.db"
    url = f"sqlite:///{database}"

    def delivered(ids: list[str]) -> None:
        until(
            lambda: set(ids) <= set(endpoint.seen), 60,
            lambda: f"{set(ids) - set(endpoint.seen)}\n{airflow.log_tail('triggerer')}",
        )  # fmt: skip

    endpoint.pause = 2.0
    ids = arrive(url, "first")
    until(lambda: endpoint.seen, 60, lambda: airflow.log_tail("triggerer"))
    ids += arrive(url, "meanwhile")
    endpoint.pause = 0.0
    delivered(ids)

    airflow.kill("triggerer")
    ids += arrive(url, "dead")
    airflow.start(["triggerer"])
    delivered(ids)
    time.sleep(3)

    airflow.kill("triggerer")
    files = list(airflow.home.glob("outreach.db*"))
    for file in files:
        file.rename(file.with_name("away-" + file.name))
    database.mkdir()  # an empty place would be taken for a new installation
    log = airflow.home / "components" / "triggerer.log"
    before = log.stat().st_size
    airflow.start(["triggerer"])
    complaint = "Cannot look for contact events"
    until(lambda: complaint in log.read_text()[before:], 60, lambda: airflow.log_tail("triggerer"))
    time.sleep(6)
    assert log.read_text()[before:].count(complaint) <= 4  # after 1, 2, 4, … seconds
    database.rmdir()
    for file in files:
        file.with_name("away-" + file.name).rename(file)
    ids += arrive(url, "after")
    delivered(ids)
    time.sleep(3)
    assert sorted(endpoint.seen) == sorted(ids)
