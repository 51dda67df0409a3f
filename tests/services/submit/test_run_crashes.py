"""Workers that are killed or frozen, and a store that goes away: at most a window is held, nobody is texted twice."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import OutreachUnavailable, StoreError
from airflow_outreach_provider.store.connections import SENDING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.staging import StagingLedger

People = Callable[..., list[dict[str, object]]]
WINDOW = 16


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


@pytest.mark.e2e
def test_a_killed_worker_costs_at_most_a_window(api: Any, people: People, spawn: Callable[..., Any]) -> None:
    """SIGKILL in mid-batch, three times at random moments: nobody twice, every row in a state, held within the window."""
    api.sim.set_faults("latency=0.01,jitter=0.01")
    moments = random.Random()
    for attempt in (1, 2, 3):
        before = len(api.texts())
        worker = spawn(api.store, range(400), window=WINDOW, **{"try": attempt})
        wait_for(lambda before=before: len(api.texts()) > before + 3)
        time.sleep(moments.uniform(0, 0.05))
        worker.kill()
        worker.wait()
        assert api.ledger()["sending"] <= WINDOW
        assert api.ledger()["held"] <= WINDOW * (attempt - 1)
    api.sim.set_faults()
    last = api.send(people(400), attempt=4, window=WINDOW)
    assert last.error is None
    assert set(last.states) <= {"accepted", "unchanged", "held"}
    assert last.states["held"] <= 3 * WINDOW
    assert api.ledger() == {"accepted": 400 - last.states["held"], "held": last.states["held"]}
    api.nobody_twice()
    unanswered = {lead["phone"] for lead in api.leads() if lead["state"] == "held"}
    assert set(api.texts()) | unanswered == {row["phone"] for row in people(400)}


@pytest.mark.e2e
def test_a_killed_worker_of_another_task_is_left_alone_until_its_lease_ends(
    api: Any, people: People, spawn: Callable[..., Any]
) -> None:
    """Another DAG cannot know that a worker is dead before its lease ran out; then its claims are held."""
    api.sim.set_faults("latency=0.3")
    worker = spawn(api.store, range(40), "one", window=WINDOW, lease=1.5)
    wait_for(lambda: api.ledger()["sending"])
    worker.kill()
    worker.wait()
    api.sim.set_faults()
    sending = api.ledger()["sending"]
    early = api.send(people(40), owner="two")
    assert early.states == {"accepted": 40 - sending, "elsewhere": sending}
    time.sleep(1.6)
    late = api.send(people(40), owner="three")
    assert late.states == {"unchanged": 40 - sending, "held": sending}
    assert {lead["reason"] for lead in api.leads() if lead["state"] == "held"} == {"worker_died"}
    assert sending <= WINDOW
    api.nobody_twice()


@pytest.mark.e2e
def test_with_resend_a_kill_loses_nobody(api: Any, people: People, spawn: Callable[..., Any]) -> None:
    """on_unknown="resend" after a SIGKILL: everybody is texted at least once."""
    api.sim.set_faults("latency=0.02")
    worker = spawn(api.store, range(200), window=WINDOW, on_unknown="resend")
    wait_for(lambda: len(api.texts()) > 10)
    worker.kill()
    worker.wait()
    last = api.send(people(200), attempt=2, on_unknown="resend")
    assert last.error is None
    assert api.ledger() == {"accepted": 200}
    assert len(api.texts()) == 200
    assert sum(n - 1 for n in api.texts().values()) <= WINDOW


@pytest.mark.e2e
@pytest.mark.parametrize("successor", ["another task", "the next try"])
def test_a_frozen_worker_that_wakes_texts_nobody_again(
    api: Any, people: People, spawn: Callable[..., Any], successor: str
) -> None:
    """SIGSTOP for longer than the lease, a successor does the rest, SIGCONT: the zombie only settles its own claims."""
    api.sim.set_faults("latency=0.03")
    worker = spawn(api.store, range(200), window=WINDOW, lease=1.0)
    wait_for(lambda: len(api.texts()) > 10)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        frozen = api.ledger()["sending"]
        assert 0 < frozen <= WINDOW
        time.sleep(1.2)
        owner = {"another task": {"owner": "other"}, "the next try": {"attempt": 2}}[successor]
        got = api.send(people(200), window=WINDOW, **owner)
        assert got.error is None
        assert got.states["held"] == frozen
        assert set(got.states) <= {"accepted", "unchanged", "held"}
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    report = json.loads(worker.communicate(timeout=30)[0].splitlines()[-1])
    assert report["error"] == "OutreachUnavailable"
    assert sum(report["counts"].values()) == report["read"]
    api.nobody_twice()
    ledger = api.ledger()
    assert sum(ledger.values()) == 200
    assert ledger["held"] <= frozen
    settled = api.send(people(200), owner="later")
    assert set(settled.states) <= {"unchanged", "held", "accepted"}
    api.nobody_twice()
    assert len(api.texts()) + api.ledger()["held"] >= 200


@pytest.mark.slow
def test_a_locked_sqlite_file_is_waited_for(
    sqlite_url: str, api_of: Callable[[Store], Any], people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the file's lock longer than the driver waits: answers in hand are kept, nothing is lost."""
    from airflow_outreach_provider.store.migrate import upgrade

    monkeypatch.setattr("airflow_outreach_provider.store.engine._BUSY_TIMEOUT_MS", 50)
    store = Store(sqlite_url)
    upgrade(store)
    api = api_of(store)
    api.sim.set_faults("latency=0.01")
    blocker = sa.create_engine(sqlite_url, isolation_level="AUTOCOMMIT")

    def block() -> None:
        wait_for(lambda: len(api.texts()) > 20)
        with blocker.connect() as connection:
            while True:
                try:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    break
                except sa.exc.OperationalError:
                    continue
            time.sleep(1.2)
            connection.exec_driver_sql("ROLLBACK")

    thread = threading.Thread(target=block)
    thread.start()
    got = api.send(people(120), window=WINDOW)
    thread.join()
    blocker.dispose()
    assert got.error is None
    assert got.states == {"accepted": 120}
    api.nobody_twice()
    assert api.ledger() == {"accepted": 120}
    store.close()


