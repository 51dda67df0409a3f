"""Workflow files as DAGs: ids, knobs, schedules, docs; and a broken file beside healthy ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.core.workflows.airflow_limits import refused_by_airflow
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.workflows.files import load_files
from airflow_outreach_provider.workflows.lint_connections import check_builds

KNOBS = """\
lead_syncs:
  full: # every quarter of an hour
    schedule: "*/15 * * * *"
    timezone: Europe/Berlin
    start_date: 2026-01-31
    catchup: true
    max_active_runs: 2
    dagrun_timeout: 2h
    is_paused_upon_creation: false
    tags: [crm, growth]
    owner: ada
    retries: 7
    retry_delay: 2m
    execution_timeout: 1h
    pool: outreach
    priority_weight: 5
    on_failure_callback: os.path.basename
    params: {region: {default: US, type: string, description: Which region}, plain: 3}
    leads: {csv: leads.csv}
    rules: {line_types: mobile, resubmit: 90d, max_rejected: 20, min_rows: 1}
"""


def test_airflows_knobs_pass_through_under_their_own_names(load_dags: Callable[..., Any]) -> None:
    """The DAG and its tasks have what the file says, and nothing invented."""
    dags = load_dags(**{"a.yaml": KNOBS})
    assert dags.import_errors == {}
    dag = dags["outreach_lead_sync__full"]
    assert dag.description == "every quarter of an hour"
    assert dag.timetable.expression == "*/15 * * * *"
    assert str(dag.timetable.timezone) == "Europe/Berlin" or "Berlin" in repr(dag.timetable.timezone)
    assert dag.start_date.isoformat() == "2026-01-31T00:00:00+00:00"
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (True, 2, False)
    assert dag.dagrun_timeout == timedelta(hours=2)
    assert dag.tags >= {"outreach", "lead sync", "crm", "growth"}
    assert dag.params.get_param("region").description == "Which region"
    assert dag.params["plain"] == 3
    task = dag.get_task("submit")
    assert (task.owner, task.retries, task.pool, task.priority_weight) == ("ada", 7, "outreach", 5)
    assert (task.retry_delay, task.execution_timeout) == (timedelta(minutes=2), timedelta(hours=1))
    assert (task.line_types, task.resubmit) == (["mobile"], timedelta(days=90))
    assert (task.max_rejected, task.min_rows) == (20, 1)
    assert dag.on_failure_callback[0]("/a/b") == "b"


EXPORTS = """\
exports:
  lake: {schedule: "@hourly", to: {csv: out}, data: leads}
  warehouse:
    personal: whole
    retries: 5
    to: {sql: {conn_id: warehouse, table_prefix: a.b_}}
