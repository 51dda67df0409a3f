"""Parquet files, workbooks, JSON arrays and tables in memory: each row once, by the libraries that know them."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import sys
import tracemalloc
from decimal import Decimal
from encodings.aliases import aliases
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.lead_files import is_text_encoding
from airflow_outreach_provider.operators.lead_source import open_source
from airflow_outreach_provider.services.rows.columnar import batch_rows, read_parquet
from airflow_outreach_provider.services.rows.open import FileFormat, open_rows
from airflow_outreach_provider.services.rows.row import Row

PEOPLE = [{"phone": "+12125550123", "name": "Ada"}, {"phone": "+14165550199", "name": "Grace"}]


def parquet_of(table: pa.Table, **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    parquet.write_table(table, stream, **options)
    stream.seek(0)
    return stream


def workbook_of(*rows: list[Any], title: str = "Leads", before: str | None = None) -> io.BytesIO:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if before is not None:
        sheet.title, sheet.sheet_state = before, "hidden"
        sheet.append(["nothing"])
        sheet = book.create_sheet(title)
    sheet.title = title
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    return stream


def test_a_parquet_file_is_read_with_its_types_as_text_or_values() -> None:
    """Decimals, times, lists and objects come out as what a lead can hold; a missing value is none."""
    moment = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)
    table = pa.table({
        "phone": ["+12125550123", None], "score": [1.5, float("nan")], "paid": [Decimal("9.90"), None],
        "at": [moment, None], "tags": [["a", "b"], []], "of": [{"city": "Bonn"}, None], "pic": [b"\x00\xff", None],
    })  # fmt: skip
    first, second = open_rows(parquet_of(table), name="s3://bucket/leads.parquet")
    assert first.values["phone"] == "+12125550123" and first.values["paid"] == Decimal("9.90")
    assert first.values["at"] == moment and first.values["tags"] == ["a", "b"]
    assert first.values["of"] == {"city": "Bonn"} and first.values["pic"] is None
    assert (second.number, second.error) == (2, None)
    assert {key: value for key, value in second.values.items() if value} == {}


def test_only_columns_of_which_something_is_made_are_read() -> None:
    """Of a wide file the rest is never decoded."""
    table = pa.table({"phone": ["+1"], "wide": ["x" * 1000]})
    assert list(read_parquet(parquet_of(table), name="a.parquet", reads=lambda name: name == "phone")) == [
        {"phone": "+1"}
    ]


@pytest.mark.slow
def test_a_large_parquet_file_needs_no_more_memory_than_a_batch() -> None:
    """Rows are made batch by batch."""
    table = pa.table({"phone": [f"+1416{n:07}" for n in range(80_000)]})
    stream = parquet_of(table, row_group_size=10_000)
    tracemalloc.start()
    count = sum(1 for _ in open_rows(stream, name="a.parquet"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 80_000 and peak < 5_000_000


@pytest.mark.parametrize(("name", "data"), [("a.parquet", b"PAR1 and no more"), ("a.parquet", b""), ("a.xlsx", b"PK\x03\x04junk"),
                                            ("a.xlsx", b"no workbook"), ("a.xlsx", b"")])  # fmt: skip
def test_what_is_damaged_is_said_to_be(name: str, data: bytes) -> None:
    """A library's own error never reaches a person."""
    with pytest.raises(ConfigurationError, match=name):
        list(open_rows(io.BytesIO(data), name=name))


def test_a_workbook_is_read_by_its_first_line() -> None:
    """Numbers have no point that nobody wrote, empty lines are skipped, lines keep their numbers."""
    when = dt.datetime(2026, 1, 31, 9)
    rows = list(open_rows(
        workbook_of(["phone", "name", "score", "at", None], [12125550123, "Ada", 1.5, when, None], [None] * 4,
                    ["+14165550199", "Grace", True, None]), name="leads.xlsx"))  # fmt: skip
    assert [row.number for row in rows] == [2, 4]
    assert rows[0].values == {"phone": 12125550123, "name": "Ada", "score": 1.5, "at": when}
    assert rows[1].values["phone"] == "+14165550199" and rows[1].values["score"] is True


