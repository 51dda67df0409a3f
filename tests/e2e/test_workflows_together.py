"""What a workflow starts, waits for, remembers, or is told by its environment, in a real scheduler, time after time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflows import SharedAirflow

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.demo.airflow import RunningAirflow, wait_until
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("patient"),
    pytest.mark.lasts(330),
    pytest.mark.timeout(900),
]

SYNC, ROUTE, EXPORT = "outreach_lead_sync__", "outreach_event_route__", "outreach_export__"
WAVES = (1, 2, 3)
BEGAN = datetime(2026, 11, 2, tzinfo=UTC)

LOADER = """
from pathlib import Path
from airflow_outreach_provider.workflows import load_workflows

load_workflows(Path(__file__).parent / "workflows")  # a DAG file of Airflow
import outreach_e2e_notes
"""
WORKFLOWS = """
defaults:
  lead_syncs: {rules: {default_region: US}}
  event_routes: {poll_interval: 1s}
lead_syncs:
  first_wave: {leads: {csv: first.csv}, outreach: {campaign: first}, outlets: [first_wave_done]}
  second_wave: {depends_on: first_wave, leads: {csv: second.csv}, outreach: {campaign: second}}
  only_new: {leads: {csv: growing.csv}, outreach: {campaign: growing}, incremental: updated_at}
event_routes:
  to_dag: {kinds: appointment_booked, deliver: {trigger_dag: {dag_id: appointment}}}
  to_notifier:
    kinds: interested
    deliver: {notifier: {name: outreach_e2e_notes.Note, arguments: {text: "{{ event.contact.external_id }}"}}}
exports:
  lake: {data: [leads, events], to: {csv: FOLDER}}
"""
BY_ENVIRONMENT = """
environments:
  default: dev
  dev: {lead_syncs: {dry_run: true}, event_routes: {enabled: false}}
  prod: {}
lead_syncs:
  renewals: {leads: {csv: renewals.csv}, outreach: {campaign: renewals}, rules: {default_region: US}}
event_routes:
  renewed: {kinds: replied, poll_interval: 1s, deliver: {python: outreach_e2e_notes.renewed}}
"""
NOTES = """
import json
from datetime import timedelta
from airflow.sdk.bases.notifier import BaseNotifier
from airflow_outreach_provider.services import exports

exports.export.__kwdefaults__["settled"] = timedelta(seconds=3)  # instead of a minute
FILE = "NOTED"


def note(who, what):
    with open(FILE, "a") as file:
        file.write(json.dumps([who, what]) + chr(10))


def renewed(event):
    note("renewed", event.id)


