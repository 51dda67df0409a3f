"""What a task takes as ``leads``: tables in memory, files of every kind, several of them; and what it tells Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
import sqlalchemy as sa
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, ObjectStoragePath
from pyarrow import parquet

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.operators.lead_source import LeadRows, SourceList, open_source
from airflow_outreach_provider.operators.outreach import FileLeads, SqlLeads, SubmitLeadsOperator
from airflow_outreach_provider.simulator.process import RunningSimulator

ADA, GRACE, ALAN = "+12125550123", "+14165550199", "+12125550177"
TABLE = pa.table({"phone": [ADA, GRACE], "score": [1.5, None], "tags": [["a"], []]})


@pytest.fixture
def sim(tasks_simulator: RunningSimulator) -> RunningSimulator:
    return tasks_simulator


def submit(**arguments: Any) -> SubmitLeadsOperator:
    return SubmitLeadsOperator(task_id="submit", patience=1.0, **arguments)


class Frame:
    """As pandas hands out its rows."""

    columns = ("phone", "name")

    def __len__(self) -> int:
        return 2

    def __bool__(self) -> bool:
        raise ValueError("the truth value of a frame is ambiguous")

    def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[Any, ...]]:
        assert not index and name is None
        yield from ((ADA, "Ada"), (GRACE, float("nan")))


@pytest.mark.parametrize(
    "leads",
    [TABLE, TABLE.to_batches()[0], TABLE.to_reader(), Frame()],
    ids=["table", "batch", "reader", "frame"],
)
def test_a_table_in_memory_is_a_list_of_leads(
    sim: RunningSimulator, run_task: Callable[..., Any], leads: Any
) -> None:
    """Each row once; of who is in it Airflow's database sees nothing."""
    task = submit(leads=leads)
    assert isinstance(task.leads, LeadRows) and ADA not in str(task.leads)
    ran = run_task(task)
    assert ran.state == "success", ran.error
    assert sim.texts() == {ADA: 1, GRACE: 1}