"""


def test_an_export_is_one_task(load_dags: Callable[..., Any], tmp_path: Path) -> None:
    """Its folder starts beside the file, its mark has its name, and explain and lint know it."""
    from airflow_outreach_provider.core.workflows.loading import load_texts
    from airflow_outreach_provider.workflows.explain import sentence
    from airflow_outreach_provider.workflows.lint_connections import references

    dags = load_dags(**{"a.yaml": EXPORTS})
    assert dags.import_errors == {}
    lake = dags["outreach_export__lake"].get_task("export")
    assert (lake.what, [*lake.to], lake.export, lake.personal) == (["leads"], ["csv"], "lake", "masked")
    assert Path(lake.to["csv"]).is_absolute()
    assert Path(lake.to["csv"]).name == "out"
    assert dags["outreach_export__lake"].tags >= {"outreach", "export"}
    warehouse = dags["outreach_export__warehouse"].get_task("export")
    assert warehouse.to == {"sql": {"conn_id": "warehouse", "table_prefix": "a.b_"}}
    assert (warehouse.what, warehouse.retries) == (["leads", "events", "deliveries", "outcomes"], 5)
    first, second = load_texts({"a.yaml": EXPORTS}).workflows
    assert sentence(first.model) == "changed leads, people masked → CSV in out"
    assert (
        sentence(second.model)
        == "changed leads, events, deliveries, outcomes, people whole → tables of warehouse"
    )
    assert [(each.path, each.conn_id) for each in references(second.model)] == [
        (("to", "sql", "conn_id"), "warehouse")
    ]


def test_the_page_of_a_dag_is_its_yaml(load_dags: Callable[..., Any]) -> None:
    """In the UI one reads what one wrote, and where it stands."""
    dag = load_dags(**{"a.yaml": KNOBS})["outreach_lead_sync__full"]
    assert "`workflows/a.yaml`, line 2" in dag.doc_md
    assert '    schedule: "*/15 * * * *"\n' in dag.doc_md


@pytest.mark.parametrize(
    ("schedule", "shown"),
    [
        ("", "None"),
        ('schedule: "@daily"', "@daily"),
        ("schedule: 15m", "0:15:00"),
        ("schedule: every 2 hours", "2:00:00"),
        ("schedule: {assets: [s3://b/a.csv, s3://b/b.csv]}", "s3://b/a.csv"),
        ("schedule: {any_asset: s3://b/a.csv}", "s3://b/a.csv"),
    ],
)
def test_every_kind_of_schedule_is_airflows_own(
    load_dags: Callable[..., Any], schedule: str, shown: str
) -> None:
    """Nothing, a preset, a span, assets."""
    text = f"lead_syncs:\n  a:\n    leads: {{csv: a.csv}}\n    {schedule}\n"
    dags = load_dags(**{"a.yaml": text})
    assert dags.import_errors == {}
    assert shown in str(dags["outreach_lead_sync__a"].schedule)


def test_a_disabled_workflow_is_no_dag(load_dags: Callable[..., Any]) -> None:
    """``enabled: false`` is read and checked, and that is all."""
    text = "lead_syncs:\n  a: {enabled: false, leads: {csv: a.csv}}\n  b: {leads: {csv: b.csv}}\n"
    assert sorted(load_dags(**{"a.yaml": text}).bag.dags) == ["outreach_lead_sync__b"]


GOOD = "lead_syncs:\n  good: {leads: {csv: a.csv}}\n"
BROKEN = 'lead_syncs:\n  bad:\n    shedule: "@daily"\n    leads: {csv: a.csv}\n'
SAID = "3:5: unknown key 'shedule'\n    3 |     shedule: \"@daily\"\n      |     ^^^^^^^ did you mean 'schedule'?"


def test_a_broken_file_leaves_the_others_alone(load_dags: Callable[..., Any]) -> None:
    """On the command line: the healthy DAG is there, and the error is told with line and caret."""
    dags = load_dags(**{"good.yaml": GOOD, "bad.yaml": BROKEN})
    assert sorted(dags.bag.dags) == ["outreach_lead_sync__good"]
    [text] = dags.import_errors.values()
    assert SAID in text


def test_in_the_dag_processor_a_broken_file_is_an_import_error_of_its_own(
    load_dags: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, outreach_store: object
) -> None:
    """Under the YAML file's own path, so that Airflow does not stop the healthy DAGs of the same loader."""
    import structlog
    from airflow.dag_processing.processor import _serialize_dags
    from airflow.sdk.execution_time import task_runner

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    bag = load_dags(**{"good.yaml": GOOD, "bad.yaml": BROKEN}).bag
    assert bag.import_errors == {}
    serialized, errors = _serialize_dags(bag, structlog.get_logger())
    assert [dag.dag_id for dag in serialized] == ["outreach_lead_sync__good"]
    assert list(errors) == ["workflows/bad.yaml"]
    assert SAID in errors["workflows/bad.yaml"]


def test_the_shipped_dags_folder_loads(airflow_db: None) -> None:
    """``dags/``: the loader and its two workflow files, without an import error."""
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = Path(__file__).parents[2] / "dags"
    file = folder / "outreach_workflows.py"
    bag = BundleDagBag(dag_folder=str(file), bundle_path=folder, bundle_name="shipped")
    assert bag.import_errors == {}
    assert sorted(bag.dags) == [
        "outreach_event_route__interested_to_crm",
        "outreach_event_route__opt_outs",
        "outreach_lead_sync__website_leads",
    ]


