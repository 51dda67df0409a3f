"""SIGTERM in the middle of a batch, at a real task process: it ends within Airflow's five seconds, and nothing is left stuck."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import pytest
import sqlalchemy as sa
from servers import as_endpoint, scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.operators.outreach import (
    DeliverEventsOperator,
    HandleEventsOperator,
    SubmitLeadsOperator,
)
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.services.deliveries import ending
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.deliveries.deliverable import glance
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, count
from airflow_outreach_provider.store.deliveries.plans import take_turns
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

# Airflow kills a task five seconds after it asked it to end. A machine with other work is given more, and one whose disk
# stands still for a moment; whoever was not heard is at work for longer than that.
GRACE = 15.0
CONTACTS = 60


@pytest.fixture
def store(tasks_store: Store) -> Store:
    """The store of this Airflow, empty."""
    return tasks_store


def ended(run: Callable[[], Any], is_under_way: Callable[[], bool]) -> tuple[str, str, float]:
    """Run a task in a process of its own, and send it SIGTERM in the middle.

    :return: the state it ended with, its error, and how many seconds it took to end.
    """
    context = get_context("fork")
    here, there = context.Pipe()

    def work() -> None:
        open_store().engine.dispose(close=False)  # no connection is two processes'
        ran = run()
        there.send((ran.state, str(ran.error)))

    process = context.Process(target=work)
    process.start()
    deadline = time.monotonic() + 60
    while not is_under_way():
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.05)
    asked = time.monotonic()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    assert here.poll(60)
    state, error = here.recv()
    took = time.monotonic() - asked
    process.join(30)
    return state, error, took


@pytest.mark.slow
def test_a_sync_gives_back_what_it_had_not_sent(
    store: Store,
    sim: RunningSimulator,
    run_task: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is in flight is awaited and settled; nobody is held, and the next try texts exactly the others."""
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(sim.connection))
    sim.set_faults("latency=0.3")
    leads = [{"phone": f"+1416555{n:04d}"} for n in range(100, 400)]

    def submit(try_number: int = 1) -> Any:
        task = SubmitLeadsOperator(task_id="submit", leads=leads, campaign="spring", concurrency=16)
        return run_task(task, try_number=try_number)

    state, error, took = ended(submit, lambda: sim.report(full=False)["texts"] > 20)
    assert (state, took < GRACE) == ("up_for_retry", True), (error, took)
    assert "the task was killed" in error
    done = sim.report(full=False)["texts"]
    with store.read() as connection:
        states = dict(connection.execute(sa.text("SELECT state, count(*) FROM leads GROUP BY state")).all())
    assert states.keys() <= {"accepted", "planned"}
    assert states["accepted"] == done
    sim.set_faults()
    again = submit(2)
    assert (again.xcom["unchanged"], again.xcom["accepted"]) == (done, 300 - done)
    assert sim.report()["texted_twice_count"] == 0


