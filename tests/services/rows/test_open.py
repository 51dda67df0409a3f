"""Files by name and magic, and lists."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import threading
import zlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from socket import socketpair
from typing import NoReturn

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.rows.csv_rows import read_csv
from airflow_outreach_provider.services.rows.open import open_rows, read_list
from airflow_outreach_provider.services.rows.row import Row

CSV = "phone,name\n" + "".join(f"+1416555{at:04},Ann {at}\n" for at in range(20_000))
JSONL = '{"phone": "+1", "name": "A"}\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("leads.csv", "phone,name\n+1,A\n"),
        ("s3://key:secret@bucket/2026/LEADS.CSV", "phone,name\n+1,A\n"),
        ("https://x.example/leads.csv?X-Signature=abc", "phone,name\n+1,A\n"),
        ("leads.jsonl", JSONL),
        ("leads.ndjson", JSONL),
    ],
)
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_name_tells_the_format_and_the_bytes_whether_it_is_packed(
    name: str, text: str, pack: Callable[[str], bytes], ending: str
) -> None:
    """The format is told by the ending, gzip by its magic number: object stores unpack without renaming."""
    path, question, query = name.partition("?")
    [row] = open_rows(io.BytesIO(pack(text)), name=path + ending + question + query)
    assert row.values == {"phone": "+1", "name": "A"}


@pytest.mark.parametrize(
    "name", ["leads.xml", "leads.xlsx.gz", "leads.gz", "leads", "csv", "s3://key:secret@bucket/leads.txt"]
)
def test_other_endings_are_refused_at_once(name: str) -> None:
    """A name that does not tell the format is refused before a byte is read, without the URI's credentials."""
    with pytest.raises(ConfigurationError, match=r"\.csv, \.jsonl") as caught:
        open_rows(io.BytesIO(), name=name)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04\x14\x00", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"%PDF-1.7", "PDF"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"\n <!doctype HTML><title>Sign in</title>", "login page"),
        (b"\xff\xfe\x00\x00p\x00\x00\x00", "UTF-32"),
        (gzip.compress(b"PK\x03\x04", mtime=0), "Excel"),
    ],
)
def test_files_that_are_no_text_are_named(data: bytes, word: str) -> None:
    """What people upload by mistake is named together with what to do."""
    with pytest.raises(ConfigurationError, match=word) as caught:
        list(open_rows(io.BytesIO(data), name="leads.csv"))
    assert caught.value.remedy


@pytest.mark.slow
def test_gzip_in_several_members_with_padding() -> None:
    """Files joined with cat, and padded by tape-minded tools, are read to the end."""
    data = b"".join(gzip.compress(part.encode()) for part in (CSV[:1000], CSV[1000:])) + b"\0" * 512
    assert len(list(open_rows(io.BytesIO(data), name="leads.csv.gz"))) == 20_000


def flipped(packed: bytes) -> bytes:
    at = len(packed) // 2
    return packed[:at] + bytes([packed[at] ^ 0xFF]) * 50 + packed[at + 50 :]


