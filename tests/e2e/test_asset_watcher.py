"""A ContactEventTrigger behind an AssetWatcher in a real Airflow: the asset event is only a doorbell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from airflows import SharedAirflow

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.demo.airflow import RunningAirflow, wait_until
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("quick"),
    pytest.mark.lasts(440),
    pytest.mark.timeout(400),
]

DAG = """
from datetime import datetime
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow_outreach_provider.operators.outreach import DeliverEventsOperator
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger

bell = AssetWatcher(name="bell", trigger=ContactEventTrigger("watched", kinds=["clicked"], poll_interval=1.0))
with DAG("watched", schedule=[Asset("contact_events", watchers=[bell])], start_date=datetime(2026, 1, 1),
         catchup=False, max_active_runs=1):
    events = ContactEventSensor(task_id="wait", consumer="watched", kinds=["clicked"], deferrable=False,
                                poll_interval=1.0, timeout=5, soft_fail=True)
    DeliverEventsOperator.partial(task_id="deliver", route="watched", endpoint_conn_id="hook").expand(
        batch=events.output)
"""


@pytest.fixture
def airflow(quick: SharedAirflow) -> Iterator[RunningAirflow]:
    with quick.dags("watched", {"watched.py": DAG}):
        quick.airflow.wait_for_dag("watched")
        yield quick.airflow


def arrive(url: str, wave: str) -> list[str]:
    """Three events of three contacts; their ids."""
    now = datetime.now(UTC)
    events = [
        ContactEvent(
            f"evt_{wave}_{who}", "src", "varda", "x", EventKind.CLICKED, now, now, Contact(external_id=who)
        )
        for who in ("ann", "bob", "eve")
    ]
    store = Store(url)
    upgrade(store)
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    store.close()
    return [event.id for event in events]


def test_every_event_arrives_once_whatever_happens_to_the_doorbell(
    airflow: RunningAirflow, quick: SharedAirflow
) -> None:
    """Events before, during a run, while the triggerer is dead and after the store was away: each, once."""
    crm, earlier = quick.crm, Counter(quick.crm.taken)
    database = airflow.home / "outreach.db"
    url = f"sqlite:///{database}"

    def delivered(ids: list[str]) -> None:
        wait_until(lambda: set(ids) <= set(crm.taken), 60, "every event is delivered")

    crm.pause = 2.0
    ids = arrive(url, "first")
    wait_until(lambda: set(ids) & set(crm.first_seen()), 60, "the first event is on its way")
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
    assert crm.taken - earlier == Counter(ids)
