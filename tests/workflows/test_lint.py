"""``lint``, ``schema`` and ``init``: exit codes, both outputs, speed, and a starter that is as it should be."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from airflow_outreach_provider.core.workflows.doubts import doubts_about
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.problems import tidy
from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml
from airflow_outreach_provider.workflows.files import load_files
from airflow_outreach_provider.workflows.lint import CLEAN, MISTAKES, UNUSABLE, lint
from airflow_outreach_provider.workflows.lint_connections import Connections, check_connections
from airflow_outreach_provider.workflows.scaffold import SCHEMA_FILE, write_starter

GOOD = "lead_syncs:\n  a:\n    leads: {csv: a.csv}\n"
BAD = "lead_syncs:\n  b:\n    leeds: {csv: a.csv}\n"


def test_lint_says_how_many_files_and_mistakes(tmp_path: Path) -> None:
    """Text for people: each mistake with its line, then a summary; the exit code is 1."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == MISTAKES
    assert "bad.yaml:3:5: unknown key 'leeds'" in out.getvalue()
    assert "did you mean 'leads'?" in out.getvalue()
    assert out.getvalue().endswith("2 files, 1 workflow without a mistake, 2 mistakes\n")
    (tmp_path / "bad.yaml").unlink()
    assert lint([str(tmp_path)], io.StringIO()) == CLEAN


def test_lint_prints_json_for_machines(tmp_path: Path) -> None:
    """``-o json``: one object with every mistake's file, line, column, path, message and hint."""
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    out = io.StringIO()
    lint([str(file)], out, as_json=True)
    answer = json.loads(out.getvalue())
    assert answer["files"] == 1
    assert {
        "file": str(file),
        "line": 3,
        "column": 5,
        "path": "lead_syncs.b.leeds",
        "message": "unknown key 'leeds'",
        "hint": "did you mean 'leads'?",
    } in answer["problems"]


@pytest.mark.parametrize(
    ("rules", "warned"),
    [("{default_region: US, line_types: mobile}", True), ("{default_region: MX, line_types: [mobile, voip]}", True),
     ("{default_region: CA, line_types: [fixed_line]}", True), ("{default_region: DE, line_types: mobile}", False),
     ("{default_region: US, line_types: [mobile, fixed_line_or_mobile]}", False), ("{default_region: US}", False),
     ("{default_region: US, line_types: toll_free}", False), ("{line_types: mobile}", False)],
)  # fmt: skip
def test_line_types_that_reach_nobody_are_warned_of(tmp_path: Path, rules: str, warned: bool) -> None:
    """A rule no number of the region meets is no mistake; the reader learns it, and what to write instead."""
    (tmp_path / "a.yaml").write_text(f"{GOOD}    rules: {rules}\n")
    out, data = io.StringIO(), io.StringIO()
    assert lint([str(tmp_path)], out) == CLEAN
    assert ("fixed_line_or_mobile]" in out.getvalue()) is warned
    assert out.getvalue().endswith("no mistakes, 1 warning\n" if warned else "no mistakes\n")
    lint([str(tmp_path)], data, as_json=True)
    answer = json.loads(data.getvalue())
    assert answer["problems"] == []
    assert [each["path"] for each in answer["warnings"]] == ["lead_syncs.a.rules.line_types"] * warned


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("timezone: EST", "write America/New_York"), ("timezone: Etc/GMT+5", "5 h behind UTC"),
        ('schedule: {cron: "0 9 * * *", timezone: MST}', "write America/Denver"), ("timezone: America/New_York", ""),
        ("timezone: UTC", ""),
    ],
)  # fmt: skip
def test_a_zone_without_summer_time_is_warned_of(tmp_path: Path, line: str, meant: str) -> None:
    """It is a zone, and a run an hour early for half of the year."""
    (tmp_path / "a.yaml").write_text(f"{GOOD}    {line}\n")
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == CLEAN
    assert meant in out.getvalue()
    assert ("summer time" in out.getvalue()) is bool(meant)


