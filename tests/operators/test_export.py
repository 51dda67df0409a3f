"""Outcomes to a warehouse: each change once, whole or masked, and again when a run died before it was noted."""

from __future__ import annotations

import csv
import errno
import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, task_group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.exports import COLUMNS, DataSet, Mark, Personal
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.operators.outreach import ExportOutcomesOperator
from airflow_outreach_provider.services.actions import purge
from airflow_outreach_provider.services.exports import export
from airflow_outreach_provider.store import export_marks
from airflow_outreach_provider.store import exports as store_exports
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.ledger.tables import leads, runs

AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)


def put_lead(store: Store, number: int, *, state: str = "accepted", at: datetime = AT) -> None:
    with store.write() as connection:
        run = connection.execute(sa.select(runs.c.id)).scalar()
        if run is None:
            values = {
                "campaign": "spring",
                "owner": "o",
                "state": "succeeded",
                "source": "leads.csv",
                "dag_id": "sync",
            }
            times = {"started_at": at, "heartbeat_at": at, "lease_until": at}
            run = connection.execute(
                runs.insert().values(**values, **times).returning(runs.c.id)
            ).scalar_one()
        row = {"campaign": "spring", "phone": f"+1416555{number:04}", "state": state, "run_id": run}
        accepted = at if state == "accepted" else None
        connection.execute(
            leads.insert().values(
                **row, created_at=at, updated_at=at, sent_at=at, accepted_at=accepted, contact_id=f"c{number}"
            )
        )


def change(store: Store, number: int, at: datetime) -> None:
    with store.write() as connection:
        mine = leads.c.phone == f"+1416555{number:04}"
        connection.execute(leads.update().where(mine).values(state="held", updated_at=at))


def put_event(store: Store, event_id: str, kind: EventKind, contact: Contact, at: datetime) -> None:
    event = ContactEvent(event_id, "src", "varda", "x", kind, at, at, contact)
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])


class Kept:
    """A sink in memory. :ivar parts: what was written, by the part's name."""

    def __init__(self) -> None:
        self.parts: dict[str, list[dict[str, Any]]] = {}
        self.part = ""

    def __call__(self, _data: DataSet, part: str) -> Kept:
        self.part, self.parts[part] = part, []
        return self

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, rows: Any) -> None:
        self.parts[self.part] += rows

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for rows in self.parts.values() for row in rows]


@pytest.mark.parametrize("data", DataSet)
def test_a_change_is_written_once(store: Store, data: DataSet) -> None:
    """On both databases: what is new, then nothing, then what changed; the columns are those that are promised."""
    put_lead(store, 1)
    put_lead(store, 2, state="rejected")
    put_event(
        store, "evt_1", EventKind.REPLIED, Contact(name="Jane", phone="+14165550001", email="jane@x.ca"), AT
    )
    sink = Kept()
    first = export(store, "lake", data, sink)
    assert all(list(row) == list(COLUMNS[data]) for row in sink.rows)
    assert export(store, "lake", data, sink) == 0
    later = AT + timedelta(days=1)
    change(store, 1, later)
    put_event(store, "evt_2", EventKind.UNSUBSCRIBED, Contact(external_id="c1"), later)
    expected = {
        DataSet.LEADS: (2, 1),
        DataSet.EVENTS: (1, 1),
        DataSet.DELIVERIES: (0, 0),
        DataSet.OUTCOMES: (1, 1),
    }
    assert (first, export(store, "lake", data, sink)) == expected[data]
    assert export(store, "lake", data, sink) == 0
    assert export(store, "another", data, Kept()) == (
        2 if data in (DataSet.LEADS, DataSet.EVENTS) else expected[data][0]
    )


