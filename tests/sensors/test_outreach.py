"""The sensor: waits without a worker, hands out what is there, and says when nothing came."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_outreach_provider.assets import contact_events
from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.triggers import deliveries as trigger_module
from airflow_outreach_provider.triggers.deliveries import DeliverableTrigger
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger


@pytest.fixture(autouse=True)
def store(tasks_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(trigger_module, "_deferral_seconds", lambda: 0.0)
    return tasks_store


def sensor(**arguments: Any) -> ContactEventSensor:
    return ContactEventSensor(
        task_id="wait", **{"consumer": "c", "deferrable": True, "routes": ["crm"], **arguments}
    )


def context(run_id: str = "run1") -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="wait", run_id=run_id, map_index=-1, try_number=1)}


def arrive(store: Store, *contacts: str, first: int = 1) -> None:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(f"evt_{n}", "src", "varda", "x", EventKind.REPLIED, at, at, Contact(external_id=contact))
        for n, contact in enumerate(contacts, first)
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


async def first(trigger: DeliverableTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def test_what_is_there_is_handed_out_without_waiting(store: Store) -> None:
    """Events that wait already are returned at once, and the same to the same task instance again."""
    arrive(store, "a", "b")
    batches = sensor().execute(context())
    assert [each["events"] for each in batches] == [["evt_1"], ["evt_2"]]
    assert sensor().execute(context()) == batches


def test_one_kind_may_be_written_without_a_list(store: Store) -> None:
    """A text is one kind and not its letters; an empty list, which would wait for ever, is refused."""
    arrive(store, "a")
    assert len(sensor(kinds="replied").execute(context())) == 1
    with pytest.raises(ConfigurationError, match="kinds is empty"):
        sensor(kinds=[])
    with pytest.raises(ConfigurationError, match="no usable name"):
        sensor(routes=["a b"])


@pytest.mark.slow
def test_it_defers_until_the_trigger_sees_something_and_then_hands_it_out(store: Store) -> None:
    """Deferred with plain JSON arguments; the trigger fires on a new event; the resumed task returns it."""
    waiting = sensor(where="kind == 'replied'", poll_interval=0.05, timeout=60)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context())
    path, arguments = deferred.value.trigger.serialize()
    assert path == "airflow_outreach_provider.triggers.deliveries.DeliverableTrigger"
    assert deferred.value.timeout.total_seconds() == pytest.approx(60, abs=5)

    async def meanwhile() -> dict[str, Any]:
        fired = asyncio.create_task(first(DeliverableTrigger(**arguments)))
        await asyncio.sleep(0.2)
        assert not fired.done()
        await asyncio.to_thread(arrive, store, "a")
        return await asyncio.wait_for(fired, 5)

    event = asyncio.run(meanwhile())
    assert event == {"status": "ready"}
    batches = waiting.execute_complete(context(), event, **deferred.value.kwargs)
    assert [each["events"] for each in batches] == [["evt_1"]]


def test_it_waits_on_when_another_run_was_quicker_and_gives_up_in_time(store: Store) -> None:
    """A trigger that fired for nothing defers again, with what is left of the time; then it is a time-out."""
    deadline = datetime.now(UTC).timestamp() + 30
    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute_complete(context(), {"status": "ready"}, deadline=deadline)
    assert deferred.value.timeout.total_seconds() == pytest.approx(30, abs=5)
    with pytest.raises(AirflowSensorTimeout, match="no event for consumer 'c'"):
        sensor().execute_complete(context(), {"status": "ready"}, deadline=deadline - 60)


def test_when_its_work_is_done_a_cleared_sensor_returns_nothing(store: Store) -> None:
    """A cleared run hands out what is left of its own work, never what came later."""
    arrive(store, "a")
    (batch,) = sensor().execute(context())
    from airflow_outreach_provider.core.owner import Owner
    from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
    from airflow_outreach_provider.services.deliveries.callables import handle

    handle(
        store, Batch("crm", batch["events"], batch["plan"]), TaskTry(Owner("dag", "deliver")), lambda _: None
    )
    arrive(store, "b", first=2)
    assert sensor().execute(context()) == []
    assert [each["events"] for each in sensor().execute(context("run2"))] == [["evt_2"]]


@pytest.mark.slow
def test_a_mistake_is_reported_and_a_store_that_is_away_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown kind ends the wait with its reason; an outage of the store does not."""
    wrong = DeliverableTrigger(consumer="c", kinds=["replyed"])
    event = asyncio.run(first(wrong))
    assert event["status"] == "error"
    with pytest.raises(ConfigurationError, match="replyed"):
        sensor().execute_complete(context(), event)

    calls: list[int] = []

    def away(*_: object) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise StoreError("away")
        return True

    monkeypatch.setattr(trigger_module, "is_ready", away)
    assert asyncio.run(first(DeliverableTrigger(consumer="c", poll_interval=0.01))) == {"status": "ready"}
    assert len(calls) == 2


