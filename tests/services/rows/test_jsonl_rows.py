"""JSON Lines: what is an object is a row, what is none is one row's error."""

from __future__ import annotations

import io
import json
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.rows import lines as rows_lines
from airflow_outreach_provider.services.rows.jsonl_rows import read_jsonl
from airflow_outreach_provider.services.rows.row import Row


def rows_of(data: bytes | str) -> list[Row]:
    raw = data.encode() if isinstance(data, str) else data
    return list(read_jsonl(io.BytesIO(raw), name="leads.jsonl"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(
    objects=st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6),
    ascii_only=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    chunk=st.integers(64, 200),
)
def test_what_json_writes_is_read_back(
    objects: list[dict[str, object]], ascii_only: bool, line_end: str, encoding: str, chunk: int
) -> None:
    """Every object written on a line comes back once with its line number, however encoded and cut."""
    text = "".join(json.dumps(item, ensure_ascii=ascii_only) + line_end for item in objects)
    step = 2 if line_end == "\n\n" else 1
    with patch.object(rows_lines, "CHUNK", chunk):
        rows = rows_of(text.encode(encoding))
    assert rows == [Row(1 + at * step, item) for at, item in enumerate(objects)]


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ('{"phone": "+1"', "row_not_json", "character 15"),
        ("phone,name", "row_not_json", "character 1"),
        ('{"phone": NaN}', "row_not_json", "NaN"),
        ('{"phone": -Infinity}', "row_not_json", "-Infinity"),
        ('{"phone": 1e999}', "row_not_json", "too large"),
        ('{"phone": ' + "1" * 5000 + "}", "row_not_json", "digits"),
        ('{"phone": "+1"},', "row_not_json", "more text after the object"),
        ('{"a": 1} {"a": 2}', "row_not_json", "character 9"),
        ("[1, 2]", "row_not_object", "object"),
        ('"text"', "row_not_object", "object"),
        ("null", "row_not_object", "object"),
        ('{"phone": "+1", "phone": "+2"}', "row_duplicate_key", "'phone'"),
        ('{"a": {"b": 1, "b": 1}}', "row_duplicate_key", "'b'"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "row_too_deep", "32"),
        ('{"a": ' + "[" * 200_000, "row_too_deep", "32"),
        ('{"name": "\\ud83d"}', "row_undecodable", "UTF-8"),
        ('{"a": [{"\\u0000": 1}]}', "row_nul", "NUL"),
        ('{"name": "\0"}', "row_nul", "NUL"),
        ('{"name": "' + "x" * 2_000_000 + '"}', "row_too_long", "1 MiB"),
    ],
)
def test_a_bad_line_is_an_error_of_its_own(line: str, error: str, words: str) -> None:
    """A line that is no sound object is reported with its number and why; the lines around it are read."""
    before, bad, after = rows_of('{"phone": "+1"}\n' + line + '\n{"phone": "+2"}\n')
    assert (before.number, before.error, after.number, after.error) == (1, None, 3, None)
    assert (bad.number, bad.error, bad.values) == (2, error, {})
    assert bad.detail.startswith("line 2: ")
    assert words in bad.detail


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('{"phone": 14165550123}', {"phone": 14165550123}),
        ('{"phone": 1.4165550123E10}', {"phone": 14165550123.0}),
        ('{"a": "' + "[" * 100 + '\\" {"}', {"a": "[" * 100 + '" {'}),
        ('{"name": "\\ud83d\\ude00 \\\\u0000"}', {"name": "😀 \\u0000"}),
        ('  {"a": null}\t', {"a": None}),
        ("{}", {}),
    ],
)
def test_unusual_lines_that_are_sound(line: str, values: dict[str, object]) -> None:
    """What only looks dangerous is read as it is."""
    assert rows_of(line) == [Row(1, values)]


@pytest.mark.parametrize("text", ['[{"phone": "+1"}]', "\n[\n{}\n]\n", '{\n  "phone": "+1"\n}\n'])
def test_a_whole_document_is_no_json_lines(text: str) -> None:
    """A file that is one JSON document stops the run with the remedy, before any row."""
    with pytest.raises(ConfigurationError, match="one object a line"):
        rows_of(text)


def test_errors_repeat_nothing_of_the_row() -> None:
    """A key that is a phone number is masked in the text for a person."""
    [row] = rows_of('{"+14165550123": 1, "+14165550123": 2}')
    assert "5550123" not in row.detail


def _read(line: bytes) -> str:
    """UTF-8, and where it is none what programs on Windows write."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=100) | st.text(st.sampled_from('{}[]:,"\\u0d8 1e\n'), max_size=80).map(str.encode))
def test_hostile_bytes_end_in_rows(data: bytes) -> None:
    """Whatever follows a good first line, each line with text is exactly one row, good or with its error."""
    rows = rows_of(b'{"phoneNumber": "+14165550123", "firstName": "Ann"}\n' + data)
    lines = data.splitlines()
    assert [row.number for row in rows] == [
        1,
        *(at for at, line in enumerate(lines, 2) if _read(line).strip()),
    ]
