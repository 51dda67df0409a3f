"""Where a lead sync's rows come from: lists, files in any object store Airflow knows, SQL."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from stat import S_ISDIR
from typing import Any, BinaryIO, ClassVar, cast

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, OutreachUnavailable
from airflow_outreach_provider.core.masking import HIDDEN, mask_text
from airflow_outreach_provider.core.suggest import did_you_mean, said_kind
from airflow_outreach_provider.operators.lead_kinds import no_rows
from airflow_outreach_provider.services.rows.header import Reads, reads_all
from airflow_outreach_provider.services.rows.open import open_rows, read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.rows.sql_values import plain_values
from airflow_outreach_provider.services.rows.written import looks_written, written_list
from airflow_outreach_provider.services.submit.runner import RowSource
from airflow_outreach_provider.store.ledger.runs import IN_LEDGER

_BATCH = 1_000
_OUR_MISTAKES = frozenset(
    {"ProgrammingError", "NotSupportedError", "ArgumentError", "StatementError", "InvalidRequestError",
     "ResourceClosedError", "TypeError"}
)  # fmt: skip
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[\d:.TZ +-]*")
# What SQLAlchemy takes for a parameter in a text.
_PERCENT_NAMED = re.compile(r"(?<!%)%\((\w+)\)s")
_NAMED = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


@dataclass
class SqlLeads:
    """Leads by a query, read through a server-side cursor.

    :param conn_id: a connection of any SQL database Airflow has a provider for.
    :param sql: the query; its column names are the row's. Templated.
    :param parameters: bound by the database's driver, never put into the text; a mapping's are written ``:name`` or
        ``%(name)s``.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("sql", "parameters")

    conn_id: str
    sql: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = None

    def serialize(self) -> dict[str, str]:
        """What the DAG's serialised form and the rendered fields show: a template may have put people into the text."""
        return {"conn_id": self.conn_id, "sql": mask_text(_LITERAL.sub(_hidden, self.sql), 10_000)}


class LeadText:
    """A text that names no file plainly: what may be personal data in it is masked wherever Airflow shows it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def serialize(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return "text (personal data, not shown)" if looks_written(self.text) else mask_text(self.text)


class LeadRows:
    """A list of leads that keeps them out of Airflow's database: rendered fields and serialised DAGs show a count."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] | None) -> None:
        self.rows = rows

    def serialize(self) -> str:
        return str(self)

    def __str__(self) -> str:
        count = len(self.rows) if isinstance(self.rows, Sized) else "some"
        return f"{count} leads in a list (personal data, not shown)"


def kept_private(leads: object) -> object:
    """Rendered ``leads`` in a form that Airflow may store: lists as their count, also those written as text."""
    if isinstance(leads, str):
        rows = written_list(leads) if looks_written(leads) else None
        if rows is not None:
            return LeadRows(rows)
        return (
            leads if mask_text(leads, len(leads)) == leads and not looks_written(leads) else LeadText(leads)
        )
    if not isinstance(leads, LeadRows | LeadText | SqlLeads) and isinstance(leads, Iterable):
        return LeadRows(cast("Iterable[Mapping[str, Any]]", leads))
    return leads


def open_source(leads: object, reads: Reads = reads_all) -> RowSource:
    """The source that an operator's ``leads`` names.

    :param reads: of which columns anything is made; the others may have one name.
    :raises ConfigurationError: it is none, does not exist, or matches no file.
    """
    if isinstance(leads, LeadText):
        leads = leads.text
    if isinstance(leads, str):
        leads = _read_text(leads)
    if isinstance(leads, LeadRows):
        leads = leads.rows
        if leads is None:
            raise ConfigurationError(
                "leads came out as None",
                "let the template or the upstream task give a list, which may be empty",
            )
    if leads is None:
        return PlannedSource()
    if isinstance(leads, SqlLeads):
        return SqlRows(leads, reads)
    if isinstance(leads, str):
        return FileSource(leads, reads)
    if hasattr(leads, "__fspath__") or type(leads).__name__ == "ObjectStoragePath":
        return FileSource(str(leads), reads)
    _check_rows(leads)
    return ListSource(cast("Iterable[Mapping[str, Any]]", leads))


def check_leads(leads: object) -> None:
    """What is written in a DAG as ``leads``, as far as it is known when the DAG is parsed.

    :raises ConfigurationError: it is of a kind that holds no rows.
    """
    later = callable(leads) or hasattr(leads, "resolve")  # Airflow's outputs of tasks have that, paths too
    if not later and not isinstance(leads, str | SqlLeads | LeadRows | LeadText | None):
        _check_rows(leads)