@pytest.mark.slow
def test_it_does_not_fire_before_airflow_knows_that_the_task_is_deferred(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that waits already fires the trigger only after the time Airflow needs to see the deferral."""
    monkeypatch.setattr(trigger_module, "_deferral_seconds", lambda: 0.3)
    arrive(store, "a")

    async def timed() -> float:
        started = asyncio.get_running_loop().time()
        await first(DeliverableTrigger(consumer="c", routes=["crm"], poll_interval=0.01))
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(timed()) >= 0.3


@pytest.mark.slow
def test_without_a_triggerer_it_pokes(store: Store) -> None:
    """deferrable=False polls from the worker."""
    poking = sensor(deferrable=False, poll_interval=0.05, timeout=0.2)
    with pytest.raises(AirflowSensorTimeout):
        poking.execute(context())
    arrive(store, "a")
    assert len(sensor(deferrable=False).execute(context())) == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_time_out_is_soft_where_it_is_to_be(store: Store, deferrable: bool) -> None:
    """Also of one that looks a single time, wherever it would have waited."""
    with pytest.raises(AirflowSkipException):
        sensor(deferrable=deferrable, timeout=0, soft_fail=True).execute(context())


WRONG_READINGS: list[tuple[dict[str, Any], str]] = [
    ({"source": ["a", "b"]}, "source is ['a', 'b']"), ({"source": 5}, "source is 5"), ({"source": "None"}, "source came out as None"),
    ({"kinds": [5]}, "kinds is [5]"), ({"kinds": 5}, "kinds is 5"), ({"kinds": []}, "kinds is empty"),
    ({"consumer": None}, "consumer is None"), ({"consumer": 5}, "consumer is 5"), ({"consumer": ""}, "cannot be called ''"),
    ({"consumer": "a\nb"}, "cannot be called"), ({"consumer": "x" * 251}, "cannot be called"), ({"consumer": "None"}, "consumer came out as None"),
    ({"where": 5}, "where is 5"), ({"where": True}, "where is True"), ({"where": "kind = 1"}, ""),
    ({"routes": 5}, "routes is 5"), ({"routes": ["a b"]}, "'a b' has no usable name"), ({"routes": [None]}, "routes is [None]"),
    ({"poll_interval": 0}, "poll_interval is 0"), ({"poll_interval": -1}, "poll_interval is -1"), ({"poll_interval": "5"}, "poll_interval is '5'"),
    ({"poll_interval": None}, "poll_interval is None"), ({"poll_interval": float("nan")}, "poll_interval is nan"), ({"poll_interval": float("inf")}, "poll_interval is inf"),
]  # fmt: skip
"""What none of sensor, asset, trigger and ``take_events`` reads by, and what it says of it."""


@pytest.mark.parametrize(("wrong", "said"), WRONG_READINGS)
@pytest.mark.parametrize(
    "give",
    [
        lambda **arguments: sensor(**arguments),
        lambda **arguments: contact_events(**{"consumer": "c", **arguments}),
        lambda **arguments: ContactEventTrigger(**{"consumer": "c", **arguments}).serialize(),
    ],
    ids=["sensor", "asset", "trigger"],
)
def test_what_nobody_can_read_by_shows_in_the_dag_list(give: Any, wrong: dict[str, Any], said: str) -> None:
    """Not in the first run, nor in the triggerer's log for ever: an error that names the argument, and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        give(**wrong)
    assert said in str(caught.value) and " — " in str(caught.value)


@pytest.mark.parametrize("kinds", ["Replied", "replied,interested", ["nope"], ["replied", "nope"]])
def test_a_kind_that_does_not_exist_shows_in_the_dag_list(kinds: Any) -> None:
    """By sensor and asset; a trigger's own run tells its task, for a version may have taken the kind away."""
    for give in (sensor, lambda **said: contact_events("c", **said)):
        with pytest.raises(ConfigurationError, match="no event kind"):
            give(kinds=kinds)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_events": "10"}, "max_events is '10'"), ({"max_events": None}, "max_events is None"), ({"max_events": 0}, "max_events is 0"),
        ({"events_per_batch": "5"}, "events_per_batch is '5'"), ({"events_per_batch": 0}, "events_per_batch is 0"),
        ({"wait": "maybe"}, "wait is 'maybe'"), ({"deferrable": "None"}, "deferrable came out as None"),
    ],
)  # fmt: skip
def test_what_only_the_sensor_has_is_looked_at_too(wrong: dict[str, Any], said: str) -> None:
    """A number as text is none."""
    with pytest.raises(ConfigurationError, match=said):
        sensor(**wrong)


def test_what_a_template_gives_is_looked_at_when_it_has(store: Store) -> None:
    """Until then it may be anything."""
    waiting = sensor(consumer="{{ params.c }}", source="{{ params.s }}", kinds=["{{ params.k }}", "replied"])
    waiting.consumer, waiting.source, waiting.kinds = "c", "None", ["replied"]
    with pytest.raises(ConfigurationError, match="source came out as None"):
        waiting.execute(context())
    waiting.source, waiting.kinds = "src", ["nope"]
    with pytest.raises(ConfigurationError, match="no event kind 'nope'"):
        waiting.execute(context())


def test_one_route_is_one_and_not_its_letters(store: Store) -> None:
    """By sensor, asset and trigger: what its handler has done is done."""
    arrive(store, "a")
    batches = sensor(routes="crm").execute(context())
    assert [each["events"] for each in batches] == [["evt_1"]]
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT DISTINCT route FROM deliveries")).scalars().all() == ["crm"]
    (watcher,) = contact_events("c", routes="crm").watchers
    assert watcher.trigger.serialize()[1]["routes"] == ["crm"]
    assert contact_events("c", routes="crm").name == contact_events("c", routes=["crm"]).name