@pytest.fixture
def cut(postgres_admin: sa.Engine, postgres_url: str) -> Iterator[tuple[Store, Callable[[], int]]]:
    """A store on PostgreSQL, and what ends all its connections."""
    from airflow_outreach_provider.store.migrate import upgrade

    name = postgres_url.rpartition("outreach_")[2][:12]
    url = sa.make_url(postgres_url).update_query_dict({"application_name": name})
    store = Store(url.render_as_string(hide_password=False), pool=SENDING)
    upgrade(store)

    def terminate() -> int:
        with postgres_admin.connect() as connection:
            found = connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
                ),
                {"name": name},
            )
            return len(list(found))

    yield store, terminate
    store.close()


@pytest.mark.e2e
@pytest.mark.postgres
def test_lost_database_connections_text_nobody_twice(
    cut: tuple[Store, Callable[[], int]], api_of: Callable[[Store], Any], people: People
) -> None:
    """PostgreSQL ends our connections again and again: runs may fail, leads may be held, nobody is texted twice."""
    store, terminate = cut
    api = api_of(store)
    api.sim.set_faults("latency=0.01,jitter=0.01")
    done = threading.Event()
    cuts = []

    def cutting() -> None:
        while not done.wait(0.25):
            cuts.append(terminate())

    thread = threading.Thread(target=cutting)
    thread.start()
    try:
        for attempt in range(1, 8):
            got = api.send(people(300), attempt=attempt, window=WINDOW, lease=timedelta(seconds=60))
            assert got.error is None or isinstance(got.error, StoreError | OutreachUnavailable), got.error
            if got.error is None:
                break
    finally:
        done.set()
        thread.join()
    assert sum(cuts) > 0
    last = api.send(people(300), attempt=99, window=WINDOW)
    assert last.error is None
    assert set(last.states) <= {"accepted", "unchanged", "held"}
    assert last.states.get("held", 0) <= attempt * WINDOW
    assert api.ledger()["accepted"] + api.ledger()["held"] == 300
    api.nobody_twice()


@pytest.mark.slow
@pytest.mark.postgres
def test_one_lost_connection_does_not_fail_a_run_that_is_sending(
    cut: tuple[Store, Callable[[], int]], api_of: Callable[[Store], Any], people: People
) -> None:
    """A failover of a moment in mid-batch: claims that were not made are made later, no row is called elsewhere."""
    store, terminate = cut
    api = api_of(store)
    api.sim.set_faults("latency=0.03")

    def once() -> None:
        wait_for(lambda: len(api.texts()) > 40)
        terminate()

    thread = threading.Thread(target=once)
    thread.start()
    got = api.send(people(120), window=8)
    thread.join()
    assert (got.error, got.states) == (None, {"accepted": 120})
    api.nobody_twice()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("asked", ["find_by_row_hash", "find", "stage"])
def test_one_lost_connection_does_not_fail_a_run_that_is_staging(
    cut: tuple[Store, Callable[[], int]],
    api_of: Callable[[Store], Any],
    people: People,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    """The same while rows are compared with the ledger or written to it: they are once more, and each is one lead."""
    store, terminate = cut
    api, done = api_of(store), getattr(StagingLedger, asked)
    cuts: list[int] = []

    def once(self: StagingLedger, *given: Any) -> Any:
        answer = done(self, *given)
        if not cuts:
            cuts.append(terminate())
            raise StoreError("the connection was lost before the answer came")
        return answer

    monkeypatch.setattr(StagingLedger, asked, once)
    got = api.send(people(300), window=8)
    assert (got.error, got.states) == (None, {"accepted": 300})
    assert cuts
    api.nobody_twice()
