"""The store behind pgbouncer in transaction mode: every transaction may be another connection's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pgbouncer import pgbouncer

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.connections import PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import Entry
from airflow_outreach_provider.store.migrate import HEAD, current_revision, upgrade

pytestmark = pytest.mark.postgres


@pytest.fixture
def pooled_url(postgres_database: str) -> Iterator[str]:
    with pgbouncer(postgres_database) as url:
        yield url


def operate(url: str, number: int, prepare: bool | None) -> int:
    """Ten operations of a process's own. :return: how many failed."""
    failed = 0
    store = Store(url, pool=PoolSettings(prepare=prepare))
    for turn in range(10):
        try:
            run = runs.start(
                store, Owner(f"o{number}-{turn}"), campaign="c", source="", lease=timedelta(seconds=60)
            )
            runs.heartbeat(
                store, run.run_id, lease=timedelta(seconds=60), read=1, counts={}, reasons={}, fraction=None
            )
        except StoreError:
            failed += 1
    store.close()
    return failed


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "works"), [(None, True), (False, True), (True, False)])
def test_a_pooler_is_noticed_and_nothing_is_prepared(
    pooled_url: str, prepare: bool | None, works: bool
) -> None:
    """Sixteen stores at once over four connections fail in nothing; only who insists on preparing does."""
    store = Store(pooled_url)
    upgrade(store)
    assert current_revision(store) == HEAD
    store.close()
    with ThreadPoolExecutor(16) as threads:
        failed = sum(threads.map(lambda number: operate(pooled_url, number, prepare), range(16)))
    assert (failed == 0) is works


def send(url: str, number: int) -> int:
    """Ten turns of a process's own. :return: how many leads it claimed and settled."""
    store = Store(url)
    run = runs.start(store, Owner(f"s{number}"), campaign="c", source="", lease=timedelta(seconds=60)).run_id
    ledger, done = Ledger(store, run), 0
    for turn in range(10):
        phones = [f"+1416{number:02}{turn:02}{n:03}" for n in range(8)]
        entries = [Entry("c", p, p, "h", LeadState.PLANNED, "", "", "{}", None, 1, None) for p in phones]
        ids = list(ledger.stage(entries).values())
        claimed = ledger.turn([], ids)
        ledger.turn([Settlement(each, LeadState.ACCEPTED, "", "", "accepted", 200, 5) for each in ids], [])
        done += len(claimed)
    store.close()
    return done


@pytest.mark.slow
def test_a_turn_in_one_round_trip_goes_through_a_pooler(pooled_url: str) -> None:
    """Sixteen batches at once over four connections: each transaction is one server's, and each lead has one answer."""
    store = Store(pooled_url)
    upgrade(store)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda number: send(pooled_url, number), range(16))) == [80] * 16
    with store.read() as connection:
        settled = connection.execute(sa.text("SELECT state, count(*) FROM leads GROUP BY 1")).all()
        attempts = connection.execute(sa.text("SELECT count(*) FROM attempts")).scalar_one()
    store.close()
    assert ([tuple(row) for row in settled], attempts) == ([("accepted", 1280)], 1280)


def test_without_a_pooler_statements_are_prepared(postgres_url: str) -> None:
    """Nothing is lost where there is none: the driver prepares what it runs often."""
    store = Store(postgres_url)
    with store.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.prepare_threshold == 5
    store.close()


def test_options_of_a_url_that_pgbouncer_refuses_are_explained(pooled_url: str) -> None:
    """A setting in the URL works without a pooler and not with it: the error says what does."""
    store = Store(pooled_url + "?options=-cwork_mem%3D5MB")
    with pytest.raises(StoreError, match="ALTER ROLE"), store.read():
        pass
    store.close()


@pytest.mark.slow
def test_many_upgrade_at_once_through_a_pooler(pooled_url: str) -> None:
    """The lock of an upgrade is its transaction's: five at once, and one makes the tables."""

    def make(_number: int) -> bool:
        store = Store(pooled_url)
        try:
            return upgrade(store)
        finally:
            store.close()

    with ThreadPoolExecutor(5) as threads:
        assert sorted(threads.map(make, range(5))) == [False] * 4 + [True]


@pytest.mark.slow
def test_a_full_pooler_is_told_with_a_remedy(postgres_database: str) -> None:
    """No more connections allowed: waited for, then an error that says what to set."""
    with pgbouncer(postgres_database, clients=1) as url:
        first, second = Store(url), Store(url, pool=PoolSettings(patience=0.3))
        with (
            first.read(),
            pytest.raises(StoreError, match=r"no more connections allowed.*max_client_conn"),
            second.read(),
        ):
            pass
        first.close()
        with second.read() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
        second.close()
