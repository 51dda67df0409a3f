"""What is asked of the store for every poll, turn or batch costs no more on a large store than on a small one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.order import number_events
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.migrate import upgrade

BENCH = Path(__file__).parents[2] / "bench"
SMALL, LARGE, WAITING = 1_000, 20_000, 10_000
# SQLite tells of its steps in hundreds; a step more is a row or two more.
EVERY, SLACK = 100, 1_000


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What fills stores as ``bench/queries.py`` does, half of a large one done; what is asked of them is undone."""
    monkeypatch.syspath_prepend(str(BENCH))
    from shared import filled

    monkeypatch.setattr(filled, "PENDING", WAITING)
    return filled


@contextmanager
def counted(store: Store) -> Iterator[Callable[[], int]]:
    """What tells how many steps SQLite's machine has made since it was last asked: the same on any computer, however busy."""
    count = 0

    def more() -> int:
        nonlocal count
        count += EVERY
        return 0

    def connected(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(more, EVERY)

    def since() -> int:
        nonlocal count
        steps, count = count, 0
        return steps

    store.close()
    sa.event.listen(store.engine, "connect", connected)
    yield since
    sa.event.remove(store.engine, "connect", connected)


def steps(store: Any, size: int) -> dict[str, int]:
    """Steps by what is asked."""
    from shared.asked_often import asked_often

    taken: dict[str, int] = {}
    with counted(store) as since:
        for each in asked_often(store, size):
            since()
            each.work()
            taken[each.name] = since()
    return taken


@pytest.mark.slow
def test_nothing_that_is_asked_often_grows_with_what_is_stored(filled: Any, tmp_path: Path) -> None:
    """Twenty times the rows, ten times as many waiting: nothing takes half as many steps again; never analysed, and then."""
    stores = {size: filled.filled(f"sqlite:///{tmp_path / str(size)}.db", size) for size in (SMALL, LARGE)}
    for statistics in ("never", "analysed"):
        if statistics == "analysed":
            for store in stores.values():
                filled.analyse(store)
        small, large = (steps(stores[size], size) for size in (SMALL, LARGE))
        assert len(small) > 50
        assert sum(small.values()) > 100 * EVERY, "no step was counted"
        grown = {
            name: (small[name], n) for name, n in large.items() if n > math.ceil(1.5 * small[name]) + SLACK
        }
        assert grown == {}, statistics


@pytest.mark.slow
def test_events_get_their_places_each_for_itself(filled: Any, tmp_path: Path) -> None:
    """Four times as many have come in: it takes four times the steps, not sixteen times."""
    taken = []
    for size in (SMALL, 4 * SMALL):
        filled.filled(f"sqlite:///{tmp_path / str(size)}.db", size).close()
        store = Store(f"sqlite:///{tmp_path / str(size)}.db")
        with store.write() as connection:
            connection.execute(sa.update(inbox_events).values(seq=None))
        with counted(store) as since:
            assert number_events(store) == size
            taken.append(since())
        store.close()
    assert EVERY < taken[1] < 5 * taken[0]


# Of this a table of a few thousand rows is read from end to end, or a few thousand that wait are put in order, in less time
# than each is looked up; of more nothing is.
AT_ONCE = {
    "inbox: append", "inbox: load", "settle", "hand on", "states of a batch", "missing", "submit: waiting",
}  # fmt: skip


def rows_read(store: Any, size: int) -> dict[str, int]:
    """Rows that PostgreSQL fetched by what is asked, whether it found them of use or not."""
    from shared.asked_often import asked_often

    told: dict[int, int] = {}
    fetched = 0

    def after(connection: Any, *_: Any) -> None:
        nonlocal fetched
        with connection.connection.cursor() as own:
            own.execute(
                "SELECT pg_backend_pid(), sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            )
            backend, count = map(int, own.fetchone())
        # It counts on until it is reported, and then from nothing again.
        fetched += count - told.get(backend, 0) if count >= told.get(backend, 0) else count
        told[backend] = count

    sa.event.listen(store.engine, "after_cursor_execute", after)
    read = {}
    for each in asked_often(store, size):
        fetched = 0
        each.work()
        read[each.name] = fetched
    sa.event.remove(store.engine, "after_cursor_execute", after)
    return read


def never_analysed(url: str) -> None:
    """The tables, of which PostgreSQL gathers nothing by itself."""
    store = Store(url)
    upgrade(store)
    with store.write() as connection:
        for table in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    store.close()


@pytest.mark.slow
@pytest.mark.postgres
def test_nor_on_postgresql(
    filled: Any, postgres_url: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same by the rows it reads; without statistics it would begin with all attempts, or all that waits or is held."""
    # What goes in one trip is counted statement by statement.
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)
    read: dict[str, dict[int, dict[str, int]]] = {"never": {}, "analysed": {}}
    for size, url in ((SMALL, postgres_url), (LARGE, postgres_database)):
        never_analysed(url)
        store = filled.filled(url, size)
        for statistics, found in read.items():
            if statistics == "analysed":
                filled.analyse(store)
            found[size] = rows_read(store, size)
        store.close()
    for statistics, found in read.items():
        assert len(found[LARGE]) > 50
        assert sum(found[SMALL].values()) > 100, "no row was counted"
        grown = {
            name: (found[SMALL][name], n)
            for name, n in found[LARGE].items()
            if n > 1.5 * found[SMALL][name] + 500 and name not in AT_ONCE
        }
        assert grown == {}, statistics