@pytest.mark.parametrize(
    ("hours", "meant"),
    [
        ("08:00-21:00", "21:00-08:00"), ("9:30-17:00", "17:00-09:30"), ("06:00-24:00", "00:00-06:00"), ("21:00-08:00", ""),
        ("12:00-14:00", ""), ("00:00-24:00", ""), ("10:00-09:00", ""), ("18:00-17:00", ""),
    ],
)  # fmt: skip
def test_quiet_hours_by_day_are_warned_of(tmp_path: Path, hours: str, meant: str) -> None:
    """Who writes the hours in which people may be texted would text them by night."""
    (tmp_path / "a.yaml").write_text(f'{GOOD}    rules: {{quiet_hours: "{hours}"}}\n')
    out = io.StringIO()
    lint([str(tmp_path)], out)
    assert (f'write "{meant}"' in out.getvalue()) is bool(meant)
    assert ("by night" in out.getvalue()) is bool(meant)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ('{per_person: "0 per 7d"}', "'0' is not a number of texts"),
        ('{per_person: "1 per -1d"}', "'-1d' is not a span"),
        ('{per_person: "1 per fortnight"}', "'fortnight' is not a span"),
        ("{per_person: 7d}", "not so many texts per span"),
        ("{per_person: 1}", "must be text"),
        ('{min_rows: "50%"}', 'did you mean "50% of last run"'),
        ('{min_rows: "150% of last run"}', "'150% of last run'"),
        ('{min_rows: "half of last run"}', "'half of last run'"),
        ("{min_rows: -1}", "must be 0 or more"),
        ("{max_suppressed: 101%}", "not a share"),
        ("{max_suppressed: 0.5}", "write 50%"),
        ("{resubmit: 0d, changed_on: [a]}", "not a span"),
        ("{resubmit: -5d}", "not a choice"),
        ("{changed_on: status}", "no effect while resubmit is never"),
        ("{resubmit: changed, changed_on: []}", "this is empty"),
        ("{max_supressed: 5%}", "did you mean 'max_suppressed'?"),
        ("{per_persons: 1 per 7d}", "did you mean 'per_person'?"),
    ],
)
def test_rules_that_cannot_be_kept_say_what_to_write(tmp_path: Path, rules: str, said: str) -> None:
    """Each with its line, what is wrong, and an example."""
    (tmp_path / "a.yaml").write_text(f"{GOOD}    rules: {rules}\n")
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == MISTAKES
    assert said in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules",
    ['{min_rows: "50% of last run"}', '{min_rows: "50 % of last run"}', '{min_rows: " 12.5%  of the last run "}',
     "{min_rows: 5}", "{per_person: 1 per 7d}", '{per_person: "3 per 2 weeks"}', "{per_person: 2 per day}",
     "{max_suppressed: 20}", "{max_suppressed: 20%}", "{resubmit: changed, changed_on: status}",
     "{resubmit: 90d, changed_on: [status, score]}"],
)  # fmt: skip
def test_rules_in_every_writing_are_read_and_in_the_schema(tmp_path: Path, rules: str) -> None:
    """What lint takes, an editor takes."""
    text = f"{GOOD}    rules: {rules}\n"
    (tmp_path / "a.yaml").write_text(text)
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == CLEAN, out.getvalue()
    located, _ = read_yaml(text, "a.yaml")
    jsonschema.validate(located.data, workflow_schema())


