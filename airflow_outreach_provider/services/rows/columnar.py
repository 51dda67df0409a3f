"""Parquet files, workbooks, and tables in memory: read by the libraries that know them, a batch of rows at a time.

These libraries are extras: a file of a kind whose library is missing says which to install.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.rows.header import Reads, column_names, reads_all
from airflow_outreach_provider.services.rows.lines import label
from airflow_outreach_provider.services.rows.odd_cells import arrow_values, polars_values
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.rows.sql_values import plain_values

BATCH = 1_000
DISTRIBUTION = "airflow-provider-outreach"


def needed(module: str, extra: str, what: str) -> Any:
    """A module of an extra. :raises ConfigurationError: it is not installed; names the extra."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"{what} needs {module.partition('.')[0]}, which is not installed",
            f'pip install "{DISTRIBUTION}[{extra}]" where the workers run',
        ) from None


def read_parquet(stream: BinaryIO, *, name: str, reads: Reads = reads_all) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, group by group; only columns of which anything is made are read.

    :param stream: bytes that can be sought in. :param name: path or URI, for messages.
    :raises ConfigurationError: pyarrow is missing, or the file is none or damaged.
    """
    said = label(name)
    parquet, arrow = needed("pyarrow.parquet", "parquet", said), needed("pyarrow", "parquet", said)
    try:
        file = parquet.ParquetFile(stream)
        names = [str(each) for each in file.schema_arrow.names]
        batches = file.iter_batches(batch_size=BATCH, columns=[each for each in names if reads(each)])
        yield from batch_rows(batches, said, reads)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{said} cannot be read as Parquet: {mask_text(str(error)[:200])}", "upload the file again"
        ) from None


def batch_rows(batches: Iterable[Any], name: str, reads: Reads = reads_all) -> Iterator[dict[str, Any]]:
    """The rows of Arrow's record batches. :raises ConfigurationError: two columns that are read have one name."""
    arrow = needed("pyarrow", "parquet", name)
    for batch in batches:
        names = [str(each) for each in batch.schema.names]
        check_apart(names, name, reads)
        columns = [arrow_values(column, arrow) for column in batch.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, plain_values(values), strict=True))


def frame_rows(columns: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Iterator[dict[str, Any]]:
    """The rows of a data frame. :param columns: their names. :param rows: its values, row by row."""
    names = [str(each) for each in columns]
    check_apart(names, "the data frame", reads_all)
    for values in rows:
        yield dict(zip(names, plain_values(map(_scalar, values)), strict=True))


def pandas_rows(frame: Any) -> Iterator[dict[str, Any]]:
    """The rows of a data frame of pandas.

    :raises ConfigurationError: a column kept by Arrow holds what Python cannot, and pandas gives no row of it.
    """
    rows = frame_rows(frame.columns, frame.itertuples(index=False, name=None))
    while True:
        try:
            row = next(rows, None)
        except (ValueError, ArithmeticError, LookupError) as error:
            raise ConfigurationError(
                f"the data frame cannot be read: {type(error).__name__}: {mask_text(str(error)[:200])}",
                "cast a column whose times Python cannot hold (after the year 9999) to text before",
            ) from None
        if row is None:
            return
        yield row


def polars_rows(frame: Any) -> Iterator[dict[str, Any]]:
    """The rows of a data frame of Polars, a slice at a time."""
    for part in frame.iter_slices(BATCH):
        columns = [polars_values(column) for column in part.get_columns()]
        yield from frame_rows(frame.columns, zip(*columns, strict=True))


def check_apart(names: Iterable[str], name: str, reads: Reads) -> None:
    """:raises ConfigurationError: two columns that are read have one name: a row could hold only one of them."""
    twice = sorted(each for each, count in Counter(names).items() if count > 1 and reads(each))
    if twice:
        raise ConfigurationError(f"{name} has two columns named {twice[0]!r}", "name them apart")


def read_workbook(
    stream: BinaryIO, *, name: str, reads: Reads = reads_all, sheet: str | None = None
) -> Iterator[Row]:
    """The rows of a workbook's sheet, by line; its first line with a value holds the column names.

    :param stream: bytes that can be sought in. :param name: path or URI, for messages.
    :param sheet: its name; the first that is shown where None.
    :raises ConfigurationError: python-calamine is missing, the file is no workbook, or has no such sheet.
    """
    said = label(name)
    calamine = needed("python_calamine", "xlsx", said)
    try:
        with calamine.CalamineWorkbook.from_filelike(stream) as book:
            found = book.get_sheet_by_name(_sheet_name(book, sheet, said))
            yield from _sheet_rows(_sheet_lines(found, said), said, reads)
    except calamine.PasswordError:
        raise ConfigurationError(f"{said} is protected by a password", "save it without one") from None
    except (calamine.CalamineError, OSError) as error:
        raise ConfigurationError(
            f"{said} cannot be read as a workbook: {mask_text(str(error)[:200])}", "save it again as .xlsx"
        ) from None


def _sheet_name(book: Any, wanted: str | None, said: str) -> str:
    visible = type(book.sheets_metadata[0].visible).Visible
    shown = [each.name for each in book.sheets_metadata if each.visible == visible]
    names = [str(each) for each in book.sheet_names]
    if wanted is None:
        return str((shown or names)[0])
    if wanted not in names:
        raise ConfigurationError(f"{said} has no sheet {wanted!r}", f"its sheets are {', '.join(names[:20])}")
    return wanted


def _sheet_lines(sheet: Any, said: str) -> Iterator[tuple[int, list[Any]]]:
    """The lines of a sheet that has been read, by number.

    :raises ConfigurationError: a cell is shown as a span of time and holds a number that no span is as long as.
    """
    number, lines = (sheet.start or (0, 0))[0], sheet.iter_rows()
    while True:
        number += 1
        try:
            cells = next(lines, None)
        except OverflowError:  # of the whole line: no cell of it can be read alone
            raise ConfigurationError(
                f"{said}, line {number}: a number is formatted as a duration, and is too large for one",
                "format its column as text or as a number, and save the workbook again",
            ) from None
        if cells is None:
            return
        yield number, cells


def _sheet_rows(lines: Iterable[tuple[int, list[Any]]], said: str, reads: Reads) -> Iterator[Row]:
    names: list[str] | None = None
    for number, cells in lines:
        values = [_scalar(each) for each in cells]
        if all(each == "" for each in values):
            continue
        if names is None:
            names = column_names([str(each) for each in values], f"{said}, line {number},", reads)
            continue
        row = dict(zip(names, plain_values(values), strict=False))
        yield Row(number, row)


def _scalar(value: Any) -> Any:
    """A cell as a person reads it: a whole number without a point, and a library's own scalar as Python's."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e16 else value
    item = getattr(value, "item", None)  # numpy's scalars
    return item() if callable(item) and getattr(value, "shape", None) == () else value
