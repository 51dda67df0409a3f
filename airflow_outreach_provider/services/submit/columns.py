"""Whether a source has what the task takes from it: a mistake in the DAG or the export is no mistake of the rows.

Looked at before anything is made of the first row, so that nobody is texted by a run that cannot be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from airflow_outreach_provider.core.emails import email_columns
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import compile_value, compile_where
from airflow_outreach_provider.core.expressions.scope import ROW_CONDITION, written_column
from airflow_outreach_provider.core.leads import CONFIGURATION_SPELLINGS
from airflow_outreach_provider.core.mapping import read_texts
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.row_reading import RowReading
from airflow_outreach_provider.core.row_refusals import may_refuse
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.suggest import looks_like, nearest
from airflow_outreach_provider.services.rows.header import reads_all
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.limits import check_rows

LOOK_AHEAD = 10_000
"""Rows without a column after which no row is believed to have it."""

_MOST_NAMES = 1_000
# Who writes so has thought of rows that lack the column.
_OPTIONAL_IN_WHERE = re.compile(r"\bdefault\s*\(|\bis\s+(not\s+)?(defined|none)\b")
# A field of the mapping that is neither the number nor the configuration.
_LEFT_OUT = re.compile(rf"mapping\[(?!.*\b(phoneNumber|{'|'.join(CONFIGURATION_SPELLINGS)})'\]$).*")
_OPTIONAL = re.compile(_OPTIONAL_IN_WHERE.pattern + r"|\bor\b")

Values = Mapping[str, object]


PartLook = Callable[[Iterator[Row], str, bool], Iterator[Row]]
"""Looks at a part of a source, one of its files or queries, before its first row is made anything of: its rows, its name,
and whether they share their columns, as those of a table do and JSON's need not."""


def as_they_come(rows: Iterator[Row], _name: str, _shared: bool) -> Iterator[Row]:
    """Not looked at."""
    return rows


@dataclass(frozen=True, slots=True)
class _Need:
    """:ivar use: what names it. :ivar met_by: whether a row has it. :ivar missing: what to say when none of those has."""

    use: str
    met_by: Callable[[Values], bool]
    missing: Callable[[_Looked], ConfigurationError]


@dataclass(slots=True)
class _Looked:
    """The first rows of a source, or of a part of it, and what is needed of them and was not found.

    :ivar part: the part's name; empty for the whole.
    """

    needs: list[_Need]
    part: str = ""
    rows: list[Row] = field(default_factory=list)
    readable: int = 0
    names: dict[str, None] = field(default_factory=dict)

    def at(self, rows: Iterator[Row], *, least: int = 0, most: int = LOOK_AHEAD) -> None:
        """As many rows as it takes. :param most: of readable ones after which no row is believed to have it."""
        if not self.needs and not least:
            return
        for row in rows:
            self.rows.append(row)
            if row.error is None:
                self._look(row.values)
            over = not self.needs or self.readable >= most or len(self.rows) >= LOOK_AHEAD
            if over and len(self.rows) >= least:
                break

    def _look(self, values: Values) -> None:
        self.readable += 1
        self.needs = [need for need in self.needs if not need.met_by(values)]
        if self.needs and len(self.names) < _MOST_NAMES:
            self.names.update(dict.fromkeys(map(str, values)))

    def judge(self) -> None:
        """:raises ConfigurationError: something is needed that none of them has."""
        if self.needs and self.readable:
            raise self.needs[0].missing(self)


def checked(
    rows: Iterator[Row],
    rules: LeadRules,
    *,
    min_rows: int | None = None,
    said: str = "",
    incremental: str | None = None,
) -> Iterator[Row]:
    """The rows as they come, once as many were read as it takes to know that they can be meant.

    :param min_rows: so many rows at least, or none at all; no more than ``LOOK_AHEAD`` are waited for.
    :param said: ``min_rows`` in words. :param incremental: a column that is named too.
    :raises ConfigurationError: no row has a column that the rules name, or any with a phone number.
    :raises TooManyRejected: there are fewer rows than ``min_rows``.
    """
    looked = _Looked(_needs(rules, incremental))
    looked.at(rows, least=min_rows or 0)
    check_rows(len(looked.rows), min_rows, said)
    looked.judge()
    return chain(looked.rows, rows)


def part_checker(rules: LeadRules, incremental: str | None = None) -> PartLook:
    """Each part of a source is looked at as if it were all of it: what its neighbours have is nothing to it.

    A field of the mapping may be missing, and is left out of its leads, but not whom they are for and what they are told.
    Of a part whose rows need not share their columns, only ``where`` is asked for: it would let everybody through.
    """
    needs = [need for need in _needs(rules, incremental) if not _LEFT_OUT.fullmatch(need.use)]
    of_where = [need for need in needs if need.use == "where"]

    def look(rows: Iterator[Row], name: str, shared: bool) -> Iterator[Row]:
        looked = _Looked(needs if shared else of_where, name)
        looked.at(rows, most=1 if shared else LOOK_AHEAD)
        looked.judge()
        return chain(looked.rows, rows)

    return look


