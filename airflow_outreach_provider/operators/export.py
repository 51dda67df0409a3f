"""Outcomes to the warehouse: files of a folder, or tables of a database."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from glob import escape
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from airflow.sdk import BaseOperator

from airflow_outreach_provider.core.arguments import check_texts, read_name, said_later, wrong
from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.exports import (
    COLUMNS,
    ColumnKind,
    DataSet,
    ExportPlace,
    Personal,
    read_place,
)
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.hooks.connection_fields import database_hook
from airflow_outreach_provider.hooks.settings import open_store, retention
from airflow_outreach_provider.hooks.trials import stays_out
from airflow_outreach_provider.operators.defaults import RetryingDefaults
from airflow_outreach_provider.services.export_files import file_sink
from airflow_outreach_provider.services.exports import OpenSink, RowSink, export

if TYPE_CHECKING:
    from airflow.sdk import Context

_COPIED_AT_ONCE = 1024 * 1024
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
_SQL_TYPES = {ColumnKind.TEXT: "TEXT", ColumnKind.WHOLE_NUMBER: "BIGINT", ColumnKind.TIME: "TIMESTAMP"}
# A column without a zone would hold the hour of the session's zone there.
_POSTGRES_TYPES = {**_SQL_TYPES, ColumnKind.TIME: "TIMESTAMP WITH TIME ZONE"}
_NO_MORE = {
    "data": "what",
    "path": "to=folder",
    "format": 'to={"parquet": folder}',
    "sql_conn_id": 'to={"sql": {"conn_id": …}}',
    "table_prefix": 'to={"sql": {"conn_id": …, "table_prefix": …}}',
}
"""What arguments were called → how the same is said."""


class ExportOutcomesOperator(RetryingDefaults, BaseOperator):
    """Write what changed since the last time: leads by state and reason, events, deliveries, and what came of campaigns.

    Each change once: how far an export has come is kept in the store and moved when the rows are written. What changed
    within the last minute waits for the next run. ``outcomes`` has a row for each campaign, source and day: how many
    leads were accepted, and how many of these replied, were interested, booked, opted out; a later row of the same day
    replaces the earlier.

    :param to: where the rows go: a folder, local or an ``s3://`` or other URI, for files ``<data>-<from where>.<format>``,
        CSV unless its name ends in another (``lake.parquet``); ``{"csv": folder}`` or ``{"parquet": folder}``, which needs
        the extra ``parquet``; of exports that share a folder all but the first end these names in their own; or ``{"sql": {"conn_id": …, "table_prefix": "analytics.outreach_"}}``: rows are added to
        tables, which are made where there are none.
    :param what: of ``leads``, ``events``, ``deliveries``, ``outcomes``; all where None.
    :param personal: ``masked``: numbers and addresses masked and names left out; ``whole``: as they are.
    :param export: under which name is kept how far it has come; the DAG's and the task's id otherwise. Another name
        begins at the beginning; tasks that write to several places each need one of their own.
    :return: rows by data set.
    """

    template_fields: Sequence[str] = ("to", "what", "export")
    ui_color = "#e8e4f3"

    def __init__(
        self,
        *,
        to: str | Path | Mapping[str, Any] | None = None,
        what: str | Collection[str] | None = None,
        personal: str = "masked",
        export: str | None = None,
        **kwargs: Any,
    ) -> None:
        for name in _NO_MORE.keys() & kwargs:
            raise ConfigurationError(f"{name} is no argument of an export", f"say {_NO_MORE[name]}")
        super().__init__(**kwargs)
        self.to = read_place(to).written
        self.what = list(DataSet) if what is None else what
        if not said_later(self.what):
            self.what = _data_sets(self.what)
        _one_of("personal", personal, list(Personal))
        self.personal = personal
        if not said_later(export):
            read_name("export", export)
        self.export = export
        # What a mapped group of tasks gives to each.
        given = type(to).__name__ == "MappedArgument" and self.get_closest_mapped_task_group() is not None
        if given and not said_later(export):
            raise _one_name()

    def execute(self, context: Context) -> dict[str, int]:
        """Rows by data set."""
        if stays_out(context, self.log):
            return {}
        place, what = read_place(self.to), _data_sets(self.what)
        store, kept = open_store(), retention()
        name = self._name()
        open_sink = _files(place) if place.sql_conn_id is None else _tables(place)
        counts = {}
        for data in map(DataSet, what):
            counts[data.value] = export(
                store, name, data, open_sink, personal=Personal(self.personal), retention=kept,
                place=None if place.sql_conn_id is not None else _files_of(place),
            )  # fmt: skip
            self.log.info("Export %s: %d rows of %s", name, counts[data.value], data.value)
        return counts

    def _name(self) -> str:
        """Under which it is kept how far this has come.

        :raises ConfigurationError: mapped tasks that write to several places share one: each change would reach one of them;
            a template has lost its value, which several exports would share.
        """
        said = read_name("export", self.export)
        # Of a mapped task the DAG keeps what was said once for all.
        once = getattr(self.dag.task_dict.get(self.task_id), "partial_kwargs", None)
        if once is not None and "to" not in once:
            shared = not self.export or ("export" in once and not said_later(once["export"]))
            if shared:
                raise _one_name()
        return self.export if self.export and said else f"{self.dag_id}.{self.task_id}"


def _one_name() -> ConfigurationError:
    return ConfigurationError(
        "tasks mapped over several places share one name, so that each change would be written to one place only",
        'name the export of each: expand_kwargs([{"to": …, "export": …}, …])',
    )


def _files_of(place: ExportPlace) -> str:
    """The folder, the same however a DAG writes it, and the ending of its files."""
    folder = str(place.path).removeprefix("file://")
    return f"{folder.rstrip('/') if '://' in folder else Path(folder).resolve()}/*.{place.format}"


def _files(place: ExportPlace) -> OpenSink:
    folder, ending = str(place.path).rstrip("/"), place.format

    @contextmanager
    def opened(data: DataSet, part: str) -> Iterator[RowSink]:
        with _written(f"{folder}/{part}.{ending}") as stream, file_sink(ending, data, stream) as sink:
            yield sink

    return opened


def _tables(place: ExportPlace) -> OpenSink:
    hook = database_hook(str(place.sql_conn_id))
    if not hasattr(hook, "insert_rows"):
        raise ConfigurationError(
            f"connection {place.sql_conn_id!r} is no database", "name one that takes SQL"
        )

    def opened(data: DataSet, _part: str) -> AbstractContextManager[RowSink]:
        return _table_sink(hook, f"{place.table_prefix}{data}", data)

    return opened


class TableSink:
    """Rows added to one table."""

    def __init__(self, hook: Any, table: str, data: DataSet) -> None:
        self.hook, self.table, self.columns = hook, table, COLUMNS[data]

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.hook.insert_rows(
            table=self.table,
            rows=[tuple(row.values()) for row in rows],
            target_fields=list(self.columns),
            commit_every=1000,
        )


@contextmanager
def _table_sink(hook: Any, table: str, data: DataSet) -> Iterator[RowSink]:
    if not _TABLE.fullmatch(table):
        raise ConfigurationError(
            f"{table[:60]!r} cannot be the name of a table", "use letters, digits, _ and a dot"
        )
    types = _POSTGRES_TYPES if getattr(hook, "dialect_name", "") == "postgresql" else _SQL_TYPES
    columns = ", ".join(f"{name} {types[kind]}" for name, kind in COLUMNS[data].items())
    hook.run(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    yield TableSink(hook, table, data)


@contextmanager
def _written(uri: str) -> Iterator[BinaryIO]:
    """A file that is there only once it is whole; on object stores that is what closing does.

    :raises ConfigurationError: there can be no such file, or not by us. :raises OutreachUnavailable: not now.
    """
    folder = mask_text(uri.rpartition("/")[0])
    try:
        with _object(uri) if "://" in uri.removeprefix("file://") else _local_file(uri) as stream:
            yield stream
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            f"{folder} cannot be written to: {type(error).__name__}",
            "name a folder that the workers may write to",
        ) from None
    except OSError as error:
        raise OutreachUnavailable(
            f"{folder} cannot be written to: {error.strerror or type(error).__name__}; the next try writes all of it"
        ) from None


@contextmanager
def _object(uri: str) -> Iterator[BinaryIO]:
    """Written here first: closing an object puts what there is of it into the store, also where an error ends it."""
    with TemporaryFile() as begun:
        yield begun
        begun.seek(0)
        with _opened_object(uri) as stream:
            copyfileobj(begun, stream, _COPIED_AT_ONCE)


def _opened_object(uri: str) -> AbstractContextManager[BinaryIO]:
    from airflow.sdk import ObjectStoragePath

    try:
        return ObjectStoragePath(uri).open("wb")
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"{mask_text(uri.rpartition('/')[0])} cannot be opened: {mask_text(str(error))}",
            "check the URI and the providers installed",
        ) from None


@contextmanager
def _local_file(uri: str) -> Iterator[BinaryIO]:
    path = Path(uri.removeprefix("file://"))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of who was killed; who writes still notices at the end, and fails.
    for left in path.parent.glob(f".{escape(path.name)}.*part"):
        left.unlink(missing_ok=True)
    begun = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with begun.open("wb") as stream:
            yield stream
        os.replace(begun, path)
    finally:
        begun.unlink(missing_ok=True)


def _data_sets(given: Any) -> list[str]:
    kinds = f"name one or more of {', '.join(DataSet)}"
    if given is None:
        raise wrong("what", given, kinds)
    check_texts("what", given, kinds, empty=True)
    names = [given] if isinstance(given, str) else [*given]
    for each in names:
        _one_of("what", each, list(DataSet))
    return names


def _one_of(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigurationError(f"{what} is {str(value)[:40]!r}", did_you_mean(str(value), known))
