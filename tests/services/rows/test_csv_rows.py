"""CSV files as people make them, and as they break."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.rows import csv_rows
from airflow_outreach_provider.services.rows import lines as rows_lines
from airflow_outreach_provider.services.rows.csv_rows import read_csv
from airflow_outreach_provider.services.rows.header import reads_all
from airflow_outreach_provider.services.rows.row import Row


def rows_of(data: bytes | str) -> list[Row]:
    raw = data.encode() if isinstance(data, str) else data
    return list(read_csv(io.BytesIO(raw), name="leads.csv"))


def brief(data: bytes | str) -> list[tuple[int, object]]:
    """Each row as (line, values) or (line, error)."""
    return [(row.number, row.error or list(row.values.values())) for row in rows_of(data)]


# --- laws -----------------------------------------------------------------------------------------------------

CELLS = st.text(st.sampled_from("ab1 é'Ж中😀,;|\t\"\n\r\u2028\x0b+"), max_size=6)
SAFE_CELLS = st.text(st.sampled_from("ab1 é,;|\t\"\n+'"), max_size=6)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[str]) -> list[list[str]]:
    width = draw(st.integers(2, 4))
    return draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))


def written(
    table: list[list[str]], delimiter: str, line_end: str, quoting: int
) -> tuple[str, list[tuple[int, list[str]]]]:
    """The text csv.writer makes of the table under a header, and the rows to expect with their line numbers."""
    width = len(table[0]) if table else 2
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(["phoneNumber", *(f"column{at}" for at in range(1, width))])
    expected = []
    for cells in table:
        line = len(io.StringIO(out.getvalue(), newline="").readlines()) + 1
        writer.writerow(cells)
        if "".join(cells).strip():
            expected.append((line, cells))
    return out.getvalue(), expected


@pytest.mark.slow
@settings(max_examples=examples(250), deadline=None)
@given(
    table=tables(CELLS),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    chunk=st.integers(64, 300),
)
def test_what_csv_writes_is_read_back(
    table: list[list[str]], delimiter: str, line_end: str, encoding: str, chunk: int
) -> None:
    """Every record csv.writer writes comes back once, with its values and the line it starts on, however the
    bytes are encoded, separated and cut into reads."""
    text, expected = written(table, delimiter, line_end, csv.QUOTE_ALL)
    with patch.object(rows_lines, "CHUNK", chunk):
        assert brief(text.encode(encoding)) == expected


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(table=tables(SAFE_CELLS), delimiter=st.sampled_from(",;\t|"), line_end=st.sampled_from(["\n", "\r\n"]))
def test_encodings_separators_and_line_ends_change_nothing(
    table: list[list[str]], delimiter: str, line_end: str
) -> None:
    """The same table gives the same rows in each encoding, with each separator and each line end."""
    plain, expected = written(table, ",", "\n", csv.QUOTE_MINIMAL)
    other, _ = written(table, delimiter, line_end, csv.QUOTE_MINIMAL)
    assert brief(plain) == expected
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        assert brief(other.encode(encoding)) == expected


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(
    count=st.integers(1, 30),
    data=st.data(),
    chunk=st.integers(64, 400),
    style=st.sampled_from(["plain", '"quoted, {}"', '"two\nlines {}"']),
)
def test_an_unclosed_quote_costs_its_own_row_only(
    count: int, data: st.DataObject, chunk: int, style: str
) -> None:
    """A quote that is never closed makes its own row an error; each row after it is read, none is swallowed."""
    broken = data.draw(st.integers(0, count - 1))
    lines, expected, at = ["phone,name,note"], [], 2
    for number in range(count):
        note = '"never closed' if number == broken else style.format(number)
        lines.append(f"+1416555{number:04},Ann,{note}")
        expected.append((at, None if number != broken else "row_quotes"))
        at += 1 + note.count("\n")
    with patch.object(rows_lines, "CHUNK", chunk):
        rows = rows_of("\n".join(lines) + "\n")
    assert [(row.number, row.error) for row in rows] == expected


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.text(st.sampled_from('a1,;"\n\r\0 é'), max_size=120).map(str.encode)
    | st.lists(st.sampled_from([b'"', b",", b"\n", b"a", b"\xff", b"\x00", b'""', b"\r\n"])).map(b"".join),
    chunk=st.integers(8, 64),
)
def test_hostile_bytes_end_in_rows_or_a_clear_error(data: bytes, chunk: int) -> None:
    """Whatever the bytes, reading ends with rows in file order or with a ConfigurationError, and cutting the
    reads differently changes nothing."""
    data = b"a,b\n" + data

    def outcome() -> object:
        try:
            rows = rows_of(data)
        except ConfigurationError as error:
            return str(error)
        assert [row.number for row in rows] == sorted({row.number for row in rows})
        assert all(bool(row.values) is (row.error is None) for row in rows)
        return rows

    whole = outcome()
    with patch.object(rows_lines, "CHUNK", max(chunk, 64)):
        assert outcome() == whole


# --- rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\r\n  \n", []),
        ("\ufeff", []),
        ("phone,name", []),
        ("phone,name\n", []),
        ("phone\n+1\n\n+2\n", [(2, ["+1"]), (4, ["+2"])]),
        ("\n,,\nphone,name\n+1,A\n", [(4, ["+1", "A"])]),
        ("phone,name\n+1,A\n,\n , \n\n+2,B\n,,,,,\n", [(2, ["+1", "A"]), (6, ["+2", "B"])]),
        ("phone,name\n,A\n", [(2, ["", "A"])]),
        ("phone,name,mail\n+1,A\n+2,B,b\n", [(2, ["+1", "A", ""]), (3, ["+2", "B", "b"])]),
        ("phone,name\n+1,A,x\n+2,B\n", [(2, "row_ragged"), (3, ["+2", "B"])]),
        ("phone,name,,\n+1,A,,\n+2,B\n+3,C,,x\n", [(2, ["+1", "A"]), (3, ["+2", "B"]), (4, "row_ragged")]),
        ("phone,name\n+1,A\n+2", [(2, ["+1", "A"]), (3, "row_ragged")]),
        ("phone,name\n+1,A\n+2,B", [(2, ["+1", "A"]), (3, ["+2", "B"])]),
        ("phone,name\n+1,\0A\n+2,B\n", [(2, "row_nul"), (3, ["+2", "B"])]),
        ('phone,name\n+1,"A\n\0B"\n+2,B\n', [(2, "row_nul"), (4, ["+2", "B"])]),
        ('phone,name\n+1,"Ann "Annie" Lee"\n+2,B\n', [(2, "row_quotes"), (3, ["+2", "B"])]),
        ("phone,height\n+1,5'10\"\n", [(2, ["+1", "5'10\""])]),
        ('phone,name\n+1,"A\r\nB"\r\n+2,C\r\n', [(2, ["+1", "A\r\nB"]), (4, ["+2", "C"])]),
        ("phone,note\n+1,a\u2028b\x0bc\x85d\n", [(2, ["+1", "a\u2028b\x0bc\x85d"])]),
        ("phone, name\n+1, A\n", [(2, ["+1", "A"])]),
        ('phone, name\n+1, "A, B"\n', [(2, ["+1", "A, B"])]),
        ("phone,name\n+1, A \n", [(2, ["+1", " A "])]),
        ("sep=;\nphone;name\n+1;A,B\n", [(3, ["+1", "A,B"])]),
        ('"sep=\t"\r\nphone\tname\r\n+1\tA\r\n', [(3, ["+1", "A"])]),
        ("sep=;\nphone\n+1,2\n", [(3, ["+1,2"])]),
        ('phone;"Last, first, middle";mail\n+1;"A; B";x\n', [(2, ["+1", "A; B", "x"])]),
        ("Phone, mobile;name\n+1;A\n", [(2, ["+1", "A"])]),
        ('phone,"na\nme"\n+1,A\n', [(3, ["+1", "A"])]),
    ],
)
def test_rows_as_real_files_have_them(text: str, expected: list[tuple[int, object]]) -> None:
    """Each peculiarity of real files is read as the module's decisions say."""
    assert brief(text) == expected


