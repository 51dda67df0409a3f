"""Stores that tests open themselves."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store import migrate
from airflow_outreach_provider.store.connections import PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.rates import rates
from airflow_outreach_provider.store.tables import metadata

# Bytes above which a table is truncated between tests.
_GROWN = 256 * 1024
# Tests let many threads of one process be as many tasks.
MANY_TASKS = PoolSettings(size=5, max_overflow=15)


# What a process runs to upgrade a store, see ``processes.at_once``; it prints whether it did.
UPGRADE = """
import alembic.config, alembic.op, alembic.runtime.environment, sys
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(upgrade(store))
"""


@cache
def migrated_file() -> Path:
    """A migrated SQLite file without a row, made once a process, to be copied: a tenth of the time that migrating takes."""
    folder = tempfile.mkdtemp(prefix="outreach-migrated-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = Store(f"sqlite:///{folder}/outreach.db")
    upgrade(store)
    store.close()
    return Path(folder, "outreach.db")


class OneAtATime(Store):
    """A store in which no thread that holds a connection asks for another: of two that do each waits for the other,
    where a task has two."""

    def __init__(self, url: str, **kwargs: Any) -> None:
        super().__init__(url, pool=MANY_TASKS, **kwargs)
        self._held = threading.local()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self._only(), super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        with self._only(), super().write() as connection:
            yield connection

    @contextmanager
    def _only(self) -> Iterator[None]:
        asks_again = getattr(self._held, "one", False) and self.dialect == "postgresql"
        assert not asks_again, "this thread holds a connection already"
        self._held.one = True
        try:
            yield
        finally:
            self._held.one = False


class Reused:
    """A schema on PostgreSQL that one test after the other uses, over connections that are kept: a new one knows nothing
    of any table.

    Rows are deleted: a truncated table is a new file for itself and each index, which takes a hundred times as long. Only
    a table that has grown is truncated.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._store = Store(url)
        self._engines: dict[PoolSettings, sa.Engine] = {}
        tables = ", ".join(f"'{name}'" for name in metadata.tables)
        # With all locks, or not at all: whoever is left of the test before may not write into the next one.
        # Audit rows are kept from everybody: triggers are put aside, as only a superuser can.
        self._emptying = f"""
            DO $do$ DECLARE one text; BEGIN
                PERFORM set_config('lock_timeout', '3s', true);
                PERFORM set_config('session_replication_role', 'replica', true);
                LOCK TABLE {", ".join(metadata.tables)} IN ACCESS EXCLUSIVE MODE;
                FOREACH one IN ARRAY ARRAY[{tables}] LOOP
                    CONTINUE WHEN pg_relation_size(one::regclass) = 0;
                    IF pg_relation_size(one::regclass) > {_GROWN} THEN
                        EXECUTE 'TRUNCATE ' || quote_ident(one) || ' CASCADE';
                    ELSE
                        EXECUTE 'DELETE FROM ' || quote_ident(one);
                    END IF;
                END LOOP;
                PERFORM setval(c.oid::regclass, 1, false)
                    FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace;
            END $do$"""

    def empty(self) -> bool:
        """Migrated and without a row; False where that cannot be had."""
        try:
            upgrade(self._store)
            with self._store.write() as connection:
                connection.exec_driver_sql(self._emptying)
        except StoreError:
            return False
        return True

    @contextmanager
    def lent(self, store: Store) -> Iterator[Store]:
        """The store over the connections of a store before it, which are as good as new; whoever listens to its statements
        hears of no other's."""
        engine = self._engines.setdefault(store.pool, store.engine)
        try:
            _discard_all(engine)
        except Exception:  # noqa: BLE001 - whatever the driver says of a connection that has ended
            engine.dispose()
        store.engine = engine.execution_options()
        yield store
        if cast(sa.pool.QueuePool, engine.pool).checkedout():  # what a test has not given back is its own
            engine.dispose()

    def close(self) -> None:
        self._store.close()
        for engine in self._engines.values():
            engine.dispose()


def _discard_all(engine: sa.Engine) -> None:
    """What sessions were set to, prepared or hold is gone."""
    with ExitStack() as stack:
        for _ in range(cast(sa.pool.QueuePool, engine.pool).checkedin()):
            raw: Any = stack.enter_context(closing(engine.raw_connection())).driver_connection
            raw.autocommit = True
            # The driver notices that what it prepared is gone by a statement that it has not seen before; an older one by
            # a rollback alone.
            for said in ("DISCARD ALL", "ROLLBACK"):
                raw.execute(f"{said} -- {uuid.uuid4()}")
            raw.autocommit = False


@contextmanager
def opened(
    url: str, clock: Callable[[], datetime] | None = None, reused: Reused | None = None
) -> Iterator[Store]:
    """A migrated store, closed afterwards.

    :param clock: instead of the database's own. :param reused: whose URL it is, where it is a schema that is used again.
    """
    store = OneAtATime(url, clock=clock)
    if reused is not None:
        with reused.lent(store):
            yield store
        return
    upgrade(store)
    if store.dialect == "sqlite":
        _compile_once(store.engine)
    yield store
    store.close()


_compiled: sa.util.LRUCache[Any, Any] = sa.util.LRUCache(1000)
_dialects: list[sa.Dialect] = []


def _compile_once(engine: sa.Engine) -> None:
    """A statement that a store before it has asked is not put into words again. :param engine: which has connected."""
    if not _dialects:
        _dialects.append(engine.dialect)
    engine.dialect = _dialects[0]
    engine.update_execution_options(compiled_cache=_compiled)


def end_waits(store: Store) -> None:
    """As long as an API asked its tasks to wait is over."""
    with store.write() as connection:
        connection.execute(rates.update().values(held_until=None))


def make_first_revision(connection: sa.Connection) -> None:
    """The tables as the first version made them."""
    context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
    with Operations.context(context):
        migrate._scripts().get_revision("0001").module.upgrade()
    connection.execute(sa.text(f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)"))
    connection.execute(sa.text(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('0001')"))


@contextmanager
def user_of(
    admin: sa.Engine, url: str, name: str, *grants: str, password: str | None = None
) -> Iterator[str]:
    """The URL of a schema for a user who may look into it and no more.

    :param url: of the schema. :param name: what the user's begins with.
    :param grants: more that the user may do there, before the name of the schema.
    """
    name, parsed = f"{name}_{uuid.uuid4().hex[:8]}", sa.make_url(url)
    schema = str(parsed.query["options"]).rpartition("=")[2]
    with admin.connect() as connection:
        login = f"LOGIN PASSWORD '{password}'" if password else "LOGIN"
        connection.execute(sa.text(f"CREATE ROLE {name} {login}"))
        for grant in ("USAGE ON SCHEMA", *grants):
            connection.execute(sa.text(f"GRANT {grant} {schema} TO {name}"))
    user = {"username": name, "password": password} if password else {"username": name}
    yield parsed.set(**user).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP OWNED BY {name}"))
        connection.execute(sa.text(f"DROP ROLE {name}"))