def test_several_sources_are_read_one_after_the_other(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """Paths and files of which more is said; a person in two of them has one text."""
    (tmp_path / "a.csv").write_text(f"phone;name\n{ADA};Ada\n")
    (tmp_path / "b.json").write_text(json.dumps([{"phone": GRACE}, {"phone": ADA}]))
    parquet.write_table(pa.table({"phone": [ALAN, "nobody"]}), tmp_path / "c.parquet")
    leads = [
        FileLeads(str(tmp_path / "a.csv"), delimiter=";"),
        str(tmp_path / "b.json"),
        str(tmp_path / "*.parquet"),
    ]
    ran = run_task(submit(leads=leads, max_rejected=1))
    assert ran.state == "success", ran.error
    assert {state: n for state, n in ran.xcom.items() if n} == {"accepted": 3, "duplicate": 1, "rejected": 1}
    assert sim.texts() == {ADA: 1, GRACE: 1, ALAN: 1}


class Output:
    """What another task gives, as Airflow hands it out."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def resolve(self, _context: Any) -> Any:
        return self.value


class Outputs(Sequence[Any]):
    """What the instances of a mapped task give, each fetched when it is asked for."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: Any) -> Any:
        return self.values[at]


@pytest.mark.slow
def test_a_source_of_several_is_of_any_kind(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """Paths, tables and lists of rows, also those that other tasks give, mapped ones among them."""
    a, b = (tmp_path / f"{each}.csv" for each in "ab")
    a.write_text(f"phone\n{ADA}\n")
    b.write_text(f"phone\n{GRACE}\n")
    ada, grace = {"phone": ADA}, {"phone": GRACE}
    several: list[Any] = [
        [a, b], [ObjectStoragePath(str(a)), str(b)], [Frame(), TABLE], [[ada], [], [grace]], [[ada], str(b), TABLE],
        [Output([ada]), Output(str(b))], [Output(ada), Output(grace)], [ada, Output([grace])], [Output(Outputs(a, str(b)))],
        Output(Outputs([ada], [grace])), Output(Outputs(str(a), str(b))), Output(Outputs(ada, grace)), Output([a, b]),
    ]  # fmt: skip
    for number, leads in enumerate(several):
        ran = run_task(submit(leads=leads, campaign=str(number)))
        assert ran.state == "success", (leads, ran.error)
        assert (ran.xcom["accepted"], ran.xcom["rejected"]) == (2, 0), leads
        assert ADA not in str(ran.rendered) and GRACE not in str(ran.rendered)
    assert sim.texts() == dict.fromkeys((ADA, GRACE), len(several))


def test_of_several_sources_one_that_is_missing_is_a_mistake(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """A task that gave nothing has lost its list; it does not mean what is planned."""
    ran = run_task(submit(leads=[[{"phone": ADA}], Output(None)]))
    assert ran.state == "failed" and "leads came out as None" in str(ran.error)
    assert sim.texts() == {}


def test_a_task_waits_for_those_that_give_one_of_its_sources() -> None:
    """Airflow finds them in lists alone: what hides them from its database must not hide them from the scheduler."""
    with DAG("waits", schedule=None):
        given = [EmptyOperator(task_id=f"give_{number}").output for number in range(5)]
        each: list[Any] = [given[0], ["x.csv", given[1]], FileLeads(given[2]), SqlLeads("crm", given[3]),
                           [FileLeads(given[4]), "x.csv"]]  # fmt: skip
        tasks = [
            SubmitLeadsOperator(task_id=f"submit_{number}", leads=leads) for number, leads in enumerate(each)
        ]
    assert [task.upstream_task_ids for task in tasks] == [{f"give_{number}"} for number in range(5)]
    assert all(json.dumps(task.leads.serialize()) for task in tasks[1:])


def test_what_is_read_in_place_of_all_of_them(tmp_path: Path) -> None:
    """The trigger form's file."""
    (tmp_path / "other.csv").write_text(f"phone\n{ALAN}\n")
    source = open_source(
        SourceList(["nowhere.csv", SqlLeads("nowhere", "SELECT 1")], str(tmp_path / "other.csv"))
    )
    assert [row.values for row in source.rows() or ()] == [{"phone": ALAN}] and source.fraction() == 1.0


def test_sources_are_told_apart_by_all_that_says_what_they_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not by what they are called: of two queries on one database what is old in one is news in the other."""
    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", lambda _: ByEngine("sqlite://"))
    paths = [str(tmp_path / f"{each}.csv") for each in "abcd"]
    for path in paths:
        Path(path).write_text("phone\n")
    north, south = (SqlLeads("crm", "SELECT :region", {"region": each}) for each in ("north", "south"))
    different: list[Any] = [
        north, south, SqlLeads("crm", "SELECT 1"), SqlLeads("dwh", "SELECT 1"), *paths, SourceList(paths), SourceList(paths[:3]),
        SourceList([*paths[:3], north]),
    ]  # fmt: skip
    keys = [open_source(each).key for each in different]
    assert all(keys) and len({*keys}) == len(keys)
    assert keys == [open_source(each).key for each in different]
    assert open_source([{"phone": ADA}]).key == open_source(LeadRows([{"phone": ALAN}])).key == ""


def test_where_mapping_and_order_come_from_the_operator(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """As they do from a workflow."""
    leads = [{"phone": ADA, "at": 1}, {"phone": GRACE, "at": 3}, {"phone": ALAN, "at": 2}]
    ran = run_task(submit(leads=leads, where="at > 1", order_by="at desc", max_rows=2,
                          mapping={"phoneNumber": "phone", "score": 42, "source": "'web'"}))  # fmt: skip
    assert ran.state == "success", ran.error
    assert sim.texts() == {GRACE: 1, ALAN: 1}
    payload = sim.texts(GRACE)["last_payload"]
    assert (payload["score"], payload["source"]) == (42, "web")


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """A file of these rows, by its ending."""
    match path.suffix:
        case ".csv":
            lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
            path.write_text("\n".join(lines) + "\n")
        case ".json":
            path.write_text(json.dumps(rows))
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
        case ".xlsx":
            book = openpyxl.Workbook()
            for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
                book.active.append(line)
            book.save(path)
    return str(path)


@pytest.mark.parametrize("ending", [".csv", ".json", ".jsonl", ".parquet", ".xlsx"])
def test_a_row_says_no_in_a_column_that_nothing_maps(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, ending: str
) -> None:
    """Whatever is sent, such columns are read, of files by column too."""
    rows = [{"phone": ADA, "Opted Out": "no", "Tags": "vip"}, {"phone": GRACE, "Opted Out": "yes", "Tags": ""},
            {"phone": ALAN, "Opted Out": "", "Tags": "Do Not Contact"}]  # fmt: skip
    ran = run_task(submit(leads=write(tmp_path / f"a{ending}", rows), mapping={"phoneNumber": "phone"}))
    assert {state: n for state, n in ran.xcom.items() if n} == {"accepted": 1, "suppressed": 2}
    assert sim.texts() == {ADA: 1}


@pytest.mark.slow
def test_two_columns_that_may_say_no_have_names_of_their_own(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """Of two with one name only one would be heard; of two others that nothing reads either is as good."""
    (tmp_path / "a.csv").write_text(f"phone,note,note,Opted Out,Opted Out\n{ADA},a,b,yes,no\n")
    ran = run_task(submit(leads=str(tmp_path / "a.csv"), mapping={"phoneNumber": "phone"}))
    assert "more than one column is named 'Opted Out'" in str(ran.error) and sim.texts() == {}


WHO_AGREES = {"phone": ADA, "optout": "no"}
WHO_DOES_NOT = {"phone": GRACE, "opt_out": "yes"}


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".json", ".jsonl", ".parquet", ".xlsx"])
@pytest.mark.parametrize("listed", [False, True])
def test_what_where_names_is_in_each_file(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, ending: str, listed: bool
) -> None:
    """Of a pattern or a list: one that lacks the column would go out unfiltered; the error says which file and what."""
    paths = [
        write(tmp_path / f"{name}{ending}", [row]) for name, row in (("a", WHO_AGREES), ("b", WHO_DOES_NOT))
    ]
    leads = paths if listed else str(tmp_path / f"*{ending}")
    ran = run_task(submit(leads=leads, where="optout != 'yes'"))
    assert ran.state == "failed" and sim.texts() == {}
    assert f"b{ending} has no column 'optout' that where names" in str(ran.error)
    assert "did you mean 'opt_out'?" in str(ran.error)
    optional = run_task(submit(leads=leads, where="(optout | default(opt_out, true)) != 'yes'"))
    assert optional.state == "success", optional.error
    assert sim.texts() == {ADA: 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mapping": {"phoneNumber": "name"}}, "b.csv has no column 'name' that mapping['phoneNumber']"),
        ({"mapping": {"phoneNumber": "{{ row.name | trim }}"}}, "b.csv has no column 'name' that mapping['phoneNumber']"),
        ({"mapping": {"contacts": {"phoneNumber": "name"}}, "payload_format": "fixed"}, "mapping['contacts']['phoneNumber']"),
        ({"mapping": {"phoneNumber": "phone", "configurationId": "name"}}, "b.csv has no column 'name' that mapping['configurationId']"),
        ({"require_consent": "name"}, "b.csv has no column 'name' that require_consent"),
        ({"changed_on": ["name"], "resubmit": "changed"}, "b.csv has no column 'name' that changed_on"),
        ({"time_zone": "name", "quiet_hours": "21:00-08:00"}, "b.csv has no column 'name' that time_zone"),
        ({"incremental": "name"}, "b.csv has no column 'name' that incremental"),
        ({"where": "name == 'Ada'", "order_by": "phone"}, "b.csv has no column 'name' that where"),
        ({"where": "name == 'Ada'", "max_rows": 2}, "b.csv has no column 'name' that where"),
    ],
)  # fmt: skip
def test_what_a_sync_names_is_in_each_table(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    """Its rows share their columns, so that no row of it has what the first has not; however few are read, in whatever order."""
    write(tmp_path / "a.csv", [{"phone": ADA, "name": "Ada"}])
    write(tmp_path / "b.csv", [{"phone": GRACE, "first": "Grace"}])
    ran = run_task(submit(leads=str(tmp_path / "*.csv"), **arguments))
    assert said in str(ran.error) and sim.texts() == {}


def test_a_query_is_looked_at_beside_files(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of several sources it has what is named itself."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")})
    )
    leads = [
        write(tmp_path / "a.csv", [WHO_AGREES]),
        SqlLeads("crm", f"SELECT '{GRACE}' AS phone, 'yes' AS opt_out"),
    ]
    ran = run_task(submit(leads=leads, where="optout != 'yes'"))
    assert "sql on crm has no column 'optout' that where names" in str(ran.error) and sim.texts() == {}


def test_files_that_lack_what_no_rule_needs_go_out(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """An empty one, one without a field of the mapping, which its leads go without, and columns that may be missing."""
    leads = [
        write(tmp_path / "a.csv", [{"phone": ADA, "name": "Ada"}]),
        write(tmp_path / "b.jsonl", [{"phone": GRACE}]),
        write(tmp_path / "c.csv", [{"phone": ALAN}]),
    ]
    (tmp_path / "d.csv").write_text("phone\n")
    mapping = {"phoneNumber": "phone", "firstName": "name"}
    ran = run_task(submit(leads=[*leads, str(tmp_path / "d.csv")], mapping=mapping, campaign="first"))
    assert ran.state == "success", ran.error
    assert sim.texts() == {ADA: 1, GRACE: 1, ALAN: 1}
    mapping["firstName"] = "{{ row.name | default('') }}"
    ran = run_task(submit(leads=leads, mapping=mapping, where="name is not defined or name != 'Bo'"))
    assert ran.state == "success", ran.error
    assert sim.texts() == {ADA: 2, GRACE: 2, ALAN: 2}


class Database:
    """A hook of Airflow's, as far as it is known by."""

    def get_records(self, sql: str) -> Any:
        raise NotImplementedError


class ByEngine(Database):
    """One that has SQLAlchemy's engine."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)

    def get_sqlalchemy_engine(self) -> sa.Engine:
        return self._engine

    def get_conn(self) -> Any:
        return self._engine.raw_connection()


class ByCursor(Database):
    """One that has a driver's connection only."""

    def __init__(self, url: str) -> None:
        self.get_conn = ByEngine(url).get_conn


@pytest.mark.parametrize("hook", [ByEngine, ByCursor])
@pytest.mark.parametrize(
    "value", ["'infinity'::timestamp", "'infinity'::date", "'10000-01-01'::date", "1/0", "'x'::text::int"]
)
def test_a_value_that_cannot_be_had_is_a_mistake_of_the_query(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, hook: Callable[[str], Any], value: str
) -> None:
    """No try more gives another answer: a person must see to it, and is told how."""
    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", lambda _: hook(postgres_url))
    with pytest.raises(ConfigurationError, match=r"^sql on db failed: .* — change the query .*cast to text"):  # fmt: skip
        list(open_source(SqlLeads("db", f"SELECT '{ADA}' AS phone, {value} AS x")).rows() or ())


@pytest.mark.parametrize(
    "value", ["'NaN'::numeric", "'Infinity'::numeric", "'NaN'::float8", "'-Infinity'::float8"]
)
def test_a_number_that_is_none_is_left_out(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Of whatever type the column is."""
    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", lambda _: ByEngine(postgres_url))
    (row,) = open_source(SqlLeads("db", f"SELECT '{ADA}' AS phone, {value} AS x")).rows() or ()
    assert row.values == {"phone": ADA, "x": None} and row.error is None


_READS = """
import sys, threading
from airflow_outreach_provider.operators.file_source import FileSource
assert "pyarrow" not in sys.modules
for _ in range(3):
    source = FileSource(sys.argv[1])
    assert "pyarrow.parquet" in sys.modules
    reader = threading.Thread(target=lambda: print(len(list(source.rows()))))
    reader.start()
    reader.join()
"""


@pytest.mark.slow
def test_a_process_may_read_parquet_again(tmp_path: Path) -> None:
    """Each run reads in a thread of its own, which ends: pyarrow 25 crashed in the second one, where the first imported it."""
    parquet.write_table(TABLE, tmp_path / "a.parquet")
    ended = subprocess.run(
        [sys.executable, "-c", _READS, tmp_path / "a.parquet"], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout.split()) == (0, ["2"] * 3), ended.stderr