@pytest.mark.parametrize("data", [DataSet.LEADS, DataSet.OUTCOMES, DataSet.EVENTS])
@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=400)])
def test_what_changes_once_a_clock_was_put_right_is_written(
    still_store: Store, clock: Any, data: DataSet, ahead: timedelta
) -> None:
    """An export while the clock was ahead left its mark there; nothing that changes until then is passed over."""
    clock.time = AT + ahead
    put_lead(still_store, 1, at=clock.time)
    put_event(still_store, "evt_1", EventKind.REPLIED, Contact(external_id="c1"), clock.time)
    clock.advance(minutes=5)
    assert export(still_store, "lake", data, Kept()) == 1
    clock.time = AT
    put_lead(still_store, 2, at=clock.time)
    put_event(still_store, "evt_2", EventKind.REPLIED, Contact(external_id="c2"), clock.time)
    clock.advance(minutes=5)
    sink = Kept()
    export(still_store, "lake", data, sink)
    told = {DataSet.LEADS: "phone", DataSet.OUTCOMES: "day", DataSet.EVENTS: "event_id"}[data]
    last = {DataSet.LEADS: "+1416•••0002", DataSet.OUTCOMES: "2026-03-25", DataSet.EVENTS: "evt_2"}[data]
    assert last in [row[told] for row in sink.rows]


def test_outcomes_join_what_was_sent_with_what_came_back(store: Store) -> None:
    """By number or by the platform's id, only what came after the lead was taken, each person once."""
    for number in range(1, 5):
        put_lead(store, number)
    hour = timedelta(hours=1)
    put_event(store, "evt_0", EventKind.REPLIED, Contact(phone="+14165550004"), AT - hour)
    for n, (kind, contact) in enumerate(
        [
            (EventKind.REPLIED, Contact(phone="+14165550001")),
            (EventKind.REPLIED, Contact(phone="+14165550001")),
            (EventKind.REPLIED, Contact(external_id="c2")),
            (EventKind.INTERESTED, Contact(phone="+14165550001")),
            (EventKind.APPOINTMENT_BOOKED, Contact(external_id="c1")),
            (EventKind.UNSUBSCRIBED, Contact(phone="+14165550003", external_id="c3")),
        ],
        1,
    ):
        put_event(store, f"evt_{n}", kind, contact, AT + hour)
    sink = Kept()
    assert export(store, "lake", DataSet.OUTCOMES, sink) == 1
    (row,) = sink.rows
    assert row.pop("changed_at") == AT + hour
    assert row == {
        "campaign": "spring", "source": "leads.csv", "day": "2026-03-25", "accepted": 4, "replied": 2,
        "interested": 1, "booked": 1, "opted_out": 1,
    }  # fmt: skip


@pytest.mark.slow
def test_what_retention_leaves_of_a_day_replaces_no_outcome(still_store: Store, clock: Any) -> None:
    """What came of a day stays as it was written last, whatever comes back once its leads and events go."""
    month, sink = timedelta(days=30), Kept()
    put_lead(still_store, 1, at=AT)
    put_event(still_store, "evt_1", EventKind.REPLIED, Contact(phone="+14165550001"), AT)
    put_lead(still_store, 2, at=AT + timedelta(days=5))
    clock.time = AT + timedelta(days=6)
    assert export(still_store, "lake", DataSet.OUTCOMES, sink, retention=month) == 2
    clock.time = AT + timedelta(days=31)
    purge(still_store, clock.time - month, actor="eve")
    for number in (1, 2):
        contact = Contact(phone=f"+1416555000{number}")
        put_event(still_store, f"evt_late_{number}", EventKind.INTERESTED, contact, clock.time)
    clock.advance(minutes=5)
    assert export(still_store, "lake", DataSet.OUTCOMES, sink, retention=month) == 1
    latest = {row["day"]: (row["accepted"], row["replied"], row["interested"]) for row in sink.rows}
    assert latest == {"2026-03-25": (1, 1, 0), "2026-03-30": (1, 0, 1)}


def test_what_changes_just_now_waits(store: Store) -> None:
    """A transaction of another host may still be open: its rows would be passed over for good."""
    put_lead(store, 1, at=store.now())
    sink = Kept()
    assert export(store, "lake", DataSet.LEADS, sink) == 0
    assert export(store, "lake", DataSet.LEADS, sink, settled=timedelta(0)) == 1


def test_people_are_masked_unless_they_are_wanted_whole(sqlite_store: Store) -> None:
    """Numbers and addresses masked, names left out."""
    put_event(
        sqlite_store,
        "evt_1",
        EventKind.REPLIED,
        Contact("Jane Doe", "Jane", "Doe", "jane@x.ca", "+14165550001"),
        AT,
    )
    masked, whole = Kept(), Kept()
    export(sqlite_store, "a", DataSet.EVENTS, masked)
    export(sqlite_store, "b", DataSet.EVENTS, whole, personal=Personal.WHOLE)
    shown = {name: masked.rows[0][name] for name in ("name", "first_name", "last_name", "email", "phone")}
    assert shown == {
        "name": None,
        "first_name": None,
        "last_name": None,
        "email": "j•••@x.ca",
        "phone": "+1416•••0001",
    }
    assert whole.rows[0]["phone"] == "+14165550001"
    assert whole.rows[0]["name"] == "Jane Doe"