UNBUILDABLE = {
    "no such executor": "executor: nowhere",
    "a link that is none": "owner_links: {ada: nothing}",
    "a default that its own type refuses": "params: {region: {type: integer, default: west}}",
    "a type that does not exist": "params: {region: {type: place, default: west}}",
    "a tag too long for Airflow": f"tags: [{'x' * 101}]",
}


@pytest.mark.parametrize("knob", UNBUILDABLE.values(), ids=UNBUILDABLE.keys())
@pytest.mark.parametrize("section", ["lead_syncs", "event_routes"])
def test_what_goes_wrong_while_one_workflow_is_built_is_that_ones_alone(
    load_dags: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    outreach_store: object,
    section: str,
    knob: str,
) -> None:
    """All others of its file and of the folder stay, and no half of it is left; the error names its place."""
    import structlog
    from airflow.dag_processing.processor import _serialize_dags
    from airflow.sdk.execution_time import task_runner

    does = "leads: {csv: a.csv}" if section == "lead_syncs" else "deliver: {endpoint: crm}"
    text = f'{section}:\n  first: {{{does}}}\n  odd:\n    schedule: "@daily"\n    {does}\n    {knob}\n  last: {{{does}}}\n'
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    bag = load_dags(**{"good.yaml": GOOD, "one.yaml": text}).bag
    assert bag.import_errors == {}
    serialized, errors = _serialize_dags(bag, structlog.get_logger())
    kind = section.removesuffix("s")
    assert {dag.dag_id for dag in serialized} == {
        "outreach_lead_sync__good", f"outreach_{kind}__first", f"outreach_{kind}__last",
    }  # fmt: skip
    assert list(errors) == ["workflows/one.yaml"]
    assert "one.yaml:3:3: Airflow cannot build odd: " in errors["workflows/one.yaml"]


@pytest.mark.parametrize("written", ["in the workflow", "in the file's defaults", "in the folder's defaults"])
@pytest.mark.parametrize("said", ['"@continuous"', '" @continuous "'])
def test_more_than_one_run_at_once_is_told_before_airflow_refuses_it(written: str, said: str) -> None:
    """Wherever the two keys stand: file, line, column, and what to do."""
    deliver = "deliver: {endpoint: crm}"
    runs = "max_active_runs: 8"
    files, spot = {
        "in the workflow": (
            {"r.yaml": f"event_routes:\n  r: {{schedule: {said}, {runs}, {deliver}}}\n"},
            "r.yaml:2",
        ),
        "in the file's defaults": (
            {
                "r.yaml": f"defaults:\n  event_routes: {{{runs}}}\nevent_routes:\n  r: {{schedule: {said}, {deliver}}}\n"
            },
            "r.yaml:2",
        ),
        "in the folder's defaults": (
            {
                "_defaults.yaml": f"defaults:\n  event_routes: {{{runs}}}\n",
                "r.yaml": f"event_routes:\n  r: {{schedule: {said}, {deliver}}}\n  fine: {{{deliver}}}\n",
            },
            "_defaults.yaml:2",
        ),
    }[written]
    (problem,) = load_texts(files).problems
    assert f"{problem.file}:{problem.line}" == spot
    assert (problem.message, problem.hint) == ("@continuous runs one at a time", "leave max_active_runs out")