def test_names_are_trimmed_and_values_are_not() -> None:
    """Column names come without the blanks and marks around them, values exactly as written."""
    assert rows_of("\ufeff\ufeff phone ,name\u00a0\n+1, A\n")[0].values == {"phone": "+1", "name": " A"}


def test_one_windows_line_in_a_utf8_file() -> None:
    """A line that is not UTF-8 is read as cp1252 and its neighbours stay UTF-8; bytes of neither are an error."""
    data = "phone,name\n+1,Zoë\n".encode() + b"+2,Zo\xeb\n+3,\x81\xff\n" + "+4,Жук\n".encode()
    assert brief(data) == [
        (2, ["+1", "Zoë"]),
        (3, ["+2", "Zoë"]),
        (4, "row_undecodable"),
        (5, ["+4", "Жук"]),
    ]


def test_half_a_surrogate_in_utf16() -> None:
    """A UTF-16 line that is no text is an error of its own; it is never guessed to be cp1252."""
    text = "phone,name\n+1,\ud800x\n+2,B\n".encode("utf-16-le", "surrogatepass")
    assert brief(b"\xff\xfe" + text) == [(2, "row_undecodable"), (3, ["+2", "B"])]
    assert brief(b"\xff\xfe" + text + b"+")[-1] == (4, "row_undecodable")


