"""Where a lead sync's rows come from: lists, files in any object store Airflow knows, SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from airflow_outreach_provider.core.arguments import (
    check_connection,
    is_path,
    refused_call,
    said_later,
    wrong,
)
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.suggest import said_kind
from airflow_outreach_provider.operators.file_source import FileLeads, FileSource
from airflow_outreach_provider.operators.lead_kinds import no_rows
from airflow_outreach_provider.operators.sql_source import SqlLeads, SqlRows
from airflow_outreach_provider.services.rows.columnar import batch_rows, pandas_rows, polars_rows
from airflow_outreach_provider.services.rows.header import Reads, reads_all
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.rows.written import looks_written, written_list
from airflow_outreach_provider.services.submit.columns import PartLook, as_they_come
from airflow_outreach_provider.services.submit.runner import RowSource
from airflow_outreach_provider.store.ledger.runs import IN_LEDGER

__all__ = ["FileLeads", "LeadRows", "SourceList", "SqlLeads", "kept_private", "open_source", "private_leads"]


@dataclass
class SourceList:
    """Several sources, read one after the other.

    :param sources: each whatever ``leads`` may be, or one row. Templated.
    :param instead: a path that is read in place of all of them; empty for none. Templated.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("sources", "instead")

    sources: list[Any]
    instead: str = ""

    def serialize(self) -> list[Any]:
        """What the DAG's serialised form and the rendered fields show."""
        shown = [
            each.serialize() if isinstance(each, _SHOWN) else mask_text(str(each)) for each in self.sources
        ]
        return [*shown, *([mask_text(self.instead)] if self.instead else [])]


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


def private_leads(leads: Any) -> Any:
    """``leads`` as a DAG says it, in a form that Airflow may show and store."""
    if _lists_sources(leads):
        return SourceList([_part(each, private_leads) for each in leads])
    if isinstance(leads, list | tuple) or _table_rows(leads) is not None:
        return LeadRows(leads)
    return leads


def kept_private(leads: object) -> object:
    """Rendered ``leads`` in a form that Airflow may store: lists as their count, also those written as text."""
    if isinstance(leads, str):
        rows = written_list(leads) if looks_written(leads) else None
        if rows is not None:
            return LeadRows(rows)
        return (
            leads if mask_text(leads, len(leads)) == leads and not looks_written(leads) else LeadText(leads)
        )
    if isinstance(leads, SourceList):
        return SourceList([_part(each, kept_private) for each in leads.sources], leads.instead)
    if _lists_sources(leads):
        return SourceList([_part(each, kept_private) for each in cast("Sequence[object]", leads)])
    if (
        not isinstance(leads, _SHOWN)
        and not is_path(leads)
        and (isinstance(leads, Iterable) or _table_rows(leads) is not None)
    ):
        return LeadRows(cast("Iterable[Mapping[str, Any]]", leads))
    return leads


def within(leads: object) -> object:
    """What may be another task's output in it, in lists: Airflow looks for those that a task waits for in nothing else."""
    if isinstance(leads, SourceList):
        return [within(each) for each in leads.sources]
    if isinstance(leads, SqlLeads):
        return [leads.conn_id, leads.sql, leads.parameters]
    return leads.path if isinstance(leads, FileLeads) else leads


def _lists_sources(leads: object) -> bool:
    """Whether it is a list of sources, not of rows. What a task of a list will give may be either, and is asked then."""
    if not isinstance(leads, Sequence) or isinstance(leads, str) or not leads:
        return False
    given = isinstance(leads, list | tuple) and any(map(_is_output, leads))
    return given or all(map(_is_source, leads))


def _is_source(each: object) -> bool:
    return isinstance(each, str | list | tuple | _SHOWN) or is_path(each) or _table_rows(each) is not None


def _is_output(each: object) -> bool:
    """Whether another task gives it; paths can be resolved too."""
    return hasattr(each, "resolve") and not is_path(each)


def _part(each: object, private: Callable[[Any], Any]) -> Any:
    """One source of several; where a task gave it, perhaps one row or nothing."""
    if isinstance(each, Mapping):
        return LeadRows([each])
    return LeadRows(None) if each is None else private(each)


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
    if isinstance(leads, SourceList):
        said = [leads.instead] if leads.instead.strip() else leads.sources
        return SeveralSources([open_source(each, reads) for each in said])
    if isinstance(leads, SqlLeads):
        return SqlRows(leads, reads)
    if isinstance(leads, FileLeads):
        return FileSource(str(leads.path), reads, leads.form)
    rows = _table_rows(leads)
    if rows is not None:
        return ListSource(rows, "table", len(leads) if isinstance(leads, Sized) else None)
    if isinstance(leads, str):
        return FileSource(leads, reads)
    if is_path(leads):
        return FileSource(str(leads), reads)
    _check_rows(leads)
    return ListSource(cast("Iterable[Mapping[str, Any]]", leads))


