"""Commands as a person runs them beside an Airflow whose connections and variables are in its database alone."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from servers import free_port

# Python 3.14 says of a name that is too long that nothing is there.
TOO_LONG = "x does not exist" if sys.version_info >= (3, 14) else "File name too long"
_WORKFLOWS = """\
lead_syncs:
  by_variable: {leads: {csv: "{{ var.value.leads_path }}"}}
  by_json: {leads: {csv: "{{ var.json.paths.leads }}"}}
  by_connection: {leads: {csv: "{{ conn.files.host }}/leads.csv"}}
  by_query: {leads: {sql: {conn_id: warehouse, query: "SELECT phone FROM people"}}}
event_routes:
  to_crm: {source: supersend, deliver: {endpoint: crm}}
"""

# Whatever a person may get wrong: a workflow each, so that every one is met by `plan`.
_MISTAKES = """\
lead_syncs:
  no_variable: {leads: {csv: "{{ var.value.none_such }}"}}
  no_key: {leads: {csv: "{{ var.json.paths.nobody.there }}"}}
  not_json: {leads: {csv: "{{ var.json.leads_path }}"}}
  no_connection_in_template: {leads: {csv: "{{ conn.none_such.host }}/a.csv"}}
  by_zero: {leads: {csv: "{{ 1 // params.limit }}.csv"}}
  no_database: {leads: {sql: {conn_id: none_such, query: "SELECT 1"}}}
  not_a_database: {leads: {sql: {conn_id: crm, query: "SELECT 1"}}}
  no_provider: {leads: {sql: {conn_id: oracle, query: "SELECT 1"}}}
  bad_query: {leads: {sql: {conn_id: warehouse, query: "SELECT phone FROM nowhere"}}}
  no_file: {leads: {csv: none_such.csv}}
  a_folder: {leads: {csv: folder.csv}}
  no_match: {leads: {csv: "none_such*.csv"}}
  no_store_of_files: {leads: {csv: "nope://bucket/a.csv"}}
  not_gzip: {leads: {csv: broken.csv.gz}}
  not_text: {leads: {csv: binary.csv}}
  no_outreach: {leads: {csv: leads.csv}, outreach: {conn_id: none_such}}
  other_type: {leads: {csv: leads.csv}, outreach: {conn_id: crm}}
  no_key_in_connection: {leads: {csv: leads.csv}, outreach: {conn_id: keyless}}
  bad_extra: {leads: {csv: leads.csv}, outreach: {conn_id: bad_extra}}
  bad_number: {leads: {csv: leads.csv}, outreach: {conn_id: bad_number}}
"""
_FUNCTIONS = """\
event_routes:
  no_module: {source: supersend, deliver: {python: none_such.module.function}}
  no_function: {source: supersend, deliver: {python: json.none_such}}
  raises: {source: supersend, deliver: {python: raising.function}}
  exits: {source: supersend, deliver: {python: exiting.function}}
  broken: {source: supersend, deliver: {python: unparsable.function}}
  no_endpoint: {source: supersend, deliver: {endpoint: cmr}}