def test_a_sheet_is_the_first_that_is_shown_or_the_one_that_is_named() -> None:
    """A hidden one is not what a person sees; a wrong name says which there are."""
    book = workbook_of(["phone"], ["+1"], before="Old").getvalue()
    assert [row.values for row in open_rows(io.BytesIO(book), name="a.xlsx")] == [{"phone": "+1"}]
    assert list(open_rows(io.BytesIO(book), name="a.xlsx", form=FileFormat(sheet="Old"))) == []
    with pytest.raises(ConfigurationError, match=r"no sheet 'Lads'.*Old, Leads"):
        list(open_rows(io.BytesIO(book), name="a.xlsx", form=FileFormat(sheet="Lads")))


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named are the extra and the place."""
    for module in ("pyarrow.parquet", "python_calamine"):
        monkeypatch.setitem(sys.modules, module, None)
    for name, extra in (("a.parquet", "parquet"), ("a.xlsx", "xlsx")):
        with pytest.raises(
            ConfigurationError, match=rf"pip install \"airflow-provider-outreach\[{extra}\]\""
        ):
            list(open_rows(io.BytesIO(b"x"), name=name))


def test_two_columns_of_one_name_are_a_mistake_where_one_is_read() -> None:
    """A row could hold only one of them."""
    batch = pa.RecordBatch.from_arrays([pa.array(["+1"]), pa.array(["+2"])], names=["phone", "phone"])
    with pytest.raises(ConfigurationError, match="two columns named 'phone'"):
        list(batch_rows([batch], "the table"))


FAR = 253_402_300_800  # the year 10000, in seconds
NOT_TEXT = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\5\0\0\0"), pa.py_buffer(b"\xe9good")]
)


def seen(moment: Any) -> Any:
    """A value as a lead holds it."""
    return moment.isoformat() if isinstance(moment, dt.date | dt.time) else moment


@pytest.mark.parametrize(("column", "wanted"), [
    (pa.array([1_001, None], pa.timestamp("ns")), ["1970-01-01T00:00:00.000001", None]),
    (pa.array([1_001], pa.timestamp("ns", "Europe/Berlin")), ["1970-01-01T01:00:00.000001+01:00"]),
    (pa.array([1_001], pa.time64("ns")), ["00:00:00.000001"]),
    (pa.array([1_001], pa.duration("ns")), ["PT0.000001S"]),
    (pa.array([1_001], pa.timestamp("ns")).dictionary_encode(), ["1970-01-01T00:00:00.000001"]),
    (pa.array([FAR * 1000, 0, None], pa.timestamp("ms")), ["10000-01-01T00:00:00.000", "1970-01-01T00:00:00", None]),
    (pa.array([FAR * 1000], pa.timestamp("ms")).dictionary_encode(), ["10000-01-01T00:00:00.000"]),
    (pa.array([FAR * 1000 - 1000], pa.timestamp("ms", "Europe/Berlin")), ["9999-12-31T23:59:59+00:00"]),
    (pa.array([0], pa.timestamp("ms", "Mars/Base")), ["1970-01-01T00:00:00+00:00"]),
    (pa.array([FAR // 86_400, 0], pa.int32()).cast(pa.date32()), ["10000-01-01", "1970-01-01"]),
    (pa.array([2**30, 0], pa.int32()).cast(pa.date32()), [None, "1970-01-01"]),
    (pa.array([2**53, 1], pa.duration("s")), [None, "PT1S"]),
    (pa.array([[FAR * 1000, None], [0]], pa.list_(pa.timestamp("ms"))), [["10000-01-01T00:00:00.000", None], [dt.datetime(1970, 1, 1)]]),
    (pa.array([{"a": FAR * 1000}], pa.struct([("a", pa.timestamp("ms"))])), [{"a": "10000-01-01T00:00:00.000"}]),
    (pa.array([[("a", FAR * 1000)]], pa.map_(pa.string(), pa.timestamp("ms"))), [None]),
    (NOT_TEXT, [None, "good"]),
], ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "")  # fmt: skip
@pytest.mark.parametrize("kind", ["file", "table", "batch", "reader"])
def test_a_value_that_python_cannot_hold_costs_no_row(kind: str, column: pa.Array, wanted: list[Any]) -> None:
    """Its text or nothing; the rest of its row, and the others of its column, are what they were."""
    table = pa.table({"phone": ["+12025550123"] * len(column), "x": column})
    if kind == "file":
        rows = list(open_rows(parquet_of(table), name="leads.parquet"))
    else:
        made = {"table": table, "batch": table.to_batches()[0], "reader": table.to_reader()}[kind]
        rows = list(open_source(made).rows() or ())
    assert [(row.error, row.values["phone"]) for row in rows] == [(None, "+12025550123")] * len(column)
    assert [seen(row.values["x"]) for row in rows] == wanted


def test_the_same_of_a_data_frame_of_polars() -> None:
    """Also where the library gives up with what is no Exception."""
    polars = pytest.importorskip("polars", reason="needs Polars: pip install polars")
    near, far = (
        polars.Series([FAR // 86_400, 0], dtype=polars.Int32),
        polars.Series([2**30, 0], dtype=polars.Int32),
    )
    frame = polars.DataFrame({"phone": ["+1", "+2"], "near": near.cast(polars.Date), "far": far.cast(polars.Date)})  # fmt: skip
    rows = [list(map(seen, row.values.values())) for row in open_source(frame).rows() or ()]
    assert rows == [["+1", "10000-01-01", None], ["+2", "1970-01-01", "1970-01-01"]]


def test_the_same_of_a_data_frame_of_pandas() -> None:
    """Its own times reach further than Python's; those it leaves to Arrow it cannot hand out, which is said."""
    pandas = pytest.importorskip("pandas", reason="needs pandas: pip install pandas")
    spans = pa.array([2**50, 1], pa.duration("s")).to_pandas()
    rows = open_source(pandas.DataFrame({"phone": ["+1", "+2"], "x": spans})).rows() or ()
    assert [list(row.values.values()) for row in rows] == [["+1", None], ["+2", "PT1S"]]
    moments = pandas.arrays.ArrowExtensionArray(pa.array([0, FAR], pa.timestamp("s")))
    frame = pandas.DataFrame({"phone": ["+1", "+2"], "x": moments})
    with pytest.raises(ConfigurationError, match=r"the data frame cannot be read: OverflowError.* — "):
        list(open_source(frame).rows() or ())