class Note(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        note("notifier", self.text)
"""
PYTHON = """
from outreach_e2e_notes import note
from airflow.sdk import DAG, Asset, task
from airflow_outreach_provider.assets import contact_events
from airflow_outreach_provider.operators.outreach import ExportOutcomesOperator, SubmitLeadsOperator, handle_events

DONE, SENT = Asset("first_wave_done"), Asset("in_python_done")


@handle_events(route="appointment", retries=3)
def prepare(event):
    note("appointment", event.id)


with DAG("appointment", schedule=None):
    prepare(["{{ dag_run.conf['event_id'] }}"])

for name, asset in (("after_yaml", DONE), ("after_python", SENT)):
    with DAG(name, schedule=[asset]):

        @task
        def report(name, uri, triggering_asset_events):
            for event in triggering_asset_events[Asset(uri)]:
                note(name, [event.extra["accepted"], event.extra["unchanged"]])

        report(name, asset.name)

with DAG("in_python", schedule=None):
    SubmitLeadsOperator(task_id="submit_leads", leads="FOLDER/python.csv", campaign="in_python",
                        default_region="US", incremental="updated_at", outlets=[SENT])

with DAG("taken", schedule=[contact_events("taken", kinds=["replied"], poll_interval=1)]):

    @task.outreach_events(consumer="taken", kinds=["replied"])
    def take(events):
        for event in events:
            note("taken", event.id)

    take()

with DAG("export_in_python", schedule=None):
    ExportOutcomesOperator(task_id="export", to="FOLDER/lake_of_python", what=["leads"])
"""


@pytest.fixture(scope="module")
def airflow(patient: SharedAirflow) -> Iterator[RunningAirflow]:
    home = patient.airflow.home
    workflows = workflows_of(patient.airflow)
    (home / "notes").touch()
    (patient.modules / "outreach_e2e_notes.py").write_text(NOTES.replace("NOTED", str(home / "notes")))
    files = {
        "loader.py": LOADER,
        "in_python.py": PYTHON.replace("FOLDER", str(workflows)),
        "workflows/all.yaml": WORKFLOWS.replace("FOLDER", str(workflows / "lake")),
        "workflows/by_environment.yaml": BY_ENVIRONMENT,
        "workflows/renewals.csv": "phone\n+14165550401\n",
    }
    with patient.dags("together", files):
        yield patient.airflow


@pytest.fixture(scope="module")
def simulator(patient: SharedAirflow) -> RunningSimulator:
    return patient.simulator


def workflows_of(airflow: RunningAirflow) -> Path:
    """The folder of workflow files and lists."""
    return airflow.home / "dags" / "together" / "workflows"


def write_rows(airflow: RunningAirflow, name: str, prefix: int, upto: int) -> None:
    """A list of as many people, each changed a day after the one before."""
    rows = [f"+1416555{prefix + n:04d},{(BEGAN + timedelta(days=n)).isoformat()}" for n in range(1, upto + 1)]
    path = workflows_of(airflow) / f"{name}.csv"
    path.write_text("\n".join(["phone,updated_at", *rows]) + "\n")


def notes(airflow: RunningAirflow, who: str) -> list[Any]:
    lines = (airflow.home / "notes").read_text().splitlines()
    return [what for name, what in map(json.loads, lines) if name == who]


def wait_for_note(airflow: RunningAirflow, who: str, what: str) -> None:
    wait_until(lambda: what in notes(airflow, who), 150, f"{who}: {what}")


def run(airflow: RunningAirflow, dag: str, state: str = "success") -> str:
    # A database file that everybody writes to may be locked for a moment.
    run_id = wait_until(lambda: airflow.trigger(dag), 60, f"{dag} is started")
    assert airflow.wait_for_run(dag, run_id, 120) == state
    return run_id


def counts(airflow: RunningAirflow, dag: str, run_id: str) -> dict[str, Any]:
    """What a sync's task answered."""
    found: dict[str, Any] = airflow.returned(dag, run_id, "submit")
    return found


def wait_for_ends(airflow: RunningAirflow, dag: str, many: int) -> None:
    """Until a DAG has run so often, each time well, and runs no more."""
    wait_until(
        lambda: [each["state"] for each in airflow.runs(dag)] == ["success"] * many,
        120, f"{dag} has run well {many} times, and no more",
    )  # fmt: skip


def texted(simulator: RunningSimulator, prefix: int) -> int:
    return sum(f"+1416555{prefix // 100:02d}" in phone for phone in simulator.texts())


def arrive(store: Store, kind: EventKind, number: int) -> str:
    now = datetime.now(UTC)
    who = Contact(external_id=f"c{number}", phone=f"+1416555{9000 + number:04d}")
    event = ContactEvent(f"evt_{kind.value}_{number}", "src", "varda", "x", kind, now, now, who)
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])
    return event.id


def test_each_event_starts_a_run_a_notifier_and_a_dag_of_ones_own(
    airflow: RunningAirflow, store: Store
) -> None:
    """Three times, each when the one before is through; each event once."""
    for dag in ("appointment", "taken", f"{ROUTE}to_dag", f"{ROUTE}to_notifier"):
        airflow.wait_for_dag(dag, 120)
    for wave in WAVES:
        booked = arrive(store, EventKind.APPOINTMENT_BOOKED, wave)
        arrive(store, EventKind.INTERESTED, wave)
        replied = arrive(store, EventKind.REPLIED, wave)
        for who, what in (("appointment", booked), ("notifier", f"c{wave}"), ("taken", replied)):
            wait_for_note(airflow, who, what)
    for who in ("appointment", "notifier", "taken"):
        assert len(notes(airflow, who)) == len(WAVES), who
    names = {each["dag_run_id"] for each in airflow.runs("appointment")}
    assert names == {f"outreach__to_dag__evt_appointment_booked_{wave}" for wave in WAVES}


