"""Lead rows from files and lists, one at a time: every source row becomes exactly one :class:`Row`.

A row that cannot be read is a row too, with its error: so the rows read add up. Memory does not grow with the
source. What CSV, JSON Lines and bytes may look like, and what was decided where they are ambiguous, is told in
:mod:`reading_csv`, :mod:`reading_jsonl` and :mod:`reading_lines`. Phones are not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isnan
from typing import BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.reading_csv import read_csv
from airflow_outreach_provider.services.reading_jsonl import read_jsonl
from airflow_outreach_provider.services.reading_lines import label
from airflow_outreach_provider.services.reading_row import Row, RowFault, faulty, unsound

__all__ = ["Row", "RowFault", "open_rows", "read_csv", "read_jsonl", "read_list"]

_READERS: Mapping[str, Callable[..., Iterator[Row]]] = {
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
_TEXT = frozenset({str})


def open_rows(stream: BinaryIO, *, name: str) -> Iterator[Row]:
    """The rows of a file whose format is told by its name: ``.csv``, ``.jsonl`` or ``.ndjson``, also ``.gz``.

    :param stream: bytes, read forwards only; the caller closes it.
    :param name: path or URI.
    :raises ConfigurationError: at once for another ending; while iterating as the readers say.
    """
    ending = label(name).lower().removesuffix(".gz")
    for known, reader in _READERS.items():
        if ending.endswith(known):
            return reader(stream, name=name)
    raise ConfigurationError(
        f"{label(name)!r} does not tell its format",
        f"name it with one of the endings {', '.join(_READERS)}, each with or without .gz",
    )


def read_list(rows: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """The rows of a list of dicts, numbered from 1.

    A NaN at the top level is how pandas writes "missing": it becomes None.
    """
    for number, item in enumerate(rows, 1):
        if not (isinstance(item, Mapping) and _has_text_keys(item)):
            yield faulty(number, RowFault.NOT_OBJECT, unit="row")
            continue
        values = {
            key: None if isinstance(value, float) and isnan(value) else value for key, value in item.items()
        }
        fault = unsound(values)
        yield faulty(number, fault, unit="row") if fault else Row(number, values)


def _has_text_keys(item: Iterable[object]) -> bool:
    return _TEXT.issuperset(map(type, item)) or all(isinstance(key, str) for key in item)
