"""What runs that have ended had reserved: asked of Airflow now and then, by whoever looks for work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DRCount, GetDRCount

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.hooks.ended_runs import EndedRuns
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out, is_ready
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.triggers import deliveries as trigger_module
from airflow_outreach_provider.triggers.deliveries import DeliverableTrigger
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger

READING = Reading("crm", ("crm",))


@pytest.fixture
def store(tasks_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One event, planned a minute ago by a run."""
    monkeypatch.setattr(trigger_module, "_deferral_seconds", lambda: 0.0)
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    event = ContactEvent("evt_1", "src", "varda", "x", EventKind.REPLIED, at, at, Contact(external_id="a"))
    inbox_append.append(tasks_store, [Incoming(event, event.to_json(), "[]")])
    assert fan_out(tasks_store, READING, Owner("dag", "wait_for_events", "run1").key)
    with tasks_store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET plan_until = plan_until - 60000"))
    return tasks_store


class Supervisor:
    """Answers a task's questions about runs. :ivar alive: how many of them are; an error is raised."""

    def __init__(self) -> None:
        self.alive: int | Exception = 0
        self.asked: list[GetDRCount] = []

    def send(self, msg: GetDRCount) -> DRCount:
        self.asked.append(msg)
        if isinstance(self.alive, Exception):
            raise self.alive
        return DRCount(count=self.alive if msg.states == ["queued", "running"] else 0)


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


def test_airflow_is_asked_four_times_a_minute_at_most(store: Store, supervisor: Supervisor) -> None:
    """However often whoever waits looks; a living run keeps what it has."""
    supervisor.alive = 1
    ended_runs = EndedRuns()
    for _ in range(5):
        ended_runs.free(store)
    assert [(each.dag_id, each.run_ids) for each in supervisor.asked] == [("dag", ["run1"])]
    assert not is_ready(store, READING)


def test_without_an_answer_work_goes_on(
    store: Store, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """An API server that is away frees nothing and stops nobody; it is said."""
    supervisor.alive = RuntimeError("502 Bad Gateway")
    with caplog.at_level(logging.WARNING):
        EndedRuns().free(store)
    assert "does not say which runs have ended: RuntimeError: 502 Bad Gateway" in caplog.text
    assert not is_ready(store, READING)


def test_a_process_that_has_no_supervisor_asks_nobody(store: Store) -> None:
    """A command line, for one."""
    assert getattr(task_runner, "SUPERVISOR_COMMS", None) is None
    EndedRuns().free(store)
    assert not is_ready(store, READING)


async def first(trigger: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        async for event in trigger.run():
            return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="t", run_id="run2", map_index=-1, try_number=1)}


def by_the_doorbell() -> bool:
    return asyncio.run(first(ContactEventTrigger("crm", poll_interval=0.05, once=True)))["count"] == 1


def by_a_task_that_waits() -> bool:
    trigger = DeliverableTrigger(consumer="crm", routes=["crm"], poll_interval=0.05)
    return asyncio.run(first(trigger)) == {"status": "ready"}


def by_the_sensor() -> bool:
    sensor = ContactEventSensor(task_id="wait", consumer="crm", routes=["crm"], wait=False)
    return [each["events"] for each in sensor.execute(context())] == [["evt_1"]]


@pytest.mark.parametrize("look", [by_the_doorbell, by_a_task_that_waits, by_the_sensor])
def test_whoever_looks_for_work_finds_what_a_deleted_run_had_reserved(
    store: Store, supervisor: Supervisor, look: Callable[[], bool]
) -> None:
    """The run is gone: at the first look, and not when its plan runs out."""
    assert look()
    assert supervisor.asked
