"""Every task of ours in a run that only tries, run by Airflow's own task runner: nothing is sent, told or written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, Asset, task
from servers import as_endpoint, scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.row_trials import PREFIX, Tried
from airflow_outreach_provider.operators.outreach import (
    DeliverEventsOperator,
    ExportOutcomesOperator,
    HandleEventsOperator,
    PollContactsOperator,
    SqlLeads,
    StageLeadsOperator,
    SubmitEventLeadsOperator,
    SubmitLeadsOperator,
    SuppressContactsOperator,
    take_events,
)
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.ledger import trials
from airflow_outreach_provider.store.tables import metadata
from airflow_outreach_provider.workflows.approval import (
    PlanLeadsOperator,
    SubmitApprovedLeadsOperator,
)

TRY = f"{PREFIX}3__by_hand"
BROKEN = f"{PREFIX}many__x"
LEADS = [{"phone": f"+1416555{n:04d}", "first_name": "Ann"} for n in range(100, 112)]
EVENTS = ["evt_0", "evt_1"]
Run = Callable[..., Any]


class World:
    """Whatever a task could reach: the outreach API, an endpoint, a listener, a callable, a folder."""

    def __init__(self, sim: RunningSimulator, store: Store, folder: Path) -> None:
        self.sim, self.store, self.folder = sim, store, folder
        self.requests: list[str] = []
        self.called: list[Any] = []

    def trace(self) -> str:
        """All that is in the store, but the runs that are only told of and what tries found, and what left it."""
        with self.store.read() as connection:
            rows = [
                [tuple(row) for row in connection.execute(sa.select(table))]
                for table in metadata.sorted_tables
                if table.name not in ("runs", "trials")
            ]
        files = sorted(path.name for path in self.folder.iterdir())
        return str([rows, self.sim.report()["requests"], self.requests, self.called, files])


@pytest.fixture
def world(
    sim: RunningSimulator, tasks_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """With connections to all of it, two events that wait, and a notice that nobody was told of."""
    folder = tmp_path / "out"
    folder.mkdir()
    world = World(sim, tasks_store, folder)

    def answer(method: str, path: str, _headers: Mapping[str, str], _body: bytes) -> Any:
        world.requests.append(f"{method} {path}")
        return 200, b"{}", {}

    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    for n, name in enumerate(EVENTS):
        event = ContactEvent(
            name, "varda", "varda", "x", EventKind.UNSUBSCRIBED, at, at, Contact(phone=f"+1416555020{n}")
        )
        inbox_append.append(tasks_store, [Incoming(event, event.to_json(), "[]")])
    notices.note(tasks_store, notices.NoticeKind.LEADS_HELD, "spring", "held", once="1")
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(sim.connection))
    with scripted(answer) as url:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", as_endpoint(url))
        source = {
            "conn_type": "outreach_source",
            "host": url,
            "password": "x" * 16,
            "extra": {"platform": "supersend", "api_key": "k" * 16},
        }
        monkeypatch.setenv("AIRFLOW_CONN_LISTED", json.dumps(source))
        yield world


def sync(kind: Any = SubmitLeadsOperator, **arguments: Any) -> Any:
    told = {
        "task_id": "submit",
        "leads": LEADS,
        "campaign": "spring",
        "outlets": [Asset("leads_sent")],
        "patience": 1.0,
    }
    return kind(**told | arguments)


def taking(world: World) -> Any:
    """A function of one's own over events, by the decorator and by the block in it."""
    with DAG("lake", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

        @task.outreach_events(consumer="lake")
        def push(events: list[Any]) -> None:
            world.called.append(events)

        return push().operator


def blocking(world: World) -> Any:
    with DAG("block", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

        @task
        def push() -> int:
            with take_events("block") as events:
                world.called += events
            return len(events)

        return push().operator


# Every task of ours there is, each of which would send, write or tell in any other run.
TASKS: dict[str, Callable[[World], Any]] = {
    "submit": lambda world: sync(on_outreach_event=world.called.append),
    "submit, told to send": lambda _: sync(dry_run=False, max_rows=12, on_unknown="resend", min_rows=1),
    "stage": lambda _: sync(StageLeadsOperator),
    "shard": lambda _: sync(leads=None, shards=2, shard=1),
    "plan": lambda _: sync(PlanLeadsOperator),
    "submit what is approved": lambda _: sync(SubmitApprovedLeadsOperator, plan_task_id="plan", approve_above=0),
    "deliver": lambda _: DeliverEventsOperator(task_id="deliver", batch=EVENTS, route="crm", endpoint_conn_id="crm"),
    "handle": lambda world: HandleEventsOperator(task_id="handle", batch=EVENTS, route="call", python_callable=world.called.append),
    "submit events": lambda _: SubmitEventLeadsOperator(task_id="lead", batch=EVENTS, route="leads"),
    "suppress": lambda _: SuppressContactsOperator(task_id="suppress", batch=EVENTS, route="no", any_event=True),
    "events made by a DAG": lambda _: DeliverEventsOperator(task_id="made", batch=[{"type": "x"}], route="crm", endpoint_conn_id="crm"),
    "sensor": lambda _: ContactEventSensor(task_id="wait", consumer="route", routes=["crm"]),
    "deferrable sensor": lambda _: ContactEventSensor(task_id="wait", consumer="none", routes=["crm"], source="nobody", deferrable=True),
    "take events": taking,
    "take events in a block": blocking,
    "export": lambda world: ExportOutcomesOperator(task_id="export", to=str(world.folder)),
    "poll": lambda _: PollContactsOperator(task_id="poll", source="listed"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TASKS)
def test_no_task_of_ours_does_anything_in_a_try(world: World, run_task: Run, kind: str) -> None:
    """Each ends well or is skipped, and the store, the API, endpoints, callables, listeners and files are as they were."""
    before = world.trace()
    ran = run_task(TASKS[kind](world), run_id=TRY)
    assert ran.state in ("success", "skipped"), ran.error
    assert world.trace() == before
    assert ran.outlets == []
    assert "+1416555" not in str([ran.xcom, ran.rendered])


@pytest.mark.parametrize("kind", TASKS)
def test_no_task_of_ours_does_anything_in_a_run_that_cannot_be_read_as_a_try(
    world: World, run_task: Run, kind: str
) -> None:
    """It begins like a try's id: the task fails, with what the run should be called, and nothing is sent."""
    before = world.trace()
    ran = run_task(TASKS[kind](world), run_id=BROKEN)
    assert ran.state in ("failed", "up_for_retry"), (ran.state, ran.error)
    assert "outreach_try__5__anything" in str(ran.error)
    assert world.trace() == before


def test_every_operator_of_ours_is_tried_here(world: World) -> None:
    """One that is added has to say what it does in a try."""
    import importlib
    import pkgutil

    from airflow.sdk.bases.operator import BaseOperator

    import airflow_outreach_provider as package

    for room in ("operators", "sensors", "workflows"):
        folder = Path(package.__file__).parent / room
        for found in pkgutil.iter_modules([str(folder)]):
            if found.name != "__main__":
                importlib.import_module(f"{package.__name__}.{room}.{found.name}")

    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {each for each in below(BaseOperator) if each.__module__.startswith(package.__name__)}
    tried = {type(make(world)) for make in TASKS.values()}
    # What waits for approval asks what its plan counted: tests/workflows/test_lead_sync_dag.py runs both.
    assert {each.__name__ for each in ours - tried} == {"BatchOperator", "ApproveLeadsOperator"}


def found(store: Store, task_id: str = "submit") -> Tried:
    (each,) = [each for each in trials.find(store, f"dag_{task_id}", TRY, most=9) if each.task_id == task_id]
    assert each.found is not None
    return each.found


@pytest.mark.slow
def test_what_a_try_found_is_in_the_store(world: World, run_task: Run) -> None:
    """As many rows as its id says, whatever the task does, with values and payload; XCom has counts alone."""
    ran = run_task(
        sync(leads=[*LEADS[:1], {"phone": "+1 12", "first_name": "Bo"}, *LEADS[1:]], max_rows=1), run_id=TRY
    )
    assert {state: n for state, n in ran.xcom.items() if n} == {"planned": 2, "rejected": 1}
    rows = found(world.store).rows
    assert [(row.line, row.state, row.reason) for row in rows] == [
        (1, "planned", "would_be_sent"), (2, "rejected", "phone_too_short"), (3, "planned", "would_be_sent"),
    ]  # fmt: skip
    assert json.loads(rows[0].payload)["phoneNumber"] == "+14165550100"
    assert rows[1].values == {"phone": "+1 12", "first_name": "Bo"}
    assert run_task(sync()).xcom["accepted"] == 12  # and a real run sends them all


def test_a_second_try_of_a_task_takes_the_place_of_the_first(world: World, run_task: Run) -> None:
    """Cleared in Airflow, it finds out anew."""
    run_task(sync(), run_id=TRY)
    run_task(sync(leads=LEADS[:1]), run_id=TRY)
    assert len(found(world.store).rows) == 1


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        ("/nowhere/leads.csv", "/nowhere/leads.csv"), (SqlLeads("not_there", "select 1"), "not_there"),
        ([{"first_name": "Ann"}], "no column of 1 rows is known to hold phone numbers"),
    ],
)  # fmt: skip
def test_a_try_that_cannot_read_its_rows_says_why_and_is_not_tried_again(
    world: World, run_task: Run, leads: Any, words: str
) -> None:
    """On its first try, in the store for the page and in Airflow; somebody waits for it."""
    ran = run_task(sync(leads=leads), run_id=TRY)
    assert ran.state == "failed"
    assert words in str(ran.error)
    assert words in found(world.store).error
    assert "+1416" not in found(world.store).error


def test_what_a_try_found_is_gone_after_a_day(
    world: World, run_task: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown no more, and removed by the next run that begins."""
    run_task(sync(), run_id=TRY)
    with world.store.write() as connection:
        connection.execute(sa.text("UPDATE trials SET at = at - 86400001"))
    assert trials.find(world.store, "dag_submit", TRY, most=9) == []
    run_task(sync(leads=LEADS[:1]))
    with world.store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM trials")).scalar() == 0


def test_nothing_is_left_of_who_is_forgotten(world: World, run_task: Run) -> None:
    """A row of a source may name somebody in any column: what tries found goes whole."""
    from airflow_outreach_provider.services import actions

    run_task(sync(leads=[{"phone": "+14165550177", "note": "her sister is Ann, 416 555 0100"}]), run_id=TRY)
    actions.forget(world.store, phone="+14165550100", actor="eve")
    assert trials.find(world.store, "dag_submit", TRY, most=9) == []
