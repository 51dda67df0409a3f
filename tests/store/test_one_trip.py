"""Statements that are one transaction: written together or not at all, in one round trip to PostgreSQL."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from round_trips import Counts, counted_trips
from stores import opened

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.one_trip import Step, one_trip

_INSERT = sa.text("INSERT INTO rates (key, next_free_at) VALUES (:key, :at)")
_KEYS = sa.text("SELECT key FROM rates ORDER BY key")


def _add(key: str) -> Step:
    return _INSERT, {"key": key, "at": 1}


def _keys(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(_KEYS).scalars())


def test_each_statement_has_its_rows_and_all_is_written(store: Store) -> None:
    """Rows are tuples in the order of the statements; what only writes has none."""
    with store.write() as connection:
        answers = one_trip(store, connection, _add("b"), (_KEYS, {}), _add("a"), (_KEYS, {}))
    assert [[tuple(row) for row in rows] for rows in answers] == [[], [("b",)], [], [("a",), ("b",)]]
    assert _keys(store) == ["a", "b"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_all_is_written_or_nothing(store: Store, place: int) -> None:
    """Whichever statement fails, the others leave nothing behind; the store goes on, and says no value."""
    steps = [_add("a"), _add("c")]
    steps.insert(place, (sa.text("INSERT INTO rates (key, next_free_at) VALUES (:key, NULL)"), {"key": "+14165550123"}))  # fmt: skip
    with pytest.raises(StoreError) as raised, store.write() as connection:
        one_trip(store, connection, *steps)
    assert "4165550123" not in str(raised.value)
    assert _keys(store) == []
    with store.write() as connection:
        one_trip(store, connection, _add("d"))
    assert _keys(store) == ["d"]


def test_what_was_begun_before_is_one_with_it(store: Store) -> None:
    """After another statement of the same transaction nothing is committed before that is."""

    def fail() -> None:
        with store.write() as connection:
            connection.execute(*_add("a"))
            one_trip(store, connection, _add("b"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _keys(store) == []


@pytest.mark.slow
@pytest.mark.postgres
def test_a_tie_is_tried_again(postgres_url: str) -> None:
    """A conflict that the database reports in the middle is one for whoever tries again."""
    tie = sa.text("DO $$ BEGIN RAISE SQLSTATE '40001' USING MESSAGE = 'tie'; END $$")
    with opened(postgres_url) as store:
        tries: list[int] = []

        def work(connection: sa.Connection) -> None:
            tries.append(1)
            one_trip(store, connection, _add("a"), *([(tie, {})] if len(tries) < 3 else []))

        store.retrying(work)
        assert (len(tries), _keys(store)) == (3, ["a"])


@pytest.mark.slow
@pytest.mark.postgres
def test_a_lost_connection_is_replaced(postgres_url: str) -> None:
    """An end of the connection in the middle is an error of the store, writes nothing, and costs nobody after it."""
    end = sa.text("SELECT pg_terminate_backend(pg_backend_pid())")
    with opened(postgres_url) as store:
        for _ in range(3):
            with pytest.raises(StoreError), store.write() as connection:
                one_trip(store, connection, _add("a"), (end, {}))
            assert _keys(store) == []


@pytest.mark.slow
@pytest.mark.postgres
def test_it_is_one_round_trip(postgres_url: str) -> None:
    """Begin, statements and commit are sent in one; and nobody asks whether a connection lives that was just used."""
    with counted_trips(postgres_url) as (url, trips), opened(url) as store:
        counts = Counts(trips)
        for _ in range(20):  # also while the driver prepares what it has seen five times
            with counts.one("it"), store.write() as connection:
                one_trip(store, connection, (_KEYS, {}), (sa.text("SELECT :n"), {"n": 1}))
        counts.check()