def test_a_route_begins_its_runs_by_ringing_and_beside_each_other(load_dags: Callable[..., Any]) -> None:
    """Without a schedule and with ``events``: on the route's own doorbell, 16 runs or as many as it says."""
    dags = load_dags(
        **{
            "a.yaml": "event_routes:\n"
            "  plain: {deliver: {endpoint: crm}, kinds: replied, source: varda, poll_interval: 2s}\n"
            "  said: {schedule: events, max_active_runs: 3, start_date: 2026-02-01, deliver: {suppress: true}}\n"
            '  one: {schedule: "@continuous", deliver: {endpoint: crm}}\n'
            "  hourly: {schedule: '@hourly', deliver: {endpoint: crm}}\n"
            "  by_hand: {schedule: , deliver: {endpoint: crm}}\n"
        }
    )
    assert dags.import_errors == {}
    plain, said, one, hourly, by_hand = (
        dags[f"outreach_event_route__{name}"] for name in ("plain", "said", "one", "hourly", "by_hand")
    )
    (asset,) = plain.schedule
    (watcher,) = asset.watchers
    assert watcher.trigger.serialize()[1] == {
        "consumer": "plain", "source": "varda", "kinds": ["replied"], "where": None, "routes": ["plain"],
        "poll_interval": 2.0, "poll_contacts_every": None, "once": False, "own_filter": True,
    }  # fmt: skip
    assert [dag.max_active_runs for dag in (plain, said, one, hourly, by_hand)] == [16, 3, 1, 1, 1]
    assert said.start_date.isoformat() == "2026-02-01T00:00:00+00:00"
    assert {dag.start_date.year for dag in (plain, one, hourly, by_hand)} == {2025}
    assert one.timetable.summary == "@continuous"
    assert by_hand.schedule is None


def test_only_an_event_route_runs_on_events() -> None:
    """A lead sync says so; a misspelt one is understood."""
    sync = "lead_syncs:\n  a: {schedule: events, leads: {csv: a.csv}}\n"
    (problem,) = load_texts({"a.yaml": sync}).problems
    assert problem.message == "only an event route runs on events"
    route = "event_routes:\n  a: {schedule: event, deliver: {suppress: true}}\n"
    (problem,) = load_texts({"a.yaml": route}).problems
    assert problem.hint == "did you mean 'events'?"


def test_a_route_is_retried_as_its_schedule_says(load_dags: Callable[..., Any]) -> None:
    """By hours unless told otherwise; a schedule of the defaults or the route's own; nearer knobs win over farther."""
    text = (
        "defaults:\n  event_routes: {retry_schedule: [1m, 30s]}\nevent_routes:\n"
        "  shared: {deliver: {endpoint: crm}}\n"
        "  own: {deliver: {python: os.path.basename}, retry_schedule: [5s, 30s, 2m, 10m]}\n"
        "  one: {deliver: {suppress: true}, retry_schedule: 1h 30m}\n"
        "  knobs: {deliver: {endpoint: crm}, retries: 5}\n"
    )
    other = "event_routes:\n  own2: {deliver: {outreach: {}}, retry_schedule: [9s]}\n  plain: {deliver: {endpoint: crm}}\n"
    dags = load_dags(**{"a.yaml": text, "b.yaml": other})
    assert dags.import_errors == {}
    found = {}
    for name in ("shared", "own", "one", "knobs", "own2", "plain"):
        kwargs = dags[f"outreach_event_route__{name}"].topological_sort()[-1].partial_kwargs
        found[name] = kwargs["retries"], kwargs["retry_policy"].schedule
    assert found == {
        "shared": (2, (60.0, 30.0)),
        "own": (4, (5.0, 30.0, 120.0, 600.0)),
        "one": (1, (5400.0,)),
        "knobs": (5, ()),
        "own2": (1, (9.0,)),
        "plain": (8, (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18000.0, 36000.0)),
    }


def test_a_routes_own_schedule_goes_before_the_folders_retries() -> None:
    """Defaults that say it Airflow's way are no mistake of the route that says it ours."""
    loaded = load_texts(
        {
            "_defaults.yaml": "defaults:\n  event_routes: {retries: 3, retry_delay: 1m}\n",
            "r.yaml": "event_routes:\n  r: {deliver: {endpoint: crm}, retry_schedule: [5s]}\n",
        }
    )
    assert loaded.problems == []
    model: Any = loaded.workflows[0].model
    assert (model.retry_schedule, model.retries, model.retry_delay) == ([timedelta(seconds=5)], None, None)


