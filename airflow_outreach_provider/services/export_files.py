"""Files an export writes: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.exports import COLUMNS, ColumnKind, DataSet
from airflow_outreach_provider.services.exports import RowSink


class CsvSink:
    """UTF-8, a header, times as ISO 8601; what is missing is empty."""

    def __init__(self, data: DataSet, stream: BinaryIO) -> None:
        self._text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
        self._writer = csv.DictWriter(self._text, list(COLUMNS[data]), lineterminator="\n")
        self._writer.writeheader()

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._writer.writerow({name: _plain(value) for name, value in row.items()})

    def close(self) -> None:
        """Write what is left; the stream stays open."""
        self._text.flush()
        self._text.detach()


class ParquetSink:
    """One row group for each group of rows; times in milliseconds, UTC.

    :raises ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, data: DataSet, stream: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise ConfigurationError(
                "Parquet needs pyarrow, which is not installed",
                "install airflow-provider-outreach[parquet], or write csv",
            ) from None
        kinds = {
            ColumnKind.TEXT: pyarrow.string(),
            ColumnKind.WHOLE_NUMBER: pyarrow.int64(),
            ColumnKind.TIME: pyarrow.timestamp("ms", tz="UTC"),
        }
        self._schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS[data].items()])
        self._table = pyarrow.Table.from_pylist
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._writer.write_table(self._table(list(rows), schema=self._schema))

    def close(self) -> None:
        """Write the end of the file; the stream stays open."""
        self._writer.close()


FORMATS: Mapping[str, type[CsvSink] | type[ParquetSink]] = {"csv": CsvSink, "parquet": ParquetSink}


@contextmanager
def file_sink(ending: str, data: DataSet, stream: BinaryIO) -> Iterator[RowSink]:
    """A file of this format. :param ending: ``csv`` or ``parquet``. :param stream: closed by the caller."""
    sink = FORMATS[ending](data, stream)
    yield sink
    sink.close()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(
            "\r", "\n"
        )  # the one line end that readers take for the row's and csv does not quote
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
