"""Stores that tests open themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from airflow_outreach_provider.store import migrate
from airflow_outreach_provider.store.connections import PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.rates import rates

# Tests let many threads of one process be as many tasks.
MANY_TASKS = PoolSettings(size=5, max_overflow=15)


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


@contextmanager
def opened(url: str, clock: Callable[[], datetime] | None = None) -> Iterator[Store]:
    """A migrated store, closed afterwards. :param clock: instead of the database's own."""
    store = OneAtATime(url, clock=clock)
    upgrade(store)
    yield store
    store.close()


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