def test_a_path_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    """A pre-commit hook with a wrong path must not pass."""
    out = io.StringIO()
    assert lint([str(tmp_path / "nowhere")], out) == UNUSABLE
    assert "does not exist" in out.getvalue()


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told with their position; a byte-order mark is none of our business."""
    (tmp_path / "latin.yaml").write_bytes(b"lead_syncs: \xff")
    (tmp_path / "later.yaml").write_bytes(b"lead_syncs:\r\n  a: caf\xe9\r\n")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    loaded = load_files([tmp_path])
    assert [(each.line, each.column, each.message) for each in loaded.problems] == [
        (2, 9, "byte 21 is not UTF-8"),
        (1, 13, "byte 12 is not UTF-8"),
    ]
    assert [each.name for each in loaded.workflows] == ["a"]


def test_a_single_file_is_checked_with_the_defaults_of_its_folder(tmp_path: Path) -> None:
    """As a pre-commit hook does: only the changed file is named."""
    (tmp_path / "_defaults.yaml").write_text("defaults:\n  lead_syncs:\n    rules: {default_region: CA}\n")
    (tmp_path / "a.yaml").write_text(GOOD)
    [workflow] = load_files([tmp_path / "a.yaml"]).workflows
    assert workflow.model.rules.default_region == "CA"  # type: ignore[attr-defined]


@pytest.mark.slow
def test_lint_starts_in_a_moment(tmp_path: Path) -> None:
    """As a command of its own it needs no Airflow and takes less than three seconds."""
    (tmp_path / "bad.yaml").write_text(BAD)
    started = time.perf_counter()
    command = [sys.executable, "-m", "airflow_outreach_provider.workflows", "lint", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == MISTAKES, done.stderr
    assert time.perf_counter() - started < 3
    check = "import sys, airflow_outreach_provider.workflows.lint; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], timeout=30).returncode == 0


@pytest.mark.slow
def test_init_writes_a_starter_that_passes_lint_and_schema(tmp_path: Path) -> None:
    """A loader, a commented workflow file, sample rows and the schema; nothing that is there is overwritten."""
    assert all(written for _, written in write_starter(tmp_path))
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == CLEAN, out.getvalue()
    located, problems = read_yaml((tmp_path / "workflows" / "starter.yaml").read_text(), "starter.yaml")
    assert not problems
    assert located is not None
    jsonschema.validate(located.data, workflow_schema())
    assert json.loads((tmp_path / "workflows" / SCHEMA_FILE).read_text()) == workflow_schema()
    (tmp_path / "workflows" / "starter.yaml").write_text(GOOD)
    written = {path.name: new for path, new in write_starter(tmp_path)}
    assert not any(written.values())
    assert (tmp_path / "workflows" / "starter.yaml").read_text() == GOOD


_CONNECTIONS = Connections(
    type_of={"outreach_default": "outreach", "crm": "outreach_endpoint", "warehouse": "postgres"}.get,
    known=lambda: ["outreach_default", "crm", "warehouse"],
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "lead_syncs:\n  a:\n    leads: {csv: a.csv}\n    outreach: {conn_id: outreach_defualt}\n",
            [(4, 25, "there is no connection 'outreach_defualt'", "did you mean 'outreach_default'?")],
        ),
        (
            "event_routes:\n  a:\n    source: supersend\n    deliver: {endpoint: warehouse}\n",
            [
                (
                    3,
                    13,
                    "there is no connection 'supersend'",
                    "add it: airflow connections add supersend --conn-type outreach_source",
                ),
                (
                    4,
                    25,
                    "the connection 'warehouse' is of type postgres",
                    "this must be type outreach_endpoint or http",
                ),
            ],
        ),
        (
            "lead_syncs:\n  a:\n    leads: {sql: {conn_id: crm, query: SELECT 1}}\n",
            [(3, 28, "the connection 'crm' is of type outreach_endpoint", "this must be a database")],
        ),
        (GOOD, []),
    ],
)
def test_connections_are_checked_where_they_stand(
    tmp_path: Path, text: str, said: list[tuple[int, int, str, str]]
) -> None:
    """A connection that is missing or of the wrong type is a mistake in the line that names it."""
    (tmp_path / "a.yaml").write_text(text)
    problems = check_connections(load_files([tmp_path]).workflows, _CONNECTIONS)
    assert [(each.line, each.column, each.message, each.hint) for each in problems] == said


def test_a_default_connection_is_checked_too(tmp_path: Path) -> None:
    """A workflow that names no connection uses ``outreach_default``, which has to be there."""
    (tmp_path / "a.yaml").write_text(GOOD)
    [problem] = check_connections(load_files([tmp_path]).workflows, Connections(lambda _: None, list))
    assert problem.message == "there is no connection 'outreach_default'"
    assert problem.line == 2


UNREAD = """\
event_routes:
  a: {deliver: {endpoint: x, payload: {email: contact.email, deep: [{x: "data['a b'] | lower"}], at: occurred_at}}}
  b: {deliver: {endpoint: x, save: {id: response.id}, query: {email: contact.emial}, path: contacts/contact.email}}
  c: {deliver: {trigger_dag: {dag_id: x, conf: {email: contact.email}}}}
