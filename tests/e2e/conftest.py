"""A whole Airflow with outreach at work in it, below a base path, and a real browser to look at it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from airflows import SharedAirflow, shared_airflow
from programs import needed
from stores import opened

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.demo.airflow import RunningAirflow, people, running_airflow, wait_until
from airflow_outreach_provider.demo.events import (
    ENDPOINT,
    Crm,
    CrmAnswer,
    Sources,
    post,
    running_crm,
    send_webhooks,
)
from airflow_outreach_provider.simulator.process import running_simulator
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.deliveries import attempts, fan_out
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.attempts import Attempt
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

ROOT = Path(__file__).parents[2]
BASE_PATH = "/team/airflow"
PEOPLE = {"ada": "admin", "vic": "viewer"}
FANOUT = "outreach_event_fanout"

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Three syncs: one that comes to its end with a few of everything, one that is told to wait for fifty minutes, one that is
# red: its list has a bad row, and none is allowed.
DAGS = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator

for name, most in (("spring", None), ("autumn", None), ("winter", 0)):
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
        SubmitLeadsOperator(task_id="submit_leads", leads=f"{{{{ var.value.{name} }}}}", campaign=name,
                            default_region="US", max_rejected=most)
"""
LONG = 400
"""Seconds to wait for a flow; a few on a machine that has nothing else to do."""
SYNCS = ("spring", "autumn", "winter")
HELD, REFUSED, WAITING = "01", "02", "77"
"""How numbers end whose submission is answered 500 (and texted), 422, and 503 with Retry-After."""
FAULTS = (
    f"status=500,when=after,ending={HELD}", f"status=422,ending={REFUSED}",
    f"status=503,retry_after=3000,ending={WAITING}",
)  # fmt: skip
HOSTILE = "<img src=x onerror=\"window.pwned='answer'\"><script>window.pwned='answer'</script>"


def crm_answer(event: Any, _times: int) -> CrmAnswer:
    """400 for the contact 1001 (with a hostile answer), 503 with Retry-After for 1003, else 200."""
    match str(event["contact"].get("external_id")):
        case "1001":
            return CrmAnswer(400, {"Content-Type": "text/html"}, HOSTILE.encode())
        case "1003":
            return CrmAnswer(503, {"Retry-After": "3000"}, b"busy")
        case _:
            return CrmAnswer()


