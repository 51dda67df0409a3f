"""Ten workflows as a data engineer writes them: each is linted, planned, and run by Airflow against the simulator."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.workflows.lint import CLEAN, lint
from airflow_outreach_provider.workflows.plan import plan_workflow

TEN = {path.name: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "ten").iterdir())}
COLUMNS = ("phone", "first_name", "last_name", "title", "score")
ADA, GRACE, ALAN, EDSGER = "+12125550123", "+14165550199", "+12125550177", "+14165550101"
LEADS = [("(212) 555-0123", "Ada", "Lovelace", "Nurse", "70"), (GRACE, "Grace", "Hopper", "Clerk", "90")]
PEOPLE = [dict(zip(COLUMNS, lead, strict=True)) for lead in LEADS]
FILES = {
    "leads.csv": "\n".join(map(",".join, [COLUMNS, *LEADS])) + "\n",
    "more.csv": f"phone,first_name\n{ALAN},Alan\n",
    "last.jsonl": json.dumps({"phone": EDSGER, "first_name": "Edsger"}) + "\n",
    "leads.json": json.dumps(PEOPLE),
}

SYNCS: list[tuple[str, str, set[str], dict[str, Any]]] = [
    ("web_leads.yaml", "web_leads", {ADA, GRACE}, {"firstName": "Ada"}),
    ("dag_factory_habits.yaml", "habits", {ADA, GRACE}, {"firstName": "Ada", "title": "Nurse"}),
    ("warehouse.yaml", "warehouse", {ADA, GRACE}, {"firstName": "Ada"}),
    ("fixed_format.yaml", "fixed_format", {ADA, GRACE}, {
        "contacts": {"phoneNumber": ADA, "firstName": "Ada"}, "conversations": {"channelType": "sms"},
        "applications": {"jobTitle": "Nurse", "source": "website"}}),
    ("filter_and_literals.yaml", "nurses", {ADA},
     {"fullName": "Ada LOVELACE", "score": 42, "tags": ["nurse", "web"], "nothing": None}),
    ("assets.yaml", "from_assets", {ADA, GRACE}, {"firstName": "Ada"}),
    ("timetable.yaml", "office_hours", {ADA, GRACE}, {}),
    ("timetable.yaml", "twice_a_day", {ALAN}, {}),
    ("several.yaml", "both_lists", {ADA, GRACE, ALAN, EDSGER}, {"firstName": "Ada"}),
    ("several.yaml", "after_both", {ADA, GRACE, ALAN, EDSGER}, {"lastName": "Lovelace"}),
    ("operations.yaml", "operations", {ADA, GRACE}, {"title": "Nurse"}),
    ("environments.yaml", "environments", {ADA, GRACE}, {"source": "outreach_default"}),
]  # fmt: skip


@pytest.fixture
def ten(
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The ten files with the lists they name, and the variables and connections of an environment."""
    dags = load_dags(**FILES, **TEN)
    folder = tmp_path / "dags" / "workflows"
    parquet.write_table(pa.Table.from_pylist(PEOPLE), folder / "leads.parquet")
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        database.execute(f"CREATE TABLE leads ({', '.join(COLUMNS)}, updated_at)")
        marks = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO leads VALUES ({marks}, '2026-01-01')", LEADS)
        database.execute("UPDATE leads SET score = CAST(score AS INT)")
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_TEN_WAREHOUSE", json.dumps(warehouse))
    monkeypatch.setenv("AIRFLOW_VAR_LEADS_PATH", str(folder / "leads.csv"))
    monkeypatch.setenv("AIRFLOW_VAR_OUTREACH_CONN", "outreach_default")
    monkeypatch.setenv("AIRFLOW_VAR_DRY_RUN", "false")
    return dags


@pytest.mark.slow
def test_all_ten_are_clean(ten: Any, tmp_path: Path) -> None:
    """No mistake, no import error, and the editors' schema takes each."""
    out = io.StringIO()
    assert lint([str(tmp_path / "dags" / "workflows")], out) == CLEAN, out.getvalue()
    assert ten.import_errors == {}
    for name, text in TEN.items():
        if name.endswith(".yaml"):
            located, _ = read_yaml(text, name)
            assert located is not None
            jsonschema.validate(located.data, workflow_schema())


@pytest.mark.slow
@pytest.mark.parametrize(("file", "name", "people", "sent"), SYNCS, ids=[each[1] for each in SYNCS])
def test_each_plans_and_texts_whom_it_should(
    ten: Any,
    simulator: RunningSimulator,
    tmp_path: Path,
    file: str,
    name: str,
    people: set[str],
    sent: dict[str, Any],
) -> None:
    """The plan counts them and texts nobody; the run texts them, with what the map says."""
    out = io.StringIO()
    plan_workflow(name, tmp_path / "dags" / "workflows" / file, out)
    assert f"{name}: {len(people)} of " in out.getvalue() and simulator.texts() == {}
    states = ten.run(f"outreach_lead_sync__{name}")
    assert set(states.values()) == {"success"}, states
    assert simulator.texts() == dict.fromkeys(people, 1)
    if sent:
        payload = simulator.texts(ADA)["last_payload"]
        assert {key: payload.get(key, "missing") for key in sent} == sent


def test_what_airflow_is_told_is_said_in_the_workflow(ten: Any) -> None:
    """Schedules, outlets, deadline, page and what follows whom."""

    def dag(name: str) -> Any:
        return ten[f"outreach_lead_sync__{name}"]

    operations = dag("operations")
    task = operations.get_task("submit")
    assert (task.pool, task.queue, task.priority_weight) == ("default_pool", "default", 5)
    assert task.trigger_rule == "none_failed" and operations.doc_md.startswith("## Who to ask")
    assert [alert.interval.total_seconds() for alert in operations.deadline] == [1800]
    assert [outlet.name for outlet in dag("from_assets").get_task("submit").outlets] == ["outreach_done"]
    assert [notifier.to for notifier in dag("habits").get_task("submit").on_failure_callback] == [
        ["data@example.com"]
    ]
    [followed] = dag("both_lists").get_task("submit").outlets
    assert followed in list(dag("after_both").timetable.asset_condition.objects)
    assert "outreach_lead_sync__switched_off" not in ten.bag.dags
