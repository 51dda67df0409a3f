"""Files of exports that share a folder, and of runs that meet: nobody's is written over, none is there in part."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.exports import COLUMNS, DataSet, Mark, Personal, as_shown, part_name
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.operators import export as operator_module
from airflow_outreach_provider.operators.outreach import ExportOutcomesOperator
from airflow_outreach_provider.services.export_files import file_sink
from airflow_outreach_provider.services.exports import export
from airflow_outreach_provider.store import export_marks
from airflow_outreach_provider.store import housekeeping as store_housekeeping
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)


def put_event(store: Store, number: int) -> None:
    contact = Contact(phone=f"+1416555{number:04}")
    event = ContactEvent(f"evt_{number}", "src", "varda", "x", EventKind.REPLIED, AT, AT, contact)
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])


@pytest.fixture
def filled(run_task: Any) -> Store:
    """The store of this Airflow, with an event."""
    made = open_store()
    put_event(made, 1)
    return made


def rows_of(folder: Path) -> dict[str, list[str]]:
    """The numbers in each file, by its name."""
    return {
        path.name: [row["phone"] for row in csv.DictReader(path.read_text().splitlines())]
        for path in sorted(folder.iterdir())
    }


@pytest.mark.parametrize("folder", ["{}/lake", "{}/lake/", "file://{}/lake", "{}/other/../lake"])
def test_exports_of_one_folder_write_over_nobodys_files(
    folder: str, filled: Store, run_task: Any, tmp_path: Path
) -> None:
    """The first has the plain names for good, whoever comes after it its own in them; each has every change."""

    def run(name: str, personal: str, run_id: str, to: str) -> dict[str, list[str]]:
        operator = ExportOutcomesOperator(
            task_id="export", export=name, to=to, what="events", personal=personal
        )
        assert run_task(operator, run_id=run_id).state == "success"
        return rows_of(tmp_path / "lake")

    plain = "events-0000000000000-0.csv"
    (tmp_path / "other").mkdir()
    assert run("first", "masked", "1", f"{tmp_path}/lake") == {plain: ["+1416•••0001"]}
    found = run("second/one", "whole", "2", folder.format(tmp_path))
    (apart,) = found.keys() - {plain}
    assert apart.startswith("events-0000000000000-0-second_one-")
    assert found == {plain: ["+1416•••0001"], apart: ["+14165550001"]}
    put_event(filled, 2)
    run("first", "masked", "3", f"{tmp_path}/lake")
    found = run("second/one", "whole", "4", folder.format(tmp_path))
    assert sorted(phone for phones in found.values() for phone in phones) == [
        "+14165550001", "+14165550002", "+1416•••0001", "+1416•••0002",
    ]  # fmt: skip
    assert {"events-0000000000000-1.csv", plain} <= found.keys()


def test_a_place_is_known_as_long_as_it_is_written_to(store: Store) -> None:
    """The first of a place stays it, for its own data set alone, until nobody has written there for as long as is kept."""
    assert export_marks.first_there(store, "/lake/*.csv", "leads", "a")
    assert not export_marks.first_there(store, "/lake/*.csv", "leads", "b")
    assert export_marks.first_there(store, "/lake/*.csv", "leads", "a")
    assert export_marks.first_there(store, "/lake/*.csv", "events", "b")
    assert export_marks.first_there(store, "/lake/*.parquet", "leads", "b")
    store_housekeeping.purge(store, store.now() - timedelta(days=1))
    assert not export_marks.first_there(store, "/lake/*.csv", "leads", "b")
    store_housekeeping.purge(store, store.now() + timedelta(days=1))
    assert export_marks.first_there(store, "/lake/*.csv", "leads", "b")


NAMES = st.text(min_size=1, max_size=600)


@pytest.mark.slow
@example("a/b", "a_b")
@example("x" * 70, "x" * 71)
@given(NAMES, NAMES)
def test_each_export_has_names_of_its_own(one: str, other: str) -> None:
    """Whatever it is called, the name is one that a file may have, sorts where it begins, and is nobody else's."""
    names = [part_name(DataSet.EVENTS, Mark(1, 2), each) for each in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert name.startswith("events-0000000000001-2-")
        assert name.isascii()
        assert len(name) < 150
        assert not set(name) & set("/\\:*?\0 ")


class Overtaken:
    """A sink of a run that another run of the same export overtakes while it writes. :ivar published: whether it ended well."""

    def __init__(self, store: Store) -> None:
        self.store, self.published = store, False

    @contextmanager
    def __call__(self, data: DataSet, _part: str) -> Any:
        yield self
        self.published = True

    def write(self, _rows: Any) -> None:
        @contextmanager
        def quick(_data: DataSet, _part: str) -> Any:
            yield type("Sink", (), {"write": lambda _self, _rows: None})()

        assert export(self.store, "lake", DataSet.EVENTS, quick) == 1


def test_who_was_overtaken_publishes_nothing(sqlite_store: Store) -> None:
    """The quicker run's file may hold more: it is not written over with an older one."""
    put_event(sqlite_store, 1)
    slow = Overtaken(sqlite_store)
    with pytest.raises(OutreachUnavailable, match="meanwhile"):
        export(sqlite_store, "lake", DataSet.EVENTS, slow)
    assert not slow.published


def test_two_runs_at_once_never_write_into_one_file(tmp_path: Path) -> None:
    """Of two that write the same part the later is what is there, whole, and the earlier is told."""
    uri = str(tmp_path / "events.csv")

    def slow() -> None:
        with operator_module._written(uri) as slow:
            slow.write(b"slow and long, ")
            with operator_module._written(uri) as quick:
                quick.write(b"quick")
                slow.write(b"in the middle of it")

    with pytest.raises(OutreachUnavailable, match="the next try"):
        slow()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("events.csv", b"quick")]


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_what_failed_in_the_middle_leaves_what_was_there(scheme: str, tmp_path: Path) -> None:
    """Closing an object on its way to a store puts half of it there: readers of the folder see nothing of that."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    attach("memory", fs=fsspec.filesystem("memory"))
    uri = f"{scheme}{tmp_path}/events.csv"

    def write(*parts: bytes, ends: Exception | None = None) -> None:
        with operator_module._written(uri) as stream:
            for part in parts:
                stream.write(part)
            if ends is not None:
                raise ends

    write(b"who", b"le")
    with pytest.raises(ValueError, match="half of it"):
        write(b"ha", ends=ValueError("half of it"))
    kept = ObjectStoragePath(uri)
    assert kept.read_bytes() == b"whole"
    assert [each.name for each in kept.parent.iterdir()] == ["events.csv"]


@pytest.mark.parametrize(
    ("external_id", "shown"),
    [("14165550001", "1416•••0001"), ("jane@x.ca", "j•••@x.ca"), ("+14165550001", "+1416•••0001"),
     ("68d6d7de324658b8a1760d5e", "68d6d7de324658b8a1760d5e"), ("123456789012", "123456789012")],
)  # fmt: skip
def test_an_id_that_is_a_number_or_an_address_is_masked(external_id: str, shown: str) -> None:
    """Some platforms name people by it; other ids stay as they are, or nothing could be joined by them."""
    row = dict.fromkeys(COLUMNS[DataSet.EVENTS]) | {"phone": "+14165550001", "external_id": external_id}
    assert as_shown(DataSet.EVENTS, row, Personal.MASKED)["external_id"] == shown
    assert as_shown(DataSet.EVENTS, row, Personal.WHOLE)["external_id"] == external_id


@given(st.text(alphabet='a\r\n",; \u2028', max_size=12))
def test_whatever_a_text_holds_it_is_one_cell_of_one_row(text: str) -> None:
    """Readers take a lone CR for the end of a row, as they do every other line end."""
    written = io.BytesIO()
    row = dict.fromkeys(COLUMNS[DataSet.LEADS]) | {"id": 1, "campaign": text, "run_id": "last"}
    with file_sink("csv", DataSet.LEADS, written) as sink:
        sink.write([row, row])
    read = list(csv.DictReader(io.StringIO(written.getvalue().decode(), newline="")))
    assert [(each["campaign"], each["run_id"]) for each in read] == [(text.replace("\r", "\n"), "last")] * 2