def column_reader(
    mapping: Mapping[str, Any] | None, *others: str | Iterable[str] | None, where: str | None = None
) -> Callable[[str], bool]:
    """Whether anything is made of a column: where nothing is mapped all are sent, else those that are named.

    Addresses count too, for opt-outs are known by them, and what a row says no in itself.

    :param others: further columns that are named, e.g. that of the consent. :param where: names columns too.
    """
    if mapping is None:
        return reads_all
    named = {name for each in others for name in ([each] if isinstance(each, str) else each or ())}
    for text in read_texts(mapping):
        named |= compile_value(text.text).columns if text.template else {text.text}
    if where is not None:
        named |= compile_where(where, ROW_CONDITION).columns
    return lambda column: column in named or bool(email_columns((column,))) or may_refuse(column)


def hidden_columns(reading: RowReading, rows: Iterable[Row]) -> list[str]:
    """What to say of columns that the condition does not read, though it says their names."""
    columns = {column for row in rows for column in row.values}
    return [hidden_column(name) for name in reading.hidden(columns)]


def hidden_column(name: str) -> str:
    """For whoever meant the column."""
    return f"the source has a column {name}, and where reads the run's {name}: write row['{name}'] for the column"


def _needs(rules: LeadRules, incremental: str | None) -> list[_Need]:
    needs = []
    if not rules.configuration_id:
        needs.append(_Need("configuration_id", rules.reading.names_configuration, _no_configuration))
    for use, column in _columns(rules):
        needs.append(_column_need(use, column))
    if rules.mapping is None:
        needs.append(_Need("mapping", rules.reading.names_phone, _no_phone))
    if incremental is not None:
        needs.append(_column_need("incremental", incremental))
    return needs


def _columns(rules: LeadRules) -> Iterator[tuple[str, str]]:
    """What names a column, and the column."""
    for text in read_texts(rules.mapping or {}):
        use = "mapping" + "".join(f"[{part!r}]" for part in text.path)
        if not text.template:
            yield use, text.text
        elif not _OPTIONAL.search(text.text):
            yield from ((use, column) for column in sorted(compile_value(text.text).columns))
    if rules.reading.takes is not None and not _OPTIONAL_IN_WHERE.search(rules.where or ""):
        yield from (("where", column) for column in sorted(rules.reading.takes.columns))
    if rules.require_consent is not None:
        yield "require_consent", rules.require_consent
    yield from (("changed_on", column) for column in sorted(rules.changed_on or ()))
    if rules.time_zone is not None:
        yield "time_zone", rules.time_zone


def _column_need(use: str, column: str) -> _Need:
    def missing(looked: _Looked) -> ConfigurationError:
        known = list(looked.names)
        near = nearest(column, known, _plain)
        told = f"no row has the column {column!r} that {use} names (looked at {looked.readable:,} rows)"
        told = f"{looked.part} has no column {column!r} that {use} names" if looked.part else told
        same = next((name for name in known if looks_like(name) == looks_like(column)), None)
        if same is not None:
            raised = f"it has one that looks the same and is written {mask_text(same)!a}"
            return ConfigurationError(told, f"{raised}: copy its name from the source")
        optional = ""
        if "map" in use:
            optional = f"; a column that some exports lack: {{{{ {written_column(column)} | default('') }}}}"
            if "phoneNumber" not in use:
                optional += f"; the same text for everybody: \"'{column}'\""
        return ConfigurationError(
            told,
            (f"did you mean {_shown(near)}? " if near else "")
            + f"The columns are {_listed(known)}{optional}",
        )

    return _Need(use, lambda values: column in values, missing)


def _no_configuration(looked: _Looked) -> ConfigurationError:
    rows = f"row of {looked.part}" if looked.part else f"of the first {looked.readable:,} rows"
    return ConfigurationError(
        f"neither the task, nor its connection, nor any {rows} names a configuration",
        "set configuration_id on the task or the connection, or give each row a configurationId",
    )


def _no_phone(looked: _Looked) -> ConfigurationError:
    known = list(looked.names)
    if not known:
        return ConfigurationError(
            f"{looked.part or f'{looked.readable:,} rows'} without any column", "look at what gives the rows"
        )
    usual = ["phone", "mobile", "telephone", "phonenumber"]
    near = next((name for name in known if nearest(name, usual, _plain)), None)
    example = f"mapping={{'phoneNumber': {_shown(near or 'the column')}, …}}"
    return ConfigurationError(
        f"no column of {looked.part or f'{looked.readable:,} rows'} is known to hold phone numbers: they are {_listed(known)}",
        (f"did you mean {_shown(near)}? " if near else "") + f"Name it: {example}",
    )


def _shown(name: str) -> str:
    """A name in quotes: that of a column without a header is a cell of somebody's row."""
    return repr(mask_text(name))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _listed(names: list[str]) -> str:
    return ", ".join(map(_shown, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