@pytest.mark.parametrize(
    ("damage", "at_least"),
    [
        (lambda packed: packed[: len(packed) // 2], 9_000),
        (lambda packed: packed[:-4], 20_000),
        (lambda packed: packed[:-8] + b"\0\0\0\0" + packed[-4:], 20_000),
        (lambda packed: packed + b"junk", 20_000),
        (flipped, 0),
        (lambda packed: packed[:12], 0),
        (lambda packed: packed[:3], 0),
        (lambda packed: b"", 0),
    ],
    ids=["half", "no length", "checksum", "junk after", "flipped", "header only", "magic only", "empty"],
)
def test_damaged_gzip_fails_loudly_after_the_good_rows(
    damage: Callable[[bytes], bytes], at_least: int
) -> None:
    """Rows before the damage are read, the line cut in half is not, and then the run stops with where and why."""
    read: list[Row] = []
    with pytest.raises(
        ConfigurationError, match=r"leads\.csv\.gz is cut off or damaged after line (\d+)"
    ) as caught:
        read.extend(open_rows(io.BytesIO(damage(gzip.compress(CSV.encode()))), name="leads.csv.gz"))
    assert caught.value.remedy
    assert len(read) >= at_least
    assert isinstance(caught.value.__cause__, EOFError | gzip.BadGzipFile | zlib.error)
    assert f"line {read[-1].number if read else 0} " in str(caught.value)
    assert [row.values["phone"] for row in read[:-1]] == [f"+1416555{at:04}" for at in range(len(read) - 1)]


def test_a_pipe_that_gives_little_at_once() -> None:
    """A stream that cannot seek and gives a few bytes at a time is read as a file is."""
    ours, theirs = socketpair()
    packed = gzip.compress(CSV[:5000].encode("utf-16"))

    def send() -> None:
        with theirs:
            for at in range(0, len(packed), 7):
                theirs.sendall(packed[at : at + 7])

    sender = threading.Thread(target=send)
    sender.start()
    with ours, ours.makefile("rb", buffering=0) as pipe:
        rows = list(open_rows(pipe, name="leads.csv.gz"))
    sender.join(10)
    assert rows[:-1] == list(read_csv(io.BytesIO(CSV[:5000].encode()), name="leads.csv"))[:-1]
    assert len(rows) > 200


def test_an_error_of_the_stream_itself_is_passed_on() -> None:
    """A connection lost while reading is no fault of the file: it reaches the caller unchanged, to be retried."""

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 200_000:
                raise ConnectionResetError("gone")
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        list(read_csv(Lost(CSV.encode()), name="leads.csv"))


def test_a_real_file(tmp_path: Path) -> None:
    """A file opened from disk is read."""
    path = tmp_path / "leads.csv"
    path.write_bytes(CSV.encode())
    with path.open("rb") as stream:
        assert sum(1 for _ in open_rows(stream, name=str(path))) == 20_000


def test_rows_of_a_list() -> None:
    """Each item of a list is one row, numbered from 1; unsound ones are errors of their own."""
    day = dt.date(2026, 3, 25)
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    items: list[object] = [
        {"phone": "+1", "since": day},
        {"phone": 14165550123, "mail": float("nan")},
        "+14165550123",
        {1: "+1"},
        {"name": "\0"},
        {"tags": ["\ud800"]},
        {"score": float("inf")},
        {"tags": [float("nan")]},
        {"deep": deep},
        {},
    ]
    rows = list(read_list(items))  # type: ignore[arg-type]
    assert [(row.number, row.error or row.values) for row in rows] == [
        (1, {"phone": "+1", "since": day}),
        (2, {"phone": 14165550123, "mail": None}),
        (3, "row_not_object"),
        (4, "row_not_object"),
        (5, "row_nul"),
        (6, "row_undecodable"),
        (7, "row_not_json"),
        (8, "row_not_json"),
        (9, "row_too_deep"),
        (10, {}),
    ]
    assert rows[2].detail.startswith("row 3: ")
    assert "5550123" not in rows[2].detail


def test_a_list_that_contains_itself() -> None:
    """An endless structure is an error, not an endless loop."""
    loop: list[object] = []
    loop.append(loop)
    assert [row.error for row in read_list([{"a": loop}])] == ["row_too_deep"]


class Hostile:
    """Raises whatever is done with it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Tier(str, Enum):  # noqa: UP042 - what people write
    GOLD = "gold"


class Trap(dict[str, object]):
    def items(self) -> NoReturn:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [10**5000, Hostile(), [Hostile()], {"a": 10**5000}],
    ids=["int", "repr", "in a list", "in a dict"],
)
def test_a_value_that_raises_is_one_bad_row(value: object) -> None:
    """Whatever a row holds, it is one row with an error, and the rows after it are read."""
    rows = list(read_list([{"phone": "+1", "x": value}, Trap(phone="+1"), {"phone": "+1"}]))
    assert [row.error for row in rows] == ["row_not_json", "row_not_json", None]
    assert [row.number for row in rows] == [1, 2, 3]


def test_a_member_of_an_enum_is_its_value() -> None:
    """``Tier.GOLD`` is what Python prints, not what the source says."""
    [row] = read_list([{"phone": "+1", "tier": Tier.GOLD}])
    assert row.values == {"phone": "+1", "tier": "gold"}
    assert type(row.values["tier"]) is str