"""


@pytest.fixture(scope="module")
def airflow(migrated_airflow: Any) -> Any:
    """Connections and variables as ``airflow connections add`` and ``variables set`` keep them, files beside."""
    home: Path = migrated_airflow.home
    files = {
        "workflows/good.yaml": _WORKFLOWS,
        "workflows/leads.csv": "phone\n+14165550123\n",
        "mistakes/mistakes.yaml": _MISTAKES,
        "mistakes/leads.csv": "phone\n+14165550123\n",
        "mistakes/folder.csv/x": "",
        "functions/functions.yaml": _FUNCTIONS,
        "broken/broken.yaml": "lead_syncs: {a: {leads: {csv: [}}",
        "modules/raising.py": "raise ValueError('not today')",
        "modules/exiting.py": "import sys; sys.exit('not today')",
        "modules/unparsable.py": "def function(:",
    }
    (home / "binary.bin").write_bytes(bytes(range(128, 256)) * 8)
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (home / "mistakes/broken.csv.gz").write_bytes(gzip.compress(b"phone\n" * 9_999)[:-20])
    (home / "mistakes/binary.csv").write_bytes(b"phone\n\xff\xfe\x00\n")
    with sqlite3.connect(home / "warehouse.db") as warehouse:
        warehouse.execute("CREATE TABLE people (phone TEXT)")
        warehouse.execute("INSERT INTO people VALUES ('+14165550123')")
    warehouse.close()
    api = {"conn_type": "outreach", "host": f"http://127.0.0.1:{free_port()}", "password": "user_key"}
    connections: dict[str, dict[str, Any]] = {
        "without_login": api,
        "keyless": api | {"password": ""},
        "bad_extra": api,
        "bad_number": api | {"extra": {"timeout": "soon"}},
        "crm": {"conn_type": "outreach_endpoint", "host": "https://127.0.0.1/hook"},
        "bad_endpoint": {"conn_type": "outreach_endpoint", "host": "https://127.0.0.1/hook"},
        "supersend": {"conn_type": "outreach_source", "password": "0123456789abcdef", "extra": {"platform": "supersend"}},
        "files": {"conn_type": "generic", "host": str(home / "workflows")},
        "warehouse": {"conn_type": "sqlite", "host": str(home / "warehouse.db")},
        "oracle": {"conn_type": "no_such_database", "host": "db"},
    }  # fmt: skip
    (home / "connections.json").write_text(json.dumps(connections))
    login = {"configuration_id": "c", "contacts_email": "a@example.com", "contacts_password": "not a secret"}
    for command in (
        ("connections", "import", "connections.json"),
        ("connections", "add", "outreach_default", "--conn-type", "outreach", "--conn-host", api["host"],
         "--conn-password", "user_key", "--conn-extra", json.dumps(login)),
        ("variables", "set", "leads_path", str(home / "workflows/leads.csv")),
        ("variables", "set", "paths", json.dumps({"leads": str(home / "workflows/leads.csv")})),
    ):  # fmt: skip
        ended = migrated_airflow.run(*command)
        assert ended.code == 0, ended.output
    with sqlite3.connect(home / "airflow.db") as database:  # no command would save these
        database.execute(
            "UPDATE connection SET extra = '{bad', is_extra_encrypted = 0 WHERE conn_id LIKE 'bad_e%'"
        )
    database.close()
    return migrated_airflow


@pytest.mark.slow
@pytest.mark.parametrize("name", ["by_variable", "by_json", "by_connection", "by_query"])
def test_plan_reads_what_the_database_has(airflow: Any, name: str) -> None:
    """Variables, connections in templates and a source's own connection are found as a task would find them."""
    ended = airflow.run("outreach", "plan", name, "--path", "workflows")
    assert "1 of 1 rows would be texted" in ended.output
    assert ended.code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("lint --connections --data workflows", 0, "no mistakes"),
        ("sources -o json", 0, '"source": "supersend"'),
        ("sources --off supersend", 0, "supersend takes no more events"),
        ("sources --on supersend", 0, "supersend takes events again"),
        ("deliveries disable crm", 0, "crm is disabled"),
        ("deliveries enable crm --release all", 0, "crm is enabled"),
        ("deliveries test crm", 1, "RFC 1122"),
        ("leads reconcile --conn-id without_login", 1, "has no log-in for the contact list"),
        ("leads reconcile", 0, "0 accepted"),
    ],
)
def test_every_command_sees_the_connections_of_the_database(
    airflow: Any, command: str, code: int, words: str
) -> None:
    """No command asks for an environment variable where Airflow has a connection."""
    ended = airflow.run("outreach", *command.split())
    assert words in ended.output
    assert ended.code == code
    assert "Traceback" not in ended.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "lint --connections -o json workflows", "doctor --json --no-tests", "sources -o json",
        "explain to_crm --path workflows -o json", "plan by_variable --path workflows -o json",
    ],
)  # fmt: skip
def test_what_is_printed_for_a_program_is_json_and_nothing_else(airflow: Any, command: str) -> None:
    """What Airflow logs on the way, such as its warning of a type with an underscore, is on the other stream."""
    printed = airflow.home / "printed.json"
    printed.write_text("")
    airflow.run("outreach", *command.split(), stdout=str(printed))
    assert json.loads(printed.read_text())
    printed.unlink()


