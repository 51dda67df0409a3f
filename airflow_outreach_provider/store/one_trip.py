"""Several statements as one transaction, in one round trip to PostgreSQL.

A batch settles and claims a hundred times a second. Asked for one after another, the transaction's begin, its time, each
statement and its commit would each wait for the network, and leads wait with them. On SQLite, which is no network away,
the statements run one by one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import psycopg

from airflow_outreach_provider.store.by_index import PROBE, probe
from airflow_outreach_provider.store.connections import ISOLATION
from airflow_outreach_provider.store.engine import Store

Step = tuple[sa.TextClause, dict[str, Any]]
"""A statement and its parameters."""

_BEGIN = f"BEGIN ISOLATION LEVEL {ISOLATION}"
_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


def one_trip(store: Store, connection: sa.Connection, *steps: Step) -> list[list[Any]]:
    """Run these statements; on PostgreSQL rows are found by indexes (:func:`~store.by_index.probe`).

    Where nothing was asked on the connection before, they are a transaction of their own there: what they write is
    committed when this returns, and nothing of it is when it raises. Elsewhere they are part of the transaction that has
    begun.

    :param connection: of ``store.read()``, ``store.write()`` or ``store.retrying()``.
    :return: the rows of each statement.
    """
    if connection.dialect.name == "postgresql":
        driver: Any = connection.dialect.loaded_dbapi
        raw: Any = connection.connection.driver_connection
        idle = raw.info.transaction_status == driver.pq.TransactionStatus.IDLE
        if idle and driver.Pipeline.is_supported():
            return _piped(driver, connection, raw, steps)
        probe(connection)
    return [_rows(store.execute(connection, statement, params)) for statement, params in steps]


def _piped(driver: Any, connection: sa.Connection, raw: Any, steps: tuple[Step, ...]) -> list[list[Any]]:
    try:
        raw.autocommit = (
            True  # the transaction's begin is among what is sent; the driver would wait for its own
        )
        with raw.pipeline():
            raw.execute(_BEGIN)
            raw.execute(PROBE.text)
            cursors = [
                raw.execute(_in_words_of_the_driver(statement.text), values) for statement, values in steps
            ]
            raw.execute("COMMIT")  # not reached on the server where something before it failed
        raw.autocommit = False
    except BaseException as error:
        if not _recovered(driver, raw):
            connection.invalidate(error)
        if isinstance(error, driver.Error):
            raise exc.DBAPIError(None, None, error) from None
        raise
    return [_rows(cursor) for cursor in cursors]


def _recovered(driver: Any, raw: Any) -> bool:
    """Whether the connection is of use after a failure: one that was lost may also be left in the middle."""
    try:
        raw.rollback()
        raw.autocommit = False
    except driver.Error:
        return False
    return not raw.closed


def _rows(result: Any) -> list[Any]:
    """The rows of a statement that has some; SQLAlchemy and the drivers say so differently."""
    has_rows = getattr(result, "returns_rows", None)
    if has_rows is None:
        has_rows = result.description is not None
    return list(result) if has_rows else []


@lru_cache(maxsize=64)
def _in_words_of_the_driver(text: str) -> str:
    """``:name`` as psycopg writes it."""
    return str(sa.text(text).compile(dialect=_DIALECT))