def _check_rows(leads: object) -> None:
    if not hasattr(leads, "__fspath__") and (other := no_rows(leads)) is not None:
        raise ConfigurationError(f"leads is {said_kind(leads)}", other)


def _read_text(text: str) -> str | LeadRows:
    """A path; or the list, or the None, that a template without native rendering has written as text."""
    if text.strip() == "None":
        return LeadRows(None)
    if not looks_written(text):
        return text
    rows = written_list(text)
    if rows is None:
        raise ConfigurationError(
            f"leads is a text of {len(text):,} characters that begins like a list and cannot be read as one",
            "let the template end in | tojson, give the upstream task's output itself, or set "
            "render_template_as_native_obj=True on the DAG",
        )
    return LeadRows(rows)


class PlannedSource:
    """What is planned in the ledger: staged by another task, left by earlier runs, or deferred and now due."""

    name = IN_LEDGER

    def rows(self) -> None:
        return None

    def fraction(self) -> None:
        return None


class ListSource:
    """A list of dicts, e.g. from XCom."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], name: str = "list") -> None:
        self.name = name
        self._rows = rows
        self._total = len(rows) if isinstance(rows, Sized) else None
        self._read = 0

    def rows(self) -> Iterator[Row]:
        for row in read_list(self._rows):
            self._read += 1
            yield row

    def fraction(self) -> float | None:
        return self._read / self._total if self._total else None


class FileSource:
    """One file, or all that match a pattern in their last part, in the order of their names."""

    def __init__(self, uri: str, reads: Reads = reads_all) -> None:
        self.name, self._reads = mask_text(uri), reads
        self._paths = _matching(uri)
        self._total = sum(size for _, size in self._paths)
        self._read = 0

    def rows(self) -> Iterator[Row]:
        several = len(self._paths) > 1
        for path, _ in self._paths:
            name = mask_text(path.name)
            with path.open("rb") as raw:
                for row in open_rows(cast("BinaryIO", _Counting(raw, self)), name=name, reads=self._reads):
                    yield row._replace(detail=f"{name}: {row.detail}") if several and row.error else row

    def fraction(self) -> float | None:
        return min(1.0, self._read / self._total) if self._total else None


class SqlRows:
    """The rows of a query."""

    def __init__(self, leads: SqlLeads, reads: Reads = reads_all) -> None:
        from airflow.sdk import BaseHook

        self.name, self._reads = f"sql on {leads.conn_id}", reads
        self._leads = leads
        self._hook = BaseHook.get_hook(leads.conn_id)
        if not hasattr(self._hook, "get_conn"):
            raise ConfigurationError(
                f"connection {leads.conn_id!r} is no SQL database", "name one in SqlLeads"
            )

    def rows(self) -> Iterator[Row]:
        return read_list(self._translated())

    def _translated(self) -> Iterator[dict[str, Any]]:
        """Errors of driver and database in words without the query's parameters, which may be personal data."""
        try:
            yield from self._dicts()
        except OutreachError:
            raise
        except Exception as error:  # noqa: BLE001 - each driver has its own tree
            words = str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
            said = f"{self.name} failed: {type(error).__name__}: {mask_text(words)}"
            # By name: DB-API gives all drivers the same names, and SQLAlchemy has them too.
            if type(error).__name__ in _OUR_MISTAKES:
                raise ConfigurationError(said, "check the query, its parameters and the connection") from None
            raise OutreachUnavailable(said) from None

    def _dicts(self) -> Iterator[dict[str, Any]]:
        """Through SQLAlchemy where the hook has it, for server-side cursors; else the driver's own cursor."""
        engine = getattr(self._hook, "get_sqlalchemy_engine", None)
        if engine is None:
            yield from self._by_cursor()
            return
        from sqlalchemy import text

        sql, parameters = self._leads.sql, self._leads.parameters
        made = engine()
        try:
            with made.connect().execution_options(stream_results=True, yield_per=_BATCH) as connection:
                if not parameters:  # then nothing in the text is a placeholder: '%:b' is what it says
                    plain = connection.execution_options(no_parameters=True)
                    result = plain.exec_driver_sql(sql)
                elif isinstance(parameters, Mapping):
                    named = _only_bound(_in_colons(sql, parameters), parameters)
                    result = connection.execute(text(named), dict(parameters))
                else:
                    result = connection.exec_driver_sql(sql, tuple(parameters))
                columns = tuple(result.keys())
                _named_apart(columns, self._reads)
                for row in result:
                    yield dict(zip(columns, plain_values(row), strict=True))
        finally:
            made.dispose()

    def _by_cursor(self) -> Iterator[dict[str, Any]]:
        with closing(self._hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
            if self._leads.parameters is None:
                cursor.execute(self._leads.sql)
            else:
                cursor.execute(self._leads.sql, self._leads.parameters)
            columns = [column[0] for column in cursor.description]
            _named_apart(columns, self._reads)
            while batch := cursor.fetchmany(_BATCH):
                for row in batch:
                    yield dict(zip(columns, plain_values(row), strict=True))

    def fraction(self) -> float | None:
        return None


class _Counting:
    """A binary stream that tells its source how far it was read."""

    def __init__(self, raw: Any, source: FileSource) -> None:
        self._raw, self._source = raw, source

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._raw.read(size)
        self._source._read += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _hidden(literal: re.Match[str]) -> str:
    return literal.group() if _MOMENT.fullmatch(literal.group(1)) else f"'{HIDDEN}'"


def _is_a_file(uri: str) -> bool:
    """A file may be named like a pattern: ``br[1].csv``."""
    from airflow.sdk import ObjectStoragePath

    try:
        return ObjectStoragePath(uri).is_file()
    except (OSError, ValueError):
        return False


def _glob(uri: str) -> list[Any]:
    from airflow.sdk import ObjectStoragePath

    said = mask_text(uri)
    head, _, last = uri.rpartition("/")
    if any(character in head for character in "*?["):
        raise ConfigurationError(
            f"{said} has a pattern before its last part", "use * and ? in the file name only"
        )
    folder = ObjectStoragePath(head or ".")
    paths = [folder / name for name in fnmatch.filter(sorted(path.name for path in folder.iterdir()), last)]
    if not paths:
        raise ConfigurationError(f"no file matches {said}", "check folder and pattern")
    return paths


def _named_apart(columns: Iterable[str], reads: Reads) -> None:
    """:raises ConfigurationError: two columns that are read have one name: a row could hold only one of them."""
    twice = sorted(name for name, number in Counter(columns).items() if number > 1 and reads(name))
    if twice:
        raise ConfigurationError(
            f"the query has two columns named {twice[0]!r}",
            f"name them apart: … AS {twice[0]}_2, or leave one out",
        )


def _in_colons(sql: str, parameters: Mapping[str, Any]) -> str:
    """The query with ``%(name)s``, as drivers of PostgreSQL and MySQL write a parameter, as ``:name``.

    :raises ConfigurationError: one that is none of the parameters.
    """
    named = _PERCENT_NAMED.findall(sql)
    for name in named:
        if name not in parameters:
            raise ConfigurationError(
                f"the query names the parameter {name!r}, which is not given", did_you_mean(name, parameters)
            )
    return _PERCENT_NAMED.sub(r":\1", sql).replace("%%", "%") if named else sql


def _only_bound(sql: str, parameters: Mapping[str, Any]) -> str:
    """The query with every ``:name`` that is no parameter written as the text it is."""
    return _NAMED.sub(lambda m: m.group() if m.group(1) in parameters else "\\" + m.group(), sql)


def _matching(uri: str) -> list[tuple[Any, int]]:
    """Paths and sizes in bytes of the files a URI names."""
    from airflow.sdk import ObjectStoragePath

    said = mask_text(uri)
    if not uri.strip():
        raise ConfigurationError("leads is an empty path", "name a .csv or .jsonl file")
    try:
        pattern = any(character in uri for character in "*?[") and not _is_a_file(uri)
        paths = _glob(uri) if pattern else [ObjectStoragePath(uri)]
        found = [(path, path.stat()) for path in paths]
        folders = [path for path, about in found if S_ISDIR(about.st_mode or 0)]
        if folders and not pattern:
            raise ConfigurationError(f"{said} is a folder", f"name its files, e.g. {said.rstrip('/')}/*.csv")
        return [(path, about.st_size) for path, about in found if path not in folders]
    except FileNotFoundError:
        raise ConfigurationError(
            f"{said} does not exist", "check the path; a relative one starts where the worker does"
        ) from None
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            f"{said} cannot be read: {type(error).__name__}", "name a readable file"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{said} cannot be opened: {mask_text(str(error))}", "check the URI and the providers installed"
        ) from None
    except OSError as error:  # e.g. a name that is too long: a text that is no path at all
        raise ConfigurationError(
            f"{said} cannot be read: {error.strerror or type(error).__name__}", "name a .csv or .jsonl file"
        ) from None
