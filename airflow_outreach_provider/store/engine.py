"""One engine for the outreach store: transactions, the store's own clock, errors translated."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event, exc

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.store.connections import PoolSettings, postgresql_engine
from airflow_outreach_provider.store.faults import FaultKind, fault_of
from airflow_outreach_provider.store.private_file import create_private, file_at
from airflow_outreach_provider.store.schema import from_ms, to_ms
from airflow_outreach_provider.store.statistics import TableStatistics

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 30_000
_WRITE = "outreach_write"
_FILE = "outreach_file"
# Whatever driver is named, as for Airflow's own database: this one is used.
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
_OTHER_FILES = {"sqlite+pysqlcipher"}
_SQLITE_NEEDED = (3, 38)  # JSON built in, RETURNING, UPDATE … FROM


class Rows(Protocol):
    """What came of a statement: rows to iterate over, and how many it changed."""

    @property
    def rowcount(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class Store:
    """The outreach database: SQLite for one host, PostgreSQL for many.

    :param url: SQLAlchemy URL; ``sqlite:///path`` or ``postgresql://…`` (driver psycopg 3).
    :param clock: what ``now()`` returns instead of the database's own time; for tests.
    :param pool: how many connections this process keeps open (PostgreSQL), and how long it waits for one.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] | None = None,
        pool: PoolSettings = PoolSettings(),  # noqa: B008 - frozen
    ) -> None:
        self.url = _with_driver(url)
        self.pool = pool
        self._clock = clock
        self._statistics: TableStatistics | None = None
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self.engine = _sqlite_engine(self.url)
        elif self.dialect == "postgresql":
            self.engine = postgresql_engine(self.url, pool)
            self._statistics = TableStatistics()
        else:
            raise ConfigurationError(
                f"[outreach] sql_alchemy_conn names the database {self.dialect!r}",
                "use sqlite:/// (one host) or postgresql:// (many hosts)",
            )

    @property
    def takes_two(self) -> bool:
        """Whether this process may write in two places at once: with two connections kept to PostgreSQL."""
        return self.dialect == "postgresql" and self.pool.size > 1

    def rest(self) -> None:
        """Close the connection that was used longer ago, where two are kept: of who has nothing to ask for a while."""
        if not self.takes_two:
            return
        pool = cast(sa.pool.QueuePool, self.engine.pool)
        with suppress(exc.DBAPIError, exc.TimeoutError), ExitStack() as stack:
            if not pool.checkedout():
                stack.enter_context(self.engine.connect())
            if pool.checkedin():
                stack.enter_context(self.engine.connect()).detach()

    def __repr__(self) -> str:
        return f"Store({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection in one transaction that only reads."""
        with _translated(), self._connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in one transaction, committed at the end of the block, rolled back on an error.

        On SQLite the write lock is taken at the start, so a read inside the block can be acted upon.
        """
        with _translated(), self._connect() as connection:
            if self._statistics is not None:
                self._statistics.look_after(connection)
            connection = connection.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def added(self, table: str, rows: int) -> None:
        """So many rows were added to a table: what the database knows of it may have to be gathered anew."""
        if self._statistics is not None:
            self._statistics.added(table, rows)

    def outside_transactions(self, *statements: str) -> list[list[Any]]:
        """Run what no transaction may hold, such as VACUUM; the rows of each."""
        if self.dialect == "sqlite":  # the driver begins none by itself
            with _translated(), closing(self.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
                return [list(cursor.execute(each).fetchall()) for each in statements]
        with (
            _translated(),
            self._connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            results = map(connection.exec_driver_sql, statements)
            return [list(result) if result.returns_rows else [] for result in results]

    def _connect(self) -> sa.Connection:
        """A connection; a database that is full, starting or stopping is waited for. Nothing was begun there yet."""
        deadline = time.monotonic() + self.pool.patience
        pause = 0.1
        while True:
            try:
                return self.engine.connect()
            except exc.DBAPIError as error:
                if fault_of(error).kind is not FaultKind.BUSY or time.monotonic() + pause > deadline:
                    raise
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
            pause = min(2.0, pause * 2)

    def retrying(self, work: Callable[[sa.Connection], T], tries: int = 5) -> T:
        """Run ``work`` in a write transaction, again when the database broke a deadlock or a serialisation."""
        for attempt in range(1, tries + 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except StoreError as error:
                if attempt == tries or not error.conflict:
                    raise
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def in_groups(self, work: Callable[[sa.Connection], int]) -> int:
        """Run ``work`` in small transactions until one changes nothing, so that nobody waits long; the sum."""
        total = 0
        while changed := self.retrying(work):
            total += changed
        return total

    def execute(self, connection: sa.Connection, statement: sa.TextClause, params: dict[str, Any]) -> Rows:
        """Run a statement that a batch runs thousands of times.

        On SQLite straight through the driver, which knows ``:name`` parameters itself: SQLAlchemy's own work on a
        statement takes longer there than the statement. The rows are plain tuples.
        """
        if self.dialect == "sqlite":
            return cast(Rows, connection.connection.cursor().execute(statement.text, params))
        return cast(Rows, connection.execute(statement, params))

    def now(self, connection: sa.Connection | None = None) -> datetime:
        """The time by the database's clock, timezone-aware UTC: hosts may disagree, the store does not."""
        if self._clock is not None:
            return self._clock()
        if self.dialect == "sqlite":  # one host, one clock
            return datetime.now(UTC)
        if connection is None:
            with self.read() as connection:
                return self.now(connection)
        return from_ms(connection.execute(sa.select(self.now_ms())).scalar_one())

    def now_ms_value(self, connection: sa.Connection | None = None) -> int:
        """``now()`` as milliseconds since the epoch."""
        return to_ms(self.now(connection))

    def moment(self) -> int | None:
        """The same for a statement with :func:`~store.schema.moment`: None where the database puts its own time there."""
        return self.now_ms_value() if self._clock is not None or self.dialect == "sqlite" else None

    def now_ms(self) -> sa.ColumnElement[int]:
        """The same as an SQL expression, in milliseconds since the epoch."""
        if self._clock is not None:
            return sa.literal(to_ms(self._clock()), sa.BigInteger)
        if self.dialect == "sqlite":
            return sa.cast(sa.literal_column("(julianday('now') - 2440587.5) * 86400000.0"), sa.BigInteger)
        return sa.cast(sa.literal_column("extract(epoch from clock_timestamp()) * 1000"), sa.BigInteger)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _with_driver(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise ConfigurationError(
            "[outreach] sql_alchemy_conn is not a database URL",
            "write e.g. sqlite:////var/lib/airflow/outreach.db or postgresql://user:password@host/outreach",
        ) from error
    backend = parsed.get_backend_name()
    if "@" in (parsed.host or "") or (parsed.password and "@" in (parsed.database or "")):
        # What follows the first one would be told as the name of a host.
        raise ConfigurationError(
            "[outreach] sql_alchemy_conn has more than one @",
            "write one in the user or the password as %40 (in airflow.cfg as %%40)",
        )
    if backend in _DRIVERS and parsed.drivername not in _OTHER_FILES:
        return parsed.set(drivername=_DRIVERS[backend])
    return parsed


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        needed = ".".join(map(str, _SQLITE_NEEDED))
        raise ConfigurationError(
            f"this Python has SQLite {sqlite3.sqlite_version}, the outreach store needs {needed} or newer",
            "use a newer SQLite, or PostgreSQL in [outreach] sql_alchemy_conn",
        )
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "[outreach] sql_alchemy_conn names no file",
            "what is kept in memory is forgotten with the task; name a file",
        )
    if url.database.startswith("file:"):
        raise ConfigurationError(
            "[outreach] sql_alchemy_conn names its file as a URI",
            "write its path, e.g. sqlite:////var/lib/airflow/outreach.db: only so is it known to be one file, and kept private",
        )
    if not os.path.isabs(url.database):
        raise ConfigurationError(
            "[outreach] sql_alchemy_conn names a file by a relative path",
            "write the whole path, e.g. sqlite:////var/lib/airflow/outreach.db: from another folder it would be another "
            "store, and everybody texted anew",
        )
    path = url.database
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "do_connect")
    def _keep_private(_dialect: Any, _record: Any, arguments: Any, _parameters: Any) -> None:
        create_private(arguments[0])

    @event.listens_for(engine, "checkout")
    def _leave_what_was_replaced(_dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info[_FILE] != file_at(path):
            raise exc.DisconnectionError("another file stands there now")

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, record: Any) -> None:
        record.info[_FILE] = file_at(path)
        # The driver's own transaction handling would start transactions late and never for DDL.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        _use_wal(cursor)
        # FULL: a claim must survive a power cut, or the next run would text the person again.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is erased is written over where its page is written anyway.
        cursor.execute("PRAGMA secure_delete=FAST")
        # Checkpoints copy every changed page once more: fewer of them, 16 MB apart, cost a lead half as much.
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.execute("PRAGMA cache_size=-8000")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to write-ahead logging. SQLite does not wait for others who do the same; so wait here."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - jitter, not a secret
        else:
            return


@contextmanager
def _translated() -> Iterator[None]:
    """Every error of the database or its driver becomes a StoreError; nothing else is touched."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        origin, fault = getattr(error, "orig", None), fault_of(error)
        # Only the first line: DETAIL and CONTEXT quote rows. Not chained for the same reason, as logs print causes.
        first_line = mask_text(str(origin or error).strip().split("\n", 1)[0])
        remedy = f" — {fault.remedy}" if fault.remedy else ""
        raise StoreError(
            f"the outreach store did not answer as it should: {first_line}{remedy}",
            conflict=fault.kind is FaultKind.CONFLICT,
        ) from None
