"""``plan``, ``explain``, ``lint --data`` and the command line of Airflow itself."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from airflow_outreach_provider.core.errors import ConfigurationError, TooManyRejected
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.core.workflows.problems import WorkflowErrors
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger
from airflow_outreach_provider.store.ledger.staging import Entry
from airflow_outreach_provider.workflows.explain import explain_workflow
from airflow_outreach_provider.workflows.files import load_files
from airflow_outreach_provider.workflows.lint_connections import check_functions
from airflow_outreach_provider.workflows.lint_data import check_data
from airflow_outreach_provider.workflows.plan import plan_workflow
from airflow_outreach_provider.workflows.scaffold import write_starter


@pytest.mark.slow
def test_the_starter_runs_in_the_simulator_as_it_is(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """``init``, then a run: the two people who agreed are texted."""
    write_starter(tmp_path / "dags")
    states = load_dags().run("outreach_lead_sync__website_leads")
    assert states == {("submit", -1): "success"}
    assert simulator.texts() == {"+12125550123": 1, "+14165550199": 1}


def test_plan_says_what_the_next_run_would_do_and_sends_nothing(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """New, suppressed, with masked samples; after a run the same people are "already texted"."""
    write_starter(tmp_path)
    out = io.StringIO()
    plan_workflow("website_leads", tmp_path, out)
    assert "2 of 3 rows would be texted; nothing was sent" in out.getvalue()
    assert "no_consent" in out.getvalue()
    assert "+1212•••0177" in out.getvalue()
    assert "5550177" not in out.getvalue()
    assert simulator.texts() == {}
    with outreach_store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM leads")).scalar_one() == 0


@pytest.mark.slow
def test_plan_knows_who_was_texted_before(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """As JSON: the states add up to the rows."""
    write_starter(tmp_path / "dags")
    load_dags().run("outreach_lead_sync__website_leads")
    out = io.StringIO()
    plan_workflow("outreach_lead_sync__website_leads", tmp_path / "dags", out, as_json=True)
    plan = json.loads(out.getvalue())
    assert (plan["states"]["new"], plan["states"]["already_texted"]) == (0, 2)
    assert sum(plan["states"].values()) == plan["rows"] == 3
    assert plan["would_fail"] is None


def test_plan_tells_that_a_run_would_fail(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Too many invalid rows: first the plan, then why."""
    (tmp_path / "a.yaml").write_text("lead_syncs:\n  a:\n    leads: {csv: a.csv}\n")
    (tmp_path / "a.csv").write_text("phone\n12\n+14165550199\n")
    out = io.StringIO()
    with pytest.raises(TooManyRejected):
        plan_workflow("a", tmp_path, out)
    assert "phone_too_short" in out.getvalue() or "invalid" in out.getvalue()
    assert "nobody would be texted" in out.getvalue()
    out = io.StringIO()
    with pytest.raises(TooManyRejected):
        plan_workflow("a", tmp_path, out, as_json=True)
    plan = json.loads(out.getvalue())
    assert plan["people"] == 0 and "max_rejected" in plan["would_fail"]
    with pytest.raises(ConfigurationError, match="there is no workflow 'b'"):
        plan_workflow("b", tmp_path, out)