def test_the_inside_of_a_broken_text_is_no_lead() -> None:
    """What follows a broken quote is not filled up into a lead: a number inside a note is nobody to text."""
    text = '{}\n+1,Ann,"He said "call me at\n+14165550199\nor not""\n+2,Bob,ok\n+3,Cy\n'
    assert brief(text.format("phone,name,note")) == [
        (2, "row_quotes"),
        (3, "row_ragged"),
        (4, "row_ragged"),
        (5, ["+2", "Bob", "ok"]),
        (6, ["+3", "Cy", ""]),
    ]


def test_a_quote_open_for_more_lines_than_a_record_has() -> None:
    """A quote that would swallow thousands of lines is cut short by the limit, and each line is read again."""
    lines = [f"+1416{number:07},Ann" for number in range(5_000)]
    lines[10] = '+2,"Bob'
    rows = rows_of("phone,name\n" + "\n".join(lines) + "\n")
    assert [row.number for row in rows] == list(range(2, 5_002))
    assert [(row.number, row.error) for row in rows if row.error] == [(12, "row_quotes")]


@pytest.mark.parametrize(("lines", "error"), [(1_000, None), (1_001, "row_quotes")])
def test_the_limit_does_not_depend_on_how_reads_fall(lines: int, error: str | None) -> None:
    """A record of 1,000 lines is read and one of 1,001 is not, wherever the reads cut the file."""
    text = 'phone,note\n+1,"' + "\n".join(["x"] * lines) + '"\n'
    for chunk in (64, 777, 128 * 1024):
        with patch.object(rows_lines, "CHUNK", chunk):
            assert rows_of(text)[0].error == error


def test_lines_without_end_cost_no_memory_and_no_neighbour() -> None:
    """A line of megabytes is one error at its own number; rows before and after it are read."""
    mib = 1024 * 1024
    for end in ("\n", "\r\n", "\r"):
        text = f"phone,name{end}+1,A{end}+2,{'x' * (3 * mib)}{end}+3,B{end}"
        for chunk in (60_000, mib + 7, 9 * mib):
            with patch.object(rows_lines, "CHUNK", chunk):
                assert brief(text) == [(2, ["+1", "A"]), (3, "row_too_long"), (4, ["+3", "B"])]
    assert brief(f"phone,name\n+1,{'x' * 2 * mib}") == [(2, "row_too_long")]


def test_a_line_end_between_two_reads_after_an_endless_line() -> None:
    """A CR that is the last byte of a read still ends an endless line."""
    start = "phone,name\r+1,A\r+2,"
    text = start + "x" * (32 * 65_536 - len(start) - 1) + "\r+3,B\r"
    with patch.object(rows_lines, "CHUNK", 65_536):
        assert brief(text) == [(2, ["+1", "A"]), (3, "row_too_long"), (4, ["+3", "B"])]


def test_an_endless_line_within_quotes() -> None:
    """An endless line inside a quoted text breaks the quote: each line stands for itself again."""
    text = f'phone,name\n+1,"A\n{"x" * 2_000_000}\nB"\n+2,C\n'
    assert brief(text) == [(2, "row_quotes"), (3, "row_too_long"), (4, "row_ragged"), (5, ["+2", "C"])]


def test_a_quote_that_another_row_closes() -> None:
    """A record over several lines with the wrong number of values has swallowed rows: they are read again."""
    text = 'phone,name,note\n+1,A,"x\n+2,B,", hi"\n+3,C,y\n'
    assert brief(text) == [(2, "row_quotes"), (3, ["+2", "B", ", hi"]), (4, ["+3", "C", "y"])]


def test_a_value_beyond_the_field_limit() -> None:
    """A value of more than 128 KiB on a line that is short enough is an error of its row alone."""
    assert brief(f"phone,name\n+1,{'x' * 140_000}\n+3,B\n") == [(2, "row_too_long"), (3, ["+3", "B"])]


def test_errors_name_the_line_and_no_person() -> None:
    """The text for a person says where and what, and repeats nothing of the row."""
    for row in rows_of('phone,name\n+14165550123,Ann,x\n+14165550124,"Ann" Lee\n+14165550125,\0\n+1416'):
        assert row.detail.startswith(f"line {row.number}: ")
        assert "1416" not in row.detail
        assert "Ann" not in row.detail