def test_who_dies_before_the_mark_moves_writes_the_same_part_again(sqlite_store: Store) -> None:
    """Under the same name, so that a file is written over; and of two at once the slower one fails."""
    put_lead(sqlite_store, 1)

    class Dies(Kept):
        def write(self, rows: Any) -> None:
            super().write(rows)
            raise OSError("no space left")

    dead, sink = Dies(), Kept()
    with pytest.raises(OSError, match="no space"):
        export(sqlite_store, "lake", DataSet.LEADS, dead)
    assert export_marks.find(sqlite_store, "lake", "leads") == Mark()
    assert export(sqlite_store, "lake", DataSet.LEADS, sink) == 1
    assert sink.parts == dead.parts

    class Slow(Kept):
        def write(self, rows: Any) -> None:
            assert export(sqlite_store, "slow", DataSet.LEADS, Kept()) == 1

    with pytest.raises(OutreachUnavailable, match="meanwhile"):
        export(sqlite_store, "slow", DataSet.LEADS, Slow())


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20), deadline=None
)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=25), st.integers(1, 3))
def test_the_last_row_of_each_lead_is_how_it_is(
    sqlite_store: Store, steps: list[tuple[int, int]], chunk: int
) -> None:
    """The law: whatever changes between runs, the rows written, the later over the earlier, are the table."""
    with sqlite_store.write() as connection:
        connection.execute(leads.delete())
        connection.execute(export_marks.export_marks.delete())
    known: set[int] = set()
    written: dict[int, Any] = {}
    now = AT
    for number, wait in [*steps, (0, 0)]:
        now += timedelta(milliseconds=wait)
        mark = export_marks.find(sqlite_store, "law", "leads")
        for rows, after in store_exports.changes(sqlite_store, DataSet.LEADS, mark, chunk=chunk):
            written |= {row["id"]: (row["state"], row["updated_at"]) for row in rows}
            assert export_marks.move(sqlite_store, "law", "leads", mark, after)
            mark = after
        now += timedelta(milliseconds=1)  # what is within a minute of now is not read at all
        if number in known:
            change(sqlite_store, number, now)
        elif number:
            put_lead(sqlite_store, number, at=now)
            known.add(number)
    mark = export_marks.find(sqlite_store, "law", "leads")
    for rows, _ in store_exports.changes(sqlite_store, DataSet.LEADS, mark, chunk=chunk):
        written |= {row["id"]: (row["state"], row["updated_at"]) for row in rows}
    with sqlite_store.read() as connection:
        table = connection.execute(sa.select(leads.c.id, leads.c.state, leads.c.updated_at)).all()
    assert written == {row.id: (row.state, row.updated_at) for row in table}


@pytest.fixture
def filled(run_task: Any) -> Store:
    """The store of this Airflow, with a lead and an event."""
    made = open_store()
    put_lead(made, 1)
    put_event(made, "evt_1", EventKind.REPLIED, Contact(name="Jané", phone="+14165550001"), AT)
    return made


def test_files_of_a_folder(filled: Store, run_task: Any, tmp_path: Path) -> None:
    """A part a run and data set that has something, complete or not there; the counts are the task's result."""
    operator = ExportOutcomesOperator(task_id="export", to=str(tmp_path / "lake"), personal="whole")
    ran = run_task(operator)
    assert (ran.state, ran.xcom) == ("success", {"leads": 1, "events": 1, "deliveries": 0, "outcomes": 1})
    names = sorted(path.name for path in (tmp_path / "lake").iterdir())
    assert names == [f"{data}-0000000000000-0.csv" for data in ("events", "leads", "outcomes")]
    with (tmp_path / "lake" / names[0]).open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["name"], row["phone"], row["occurred_at"]) == (
        "Jané",
        "+14165550001",
        "2026-03-25T18:00:00.000+00:00",
    )
    again = ExportOutcomesOperator(task_id="export", to=str(tmp_path / "lake"), personal="whole")
    assert set(run_task(again, run_id="manual__2").xcom.values()) == {0}
    assert sorted(path.name for path in (tmp_path / "lake").iterdir()) == names


