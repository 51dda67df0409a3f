"""Leads by a query of any SQL database that Airflow has a provider for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, OutreachUnavailable
from airflow_outreach_provider.core.masking import HIDDEN, mask_text
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.hooks.connection_fields import database_hook
from airflow_outreach_provider.services.rows.header import Reads, reads_all
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.rows.sql_values import plain_values
from airflow_outreach_provider.services.submit.columns import PartLook, as_they_come

_BATCH = 1_000
_OUR_MISTAKES = frozenset(
    {"ProgrammingError", "NotSupportedError", "ArgumentError", "StatementError", "InvalidRequestError",
     "ResourceClosedError", "TypeError"}
)  # fmt: skip
_BAD_VALUE = "DataError"
_BAD_VALUE_REMEDY = (
    "change the query so that it gives no such value; "
    "a time after the year 9999, or infinity, can be cast to text there"
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[\d:.TZ +-]*")
# What SQLAlchemy takes for a parameter in a text.
_PERCENT_NAMED = re.compile(r"(?<!%)%\((\w+)\)s")
_NAMED = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


@dataclass
class SqlLeads:
    """Leads by a query, read through a server-side cursor.

    :param conn_id: a connection of any SQL database Airflow has a provider for. Templated.
    :param sql: the query, or the name of a ``.sql`` file beside the DAG; its column names are the row's. Templated.
    :param parameters: bound by the database's driver, never put into the text; a mapping's are written ``:name`` or
        ``%(name)s``.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("conn_id", "sql", "parameters")

    conn_id: str
    sql: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = None

    def serialize(self) -> dict[str, str]:
        """What the DAG's serialised form and the rendered fields show: a template may have put people into the text."""
        return {"conn_id": str(self.conn_id), "sql": mask_text(_LITERAL.sub(_hidden, str(self.sql)), 10_000)}


class SqlRows:
    """The rows of a query."""

    holds_texts = False

    def __init__(self, leads: SqlLeads, reads: Reads = reads_all) -> None:
        self.name, self._reads = f"sql on {leads.conn_id}", reads
        self.key = repr((leads.conn_id, leads.sql, leads.parameters))
        self._leads = leads
        self._hook = database_hook(leads.conn_id)

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> Iterator[Row]:
        """:param look: at it, where it is one of several sources."""
        rows = read_list(self._translated())
        return look(rows, self.name, True) if one_of else rows

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
            if any(kind.__name__ == _BAD_VALUE for kind in type(error).__mro__):
                raise ConfigurationError(said, _BAD_VALUE_REMEDY) from None
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


def _hidden(literal: re.Match[str]) -> str:
    return literal.group() if _MOMENT.fullmatch(literal.group(1)) else f"'{HIDDEN}'"


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