# --- headers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+14165550123,Ann\n+14165550124,Bob\n", ["line 1", "leads.csv", "looks like a lead", "column 1"]),
        ("Ann,'+1 (416) 555-0123\n", ["column 2"]),
        ("1.4165550123E10;Ann\n", ["column 1"]),
        ("Ann,ann@example.com\n", ["column 2"]),
        ("\n\nphone,name,phone,name\n", ["line 3", "'phone'", "'name'"]),
        (",phone,,name\n", ["column 1, 3", "no name"]),
        ('"",""\n', ["no column names"]),
        ('{"phone": "+1"}\n', ["JSON", ".jsonl"]),
        ('phone,"name\n+1,A\n', ["line 1", "quote"]),
        ('phone,"name' + "\n+1,A" * 30 + '"\n', ["31 lines", "quote"]),
        ("phone,na\0me\n", ["NUL"]),
        ("phone," + "x" * 2_000_000 + "\n", ["too long"]),
    ],
)
def test_headers_that_cannot_be_used(text: str, words: list[str]) -> None:
    """A header that is none, or ambiguous, stops the run with the line, the column and the remedy."""
    with pytest.raises(ConfigurationError) as caught:
        rows_of(text)
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)
    assert "5550123" not in str(caught.value)
    assert "ann@" not in str(caught.value)


def test_headers_with_digits_are_headers() -> None:
    """Dates and numbered columns are column names, not phones."""
    names = ["phone", "2026-03-25", "Q3 2026", "utm_1234567"]
    assert list(rows_of(",".join(names) + "\n+1,1,2,3\n")[0].values) == names


# --- cost -----------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A pipe: no seeking, lines made as they are read."""

    def __init__(self, header: bytes, line: bytes, count: int) -> None:
        self._parts: Iterator[bytes] = iter([header, *[line * 500] * (count // 500)])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1, /) -> bytes:
        part = next(self._parts, b"")
        assert len(part) <= size
        return part


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"+14165550123,Ann,x\n", b'+14165550123,"Ann,x\n', b"+14165550123,\0,x\n"])
def test_memory_does_not_grow_with_the_file(line: bytes) -> None:
    """Ten times the rows, good or broken, need no more memory."""

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            rows = sum(1 for _ in read_csv(Endless(b"phone,name,note\n", line, count), name="leads.csv"))
            assert rows == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(6_000)
    # Other threads of the tests are counted too, and only ever add.
    assert any(peak(60_000) < small + 500_000 for _ in range(3))


def test_quotes_that_stay_open_cost_bounded_work() -> None:
    """Lines made so that each opens a quote the next ones keep open are read again a bounded number of times."""
    with patch.object(csv_rows, "MAX_RECORD_LINES", 50), patch.object(rows_lines, "CHUNK", 512):
        rows = rows_of("a,b\n" + 'a",x,"c\n' * 2_000)
    assert len(rows) == 2_000
    assert {row.error for row in rows} == {"row_quotes"}


def test_a_repeated_header_that_nothing_reads_is_none() -> None:
    """Two columns of one name are an error where one of them is read, and else nobody's business."""
    data = b"phone,note,note\n+1,a,b\n"
    rows = list(read_csv(io.BytesIO(data), name="x.csv", reads={"phone"}.__contains__))
    assert [row.values["phone"] for row in rows] == ["+1"]
    for reads in ({"phone", "note"}.__contains__, reads_all):
        with pytest.raises(ConfigurationError, match="more than one column is named 'note'"):
            list(read_csv(io.BytesIO(data), name="x.csv", reads=reads))


@pytest.mark.parametrize(("header", "read"), [("Te\u0301le\u0301phone", "Téléphone"), ("Téléphone", "Te\u0301le\u0301phone"),
    ("Mobile\u00a0Phone", "Mobile Phone"), ("Mobile  Phone", "Mobile Phone"), ("Nume\u0301ro\u202fmobile", "Numéro mobile")])  # fmt: skip
def test_a_column_is_read_under_a_name_of_the_same_looks(header: str, read: str) -> None:
    """macOS writes é as two characters, and a web page's blank is another one: nobody sees the difference. Another column's name is its own."""

    def rows(names: str, *reads: str) -> list[str]:
        text = f"{names}\n1,2\n".encode()
        return list(next(read_csv(io.BytesIO(text), name="a.csv", reads=lambda name: name in reads)).values)

    assert rows(f"{header},n", read) == [read, "n"]
    assert rows(f"{header},n", header) == [header, "n"]
    assert rows(f"{header},{read}", read) == [header, read]
    assert rows(f"{header},n", "other") == [header, "n"]


def test_a_separator_that_is_not_there_is_told() -> None:
    """Where another one is; a file of one column needs none."""
    with pytest.raises(ConfigurationError, match=r"there is no ';' between the column names, but ','"):
        list(read_csv(io.BytesIO(b"phone,n\n1,2\n"), name="a.csv", delimiter=";"))
    assert [row.values for row in read_csv(io.BytesIO(b"phone\n1\n"), name="a.csv", delimiter=";")] == [
        {"phone": "1"}
    ]
    assert [row.values for row in read_csv(io.BytesIO(b'"a,b"\n1\n'), name="a.csv", delimiter=";")] == [
        {"a,b": "1"}
    ]
