"""A run that stages beside its turns: nobody waits for the other, and its end waits for both."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.services.submit import threads
from airflow_outreach_provider.services.submit.leftovers import CHUNK
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.store.connections import SENDING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.staging import Entry, StagingLedger
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = pytest.mark.postgres

People = Callable[..., list[dict[str, object]]]


@pytest.fixture
def pg_api(postgres_url: str, api_of: Callable[[Store], Any]) -> Iterator[Any]:
    store = Store(postgres_url, pool=SENDING)
    upgrade(store)
    yield api_of(store)
    store.close()


@pytest.fixture
def before_staging(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Lets a function be called with the number of each chunk, in the thread that is about to write it."""
    stage = StagingLedger.stage

    def install(called: Callable[[int], None]) -> None:
        count = [0]

        def staged(self: StagingLedger, entries: Sequence[Entry], *more: Any) -> Any:
            count[0] += 1
            called(count[0])
            return stage(self, entries, *more)

        monkeypatch.setattr(StagingLedger, "stage", staged)

    return install


@pytest.mark.slow
def test_answers_are_written_while_rows_are_staged(
    pg_api: Any, people: People, before_staging: Callable[[Callable[[int], None]], None]
) -> None:
    """As long as the second chunk takes to be staged, the leads of the first are claimed, sent and settled."""
    settled = []

    def until_the_first_are_accepted(chunk: int) -> None:
        deadline = time.monotonic() + 20
        while chunk == 2 and pg_api.ledger()["accepted"] < CHUNK and time.monotonic() < deadline:
            time.sleep(0.02)
        settled.append(pg_api.ledger()["accepted"])

    before_staging(until_the_first_are_accepted)
    got = pg_api.send(people(CHUNK + 50), window=16)
    assert (got.error, got.states) == (None, {"accepted": CHUNK + 50})
    assert settled == [0, CHUNK]
    pg_api.nobody_twice()


@pytest.mark.slow
def test_a_run_that_ends_while_rows_are_staged_leaves_nothing_of_an_unjudged_list(
    pg_api: Any, people: People, before_staging: Callable[[Callable[[int], None]], None]
) -> None:
    """What is written of it after the run was stopped is refused with the rest; and nobody is texted."""
    staging = threading.Event()

    def slowly(chunk: int) -> None:
        staging.set()
        time.sleep(0.4)

    before_staging(slowly)
    run = pg_api.make(people(3 * CHUNK), max_rejected=RejectLimit(None, 1))
    ended: list[BaseException] = []

    def send() -> None:
        try:
            asyncio.run(run.run())
        except OutreachUnavailable as error:
            ended.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert staging.wait(20)
    run.stop("a test")
    thread.join(30)
    assert len(ended) == 1
    assert pg_api.texts() == {}
    assert set(pg_api.ledger()) <= {"suppressed"}


@pytest.mark.slow
def test_it_has_two_connections_at_most(pg_api: Any, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns and staging have one each, and both are given back at the end."""
    monkeypatch.setattr(threads, "_RESTING_SECONDS", 60)  # a slow machine's pauses are none
    opened: list[object] = []
    sa.event.listen(pg_api.store.engine, "connect", lambda connection, _record: opened.append(connection))
    pg_api.store.engine.dispose()
    got = pg_api.send(people(3 * CHUNK), window=16)
    assert (got.error, got.states) == (None, {"accepted": 3 * CHUNK})
    assert len(opened) == 2, "and they are kept, not opened anew for each chunk"
    assert pg_api.store.engine.pool.checkedout() == 0
