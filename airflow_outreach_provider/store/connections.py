"""Connections to PostgreSQL: how many a process keeps, what its URL may say, and a pooler in between."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.suggest import nearest

log = logging.getLogger(__name__)

APPLICATION = "airflow-outreach"
"""What connections are called in ``pg_stat_activity``, unless the URL says otherwise."""

ISOLATION = "READ COMMITTED"
"""What every transaction goes by, whatever is usual in that database: a second writer waits for the first and sees it."""

_CONN = "[outreach] sql_alchemy_conn"
_ENCODING = "UTF8"
_USED_AT = "outreach_used_at"
# What was in use so short a time ago still lives, as far as a question could tell.
_RESTED_SECONDS = 0.5
# What other drivers call it when nothing is to be prepared on the server; 0 is off in all of them.
_PREPARING = (
    "prepare_threshold",
    "prepareThreshold",
    "statement_cache_size",
    "prepared_statement_cache_size",
)
# Options of asyncpg and of SQLAlchemy's own, and what says the same to psycopg.
_INSTEAD = {
    "ssl": "write sslmode=require",
    "timeout": "write connect_timeout=10",
    "server_settings": "write options=-csearch_path=outreach, or ALTER ROLE … SET",
    "command_timeout": "write options=-cstatement_timeout=60000, or ALTER ROLE … SET",
    "async_fallback": "leave it out: the store is not asynchronous",
    "prepared_statement_name_func": "leave it out: a pooler is noticed, and then nothing is prepared",
    "pool_size": "set [outreach] sql_alchemy_pool_size",
    "max_overflow": "set [outreach] sql_alchemy_max_overflow",
    "pgbouncer": "leave it out: a pooler is noticed, and then nothing is prepared",
}


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections one process keeps, and for how long.

    The default is a task's: one is kept, a second is opened when it is needed and closed after use.

    :param size: kept open. :param max_overflow: opened above that, and closed when they are not needed any more.
    :param recycle: seconds after which a connection is replaced; -1 for never.
    :param pre_ping: whether a connection that rested is asked before use whether it still lives.
    :param prepare: whether statements are prepared on the server; None: unless there is a pooler in between.
    :param patience: seconds for which a database is waited for that is full, starting or shutting down.
    """

    size: int = 1
    max_overflow: int = 1
    recycle: int = 1800
    pre_ping: bool = True
    prepare: bool | None = None
    patience: float = 30.0


SENDING = PoolSettings(size=2, max_overflow=0)
"""For a task that sends leads: it stages on one connection while it settles and claims on the other."""

DELIVERING = PoolSettings(max_overflow=0)
"""For a task that delivers: what it settles and what it takes go through one connection in turn, so none is opened anew each
second while it goes on with a stream."""

SERVING = PoolSettings(size=5, max_overflow=5, patience=5.0)
"""For a process that answers many at a time, and within seconds: API server and receiver."""


def postgresql_engine(url: sa.URL, pool: PoolSettings) -> sa.Engine:
    """An engine over psycopg 3.

    :raises ConfigurationError: the driver is not there, or the URL says what it does not know.
    """
    try:
        from psycopg.pq import Conninfo
    except ImportError as error:  # the C library may be what is missing
        raise ConfigurationError(
            f"the driver for PostgreSQL is not installed ({error.name or type(error).__name__})",
            "pip install 'airflow-provider-outreach[postgres]'",
        ) from error
    url, prepare = _without_preparing(url, pool.prepare)
    _check_options(url, {each.keyword.decode() for each in Conninfo.get_defaults()})
    arguments: dict[str, Any] = {"fallback_application_name": APPLICATION, "client_encoding": _ENCODING}
    if prepare is False:
        arguments["prepare_threshold"] = None
    engine = sa.create_engine(
        url, pool_size=pool.size, max_overflow=pool.max_overflow, pool_recycle=pool.recycle,
        pool_timeout=pool.patience, pool_use_lifo=True, hide_parameters=True, connect_args=arguments,
        isolation_level=ISOLATION,
    )  # fmt: skip
    event.listen(engine, "connect", _refuse_other_encodings)
    if pool.pre_ping:
        _ask_what_rested(engine)
    if prepare is None:
        event.listen(engine, "connect", _prepare_nothing_behind_a_pooler)
    return engine


def _refuse_other_encodings(dbapi_connection: Any, _record: Any) -> None:
    """What people write fits into no other one; which it is, a server says of itself."""
    said = dbapi_connection.info.parameter_status("server_encoding") or _ENCODING
    if said.upper() != _ENCODING:
        dbapi_connection.close()
        raise StoreError(
            f"the outreach store's database is encoded in {said}, which names and messages do not fit into — "
            "CREATE DATABASE outreach ENCODING 'UTF8' TEMPLATE template0, and name that one in " + _CONN
        )


def _ask_what_rested(engine: sa.Engine) -> None:
    """SQLAlchemy's ``pool_pre_ping`` asks each time: a round trip for every few statements of a batch."""

    def note_use(_dbapi_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    def ask(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        rested = time.monotonic() - record.info.get(_USED_AT, float("-inf"))
        if rested < _RESTED_SECONDS and not dbapi_connection.closed:
            return
        try:
            engine.dialect.do_ping(dbapi_connection)
        except dbapi_connection.Error as error:
            raise exc.InvalidatePoolError from error

    event.listen(engine, "connect", note_use)
    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", ask)


def _without_preparing(url: sa.URL, prepare: bool | None) -> tuple[sa.URL, bool | None]:
    """The URL without what it says of prepared statements, and what that is."""
    for name in _PREPARING:
        if name not in url.query:
            continue
        said = url.query[name]
        if not isinstance(said, str) or not (said.isdecimal() or said.lower() == "none"):
            raise ConfigurationError(
                f"{_CONN} says {name}={str(said)[:20]}, which is no number",
                f"write {name}=0 for no prepared statements, or leave it out: a pooler is noticed",
            )
        off = said.lower() == "none" or int(said) == 0
        url, prepare = url.difference_update_query([name]), False if off else prepare
    return url, prepare


def _check_options(url: sa.URL, known: set[str]) -> None:
    for name in url.query:
        if name in known:
            continue
        near = nearest(name, known)
        remedy = _INSTEAD.get(name) or (f"did you mean {near}?" if near else "leave it out")
        raise ConfigurationError(f"{_CONN} says ?{name}=…, which psycopg does not know", remedy)


def _prepare_nothing_behind_a_pooler(dbapi_connection: Any, _record: Any) -> None:
    """A pooler makes up the number of the server process that it names; and the next transaction may be another's.

    pgbouncer before 1.21, and poolers that are told not to, do not carry prepared statements over.
    """
    cursor = dbapi_connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (pid,) = cursor.fetchone()
    cursor.close()
    dbapi_connection.rollback()
    if pid != dbapi_connection.info.backend_pid:
        dbapi_connection.prepare_threshold = None
        log.debug("The store is behind a pooler: no statement is prepared")
