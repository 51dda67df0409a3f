"""Every kind of low-code DAG in a real scheduler, each at least twice; and those that stood still go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from airflows import SharedAirflow

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.demo.airflow import RunningAirflow, wait_until
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("patient"),
    pytest.mark.lasts(340),
    pytest.mark.timeout(900),
]

LOADER = """
from pathlib import Path
from airflow_outreach_provider.workflows import load_workflows

load_workflows(Path(__file__).parent / "workflows")  # a DAG file of Airflow
"""
WORKFLOWS = """
lead_syncs:
  by_hand:
    leads: {csv: leads.csv}
    rules: {default_region: US}
  by_cron:
    schedule: "* * * * *"
    leads: {csv: others.csv}
    rules: {default_region: US}
defaults:
  event_routes: {poll_interval: 1s}
event_routes:
  to_endpoint: {deliver: {endpoint: hook}}
  to_python: {deliver: {python: outreach_e2e_functions.note}}
  to_outreach: {deliver: {outreach: {rules: {default_region: US}}}}
  to_suppress: {kinds: unsubscribed, deliver: {suppress: true}}
  said_events: {schedule: events, kinds: unsubscribed, deliver: {endpoint: hook}}
  continuous: {schedule: "@continuous", deliver: {endpoint: hook}}
  cron: {schedule: "* * * * *", wait: 30s, deliver: {endpoint: hook}}
"""
FUNCTIONS = """
import sys

def note(event):
    with open("FILE", "a") as file:
        print(event.id, "airflow_outreach_provider.preload" in sys.modules, file=file)
"""
ROUTES = ("to_endpoint", "to_python", "to_outreach", "to_suppress", "said_events", "continuous", "cron")
# As a release before this one built a route: Airflow gives all its runs the first one's logical date.
STUCK = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

for name in ("stuck", "stuck_said"):
    with DAG("outreach_event_route__" + name, schedule="@continuous", catchup=False, max_active_runs=1):
        EmptyOperator(task_id="wait_for_events")
"""
FREED = """
defaults:
  event_routes: {poll_interval: 1s}
event_routes:
  stuck: {deliver: {endpoint: hook}}
  stuck_said: {schedule: "@continuous", deliver: {endpoint: hook}}
"""


@pytest.fixture(scope="module")
def airflow(patient: SharedAirflow) -> RunningAirflow:
    return patient.airflow


@pytest.fixture(scope="module")
def dags(patient: SharedAirflow) -> Iterator[Path]:
    """The folder of the module's DAGs."""
    note = FUNCTIONS.replace("FILE", str(patient.airflow.home / "found"))
    (patient.modules / "outreach_e2e_functions.py").write_text(note)
    files = {
        "routes.py": LOADER,
        "stuck.py": STUCK,
        "workflows/all.yaml": WORKFLOWS,
        "workflows/leads.csv": "phone\n+16475550101\n",
        "workflows/others.csv": "phone\n+16475550102\n",
    }
    with patient.dags("twice", files) as folder:
        yield folder


def arrive(store: Store, name: str, kind: EventKind, number: int) -> str:
    now = datetime.now(UTC)
    who = Contact(external_id=name, phone=f"+1647555{number:04d}")
    event = ContactEvent(f"evt_{name}", "src", "varda", "x", kind, now, now, who)
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])
    return event.id


def delivered(store: Store, event: str, routes: tuple[str, ...]) -> bool:
    with store.read() as connection:
        done = set(
            connection.execute(
                sa.text("SELECT route FROM deliveries WHERE event_id = :event AND state = 'delivered'"),
                {"event": event},
            ).scalars()
        )
    return done >= set(routes)


def test_routes_that_stood_still_go_on(airflow: RunningAirflow, store: Store, dags: Path) -> None:
    """Built as before they run once and never again; after the upgrade they deliver, and nobody deleted a run."""
    names = ("stuck", "stuck_said")
    routes = [f"outreach_event_route__{name}" for name in names]
    for dag in routes:
        airflow.wait_for_dag(dag, 120)
    wait_until(lambda: all(airflow.runs(dag) for dag in routes), 60, "each has run once")
    log = airflow.home / "components" / "scheduler.log"
    wait_until(lambda: log.read_text().count("run already exists") > 5, 60, "and then Airflow skips it")
    before = {dag: [each["dag_run_id"] for each in airflow.runs(dag)] for dag in routes}
    assert [len(each) for each in before.values()] == [1, 1]

    (dags / "stuck.py").unlink()
    (dags / "workflows" / "freed.yaml").write_text(FREED)
    for wave, number in (("one", 101), ("two", 102)):
        event = arrive(store, f"stuck-{wave}", EventKind.CLICKED, number)
        wait_until(lambda e=event: delivered(store, e, names), 120, f"{event} is delivered")
    for dag in routes:
        now = [each["dag_run_id"] for each in airflow.runs(dag)]
        assert set(before[dag]) < set(now)
        assert len(now) >= 3
        airflow.api("PATCH", f"dags/{dag}", {"is_paused": True})


def test_every_kind_of_workflow_runs_twice(
    airflow: RunningAirflow, store: Store, dags: Path, patient: SharedAirflow
) -> None:
    """Two events, the second when the first is through, reach every route, however it is scheduled; so do two syncs."""
    assert dags.is_dir()
    for name in ROUTES:
        airflow.wait_for_dag(f"outreach_event_route__{name}")
    for name in ("by_hand", "by_cron"):
        airflow.wait_for_dag(f"outreach_lead_sync__{name}")
    for number in (1, 2):
        event = arrive(store, f"left-{number}", EventKind.UNSUBSCRIBED, 200 + number)
        wait_until(lambda e=event: delivered(store, e, ROUTES), 150, f"{event} is delivered by every route")
        # A database file that everybody writes to may be locked for a moment.
        run = wait_until(lambda: airflow.trigger("outreach_lead_sync__by_hand"), 30, "the sync is started")
        assert airflow.wait_for_run("outreach_lead_sync__by_hand", run, 90) == "success"
    for name in ROUTES:
        dag = f"outreach_event_route__{name}"
        wait_until(
            lambda d=dag: sum(each["state"] == "success" for each in airflow.runs(d)) >= 2,
            60, f"{dag} has ended twice",
        )  # fmt: skip
        assert [each for each in airflow.runs(dag) if each["state"] == "failed"] == []
    cron = "outreach_lead_sync__by_cron"
    wait_until(
        lambda: sum(each["state"] == "success" for each in airflow.runs(cron)) >= 2,
        130, "the sync runs each minute",
    )  # fmt: skip
    assert patient.simulator.report()["texted_twice_count"] == 0
    # What a task imports, the scheduler had imported before it forked it.
    assert {line.split()[1] for line in (airflow.home / "found").read_text().splitlines()} == {"True"}