def test_a_column_whose_name_is_no_text_is_a_mistake_of_the_file() -> None:
    """It is said as other damage is."""
    table = pa.Table.from_arrays([pa.array(["+1"])], schema=pa.schema([pa.field(b"t\xe9l", pa.string())]))
    with pytest.raises(ConfigurationError, match=r"leads\.parquet cannot be read as Parquet"):
        list(open_rows(parquet_of(table), name="leads.parquet"))


def test_a_number_too_large_for_the_duration_it_is_shown_as_says_where_it_stands() -> None:
    """The library cannot read its line, so a person has to."""
    book = openpyxl.load_workbook(workbook_of(["phone", "x"], ["+1", 1], ["+2", 12025550123]))
    book["Leads"]["B3"].number_format = "[h]:mm:ss"
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    with pytest.raises(
        ConfigurationError, match=r"leads\.xlsx, line 3: .*duration.* — format its column as text"
    ):
        list(open_rows(stream, name="leads.xlsx"))


# JSON arrays ----------------------------------------------------------------------------------------------

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)  # fmt: skip


class _Drops(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 7, 7) if size and size > 0 else 7)


def _rows(text: str, name: str = "leads.json") -> list[Row]:
    return list(open_rows(_Drops(text.encode("utf-8", "surrogatepass")), name=name))