lead_syncs:
  d: {leads: {csv: a.csv}, map: {phoneNumber: phone, city: row.city, all: [row.city]}}
"""
READ = """\
event_routes:
  a: {deliver: {endpoint: x, payload: {email: "{{ contact.email }}", kind: contact, note: "contact. Email", url: "a.b/c"}}}
  b: {deliver: {endpoint: x, save: {id: "{{ response.id }}"}, path: "contacts/{{ contact.email }}/data"}}
  c: {deliver: {outreach: {map: {phoneNumber: contact.phone}}}}
lead_syncs:
  d: {leads: {csv: a.csv}, map: {phoneNumber: phone, city: "{{ row.city }}", row: "'row'"}}
"""


def test_a_field_without_braces_is_warned_of() -> None:
    """Where texts are sent as they stand, one that is a field's name is hardly meant; where it is read it is right."""
    told = tidy(doubts_about(load_texts({"a.yaml": UNREAD}).workflows))
    assert [each.path for each in told] == [
        "event_routes.a.deliver.payload.email", "event_routes.a.deliver.payload.deep[0].x", "event_routes.a.deliver.payload.at",
        "event_routes.b.deliver.save.id", "event_routes.b.deliver.query.email", "event_routes.b.deliver.path",
        "event_routes.c.deliver.trigger_dag.conf.email", "lead_syncs.d.map.city", "lead_syncs.d.map.all[0]",
    ]  # fmt: skip
    assert told[1].hint == "write \"{{ data['a b'] | lower }}\" for what the field holds"
    assert doubts_about(load_texts({"a.yaml": READ}).workflows) == []


def test_what_depends_on_one_that_never_runs_is_told() -> None:
    """Of one that is switched off: a warning, in the environment where it is off. Of two with one name: a mistake."""
    text = (
        "lead_syncs:\n  a: {leads: {csv: a.csv}, environments: {dev: {enabled: false}}}\n"
        "  b: {leads: {csv: a.csv}, depends_on: a}\n  c: {leads: {csv: a.csv}, depends_on: [b, a], enabled: false}\n"
    )
    every = load_texts({"a.yaml": "environments: {dev: {}, live: {}}\n" + text})
    assert every.problems == []
    (told,) = doubts_about([*every.workflows, *every.elsewhere])
    assert (told.path, told.message) == (
        "lead_syncs.b.depends_on[0]",
        "a is not enabled in dev, so that this never runs by itself",
    )
    twice = "event_routes:\n  b: {deliver: {suppress: true}}\n"
    (problem,) = load_texts(
        {"a.yaml": text.replace(", environments: {dev: {enabled: false}}", ""), "b.yaml": twice}
    ).problems
    assert (problem.path, problem.hint) == (
        "lead_syncs.c.depends_on[0]",
        "give the one that is meant a name of its own",
    )


def test_a_folder_without_workflow_files_is_exit_code_2(tmp_path: Path) -> None:
    """Nor must one with a folder that holds something else."""
    (tmp_path / "leads.csv").write_text("phone\n")
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == UNUSABLE
    assert out.getvalue().startswith(f"there is no workflow file under {tmp_path} — name a file")