def test_parquet_files_read_back(filled: Store, run_task: Any, tmp_path: Path) -> None:
    """With their types, by the library that wrote them."""
    parquet = pytest.importorskip("pyarrow.parquet")
    run_task(
        ExportOutcomesOperator(task_id="export", to={"parquet": f"file://{tmp_path}/lake"}, what="leads")
    )
    (file,) = (tmp_path / "lake").iterdir()
    (row,) = parquet.read_table(file).to_pylist()
    assert (row["campaign"], row["accepted_at"], row["phone"]) == ("spring", AT, "+1416•••0001")


def test_tables_of_a_database(
    filled: Store, run_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made where there are none, rows added."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))

    def run(run_id: str) -> Any:
        operator = ExportOutcomesOperator(
            task_id="export", to={"sql": "warehouse"}, what=["leads", "outcomes"]
        )
        return run_task(operator, run_id=run_id)

    assert run("1").state == "success"
    change(filled, 1, AT + timedelta(hours=1))
    assert run("2").xcom == {"leads": 1, "outcomes": 1}
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        states = database.execute("SELECT id, state FROM outreach_leads ORDER BY updated_at").fetchall()
        assert [state for _, state in states] == ["accepted", "held"]
        assert database.execute("SELECT count(*) FROM outreach_outcomes").fetchone() == (2,)


TO = {
    "a folder": (lambda lake: str(lake), "csv"),
    "a path": (lambda lake: lake, "csv"),
    "a name that tells its format": (lambda lake: f"{lake}.Parquet/", "parquet"),
    "csv": (lambda lake: {"csv": lake}, "csv"),
    "parquet": (lambda lake: {"parquet": str(lake)}, "parquet"),
}  # fmt: skip


@pytest.mark.usefixtures("filled")
def test_mapped_tasks_that_write_to_several_places_need_a_name_each(run_task: Any, tmp_path: Path) -> None:
    """With one name the first place had what changed first, and the second nothing: it fails, and says how it is said. With
    a name each both have everything; tasks mapped over ``what`` alone share theirs.
    """
    places = [str(tmp_path / each) for each in ("a", "b")]

    def one_of(expanded: Any, mine: dict[str, Any], **once: Any) -> Any:
        """One task of those that are mapped runs, the one with these arguments."""
        with DAG("mapped", schedule=None):
            half = ExportOutcomesOperator.partial(task_id="export", **once)
            mapped = half.expand(**expanded) if isinstance(expanded, dict) else half.expand_kwargs(expanded)
        return run_task(mapped.unmap(mine))

    first, listed = {"to": places[0]}, [{"to": each} for each in places]
    for shared in (
        one_of({"to": places}, first, what="leads"),
        one_of({"to": places}, first, what="leads", export="lake"),
        one_of(listed, first, what="leads"),
    ):
        assert isinstance(shared.error, ConfigurationError) and "expand_kwargs" in str(shared.error)
    assert not any(map(os.path.exists, places))

    named = [{"to": each, "export": each[-1]} for each in places]
    assert [one_of(named, mine, what="leads").error for mine in named] == [None, None]
    assert all(list(Path(each).glob("leads-*")) for each in places)
    assert one_of({"to": places}, first, what="leads", export="by_{{ ti.map_index }}").error is None
    assert one_of({"what": ["leads", "events"]}, {"what": "events"}, to=places[0]).error is None
    assert list(Path(places[0]).glob("events-*"))


def test_a_mapped_group_that_writes_to_several_places_needs_a_name_each() -> None:
    """It shows in the DAG list."""

    def group(**named: Any) -> None:
        @task_group
        def each(to: Any, export: Any) -> None:
            made = named or {"export": export}
            ExportOutcomesOperator(task_id="export", what="leads", to=to, **made)

        with DAG("grouped", schedule=None):
            each.expand(to=["a", "b"], export=["x", "y"])

    for shared in ({"export": None}, {"export": "lake"}):
        with pytest.raises(ConfigurationError, match="expand_kwargs"):
            group(**shared)
    group()
    group(export="by_{{ ti.map_index }}")


@pytest.mark.parametrize("case", TO)
@pytest.mark.usefixtures("filled")
def test_to_and_what_say_where_and_which(case: str, run_task: Any, tmp_path: Path) -> None:
    """``to`` is a folder or what a workflow file writes, ``what`` one data set or several; each change once."""
    made, ending = TO[case]
    place = tmp_path / "lake"

    def run(run_id: str) -> Any:
        operator = ExportOutcomesOperator(task_id="export", to=made(place), what="leads")
        return run_task(operator, run_id=run_id)

    assert run("1").xcom == {"leads": 1}
    assert run("2").xcom == {"leads": 0}
    (file,) = tmp_path.glob("lake*/*")
    assert (file.name.partition("-")[0], file.suffix) == ("leads", f".{ending}")


@pytest.mark.usefixtures("filled")
def test_rendered_fields_say_where_and_what(
    run_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that a template yields tells its format as a written one does; what it yields is looked at too."""
    monkeypatch.setenv("AIRFLOW_VAR_LAKE", f"{tmp_path}/lake.csv")
    ran = run_task(ExportOutcomesOperator(task_id="export", to={"csv": "{{ var.value.lake }}"}, what="leads"))
    assert (ran.xcom, ran.rendered["to"]) == ({"leads": 1}, {"csv": f"{tmp_path}/lake.csv"})
    assert ran.rendered["what"] == ["leads"]
    told = ExportOutcomesOperator(
        task_id="export", to="{{ var.value.lake }}", what="{{ var.value.lake[:4] }}"
    )
    ran = run_task(told, run_id="manual__2")
    assert (ran.state, "what is " in str(ran.error)) == ("failed", True)


@pytest.mark.parametrize(
    "to",
    ["warehouse", {"conn_id": "warehouse", "table_prefix": "crm_"}],
    ids=["by its connection", "with a prefix"],
)
@pytest.mark.usefixtures("filled")
def test_to_names_a_database(to: Any, run_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a workflow file, or by the connection alone."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    ran = run_task(ExportOutcomesOperator(task_id="export", to={"sql": to}, what=["leads"]))
    assert ran.xcom == {"leads": 1}
    table = "outreach_leads" if isinstance(to, str) else "crm_leads"
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


@pytest.mark.postgres
@pytest.mark.usefixtures("filled")
def test_a_time_is_the_same_wherever_its_database_is(
    run_task: Any, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL would write the hour of the session's zone into a column that has none."""
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)

    class Elsewhere(DbApiHook):
        conn_name_attr = "conn_id"
        conn_id = "warehouse"
        connection_extra: dict[str, Any] = {}  # noqa: RUF012 - a property there
        supports_autocommit = False

        def get_uri(self) -> str:
            return postgres_url

        @staticmethod
        def _serialize_cell(cell: Any, _connection: Any = None) -> Any:
            return cell  # as PostgresHook does

        def get_conn(self) -> Any:
            connection = engine.raw_connection()
            connection.cursor().execute("SET TimeZone = 'America/Toronto'")
            connection.commit()
            return connection

    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", lambda _: Elsewhere())
    ran = run_task(ExportOutcomesOperator(task_id="export", to={"sql": "warehouse"}, what="leads"))
    assert ran.xcom == {"leads": 1}, ran.error
    with engine.connect() as connection:
        connection.execute(sa.text("SET TimeZone = 'Asia/Tokyo'"))
        (at,) = connection.execute(sa.text("SELECT accepted_at FROM outreach_leads")).scalars()
    engine.dispose()
    assert at == AT


@pytest.mark.usefixtures("filled")
def test_a_database_without_a_connection_fails_at_once(run_task: Any) -> None:
    """No retry makes one."""
    ran = run_task(ExportOutcomesOperator(task_id="export", to={"sql": "nowhere"}))
    assert ran.state == "failed"
    assert "there is no connection 'nowhere'" in str(ran.error)


PLACES = {
    "a file where the folder should be": ("{}/a_file", "a_file cannot be written to: FileExistsError", "failed"),
    "a file above the folder": ("{}/a_file/lake", "name a folder that the workers may write to", "failed"),
    "a folder where the file should be": ("{}/taken", "taken cannot be written to: IsADirectoryError", "failed"),
    "a scheme that nobody has": ("s4://lake", "check the URI and the providers installed", "failed"),
    "a disk that is full": ("{}/full", "No space left on device; the next try writes all of it", "up_for_retry"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_a_place_that_cannot_be_written_is_said_and_nothing_is_passed_over(
    case: str, filled: Store, run_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person has to mend fails at once with what to do, the rest is tried again; the mark stays where it was."""
    where, said, state = PLACES[case]
    (tmp_path / "a_file").write_text("")
    (tmp_path / "taken" / "leads-0000000000000-0.csv").mkdir(parents=True)
    with monkeypatch.context() as patched:
        if "full" in where:

            def full(*_: object) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patched.setattr(os, "replace", full)
        operator = ExportOutcomesOperator(task_id="export", to=where.format(tmp_path), what="leads")
        ran = run_task(operator)
    assert (ran.state, said in str(ran.error)) == (state, True), ran.error
    assert export_marks.find(filled, f"{operator.dag_id}.export", "leads") == Mark()
    assert not list(tmp_path.rglob("*.part"))


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no place": ({}, "to is None — name a folder"),
    "a data set": ({"to": "x", "what": ["lead"]}, "did you mean 'leads'"),
    "a number for data": ({"to": "x", "what": 5}, "what is 5 — name one or more of leads, "),
    "numbers for data": ({"to": "x", "what": [5]}, "what is .5. — name"),
    "an older name": ({"path": "x"}, "path is no argument of an export — say to=folder"),
    "another older name": ({"to": "x", "data": "leads"}, "data is no argument of an export — say what"),
    "a data set in what": ({"to": "x", "what": "event"}, "what is 'event' — did you mean 'events'"),
    "an empty place": ({"to": " "}, "to is ' ' — name a folder"),
    "a number for a place": ({"to": 5}, "to is 5 — name a folder"),
    "two named places": ({"to": {"csv": "x", "parquet": "y"}}, "to names 2 places"),
    "no named place": ({"to": {}}, "to names 0 places"),
    "a place of no kind": ({"to": {"parket": "x"}}, "to holds 'parket' — did you mean 'parquet'"),
    "a folder that is none": ({"to": {"csv": None}}, "to csv is None — name a folder"),
    "a database without connection": ({"to": {"sql": {"table_prefix": "x"}}}, "to sql conn_id is None"),
    "a word of a database": ({"to": {"sql": {"conn": "x"}}}, "to sql holds 'conn' — did you mean 'conn_id'"),
    "a prefix of no table": (
        {"to": {"sql": {"conn_id": "x", "table_prefix": "a-b"}}},
        "table_prefix is 'a-b' — write letters",
    ),
    "a number for a prefix": (
        {"to": {"sql": {"conn_id": "x", "table_prefix": 5}}},
        "table_prefix is 5 — write",
    ),
    "a list for a name": ({"to": "x", "export": ["a"]}, r"export is \['a'\] — write a text"),
    "a number for a name": ({"to": "x", "export": 5}, "export is 5 — write a text"),
    "no character for a name": ({"to": "x", "export": "\ud800"}, "export holds a character that no database"),
    "no character for a place": ({"to": "x\0y"}, "to holds a character that no database stores"),
    "a mask": ({"to": "x", "personal": "hole"}, "did you mean 'whole'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_shows_when_the_dag_is_read(case: str) -> None:
    """Not in the first run."""
    arguments, said = MISTAKES[case]
    with pytest.raises(ConfigurationError, match=said):
        ExportOutcomesOperator(task_id="export", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"export": "{{ params.unset }}"}, {"to": "{{ params.unset }}"}, {"to": {"csv": "x/{{ params.unset }}"}},
     {"to": {"sql": {"conn_id": "x", "table_prefix": "{{ params.unset }}"}}}],
    ids=str,
)  # fmt: skip
def test_a_name_whose_value_is_lost_is_nobodys(
    store: Store, run_task: Any, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    """Exports that lost theirs would share one, and each change reach one of them, in a folder of no meaning."""
    said = {"to": str(tmp_path / "out"), **arguments}
    ran = run_task(ExportOutcomesOperator(task_id="export", params={"unset": None}, **said))
    assert (ran.state, "came out as" in str(ran.error)) == ("failed", True), ran.error
    assert not (tmp_path / "out").exists()