@dataclass
class World:
    """Airflow, and the store that its tasks and pages share with the test."""

    airflow: RunningAirflow
    store: Store
    crm: Crm
    run_ids: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where our own pages begin."""
        return f"{self.airflow.url}/outreach"

    def scalar(self, query: str, **parameters: Any) -> Any:
        """One value out of the store."""
        with self.store.read() as connection:
            return connection.execute(sa.text(query), parameters).scalar()

    def write(self, query: str, **parameters: Any) -> None:
        """Change the store behind everybody's back."""
        with self.store.write() as connection:
            connection.execute(sa.text(query), parameters)

    def last_audit(self) -> tuple[str, str, int]:
        """Who did what to how many rows, last."""
        row = audit.entries(self.store, limit=1).rows[0]
        return row.actor, row.action, row.count


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> Iterator[SharedAirflow]:
    """One that reads changed DAGs soon, and gives nobody up early. Its modules are of the group ``patient``."""
    settings = {"DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 5, "CORE__DAGBAG_IMPORT_TIMEOUT": 120}
    with shared_airflow(tmp_path_factory.mktemp("patient"), migrated_home, settings) as shared:
        yield shared


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> Iterator[SharedAirflow]:
    """One that notices dead processes within seconds instead of minutes. Its modules are of the group ``quick``."""
    settings = {
        "CORE__DAGBAG_IMPORT_TIMEOUT": 120,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 10, "TRIGGERER__JOB_HEARTBEAT_SEC": 1,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5, "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 6,
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1, "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 6,
    }  # fmt: skip
    with shared_airflow(tmp_path_factory.mktemp("quick"), migrated_home, settings) as shared:
        yield shared


@pytest.fixture(scope="module")
def store(airflow: RunningAirflow) -> Iterator[Store]:
    """What the tasks of this module's Airflow share with its tests."""
    with opened(f"sqlite:///{airflow.home / 'outreach.db'}") as store:
        yield store


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> Iterator[World]:
    """Leads of every state, a task that waits for its retry, events of two platforms, deliveries of every state."""
    home = tmp_path_factory.mktemp("world")
    dags = home / "dags"
    dags.mkdir()
    (dags / "syncs.py").write_text(DAGS)
    shutil.copy(ROOT / "dags" / f"{FANOUT}.py", dags)
    _write_leads(home)
    sources = Sources.new()
    with running_simulator(faults=FAULTS) as simulator, running_crm(crm_answer) as crm:
        connections = {
            "outreach_default": simulator.connection, ENDPOINT: crm.connection, **sources.connections,
            "never_right": {**sources.connections["varda_demo"], "password": "another-secret-than-theirs"},
        }  # fmt: skip
        environment = people(home, PEOPLE) | {
            # A machine that is busy with other things takes longer to import what tasks need, and to answer them.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
            "AIRFLOW_VAR_SPRING": str(home / "spring.csv"),
            "AIRFLOW_VAR_AUTUMN": str(home / "autumn.csv"),
            "AIRFLOW_VAR_WINTER": str(home / "winter.csv"),
        }
        with running_airflow(
            home,
            dags,
            connections=connections,
            environment=environment,
            base_path=BASE_PATH,
            like=migrated_home,
        ) as airflow:
            for dag in SYNCS:
                airflow.wait_for_dag(dag, LONG)
            assert post(airflow.url, "/outreach/in/never_right", b"{}", {}) == 401
            # What one of them is asked to wait for, all of a connection wait for: autumn comes last.
            started = {dag: airflow.trigger(dag) for dag in SYNCS if dag != "autumn"}
            store = Store(f"sqlite:///{home / 'outreach.db'}")
            world = World(airflow, store, crm, started)
            _wait_for_the_syncs(world)
            airflow.wait_for_dag(FANOUT, LONG)
            send_webhooks(airflow.url, sources)
            _append_odd_events(store)
            _wait_for_the_events(world)
            yield world
            store.close()


def _write_leads(home: Path) -> None:
    """The spring list: 20 good rows, 3 the API fails on, 2 it refuses, 2 that are no leads; the winter list: one good, one bad."""
    numbers = [f"+1416555{n:04d}" for n in range(1110, 1130)]
    numbers += [
        f"+14165551{n}{ending}" for n, ending in ((3, HELD), (4, HELD), (5, HELD), (3, REFUSED), (4, REFUSED))
    ]
    rows = [f"{number},Lead {place},lead{place}@example.com" for place, number in enumerate(numbers)]
    rows += ["not a number,Nobody,", f',"{HOSTILE.replace(chr(34), chr(34) * 2)}",']
    (home / "spring.csv").write_text("phone,first_name,email\n" + "\n".join(rows) + "\n")
    (home / "winter.csv").write_text("phone,first_name\n+14165553001,Good\nnot a number,Bad\n")
    (home / "autumn.csv").write_text(f"phone,first_name\n+141655520{WAITING},Waiting\n")


def _append_odd_events(store: Store) -> None:
    now = datetime.now(UTC)
    who = Contact(name=HOSTILE, external_id="odd", email="odd@example.com")
    event = ContactEvent(
        "evt_odd", "varda_demo", "varda", "strange.event", EventKind.UNRECOGNISED, now, now, who, None, {}
    )
    body = json.dumps({"event": "strange.event", "data": {"note": HOSTILE, "phone": "+14165559999"}})
    inbox_append.append(store, [Incoming(event, body.encode(), json.dumps([["x-note", HOSTILE]]))])


def _wait_for_the_syncs(world: World) -> None:
    def waits() -> bool:
        (task,) = world.airflow.task_instances("autumn", world.run_ids["autumn"], "submit_leads")
        return bool(task["state"] == "up_for_retry")

    assert world.airflow.wait_for_run("spring", world.run_ids["spring"], LONG) == "success"
    assert world.airflow.wait_for_run("winter", world.run_ids["winter"], LONG) == "failed"
    world.run_ids["autumn"] = world.airflow.trigger("autumn")
    wait_until(waits, LONG, "autumn is up for retry")


def _wait_for_the_events(world: World) -> None:
    def settled() -> bool:
        counts = deliveries_lists.count(world.store, DeliveryFilter())
        return counts.get("delivered", 0) >= 8 and counts.get("dead", 0) == 1 and counts.get("failed", 0) == 1

    wait_until(settled, LONG, "eight events are delivered, one is dead, one is to be tried again")
    # From here on the world changes by what tests do alone: a redelivery would be sent while they look at it.
    world.airflow.api("PATCH", f"dags/{FANOUT}", {"is_paused": True})


@pytest.fixture
def as_it_was(world: World) -> Iterator[None]:
    """What a test does to the world is undone, so that the others find it as it was."""
    with world.store.read() as connection:
        states = list(connection.exec_driver_sql("SELECT id, state, tries FROM deliveries"))
        endpoints = connection.exec_driver_sql("SELECT * FROM endpoints").mappings().all()
    yield
    for row, state, tries in states:
        world.write(
            "UPDATE deliveries SET state = :state, tries = :tries WHERE id = :id",
            id=row,
            state=state,
            tries=tries,
        )
    # SQLite gives their ids to the next ones: their history must not be theirs.
    world.write("DELETE FROM attempts WHERE lead_id IN (SELECT id FROM leads WHERE campaign = 'clicks')")
    world.write("DELETE FROM leads WHERE campaign = 'clicks'")
    world.write("DELETE FROM suppressions")
    world.write("DELETE FROM endpoints")
    for endpoint in endpoints:
        columns = ", ".join(endpoint)
        world.write(f"INSERT INTO endpoints ({columns}) VALUES (:{columns.replace(', ', ', :')})", **endpoint)
    world.write("UPDATE sources SET disabled_at = NULL")


Happened = Callable[..., ContactEvent]


@pytest.fixture
def happened(world: World) -> Iterator[Happened]:
    """``happened(kind, phone, name, **data)``: an event in the inbox; gone afterwards, with what was made of it."""

    def add(kind: EventKind, phone: str, name: str, **data: Any) -> ContactEvent:
        now, id_ = datetime.now(UTC), f"evt_added_{name}"
        event = ContactEvent(
            id_, "varda_demo", "varda", kind.value, kind, now, now, Contact(phone=phone), None, data
        )
        inbox_append.append(world.store, [Incoming(event, json.dumps({"data": data}).encode(), "[]")])
        return event

    yield add
    mine = "SELECT id FROM deliveries WHERE event_id LIKE 'evt_added_%'"
    world.write(f"DELETE FROM delivery_attempts WHERE delivery_id IN ({mine})")
    world.write("DELETE FROM deliveries WHERE event_id LIKE 'evt_added_%'")
    world.write("DELETE FROM inbox_events WHERE event_id LIKE 'evt_added_%'")


@dataclass(frozen=True)
class Outage:
    """When the CRM was down, in Toronto, as a field of a form has it; and what was missed."""

    begin: datetime
    ids: list[int]

    @property
    def fields(self) -> tuple[str, str]:
        return f"{self.begin:%Y-%m-%dT%H:%M}", f"{self.begin + timedelta(hours=1):%Y-%m-%dT%H:%M}"


@pytest.fixture
def outage(world: World, happened: Happened) -> Outage:
    """Yesterday from 14 to 15 h in Toronto: six deliveries were tried in vain, one of them in the morning too."""
    yesterday = datetime.now(ZoneInfo("America/Toronto")) - timedelta(days=1)
    begin = yesterday.replace(hour=14, minute=0, second=0, microsecond=0)
    ids = []
    for n in range(6):
        event = happened(EventKind.REPLIED, f"+1416555400{n}", f"missed_{n}")
        fan_out.send(world.store, event, FANOUT)
        ids += [
            row.id
            for row in deliveries_lists.list_deliveries(
                world.store, DeliveryFilter(event_ids=[event.id])
            ).rows
        ]
    minutes = [(ids[0], -300), *((each, 5 + 9 * n) for n, each in enumerate(ids))]
    tried = [
        Attempt(each, DeliveryState.DEAD, begin + timedelta(minutes=minute), DeliveryVerdict.RETRY, 503, 12, "HTTP 503", "down")
        for each, minute in minutes
    ]  # fmt: skip
    attempts.settle(world.store, tried, Owner(FANOUT, "deliver", "manual__outage"))
    return Outage(begin, ids)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, without a screen. One a module: while it runs, no other event loop can."""
    chromium = needed("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kept() -> dict[str, Any]:
    """What the browsers of people who logged in keep of it."""
    return {}


@pytest.fixture
def sessions(browser: Any, world: World, kept: dict[str, Any]) -> dict[str, Any]:
    """Everybody logs in once by Airflow's own form."""
    passwords = json.loads((world.airflow.home / "passwords.json").read_text())
    for name in PEOPLE.keys() - kept.keys():
        context = browser.new_context()
        page = context.new_page()
        page.goto(world.airflow.url + "/")
        page.wait_for_url("**/login**")
        page.locator("input[name=username]").fill(name)
        page.locator("input[name=password]").fill(passwords[name])
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/login" not in url)
        kept[name] = context.storage_state()
        context.close()
    return kept


@pytest.fixture
def log_in(browser: Any, world: World, sessions: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """``log_in("ada")``: a page of a browser in which that person is logged in, on Airflow's first page."""
    contexts = []

    def enter(name: str, **options: Any) -> Any:
        options = {"viewport": {"width": 1360, "height": 850}} | options
        context = browser.new_context(storage_state=sessions[name], **options)
        contexts.append(context)
        return context.new_page()

    yield enter
    for context in contexts:
        context.close()


@pytest.fixture
def ada(log_in: Callable[..., Any]) -> Any:
    """The page of somebody who may act."""
    return log_in("ada")


@pytest.fixture
def vic(log_in: Callable[..., Any]) -> Any:
    """The page of somebody who may look."""
    return log_in("vic")