def test_whatever_is_followed_rings(load_dags: Callable[..., Any]) -> None:
    """A lead sync, a route and an export on which something depends: the last task of each has the asset that it waits for."""
    dags = load_dags(
        **{
            "a.yaml": "lead_syncs:\n  a: {leads: {csv: a.csv}}\n  z: {leads: {csv: a.csv}, depends_on: [a, b, c]}\n"
            "event_routes:\n  b: {deliver: {suppress: true}}\nexports:\n  c: {to: {csv: out}, trigger_rule: all_done}\n"
        }
    )
    assert dags.import_errors == {}
    for dag_id in ("outreach_lead_sync__a", "outreach_event_route__b", "outreach_export__c"):
        last = dags[dag_id].topological_sort()[-1]
        said = last.partial_kwargs if last.is_mapped else vars(last)
        assert [each.uri.rstrip("/") for each in said["outlets"]] == [f"outreach-workflow://{dag_id[-1]}"]
    assert dags["outreach_export__c"].topological_sort()[0].trigger_rule == "all_done"


DAILY = "schedule: '@daily'\n    params: "
TAKEN = [
    ("tags: [%s]" % ("t" * 100), True), ("tags: [%s]" % ("t" * 101), False), ("owner_links: {me: https://x}", True),
    ("owner_links: {me: 'mailto:a@example.com'}", True), ('owner_links: {me: "javascript:x"}', False), ("owner_links: {me: 'mailto:'}", False),
    ("end_date: 9999-12-31", True), ("end_date: 9999-12-31T23:59:59-12:00", False), ("start_date: 0001-01-01T00:00:00+14:00", False),
    ("outlets: [done, x://y]", True), ("outlets: ['Airflow://x']", False), ("outlets: [context]", False), ("outlets: [%s]" % ("t" * 1501), False),
    ("schedule: {any_asset: ['AIRFLOW://x', 'x://y']}", False), (DAILY + "{a: {type: intger, default: 1}}", False),
    (DAILY + "{a: {type: [string], default: 1}}", False), (DAILY + "{a: {enum: [x], default: y}}", False), (DAILY + "{a: {enum: [x], default: x}}", True),
    (DAILY + "{a: {type: number, maximum: 2, default: 3}}", False), (DAILY + "{a: {type: integer, default: 2.0}}", True),
    (DAILY + "{a: {minLength: 2, default: x, type: string}}", False), (DAILY + "{a: {type: ['null', integer], default: null}}", True),
]  # fmt: skip


@pytest.mark.parametrize(("key", "taken"), TAKEN, ids=[key[:60] for key, _ in TAKEN])
def test_lint_tells_what_airflow_refuses_a_dag_for(key: str, taken: bool, airflow_db: None) -> None:
    """Without asking it; what is no mistake is built and written down as Airflow's database has it."""
    loaded = load_texts({"a.yaml": f"lead_syncs:\n  a:\n    leads: {{csv: a.csv}}\n    {key}\n"})
    assert loaded.problems == []  # the others of the file stay
    told = refused_by_airflow(loaded.workflows)
    assert [each.path.startswith("lead_syncs.a.") for each in told] == [True] * (not taken)
    assert len(check_builds(loaded.workflows)) <= len(told)


def test_lint_asks_airflow_where_nothing_else_is_wrong(tmp_path: Path, airflow_db: None) -> None:
    """What only Airflow knows of a DAG, lint --connections tells where the workflow stands."""
    text = "lead_syncs:\n  a:\n    leads: {csv: a.csv}\n    schedule: {timetable: airflow.sdk.CronTriggerTimetable, arguments: {crn: x}}\n"
    (tmp_path / "a.yaml").write_text(text)
    (problem,) = check_builds(load_files([tmp_path]).workflows)
    assert (problem.line, problem.path) == (2, "lead_syncs.a")
    assert "Airflow cannot build a: TypeError" in problem.message


def test_a_path_that_can_hold_no_workflows_is_told(tmp_path: Path) -> None:
    """Not looked for in the current folder, not passed over."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.workflows import load_workflows

    (tmp_path / "leads.txt").write_text("lead_syncs: {a: {leads: {csv: x.csv}}}")
    for path, said in (
        (None, "path is None — write load_workflows"),
        (" ", "path is ' ' — write load_workflows"),
        (7, "path is 7 — write load_workflows"),
        (tmp_path / "leads.txt", "leads.txt is no workflow file, which ends in .yaml or .yml"),
        (tmp_path / "none", "none does not exist"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            load_workflows(path)  # type: ignore[arg-type]
