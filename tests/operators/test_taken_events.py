"""A batch of events for code of one's own: done when the task ends well, taken again when it does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowTaskTimeout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.operators.outreach import take_events
from airflow_outreach_provider.operators.taken_events import OutreachEventsOperator
from airflow_outreach_provider.services.deliveries.batch import TaskTry
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.services.deliveries.taken import taken
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append


@pytest.fixture(autouse=True)
def store(tasks_store: Store) -> Store:
    return tasks_store


def arrive(store: Store, *ids: str, kind: EventKind = EventKind.REPLIED) -> None:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(each, "src", "varda", "x", kind, at, at, Contact(external_id=each[-1])) for each in ids
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def states(store: Store) -> dict[str, int]:
    return {state: count for state, count in deliveries_lists.count(store, DeliveryFilter()).items() if count}


def made(function: Callable[..., Any], **options: Any) -> Any:
    """The operator that the registered decorator makes of a function, in a DAG."""
    with DAG("lake", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        return task.outreach_events(consumer="lake", **options)(function)().operator


def test_what_an_ended_run_had_taken_is_the_next_ones(
    store: Store, run_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker died, and its run was deleted: nothing waits until what it planned runs out."""
    arrive(store, "evt_a")
    assert fan_out(store, Reading("lake", ("lake",)), Owner("lake", "push", "deleted").key)
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET plan_until = plan_until - 60000"))
    monkeypatch.setattr("airflow_outreach_provider.hooks.ended_runs.count_runs", lambda *_: 0)

    def push(events: list[ContactEvent]) -> list[str]:
        return [event.id for event in events]

    assert run_task(made(push)).xcom == ["evt_a"]


def test_the_function_is_called_once_with_all_that_waits(store: Store, run_task: Any) -> None:
    """In order, only what its filter lets through; then it is done, and a further run is skipped."""
    seen: list[list[str]] = []

    def push(events: list[ContactEvent], ds: str) -> int:
        seen.append([event.id for event in events])
        return len(events)

    arrive(store, "evt_a1", "evt_b1", "evt_a2")
    arrive(store, "evt_c1", kind=EventKind.OPENED)
    ran = run_task(made(push, kinds=["replied"]))
    assert (ran.state, ran.xcom, seen) == ("success", 3, [["evt_a1", "evt_b1", "evt_a2"]])
    assert states(store) == {"delivered": 3}
    assert "evt_" not in str(ran.rendered)
    assert run_task(made(push, kinds=["replied"]), run_id="manual__2").state == "skipped"
    assert len(seen) == 1


def test_a_function_that_yields_is_no_function_of_a_task() -> None:
    """Calling it runs nothing: the events would be done, and nobody have seen them."""

    def push(events: list[ContactEvent]) -> Any:
        yield from events

    async def push_later(events: list[ContactEvent]) -> Any:
        for event in events:
            yield event

    for function in (push, push_later):
        with pytest.raises(ConfigurationError, match="yields, so calling it runs nothing — let it return"):
            made(function)


@pytest.mark.slow
def test_a_failure_leaves_all_of_them_to_the_retry(store: Store, run_task: Any) -> None:
    """Nobody else gets them before, and what came in meanwhile is for the next run."""
    seen: list[list[str]] = []

    def push(events: list[ContactEvent]) -> None:
        seen.append([event.id for event in events])
        if len(seen) == 1:
            raise ValueError("the lake is frozen: +14165550123")

    arrive(store, "evt_a", "evt_b")
    assert run_task(made(push)).state == "up_for_retry"
    assert states(store) == {"failed": 2}
    (row, *_) = deliveries_lists.every_delivery(store, DeliveryFilter())
    assert "frozen" in row.last_error
    assert "4165550123" not in row.last_error
    arrive(store, "evt_c")
    assert run_task(made(push), run_id="manual__2").state == "success"
    assert run_task(made(push), try_number=2).state == "success"
    assert seen == [["evt_a", "evt_b"], ["evt_c"], ["evt_a", "evt_b"]]
    assert states(store) == {"delivered": 3}


@pytest.mark.parametrize("error", [ValueError("no"), AirflowTaskTimeout("no"), SystemExit("no")])
def test_after_the_last_try_they_come_again_and_none_is_given_up(
    store: Store, run_task: Any, error: BaseException
) -> None:
    """Whatever the task's retries, and what it ended with: a batch's failure does not say which event it was."""

    def push(events: list[ContactEvent]) -> None:
        raise error

    arrive(store, "evt_a")
    assert run_task(made(push, retries=0)).state == "failed"
    assert states(store) == {"failed": 1}
    (row,) = deliveries_lists.every_delivery(store, DeliveryFilter())
    assert row.due_at is not None and row.last_error == f"{type(error).__name__}: no"


def test_a_block_within_any_task_takes_them_too(store: Store, run_task: Any) -> None:
    """``with take_events(…)``; and a task that has nothing to take gets an empty list."""
    seen: list[list[str]] = []

    with DAG("lake", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

        @task
        def push() -> None:
            with take_events("lake", where="contact.external_id == 'a'") as events:
                seen.append([event.id for event in events])

        operator = push().operator
    arrive(store, "evt_a", "evt_b")
    assert run_task(operator).state == "success"
    assert run_task(operator, run_id="manual__2").state == "success"
    assert seen == [["evt_a"], []]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a kind": ({"kinds": []}, "kinds is empty"),
    "an expression": ({"where": "knd == 'x'"}, "unknown name"),
    "a number": ({"max_events": 0}, "at least 1"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_shows_when_the_dag_is_read(case: str) -> None:
    """Not in the first run."""
    options, said = MISTAKES[case]
    with pytest.raises(ConfigurationError, match=said):
        made(lambda events: None, **options)


def test_what_cannot_be_called_is_a_mistake() -> None:
    """It is named, and no error of whatever looks into it."""
    with pytest.raises(ConfigurationError, match="python_callable 5 cannot be called — "):
        OutreachEventsOperator(task_id="t", consumer="lake", python_callable=cast("Any", 5))


def test_a_function_without_events_is_a_mistake() -> None:
    """It could do nothing with them."""
    with pytest.raises(ConfigurationError, match="parameter 'events'"):
        made(lambda rows: None)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15), deadline=None
)
@given(st.lists(st.sampled_from(["arrive", "well", "fails", "dies"]), max_size=12))
def test_every_event_is_done_once_however_runs_end(
    migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """The law: no event is lost, and none comes again once it was done."""
    path = tmp_path_factory.mktemp("law") / "outreach.db"
    shutil.copy(migrated_sqlite, path)
    store, count, done = Store(f"sqlite:///{path}"), 0, list[str]()
    for run, step in enumerate([*steps, "well"]):
        if step == "arrive":
            count += 1
            arrive(store, f"evt_{count:03}")
            continue
        owner = Owner("dag", "task", f"run{run}")
        with taken(store, Reading("lake", ("lake",)), TaskTry(owner, last_try=True)) as mine:
            if step == "well":
                done += [event.id for event in mine.events]
                mine.settle(None)
            elif step == "fails":
                mine.settle(ValueError("no"))
    assert len(done) == len(set(done))
    left = {
        row.event_id
        for row in deliveries_lists.every_delivery(store, DeliveryFilter())
        if row.state != "delivered"
    }
    assert set(done) | left == {f"evt_{number:03}" for number in range(1, count + 1)}
    assert not set(done) & left