class Crm:
    """An endpoint that takes its time.

    :ivar seen: the ids it was sent. :ivar pause: seconds it takes to answer. :ivar hangs: the event it does not answer.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.pause, self.hangs = 0.2, ""
        self._lock = threading.Lock()

    def answer(self, _method: str, _path: str, _headers: Mapping[str, str], body: bytes) -> Any:
        event = str(json.loads(body)["id"])
        with self._lock:
            self.seen.append(event)
        time.sleep(20.0 if event == self.hangs else self.pause)
        return 200, b"", {}


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    crm = Crm()
    with scripted(crm.answer) as url:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", as_endpoint(url))
        yield crm


def a_batch(store: Store, route: str = "crm", contacts: int = CONTACTS) -> dict[str, Any]:
    """One batch of an event of each contact."""
    arrive(store, range(contacts))
    return hand_out(store, route, "run1")


def arrive(store: Store, numbers: Iterable[int], contacts: int = 1000) -> None:
    """Events of these numbers come in, one contact's after the other's."""
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(
            f"evt_{n}", "src", "varda", "x", EventKind.REPLIED, at, at, Contact(external_id=str(n % contacts))
        )
        for n in numbers
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def hand_out(store: Store, route: str, run_id: str) -> dict[str, Any]:
    """What a sensor hands out, as one batch."""
    from types import SimpleNamespace

    ti = SimpleNamespace(
        dag_id="dag", task_id="sensor", run_id=run_id, map_index=-1, try_number=1, max_tries=0
    )
    sensor = ContactEventSensor(task_id="sensor", consumer="c", routes=[route])
    found = list(sensor.poke({"ti": ti}).xcom_value or [])
    return {**found[0], "events": [each for batch in found for each in batch["events"]]} if found else {}


@pytest.mark.slow
def test_deliveries_are_given_back_unsent(store: Store, crm: Crm, run_task: Callable[..., Any]) -> None:
    """What is in flight is awaited and settled, the rest is free for the next try or run, and nothing is sent twice."""
    batch = a_batch(store)

    def deliver(batch: dict[str, Any], try_number: int = 1, run_id: str = "run1") -> Any:
        task = DeliverEventsOperator(
            task_id="deliver", batch=batch, route="crm", endpoint_conn_id="crm", concurrency=4
        )
        return run_task(task, try_number=try_number, run_id=run_id)

    state, error, took = ended(lambda: deliver(batch), lambda: len(crm.seen) >= 6)
    assert (state, took < GRACE) == ("up_for_retry", True), (error, took)
    assert "the task was killed" in error
    sent = len(crm.seen)
    assert sent < CONTACTS
    assert count(store, DeliveryFilter()) == {"delivered": sent, "pending": CONTACTS - sent}
    crm.pause = 0.0
    deliver(batch, 2)
    assert count(store, DeliveryFilter()) == {"delivered": CONTACTS}
    assert len(crm.seen) == len(set(crm.seen)) == CONTACTS


@pytest.mark.slow
def test_a_request_that_is_not_answered_is_broken_off_and_its_event_sent_again(
    store: Store, crm: Crm, run_task: Callable[..., Any]
) -> None:
    """Whoever does not answer within the grace gets the same event at the next try, under the same id."""
    batch = a_batch(store, contacts=2)
    crm.pause = 20.0

    def deliver(try_number: int = 1) -> Any:
        task = DeliverEventsOperator(
            task_id="deliver", batch=batch, route="crm", endpoint_conn_id="crm", concurrency=1
        )
        return run_task(task, try_number=try_number, run_id="run1")

    state, error, took = ended(deliver, lambda: len(crm.seen) >= 1)
    assert (state, took < GRACE) == ("up_for_retry", True), (error, took)
    crm.pause = 0.0
    # Nothing was tried, so it is in nobody's hands: the next run has it.
    batch = hand_out(store, "crm", "run2")
    deliver(2)
    assert count(store, DeliveryFilter()) == {"delivered": 2}
    assert sorted(set(crm.seen)) == ["evt_0", "evt_1"]


STREAMING = 6 * CONTACTS


class Serving:
    """A task whose batch of one event is done, and which goes on with six events of each of many contacts."""

    def __init__(self, store: Store, run_task: Callable[..., Any]) -> None:
        self.store, self._run_task = store, run_task
        self.batch = a_batch(store, contacts=1)
        arrive(store, range(CONTACTS, CONTACTS + STREAMING), contacts=CONTACTS)

    def deliver(self, run_id: str = "run1") -> Any:
        task = DeliverEventsOperator(
            task_id="deliver", batch=self.batch, route="crm", endpoint_conn_id="crm", concurrency=4
        )
        return self._run_task(task, run_id=run_id)

    def serves(self) -> bool:
        return "crm" in glance(self.store).served

    def next_run(self) -> set[str]:
        """The next run delivers what is with nobody. :return: which events those were."""
        assert not self.serves(), "the doorbell rings for what comes in, and the next run plans it"
        self.batch = hand_out(self.store, "crm", "run2")
        self.deliver("run2")
        return set(self.batch["events"])


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def serving(
    request: pytest.FixtureRequest, run_task: Callable[..., Any], crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> Serving:
    url = request.getfixturevalue(request.param)
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", url)
    return Serving(open_store(), run_task)


@pytest.mark.slow
def test_a_task_that_serves_a_stream_gives_back_what_it_has_not_begun(serving: Serving, crm: Crm) -> None:
    """Green, as its own batch is done; what is in flight is awaited, the rest is with nobody at once, and keeps its order."""
    state, error, took = ended(serving.deliver, lambda: serving.serves() and len(crm.seen) >= 12)
    assert (state, took < GRACE) == ("success", True), (error, took)
    sent, total = len(crm.seen), 1 + STREAMING
    assert 12 <= sent < total
    done = count(serving.store, DeliveryFilter())
    assert done["delivered"] == sent, done
    crm.pause = 0.0
    taken = serving.next_run()
    assert len(taken) == total - sent and not taken & set(crm.seen[:sent])
    assert count(serving.store, DeliveryFilter()) == {"delivered": total}
    assert len(crm.seen) == len(set(crm.seen)) == total
    for contact in range(CONTACTS):
        mine = [n for n in (int(each[4:]) for each in crm.seen) if n % CONTACTS == contact]
        assert mine == sorted(mine)


@pytest.mark.slow
def test_a_serving_task_that_waits_for_the_store_begins_nothing_more(serving: Serving, crm: Crm) -> None:
    """Somebody holds the route, or all of the file, when it is asked to end: it has taken much, and sends no more of that."""
    release = threading.Event()

    def hold() -> None:
        with serving.store.write() as connection:
            take_turns(connection, "crm")
            held.set()
            release.wait(30)

    def is_under_way() -> bool:
        if serving.serves() and len(crm.seen) >= 12 and not held.is_set():
            holder.start()
            assert held.wait(10)
            time.sleep(0.5)  # it waits for the same by now
            threading.Timer(3.0, release.set).start()
            at_end.append(len(crm.seen))
        return held.is_set()

    held, holder, at_end = threading.Event(), threading.Thread(target=hold), list[int]()
    state, error, took = ended(serving.deliver, is_under_way)
    holder.join(30)
    assert (state, took < GRACE) == ("success", True), (error, took)
    assert len(crm.seen) <= at_end[0] + 2 * 4, "of four at a time"
    assert count(serving.store, DeliveryFilter())["delivered"] == len(crm.seen)


@pytest.mark.slow
def test_a_serving_task_breaks_off_what_is_not_answered(
    serving: Serving, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One contact's endpoint hangs: the task ends within its grace, and the next run sends that event again."""
    monkeypatch.setattr(ending, "monotonic", lambda: 2.5 * time.monotonic())  # the grace is over sooner
    hangs = crm.hangs = f"evt_{CONTACTS + 5}"
    state, error, took = ended(serving.deliver, lambda: serving.serves() and len(crm.seen) >= 20)
    assert (state, took < GRACE) == ("success", True), (error, took)
    assert count(serving.store, DeliveryFilter())["delivered"] == len(crm.seen) - 1
    crm.hangs, crm.pause = "", 0.0
    assert hangs in serving.next_run()
    assert count(serving.store, DeliveryFilter()) == {"delivered": 1 + STREAMING}
    assert [each for each in set(crm.seen) if crm.seen.count(each) > 1] == [hangs]