def check_leads(leads: object) -> None:
    """What is written in a DAG as ``leads``, as far as it is known when the DAG is parsed.

    :raises ConfigurationError: it is of a kind that holds no rows.
    """
    if isinstance(leads, str) and not leads.strip():
        raise wrong("leads", leads, "name a file, e.g. leads.csv")
    for query in leads if isinstance(leads, list | tuple) else [leads]:
        if isinstance(query, SqlLeads):
            check_connection("conn_id of SqlLeads", query.conn_id, "warehouse")
            if not said_later(query.sql) and not (isinstance(query.sql, str) and query.sql.strip()):
                raise wrong("sql of SqlLeads", query.sql, "write a query, or the name of a .sql file")
    if callable(leads):
        _check_function(leads)
    later = callable(leads) or hasattr(leads, "resolve")  # Airflow's outputs of tasks have that, paths too
    known = str | SqlLeads | FileLeads | SourceList | LeadRows | LeadText | None
    if not later and not isinstance(leads, known) and _table_rows(leads) is None:
        _check_rows(leads)


def _check_function(leads: Callable[..., object]) -> None:
    """Airflow calls a function with what a template gets; one that takes that is rare, and a forgotten call is not."""
    if hasattr(leads, "expand"):  # what @task makes of a function
        raise ConfigurationError(
            "leads is a task that is not called", "put brackets behind its name: leads=task()"
        )
    if refused_call(leads, context=None, jinja_env=None) is not None:
        raise ConfigurationError(
            "leads is a function", "call it in a @task, and give what that returns: leads=task()"
        )


def _check_rows(leads: object) -> None:
    if not is_path(leads) and (other := no_rows(leads)) is not None:
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

    name = key = IN_LEDGER
    holds_texts = False

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> None:
        return None

    def fraction(self) -> None:
        return None


class ListSource:
    """A list of dicts, e.g. from XCom."""

    key = ""
    holds_texts = False

    def __init__(
        self, rows: Iterable[Mapping[str, Any]], name: str = "list", total: int | None = None
    ) -> None:
        self.name = name
        self._rows = rows
        self._total = len(rows) if isinstance(rows, Sized) else total
        self._read = 0

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> Iterator[Row]:
        rows = read_list(self._rows)
        for row in look(rows, self.name, False) if one_of else rows:
            self._read += 1
            yield row

    def fraction(self) -> float | None:
        return self._read / self._total if self._total else None


class SeveralSources:
    """One after the other; rows keep the numbers they have in their own."""

    def __init__(self, sources: list[RowSource]) -> None:
        self._sources = sources
        self._done = 0
        names, keys = [each.name for each in sources], [each.key for each in sources]
        self.key = repr(keys) if all(keys) else ""
        self.name = " + ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "")

    @property
    def holds_texts(self) -> bool:
        return any(each.holds_texts for each in self._sources)

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> Iterator[Row]:
        several = len(self._sources) > 1
        for source in self._sources:
            for row in source.rows(look, one_of=several) or ():
                yield row._replace(detail=f"{source.name}: {row.detail}") if several and row.error else row
            self._done += 1

    def fraction(self) -> float | None:
        if self._done >= len(self._sources):
            return 1.0
        return (self._done + (self._sources[self._done].fraction() or 0.0)) / len(self._sources)


_SHOWN = LeadRows | LeadText | SqlLeads | FileLeads | SourceList


def _table_rows(leads: Any) -> Iterator[dict[str, Any]] | None:
    """The rows of a table in memory, by how its library hands them out; None where it is none."""
    if isinstance(leads, str | list | tuple | Mapping) or leads is None:
        return None
    if hasattr(leads, "to_batches"):  # Arrow's table
        return batch_rows(leads.to_batches(max_chunksize=1_000), "the table")
    if hasattr(leads, "read_next_batch"):  # Arrow's stream of batches
        return batch_rows(leads, "the table")
    if hasattr(leads, "itertuples") and hasattr(leads, "columns"):  # pandas
        return pandas_rows(leads)
    if hasattr(leads, "iter_slices") and hasattr(leads, "columns"):  # Polars
        return polars_rows(leads)
    if hasattr(leads, "to_pylist") and hasattr(leads, "schema"):  # one batch of Arrow's
        return batch_rows([leads], "the table")
    return None
