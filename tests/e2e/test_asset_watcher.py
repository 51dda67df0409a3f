"""A ContactEventTrigger behind an AssetWatcher in a real Airflow: the asset event is only a doorbell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow, wait_until
from airflow_outreach_provider.demo.events import Crm, running_crm
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.lasts(125), pytest.mark.timeout(400)]

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


@pytest.fixture
def crm() -> Iterator[Crm]:
    with running_crm() as crm:
        yield crm


@pytest.fixture
def airflow(tmp_path: Path, crm: Crm, migrated_home: Path) -> Iterator[RunningAirflow]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "watched.py").write_text(DAG)
    settings = {
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    }
    home, dags, connections = tmp_path / "home", tmp_path / "dags", {"hook": crm.connection}
    with running_airflow(
        home, dags, connections=connections, environment=settings, like=migrated_home
    ) as airflow:
        airflow.wait_for_dag("watched")
        yield airflow


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
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    store.close()
    return [event.id for event in events]


def test_every_event_arrives_once_whatever_happens_to_the_doorbell(airflow: RunningAirflow, crm: Crm) -> None:
    """Events before, during a run, while the triggerer is dead and after the store was away: each, once."""
    database = airflow.home / "outreach.db"
    url = f"sqlite:///{database}"

    def delivered(ids: list[str]) -> None:
        wait_until(lambda: set(ids) <= set(crm.taken), 60, "every event is delivered")

    crm.pause = 2.0
    ids = arrive(url, "first")
    wait_until(lambda: crm.requests, 60, "the first event is on its way")
    ids += arrive(url, "meanwhile")
    crm.pause = 0.0
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
    wait_until(lambda: complaint in log.read_text()[before:], 60, "the trigger complains")
    time.sleep(6)
    assert log.read_text()[before:].count(complaint) <= 4  # after 1, 2, 4, … seconds
    database.rmdir()
    for file in files:
        file.with_name("away-" + file.name).rename(file)
    ids += arrive(url, "after")
    delivered(ids)
    time.sleep(3)
    assert crm.taken == dict.fromkeys(ids, 1)
