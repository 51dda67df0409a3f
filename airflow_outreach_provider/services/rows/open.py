"""Lead rows from files and lists, one at a time: every source row becomes exactly one :class:`Row`.

A row that cannot be read is a row too, with its error: so the rows read add up. Memory does not grow with the
source. What CSV, JSON Lines and bytes may look like, and what was decided where they are ambiguous, is told in
:mod:`~services.rows.csv_rows`, :mod:`~services.rows.jsonl_rows` and :mod:`~services.rows.lines`. Phones are not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from math import isnan
from types import NoneType
from typing import BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.lead_files import FILE_ENDINGS, kind_of_file
from airflow_outreach_provider.core.missing import is_missing
from airflow_outreach_provider.services.rows.columnar import read_parquet, read_workbook
from airflow_outreach_provider.services.rows.csv_rows import read_csv
from airflow_outreach_provider.services.rows.header import Reads, reads_all
from airflow_outreach_provider.services.rows.json_rows import read_json
from airflow_outreach_provider.services.rows.jsonl_rows import read_jsonl
from airflow_outreach_provider.services.rows.lines import label
from airflow_outreach_provider.services.rows.row import Row, RowFault, faulty, unsound

__all__ = ["Row", "RowFault", "open_rows", "read_csv", "read_jsonl", "read_list"]

_TEXT = frozenset({str})
_FLAT = frozenset({str, float, bool, NoneType})
_PLAIN = _FLAT | {int}


@dataclass(frozen=True)
class FileFormat:
    """What is said of a file, where it is not to be found out.

    :param delimiter: of a CSV file. :param encoding: the same. :param sheet: of a workbook.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None


FOUND_OUT = FileFormat()


def open_rows(
    stream: BinaryIO, *, name: str, reads: Reads = reads_all, form: FileFormat = FOUND_OUT
) -> Iterator[Row]:
    """The rows of a file whose format is told by its name: CSV, JSON Lines or a JSON array, also ``.gz``; Parquet; a workbook.

    :param stream: bytes, read forwards only, save of Parquet and workbooks; the caller closes it.
    :param name: path or URI.
    :param reads: of which columns anything is made; of a CSV file the others may have one name.
    :raises ConfigurationError: at once for another ending; while iterating as the readers say.
    """
    match kind_of_file(label(name)):
        case "csv":
            return read_csv(stream, name=name, reads=reads, delimiter=form.delimiter, encoding=form.encoding)
        case "jsonl":
            return read_jsonl(stream, name=name)
        case "json":
            return read_json(stream, name=name)
        case "parquet":
            return read_list(read_parquet(stream, name=name, reads=reads))
        case "xlsx":
            return checked_rows(read_workbook(stream, name=name, reads=reads, sheet=form.sheet))
    raise ConfigurationError(
        f"{label(name)!r} does not tell its format",
        f"name it with one of the endings {', '.join(each for ends in FILE_ENDINGS.values() for each in ends)}; "
        "text may be packed: .csv.gz",
    )


def shares_columns(name: str) -> bool:
    """Whether all rows of a file have the same columns, by its name: JSON's need not."""
    return kind_of_file(label(name)) not in ("json", "jsonl")


def checked_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows under their own numbers, looked at as those of a list are."""
    for row in rows:
        yield _read_item(row.number, row.values, unit="line")


def read_list(rows: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """The rows of a list of dicts, numbered from 1.

    A NaN at the top level is how pandas writes "missing", as are NaT and NA: it becomes None. A member of an Enum is its
    value.
    """
    for number, item in enumerate(rows, 1):
        try:
            row = _read_item(number, item)
        except Exception:  # noqa: BLE001 - an object of anybody's class may raise whatever it likes
            row = faulty(number, RowFault.NOT_JSON, "a value of the row cannot be read", unit="row")
        yield row


def _read_item(number: int, item: object, *, unit: str = "row") -> Row:
    if not (isinstance(item, Mapping) and _has_text_keys(item)):
        return faulty(number, RowFault.NOT_OBJECT, unit=unit)
    values = {
        key: None if isinstance(value, float) and isnan(value) else value for key, value in item.items()
    }
    flat = _FLAT.issuperset(map(type, values.values()))
    if not flat:
        values = {key: value if type(value) in _PLAIN else _own(value) for key, value in values.items()}
    if fault := unsound(values):
        return faulty(number, fault, unit=unit)
    if not flat:
        for value in values.values():
            _ = (repr(value), str(value))  # here, so that it raises nowhere else
    return Row(number, values)


def _own(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return None if is_missing(value) else value


def _has_text_keys(item: Iterable[object]) -> bool:
    return _TEXT.issuperset(map(type, item)) or all(isinstance(key, str) for key in item)