@pytest.mark.slow
@given(
    st.lists(st.dictionaries(st.text(max_size=5), _VALUES, max_size=4), max_size=5),
    st.sampled_from([None, 2]),
)
@settings(max_examples=examples(60), deadline=None)
def test_an_array_is_its_objects_however_it_is_written(
    people: list[dict[str, Any]], indent: int | None
) -> None:
    """Whatever a row holds and wherever a piece of the file ends: each element is one row, in order."""
    rows = _rows(json.dumps(people, indent=indent))
    assert len(rows) == len(people) and [row.number for row in rows] == [*range(1, len(people) + 1)]
    for row, person in zip(rows, people, strict=True):
        assert row.values == person or row.error == "row_nul"


def test_a_bad_element_is_a_row_of_its_own() -> None:
    """What is no object, or says a key twice, does not end the reading."""
    rows = _rows('[{"phone": "+1"}, 5, {"a": 1, "a": 2}, {"b": NaN}, {"phone": "+2"}]')
    assert [row.error for row in rows] == [None, "row_not_object", "row_duplicate_key", "row_not_json", None]


@pytest.mark.parametrize(("text", "said"), [
    ('{"phone": "+1"}\n{"phone": "+2"}', "no JSON array.*jsonl"), ('[{"phone": "+1"}', "no valid JSON after row 1"),
    ('[{"phone": "+1"} {"phone": "+2"}]', "after row 1"), ("", "no JSON array"), ('[{"phone": +1}]', "after row 0"),
])  # fmt: skip
def test_what_is_no_array_says_where_it_ends(text: str, said: str) -> None:
    """After the good rows, not in place of them."""
    with pytest.raises(ConfigurationError, match=said):
        _rows(text)


@pytest.mark.slow
def test_an_array_may_be_packed_and_needs_little_memory() -> None:
    """80,000 people, gzipped, are never held together."""
    packed = gzip.compress(json.dumps([{"phone": f"+1416{n:07}"} for n in range(80_000)]).encode())
    tracemalloc.start()
    count = sum(1 for _ in open_rows(io.BytesIO(packed), name="a.json.gz"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 80_000 and peak < 5_000_000


def test_what_is_said_of_a_csv_file_counts() -> None:
    """A separator that the header does not show, and an encoding that cannot be told from bytes."""
    text = "phone;name\n+1;Zoë ß\n".encode("cp1250")
    [row] = open_rows(io.BytesIO(text), name="a.csv", form=FileFormat(encoding="cp1250"))
    assert row.values == {"phone": "+1", "name": "Zoë ß"}
    [row] = open_rows(io.BytesIO(b"phone:name,x\n+1:Ada,y\n"), name="a.csv", form=FileFormat(delimiter=":"))
    assert row.values == {"phone": "+1", "name,x": "Ada,y"}


@pytest.mark.parametrize("said", ["rot13", "base64", "hex", "idna", "punycode", "undefined", "zlib", "utf-9"])
def test_what_is_no_encoding_of_text_reads_no_file(said: str) -> None:
    """Python has codecs that no text is written in; that is said, not what they raise."""
    assert not is_text_encoding(said)
    with pytest.raises(ConfigurationError, match=f"'{said}' is no encoding"):
        list(open_rows(io.BytesIO(b"phone\n4165550123\n"), name="a.csv", form=FileFormat(encoding=said)))


@pytest.mark.parametrize("said", sorted({*aliases.values()} - {"utf_32"}))  # refused by its mark
def test_every_encoding_reads_what_it_wrote_and_says_what_it_cannot(said: str) -> None:
    """Of each that Python has for text: its own file is read; another's gives rows or a ConfigurationError, never anything else."""
    if not is_text_encoding(said):
        return
    text = "phone,n\n4165550123,Ann\n"
    form = FileFormat(encoding=said)
    for data in (
        text.encode(said, "replace"),
        text.encode(),
        text.encode("utf-16"),
        b"phone,n\n1,\xff\xfe\x80\n",
    ):
        try:
            rows = list(open_rows(io.BytesIO(data), name="a.csv", form=form))
        except ConfigurationError:
            assert data != text.encode(said, "replace")
        else:
            assert data != text.encode(said, "replace") or rows[0].values == {
                "phone": "4165550123",
                "n": "Ann",
            }