def test_plan_names_the_runs_whose_leads_it_would_send(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Everybody the run would text is counted: the list's own, and what each earlier run left."""
    (tmp_path / "a.yaml").write_text(
        "lead_syncs:\n  a:\n    leads: {csv: a.csv}\n    outreach: {campaign: spring}\n"
        '    rules: {min_rows: "50% of last run"}\n'
    )
    (tmp_path / "a.csv").write_text("phone\n+14165550199\n")
    run = runs.start(
        outreach_store,
        Owner("early", "submit", "monday"),
        campaign="spring",
        source="",
        lease=timedelta(minutes=5),
    ).run_id
    Ledger(outreach_store, run).stage(
        [
            Entry("spring", f"+1416555010{n}", None, None, LeadState.PLANNED, "", "", "{}", None, None, None)
            for n in range(3)
        ]
    )
    runs.finish(outreach_store, run, state=RunState.FAILED, read=3, counts={}, reasons={})
    out = io.StringIO()
    plan_workflow("a", tmp_path, out)
    assert "4 people would be texted: 1 of 1 rows, 3 left by earlier runs" in out.getvalue()
    assert "left by early monday: 3" in out.getvalue()
    assert "min_rows is 50% of last run: no earlier run of outreach_lead_sync__a" in out.getvalue()
    out = io.StringIO()
    plan_workflow("a", tmp_path, out, as_json=True)
    plan = json.loads(out.getvalue())
    assert (plan["people"], plan["left_by_earlier_runs"]) == (4, {"early monday": 3})
    assert plan["notes"] and plan["would_fail"] is None


RULES = """
      per_person: 1 per 7d
      several_phones: first
      unknown_ranges: allow
      max_suppressed: 20%
      min_rows: 50% of last run
      changed_on: [title, city]
      time_zone: zone
      quiet_hours: "21:00-08:00"
      resubmit: 90d
      approve_above: 500
      approval_timeout: 2h
"""


def test_explain_and_plan_show_the_rules_that_are_set(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Every rule that differs from what all workflows do, as it is written and with a word on what it means."""
    (tmp_path / "a.yaml").write_text("lead_syncs:\n  a:\n    leads: {csv: a.csv}\n    rules:" + RULES)
    (tmp_path / "a.csv").write_text("phone,title,city,zone\n+14165550199,RN,Bonn,\n")
    wanted = {
        "quiet_hours": "21:00-08:00", "resubmit": "90d", "per_person": "1 per 7d", "changed_on": "title, city",
        "time_zone": "zone", "several_phones": "first", "unknown_ranges": "allow", "max_suppressed": "20%",
        "min_rows": "50% of last run", "approve_above": "500", "approval_timeout": "2h",
    }  # fmt: skip
    for show in (explain_workflow, plan_workflow):
        out = io.StringIO()
        show("a", tmp_path, out, as_json=True)
        assert json.loads(out.getvalue())["rules"] == wanted
        out = io.StringIO()
        show("a", tmp_path, out)
        told = " ".join(out.getvalue().split())
        assert all(f"{name} {value}" in told for name, value in wanted.items())
        assert "max_rejected" not in told
    out = io.StringIO()
    explain_workflow("a", tmp_path, out)
    assert (
        "per_person              1 per 7d               At most so many texts to a person in a span of time"
        in out.getvalue()
    )


def test_every_rule_can_be_said() -> None:
    """Also one that is written tomorrow: each has words of its own in the reference."""
    from airflow_outreach_provider.core.workflows.models import LeadSync
    from airflow_outreach_provider.core.workflows.said_rules import said_rules

    rules = {
        "default_region": "US", "line_types": "mobile", "on_unknown": "resend", "requests_per_second": 5, "consent": "c",
        "max_rejected": 3, "concurrency": 4, "approve_above": 5, "approvers": "ada",
    } | yaml.safe_load(RULES)  # fmt: skip
    model = LeadSync.model_validate({"leads": {"csv": "a.csv"}, "rules": rules})
    said = said_rules(model)
    assert {rule.name for rule in said} == set(type(model.rules).model_fields)
    assert all(len(rule.means) > 10 and not rule.means.endswith((".", ",", " ")) for rule in said), said


def test_explain_shows_the_generated_tasks(tmp_path: Path) -> None:
    """DAG id, file and line, schedule, and every task with its operator and what it waits for."""
    (tmp_path / "a.yaml").write_text(
        "lead_syncs:\n  big:\n    leads: {csv: a.csv}\n    rules: {approve_above: 5}\n"
        "event_routes:\n  crm:\n    source: varda\n    where: kind == 'interested'\n    deliver: {endpoint: crm}\n"
    )
    out = io.StringIO()
    explain_workflow("big", tmp_path, out)
    assert "outreach_lead_sync__big" in out.getvalue()
    assert "approval.approve        ApproveLeadsOperator   after approval.plan" in out.getvalue()
    out = io.StringIO()
    explain_workflow("crm", tmp_path, out, as_json=True)
    described = json.loads(out.getvalue())
    assert described["sentence"] == "events of varda where kind == 'interested' → signed webhook to crm"
    assert described["retries"] == "8 retries over 17h 42m 35s: 5s, 30s, 2m, 10m, 30m, 2h, 5h, 10h"
    assert described["tasks"][1] == {
        "task_id": "deliver",
        "operator": "DeliverEventsOperator",
        "after": ["wait_for_events"],
        "mapped": True,
    }


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("event_routes: {a: {deliver: {endpoint: crm}, retry_schedule: [5s, 2m]}}", "2 retries over 2m 5s: 5s, 2m"),
        ("event_routes: {a: {deliver: {endpoint: crm}, retries: 4, retry_delay: 90s}}", "4 retries, the first after 1m 30s"),
        ("event_routes: {a: {deliver: {endpoint: crm}, retries: 0}}", "no retries"),
        ("lead_syncs: {a: {leads: {csv: a.csv}}}", "3 retries, the first after 30s"),
    ],
)  # fmt: skip
def test_explain_tells_when_it_is_retried(tmp_path: Path, keys: str, told: str) -> None:
    """How often and when, whichever way it was said."""
    (tmp_path / "a.yaml").write_text(keys + "\n")
    out = io.StringIO()
    explain_workflow("a", tmp_path, out)
    assert f"  retries   {told}\n" in out.getvalue()


def test_a_broken_file_is_told_where_a_name_is_looked_for(tmp_path: Path) -> None:
    """``plan`` and ``explain`` of a workflow that cannot be read show its mistakes."""
    (tmp_path / "a.yaml").write_text("lead_syncs:\n  a:\n    leeds: {csv: a.csv}\n")
    with pytest.raises(WorkflowErrors, match="did you mean 'leads'"):
        explain_workflow("a", tmp_path, io.StringIO())


def test_lint_data_finds_columns_that_are_not_there(tmp_path: Path) -> None:
    """In the map, in a template, in the consent rule: each where it stands, with what was meant."""
    (tmp_path / "a.yaml").write_text(
        "lead_syncs:\n"
        "  a:\n"
        "    leads: {csv: a.csv}\n"
        '    map: {phoneNumber: Phone, firstName: "{{ row.frist_name | trim }}"}\n'
        "    rules: {consent: opt_inn}\n"
        "  b: {leads: {csv: nowhere.csv}}\n"
        "  c: {leads: {csv: c.csv}}\n"
        '  d: {leads: {csv: "{{ var.value.x }}"}}\n'
    )
    (tmp_path / "a.csv").write_text("phone,first_name,opt_in\n+14165550199,Ada,yes\n")
    (tmp_path / "c.csv").write_text("who,when\nAda,now\n")
    problems = check_data(load_files([tmp_path]).workflows)
    found = [(each.line, each.column, each.message, each.hint) for each in problems]
    assert found[:3] == [
        (4, 24, "the source has no column 'Phone'", "did you mean 'phone'?"),
        (4, 50, "the source has no column 'frist_name'", "did you mean 'first_name'?"),
        (5, 22, "the source has no column 'opt_inn'", "did you mean 'opt_in'?"),
    ]
    assert [each[0] for each in found[3:]] == [6, 7]
    assert "nowhere.csv does not exist" in found[3][2]
    assert found[4][2] == "no column looks like a phone number"
    assert "who, when" in found[4][3]


def test_functions_that_cannot_be_imported_are_found(tmp_path: Path) -> None:
    """Callbacks and ``deliver: python``, with the module or the function that is missing."""
    (tmp_path / "a.yaml").write_text(
        "event_routes:\n  a:\n    on_failure_callback: [os.path.basename, os.path.basenam]\n"
        "    deliver: {python: no_such_module.handle}\n"
        "  b: {deliver: {python: os.getcwd}}\n"
        "  c: {deliver: {python: os.path.basename}}\n"
    )
    problems = check_functions(load_files([tmp_path]).workflows)
    assert [(each.line, each.column) for each in problems] == [(3, 45), (4, 23), (5, 25)]
    assert "os.getcwd cannot be called with an event: too many positional arguments" in problems[2].message
    assert "os.path has no function 'basenam'" in problems[0].message
    assert "no_such_module.handle cannot be imported" in problems[1].message


@pytest.mark.slow
def test_airflow_outreach_lint_tells_of_mistakes(tmp_path: Path) -> None:
    """By Airflow's own command line: the place, the word, and the exit code; bench/parse.py says what it costs."""
    (tmp_path / "a.yaml").write_text("lead_syncs:\n  a:\n    leeds: {csv: a.csv}\n")
    airflow = Path(sys.executable).with_name("airflow")
    command = [str(airflow), "outreach", "lint", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ.copy())
    assert done.returncode == 1, done.stderr
    assert "a.yaml:3:5: unknown key 'leeds'" in done.stdout


def test_plan_and_explain_know_what_a_run_takes(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """A plan reads as many rows as the run would, unless told another number; both say what chooses and orders them."""
    dry = "{{ params.careful }}"
    (tmp_path / "a.yaml").write_text(
        "lead_syncs:\n  a:\n    leads: {csv: a.csv}\n    limit: 2\n    order_by: score desc\n    unique: email\n"
        f'    incremental: at\n    params: {{careful: true}}\n    dry_run: "{dry}"\n  b:\n    leads: {{csv: a.csv}}\n'
    )
    rows = "".join(f"+141655501{n},a{n}@x.com,{n},2026-01-{n}\n" for n in range(10, 20))
    (tmp_path / "a.csv").write_text("phone,email,score,at\n" + rows)
    wanted = {"order_by": "score desc", "unique": "email", "incremental": "at", "dry_run": dry, "limit": "2"}
    for show in (explain_workflow, plan_workflow):
        out = io.StringIO()
        show("a", tmp_path, out, as_json=True)
        assert json.loads(out.getvalue())["settings"] == wanted
        out = io.StringIO()
        show("a", tmp_path, out)
        assert all(word in out.getvalue() for word in [*wanted, *wanted.values()])
        out = io.StringIO()
        show("b", tmp_path, out, as_json=True)
        assert json.loads(out.getvalue())["settings"] == {}
    for limit, said in ((None, "2 of 2"), (3, "3 of 3")):
        out = io.StringIO()
        plan_workflow("a", tmp_path, out, limit=limit)
        assert f"a: {said} rows would be texted" in out.getvalue()


def test_a_column_that_the_runs_own_value_hides_is_told(
    simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """``where: ds == …`` reads the run's day: who has such a column learns it from a plan, a run's log and lint --data."""
    sync = "  {}:\n    leads: {{csv: a.csv}}\n    where: {}\n"
    text = (
        "lead_syncs:\n"
        + sync.format("a", "ds == '2020-01-01'")
        + sync.format("b", "row['ds'] == '2020-01-01'")
    )
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "a.csv").write_text("phone,ds\n+14165550199,2020-01-01\n+14165550198,2021-01-01\n")
    for name, told, people in (("a", True, 0), ("b", False, 1)):
        out = io.StringIO()
        plan_workflow(name, tmp_path, out, as_json=True)
        plan = json.loads(out.getvalue())
        assert (any("write row['ds'] for the column" in note for note in plan["notes"]), plan["people"]) == (
            told,
            people,
        )
    doubts: list[Any] = []
    assert check_data(load_files([tmp_path]).workflows, doubts=doubts) == []
    assert [(each.path, each.hint) for each in doubts] == [
        ("lead_syncs.a.where", "write row['ds'] for the column")
    ]
