"""``airflow outreach new``: a workflow from the columns of each kind of source, asked for at a terminal alone."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_outreach_provider.core.workflows.models import LeadSync
from airflow_outreach_provider.workflows.files import load_files
from airflow_outreach_provider.workflows.lint import CLEAN, lint

pytestmark = pytest.mark.usefixtures("tasks_store")
PEOPLE = [{"Mobile": "+14165550199", "First Name": "Ada", "E-Mail": "ada@example.com", "Score": "7"}]
MAP = {"phoneNumber": "Mobile", "firstName": "First Name", "email": "E-Mail"}
CSV = "\n".join(",".join(row) for row in (PEOPLE[0], PEOPLE[0].values())) + "\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sources are, each with the same row, and from which the command is called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "leads.csv").write_text(CSV)
    (tmp_path / "leads.jsonl").write_text(json.dumps(PEOPLE[0]) + "\n")
    (tmp_path / "leads.json").write_text(json.dumps(PEOPLE))
    parquet.write_table(pa.Table.from_pylist(PEOPLE), tmp_path / "leads.parquet")
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        database.execute('CREATE TABLE people ("Mobile", "First Name", "E-Mail", "Score")')
        database.execute("INSERT INTO people VALUES (?, ?, ?, ?)", tuple(PEOPLE[0].values()))
    (tmp_path / "leads.sql").write_text("SELECT * FROM people")
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    return tmp_path


def workbook(path: Path) -> None:
    """The same row in a workbook."""
    book = openpyxl.Workbook()
    for row in (PEOPLE[0], PEOPLE[0].values()):
        book.active.append(list(row))
    book.save(path)


def written(folder: Path, name: str = "web") -> LeadSync:
    """The workflow, as it is read again."""
    (model,) = [each.model for each in load_files([folder / "workflows"]).workflows if each.name == name]
    assert isinstance(model, LeadSync)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", ["leads.csv", "*.csv", "leads.jsonl", "leads.json", "leads.parquet", "leads.xlsx", "file://{}/leads.csv",
             "people", "SELECT * FROM people", "leads.sql"],
)  # fmt: skip
def test_each_kind_of_source_becomes_a_lead_sync_with_its_mapping(
    folder: Path, run: Callable[..., str], rows: str
) -> None:
    """It lints with its data, wherever the file is put."""
    if rows.endswith(".xlsx"):
        workbook(folder / rows)
    sql = ("--sql-conn-id", "warehouse") if rows in {"people", "SELECT * FROM people", "leads.sql"} else ()
    said = run(
        "new", "lead-sync", "--name", "web", "--from", rows.format(folder), *sql, "--to", "workflows/web.yaml"
    )
    assert said.startswith("wrote workflows/web.yaml\n1 file, 1 workflow without a mistake, no mistakes")
    assert "airflow outreach plan web --path workflows/web.yaml" in said and "outreach init" in said
    assert written(folder).map == MAP
    out = io.StringIO()
    assert lint(["workflows"], out, data=True) == CLEAN, out.getvalue()
    assert "# Score: Score" in (folder / "workflows" / "web.yaml").read_text()


def test_everything_that_is_said_stands_in_the_file(folder: Path, run: Callable[..., str]) -> None:
    """And a second one is added to it."""
    file = folder / "workflows" / "all.yaml"
    for name in ("web", "more"):
        said = run(
            "new", "lead-sync", "--name", name, "--from", "leads.csv", "--conn-id", "api", "--configuration-id", "68d6", "--schedule",
            "*/15 * * * *", "--default-region", "US", "--phone", "Score", "--to", str(file),
        )  # fmt: skip
        model = written(folder, name)
        assert (model.outreach.conn_id, model.outreach.configuration_id, str(model.schedule)) == (
            "api",
            "68d6",
            "*/15 * * * *",
        )
        assert (
            model.rules.default_region == "US"
            and model.map is not None
            and model.map["phoneNumber"] == "Score"
        )
    assert said.startswith(f"added to {file}")
    run("new", "event-route", "--name", "on", "--source", "varda", "--kinds", "replied,interested", "clicked", "--where",
        "data.score > 5", "--endpoint", "crm", "--to", str(file))  # fmt: skip
    route = next(each.model for each in load_files([file]).workflows if each.name == "on")
    assert route.model_dump(include={"source", "kinds", "where"}) == {
        "source": "varda", "kinds": ["replied", "interested", "clicked"], "where": "data.score > 5"}  # fmt: skip


@pytest.mark.parametrize(
    "way", [("--endpoint", "crm"), ("--python", "a.b.c"), ("--outreach", "api"), ("--suppress",)]
)
def test_a_route_goes_each_way(folder: Path, run: Callable[..., str], way: tuple[str, ...]) -> None:
    """One of them."""
    said = run("new", "event-route", "--name", "on", *way, "--to", "a.yaml", "--kinds", "replied")
    assert "airflow outreach explain on --path a.yaml" in said and load_files(["a.yaml"]).problems == []


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("lead-sync",), "missing: --from, --name, --to — give them, or run airflow outreach new lead-sync at a terminal"),
        (("lead-sync", "--from", "SELECT 1", "--to", "a.yaml"), "missing: --sql-conn-id, --name — "),
        (("event-route", "--name", "a"), "missing: --endpoint (or another way), --to — "),
        (("event-route", "--name", "a", "--endpoint", "", "--to", "a.yaml"), "missing: --endpoint (or another way) — "),
        (("event-route", "--name", "", "--endpoint", " ", "--to", ""), "missing: --name, --endpoint (or another way), --to — "),
        (("lead-sync", "--from", "", "--name", " ", "--to", "a.yaml"), "missing: --from, --name — "),
        (("event-route", "--endpoint", "a", "--suppress"), "--endpoint and --suppress both say where events go"),
        (("lead-sync", "--name", "a", "--from", "no.csv", "--to", "a.yaml"), "no.csv does not exist"),
        (("lead-sync", "--name", "a", "--from", "{{ x }}.csv", "--to", "a.yaml"), "which only a run fills in"),
        (("lead-sync", "--name", "a", "--from", "leads.txt", "--to", "a.yaml"), "does not tell what it is"),
        (("lead-sync", "--name", "a", "--from", "empty.csv", "--to", "a.yaml"), "has no row yet"),
        (("lead-sync", "--name", "a", "--from", "fax.csv", "--to", "a.yaml"), "name it with --phone"),
        (("lead-sync", "--name", "a b", "--from", "leads.csv", "--to", "a.yaml"), "'a b' cannot be the name"),
        (("lead-sync", "--name", "a", "--from", "leads.csv", "--schedule", "dayly", "--to", "a.yaml"), "a.schedule: 'dayly' is not"),
        (("lead-sync", "--name", "a", "--from", "nope", "--sql-conn-id", "warehouse", "--to", "a.yaml"), "sql on warehouse failed"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said_in_one_go_and_nothing_is_asked(
    folder: Path, run: Callable[..., str], words: tuple[str, ...], advice: str
) -> None:
    """No terminal, no question; nothing is written."""
    (folder / "empty.csv").write_text("phone\n")
    (folder / "fax.csv").write_text("fax\n1\n")
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as ended:
        run("new", *words)
    assert advice in str(ended.value)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(("last", "wrote"), [("\n", True), ("n\n", False), ("", False)])
def test_at_a_terminal_it_asks_for_the_rest(
    folder: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, last: str, wrote: bool
) -> None:
    """A name by the file's, the column that no name tells, and whether it may be written; no, or Ctrl-D: nothing is."""
    (folder / "my list.csv").write_text("Contact,name\n+14165550199,Ada\n")
    answers = ["my list.csv", "", "workflows/a.yaml", "Contact", "", "US", ""]
    monkeypatch.setattr(sys, "stdin", _Terminal("\n".join(answers) + "\n" + last))
    if not wrote:
        with pytest.raises(SystemExit):
            run("new", "lead-sync")
        assert not (folder / "workflows").exists()
        return
    said = run("new", "lead-sync")
    assert "Name of the workflow [my_list]: " in said and "of Contact, name: " in said
    model = written(folder, "my_list")
    assert model.map == {"phoneNumber": "Contact"} and model.rules.default_region == "US"