@pytest.mark.slow
def test_lint_without_the_airflow_command_sees_them_too(airflow: Any) -> None:
    """``python -m airflow_outreach_provider.workflows lint --connections``: the same answer, in a plain process."""
    ran = subprocess.run(
        [sys.executable, "-m", "airflow_outreach_provider.workflows", "lint", "--connections", "workflows", "functions"],
        cwd=airflow.home, env=airflow.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "there is no connection 'crm'" not in ran.stdout
    assert "there is no connection 'cmr'" in ran.stdout
    assert "did you mean 'crm'?" in ran.stdout
    assert (ran.returncode, ran.stderr.count("Traceback")) == (1, 0)
    assert "[warning" not in ran.stdout


PLAN_WORDS = {
    "no_variable": "there is no variable 'none_such' — add it",
    "no_key": "template",
    "not_json": "template",
    "no_connection_in_template": "there is no connection 'none_such' — add it",
    "by_zero": "template",
    "no_database": "there is no connection 'none_such' — add it",
    "not_a_database": "crm",
    "no_provider": "no_such_database",
    "bad_query": "no such table: nowhere",
    "no_file": "none_such.csv does not exist",
    "a_folder": "is a folder",
    "no_match": "no file matches",
    "no_store_of_files": "nope",
    "not_gzip": "broken.csv.gz",
    "not_text": "1 of 1 rows were rejected",
    "no_outreach": "there is no connection 'none_such' — add it",
    "other_type": "crm",
    "no_key_in_connection": "connection 'keyless' has no API key",
    "bad_extra": "connection 'bad_extra': its extra is not a JSON object",
    "bad_number": "'timeout' is 'soon'",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAN_WORDS)
def test_a_plan_that_cannot_be_made_says_why_in_one_line(airflow: Any, name: str) -> None:
    """Whatever a workflow names and Airflow has not, or has broken: what, where, what to do; never a traceback."""
    ended = airflow.run("outreach", "plan", name, "--path", "mistakes")
    assert PLAN_WORDS[name] in ended.output
    assert "Traceback" not in ended.output
    assert ended.code == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("plan nobody --path workflows", "there is no workflow 'nobody'"),
        ("plan to_crm --path workflows", "is an event route"),
        ("plan a --path none_such", "none_such does not exist"),
        ("plan a --path broken", "broken.yaml"),
        pytest.param("plan a --path " + "x" * 300, TOO_LONG, id="a name too long"),
        ("explain nobody --path workflows", "there is no workflow 'nobody'"),
        ("explain a --path broken", "broken.yaml"),
        ("lint none_such", "none_such does not exist"),
        ("lint --connections functions", "not today"),
        ("lint --data mistakes", "of which no provider can be loaded here"),
        ("lint broken", "broken.yaml"),
        ("init airflow.cfg", "airflow.cfg"),
        ("leads reconcile --conn-id none_such", "there is no connection 'none_such' — add it"),
        ("leads reconcile --conn-id bad_extra", "extra is not a JSON object"),
        ("leads reconcile --after 99999999999999", "--after"),
        ("leads resolve --as accepted --id 99999999999999999999", "--id"),
        ("leads list --phone 12", "that is no phone number"),
        ("leads list --limit 99999999999999999999", "--limit"),
        ("leads import-suppressions none_such.csv", "is not a file"),
        ("leads import-suppressions airflow.cfg", "does not tell its format"),
        ("leads import-suppressions mistakes/broken.csv.gz", "broken.csv.gz"),
        ("leads forget", "nobody is named"),
        ("deliveries test none_such", "there is no connection 'none_such'"),
        ("deliveries test bad_endpoint", "extra is not a JSON object"),
        ("deliveries test supersend", "supersend"),
        ("deliveries enable none_such --release all", "there is no endpoint 'none_such'"),
        ("deliveries disable supersend", "there is no endpoint 'supersend'"),
        ("deliveries attempts 99999999999999999999", "delivery"),
        ("deliveries list --since yesterday", "--since is 'yesterday'"),
        ("deliveries redeliver", "nothing says which deliveries"),
        ("sources --off none_such", "there is no source 'none_such'"),
        ("events replay nobody", "nothing says which events"),
        ("events remove-consumer nobody", "nobody"),
        ("events list --since 99999999999d", "--since"),
        ("purge", "no age is given"),
        ("purge --older-than 99999999", "--older-than"),
        ("purge --older-than 99999999999999", "--older-than"),
        ("simulate --port 99999", "port"),
        ("simulate --host no.such.host.invalid --port 0", "cannot listen"),
        ("simulate --journal none_such/journal --port 0", "none_such"),
        ("simulate --fault nonsense --port 0", "nonsense"),
        ("receive --port 99999", "port"),
        ("init --loader no/such.py", "the loader cannot be called"),
        ("init workflows/good.yaml", "good.yaml"),
        ("lint mistakes/folder.csv/x", "the file is empty"),
        ("lint binary.bin", "is not UTF-8"),
        ("plan a --path binary.bin", "is not UTF-8"),
        ("explain a --path binary.bin", "is not UTF-8"),
        ("plan a", "dags does not exist"),
        ("suppressions import none_such.csv", "is not a file"),
        ("suppressions import mistakes/folder.csv", "is not a file"),
        ("suppressions import binary.bin", "does not tell its format"),
        ("suppressions import mistakes/binary.csv", "rows that hold no number"),
        ("suppressions add 12 --yes", "that is no phone number"),
        ("suppressions remove 12 --yes", "that is no phone number"),
        ("suppressions list --phone 12", "that is no phone number"),
        ("person show", "nobody is named"),
        ("person export 12", "that is no phone number"),
        ("person export +14165550123 --file airflow.cfg", "is there already"),
        ("person export +14165550123 --file none/such.json", "cannot be made"),
        ("person forget 12", "that is no phone number"),
        ("doctor --no-such", "--no-such"),
        ("simulate --journal mistakes/folder.csv --port 0", "folder.csv"),
        ("receive --host no.such.host.invalid --port 0", "cannot listen on no.such.host.invalid"),
    ],
)  # fmt: skip
def test_no_mistake_ends_in_a_traceback(airflow: Any, command: str, words: str) -> None:
    """Each command, with each kind of mistake that it can be given: words of it, an exit code, no traceback."""
    ended = airflow.run("outreach", *command.split())
    assert words in ended.output
    assert "Traceback" not in ended.output
    assert ended.code not in (0, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "plan by_variable --path {good}", "plan by_connection --path {good}", "plan by_query --path {good}",
        "lint --connections {good}", "leads reconcile", "deliveries test crm", "deliveries disable crm", "sources",
        "sources --off supersend",
    ],
)  # fmt: skip
def test_an_airflow_without_a_database_is_told_so(airflow: Any, empty_airflow: Any, command: str) -> None:
    """Not "there is no connection": the database cannot be read, and how that is put right."""
    ended = empty_airflow.run("outreach", *command.format(good=airflow.home / "workflows").split())
    assert "Airflow's database does not answer as it should: no such table" in ended.output
    assert "airflow db migrate" in ended.output
    assert "Traceback" not in ended.output
    assert ended.code in (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "value", "command", "words"),
    [
        ("SQL_ALCHEMY_CONN", "sqlite:////none/such/outreach.db", "leads list", "cannot be made"),
        ("SQL_ALCHEMY_CONN", "nonsense", "leads list", "is not a database URL"),
        ("SQL_ALCHEMY_CONN", "postgresql://a:hunter2@localhost:x/db", "leads list", "is not a database URL"),
        ("SQL_ALCHEMY_CONN", "postgresql://a:hunter2@127.0.0.1:1/db", "db check", "did not answer"),
        ("SQL_ALCHEMY_CONN", "sqlite:///{home}/warehouse.db", "db check", "db upgrade"),
        ("RETENTION_DAYS", "soon", "purge", "retention_days"),
        ("MAX_BODY_BYTES", "soon", "receive --port 0", "max_body_bytes"),
        ("LEASE_SECONDS", "1", "plan by_variable --path workflows", "lease_seconds"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    airflow: Any, setting: str, value: str, command: str, words: str
) -> None:
    """[outreach] options that are wrong are mistakes like any other; no password is shown."""
    given = {f"AIRFLOW__OUTREACH__{setting}": value.format(home=airflow.home)}
    ended = airflow.run("outreach", *command.split(), env=given)
    assert words in ended.output
    assert "Traceback" not in ended.output
    assert "hunter2" not in ended.output
    assert ended.code == 1


@pytest.mark.slow
def test_a_connection_that_is_there_and_unreadable_is_not_called_missing(airflow: Any) -> None:
    """A broken text in the environment, and a Fernet key that has changed: said as what they are."""
    ended = airflow.run("outreach", "deliveries", "test", "odd", env={"AIRFLOW_CONN_ODD": "{not json"})
    assert "AIRFLOW_CONN_ODD is set and cannot be read" in ended.output
    other = {"AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode()}
    ended = airflow.run("outreach", "leads", "reconcile", env=other)
    assert "connection 'outreach_default' is in Airflow's database and cannot be read" in ended.output
    assert "fernet_key" in ended.output
    assert "Traceback" not in ended.output
    assert ended.code == 1
    ended = airflow.run("outreach", "plan", "by_variable", "--path", "workflows", env=other)
    assert "variable 'leads_path' is in Airflow's database and cannot be read" in ended.output
    assert "Traceback" not in ended.output
    assert ended.code == 1


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error_to_tell(airflow: Any) -> None:
    """``python -m … schema | head -c 1``: quiet."""
    command = f"{sys.executable} -m airflow_outreach_provider.workflows schema | head -c 1"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("{", "")


def test_who_has_no_name_on_this_machine_is_told_by_number(airflow: Any) -> None:
    """A container may run under a user id that no file knows: the audit trail names the number."""
    code = (
        "import getpass, os, pwd\n"
        "from airflow_outreach_provider.cli.common import actor\n"
        "os.setuid(54321)\n"
        "print(actor())"
    )
    if os.getuid() != 0:
        pytest.skip("only root can become somebody unknown")
    bare = {k: v for k, v in os.environ.items() if k not in ("LOGNAME", "USER", "LNAME", "USERNAME")}
    ran = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "cli:54321", ran.stderr
