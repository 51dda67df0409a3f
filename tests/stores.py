"""Stores that tests open themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from airflow_outreach_provider.store import migrate
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade


@contextmanager
def opened(url: str, clock: Callable[[], datetime] | None = None) -> Iterator[Store]:
    """A migrated store, closed afterwards. :param clock: instead of the database's own."""
    store = Store(url, clock=clock)
    upgrade(store)
    yield store
    store.close()


def make_first_revision(connection: sa.Connection) -> None:
    """The tables as the first version made them."""
    context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
    with Operations.context(context):
        migrate._scripts().get_revision("0001").module.upgrade()
    connection.execute(sa.text(f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)"))
    connection.execute(sa.text(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('0001')"))
