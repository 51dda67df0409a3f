"""Rows in another order than their source's: sorted in parts on disk and merged, so that memory does not grow with it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.row_order import RowOrder, order_advice, sort_key
from airflow_outreach_provider.services.rows.row import Row

PART = 20_000
"""Rows that are sorted at once; a source of no more is sorted in memory."""


def ordered(rows: Iterator[Row], order: tuple[RowOrder, ...], part: int = PART) -> Iterator[Row]:
    """The rows by some of their columns; equal ones, and among themselves those that cannot be read, as they came.

    :raises ConfigurationError: no row has a column that is named.
    """
    if not order:
        yield from rows
        return
    missing, names = {each.column for each in order}, dict[str, None]()
    with ExitStack() as files:
        parts: list[Iterator[Row]] = []
        while some := list(islice(rows, part)):
            for row in some:
                missing.difference_update(row.values)
                if missing and len(names) < 1_000:
                    names.update(dict.fromkeys(row.values))
            some.sort(key=lambda row: sort_key(order, row.values))
            if len(some) < part and not parts:
                parts.append(iter(some))
            else:
                parts.append(_written(cast("BinaryIO", files.enter_context(TemporaryFile())), some))
        if missing and names:
            column = min(missing)
            raise ConfigurationError(
                f"no row has the column {column!r} that order_by names",
                order_advice(column, map(mask_text, map(str, names))),
            )
        yield from merge(*parts, key=lambda row: sort_key(order, row.values))


def _written(file: BinaryIO, rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        pickle.dump(tuple(row), file, pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _read(file, len(rows))


def _read(file: BinaryIO, count: int) -> Iterator[Row]:
    for _ in range(count):
        values: Any = pickle.load(file)  # noqa: S301 - our own file, which nobody else can open
        yield Row(*values)