@pytest.mark.slow
def test_a_function_is_let_finish_and_called_for_the_rest_by_the_next_try(
    store: Store, crm: Crm, run_task: Callable[..., Any], tmp_path: Any
) -> None:
    """A call cannot be broken off: it counts when it has ended, and no further one is begun."""
    batch, noted = a_batch(store, "python", contacts=20), tmp_path / "noted"
    noted.touch()

    def call(event: ContactEvent, pause: float) -> None:
        with noted.open("a") as file:
            file.write(event.id + "\n")
        time.sleep(pause)

    def handle(pause: float, try_number: int = 1) -> Any:
        task = HandleEventsOperator(
            task_id="handle", batch=batch, route="python", python_callable=call, op_kwargs={"pause": pause}
        )
        return run_task(task, try_number=try_number, run_id="run1")

    state, error, took = ended(lambda: handle(0.3), lambda: len(noted.read_text().splitlines()) >= 2)
    assert (state, took < GRACE) == ("up_for_retry", True), (error, took)
    called = len(noted.read_text().splitlines())
    assert count(store, DeliveryFilter()) == {"delivered": called, "pending": 20 - called}
    handle(0.0, 2)
    assert count(store, DeliveryFilter()) == {"delivered": 20}
    assert sorted(noted.read_text().splitlines()) == sorted(f"evt_{n}" for n in range(20))