def test_one_sync_follows_another_and_news_say_how_many(
    airflow: RunningAirflow, simulator: RunningSimulator
) -> None:
    """Each time the first has ended well and not when it failed; from Python as from YAML."""
    first, second = f"{SYNC}first_wave", f"{SYNC}second_wave"
    for dag in (first, second, "after_yaml", "after_python", "in_python"):
        airflow.wait_for_dag(dag, 120)
    for wave in WAVES:
        write_rows(airflow, "first", 100, wave)
        write_rows(airflow, "second", 200, wave)
        write_rows(airflow, "python", 500, wave)
        run(airflow, first)
        wait_for_ends(airflow, second, wave)
        assert (texted(simulator, 100), texted(simulator, 200)) == (wave, wave)
        run(airflow, "in_python")
        # Of the Python sync those before the mark are filtered; the row of the mark itself is read again.
        news = {"after_yaml": [1, wave - 1], "after_python": [1, min(1, wave - 1)]}
        for who, said in news.items():
            wait_for_ends(airflow, who, wave)
            assert notes(airflow, who)[-1] == said
        if wave == 1:
            (workflows_of(airflow) / "first.csv").write_text("nothing,of\nthe,kind\n")
            run(airflow, first, "failed")
    wait_for_ends(airflow, second, len(WAVES))
    assert texted(simulator, 500) == len(WAVES)


def test_a_sync_reads_only_what_is_new(airflow: RunningAirflow, simulator: RunningSimulator) -> None:
    """From run to run; the row of the mark itself is read again, and texted once."""
    dag = f"{SYNC}only_new"
    airflow.wait_for_dag(dag, 120)
    for wave in WAVES:
        write_rows(airflow, "growing", 300, wave * 2)
        done = counts(airflow, dag, run(airflow, dag))
        assert done["accepted"] == 2
        assert done["filtered"] == max(0, (wave - 1) * 2 - 1)
        assert texted(simulator, 300) == wave * 2


def test_dev_looks_and_prod_sends(airflow: RunningAirflow, store: Store, simulator: RunningSimulator) -> None:
    """From the run on that begins after the variable was set; a route that dev does not have appears."""
    dag = f"{SYNC}renewals"
    airflow.wait_for_dag(dag, 120)
    for _ in range(2):
        assert counts(airflow, dag, run(airflow, dag))["planned"] == 1
        assert texted(simulator, 400) == 0
    airflow.api("POST", "variables", {"key": "outreach_environment", "value": "prod"})
    for again in (False, True):
        done = counts(airflow, dag, run(airflow, dag))
        assert (done["accepted"], done["unchanged"]) == (not again, again)
        assert texted(simulator, 400) == 1
    airflow.wait_for_dag(f"{ROUTE}renewed", 120)
    for number in (11, 12):
        event = arrive(store, EventKind.REPLIED, number)
        wait_for_note(airflow, "renewed", event)


def test_exports_write_each_change_once(airflow: RunningAirflow, store: Store) -> None:
    """What came since the last run, in YAML and in Python; a run in which nothing changed writes nothing."""
    yaml, python = f"{EXPORT}lake", "export_in_python"
    folder = workflows_of(airflow)
    for dag in (yaml, python, f"{SYNC}only_new"):
        airflow.wait_for_dag(dag, 120)

    def rows(where: str, data: str) -> list[dict[str, str]]:
        found = sorted((folder / where).rglob("*.csv")) if (folder / where).exists() else []
        return [
            row
            for path in found
            if data in str(path.relative_to(folder / where))
            for row in csv.DictReader(path.open(encoding="utf-8"))
        ]

    def all_written() -> bool:
        for dag in (yaml, python):
            run(airflow, dag)
        with store.read() as connection:
            events = connection.execute(sa.text("SELECT count(*) FROM inbox_events")).scalar()
            leads = connection.execute(sa.text("SELECT count(*) FROM leads")).scalar()
        places = {("lake", "events"): events, ("lake", "leads"): leads, ("lake_of_python", "leads"): leads}
        written = {each: [tuple(sorted(row.items())) for row in rows(*each)] for each in places}
        assert all(len(each) == len(set(each)) for each in written.values()), "a change was written twice"
        return all(len(written[each]) == many for each, many in places.items())

    for wave in (1, 2):
        arrive(store, EventKind.CLICKED, 20 + wave)
        write_rows(airflow, "growing", 300, 10 + wave)
        run(airflow, f"{SYNC}only_new")
        wait_until(all_written, 150, "what changed more than three seconds ago is written")
    files = sorted(folder.glob("lake*/**/*.csv"))
    for dag in (yaml, python):
        run(airflow, dag)
    assert sorted(folder.glob("lake*/**/*.csv")) == files
