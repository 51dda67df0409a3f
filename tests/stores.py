"""Stores that tests open themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade


@contextmanager
def opened(url: str, clock: Callable[[], datetime] | None = None) -> Iterator[Store]:
    """A migrated store, closed afterwards. :param clock: instead of the database's own."""
    store = Store(url, clock=clock)
    upgrade(store)
    yield store
    store.close()
