"""How many connections to PostgreSQL tasks take, as the server counts them, and when they give them back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from servers import scripted

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.submit import run as submit_run
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.threads import LedgerThreads
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.connections import DELIVERING, SENDING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.ledger import runs as ledger_runs
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = pytest.mark.postgres

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@contextmanager
def counted(admin: sa.Engine) -> Iterator[tuple[Counter[str], list[int]]]:
    """The most connections of each application called ``task…`` while the block lasts, and how many there were in all
    at each look."""
    most: Counter[str] = Counter()
    together: list[int] = []
    over = threading.Event()

    def look() -> None:
        query = sa.text(
            "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name LIKE 'task%' GROUP BY 1"
        )
        with admin.connect() as connection:
            while not over.wait(0.02):
                seen = {row[0]: int(row[1]) for row in connection.execute(query)}
                together.append(sum(seen.values()))
                for name, count in seen.items():
                    most[name] = max(most[name], count)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most, together
    finally:
        over.set()
        watcher.join()


def named(url: str, name: str) -> str:
    return (
        sa.make_url(url).update_query_dict({"application_name": name}).render_as_string(hide_password=False)
    )


def arrive(store: Store, count: int) -> list[ContactEvent]:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(f"evt_{n}", "src", "varda", "x", EventKind.REPLIED, at, at, Contact(external_id=f"c{n}"))
        for n in range(count)
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    return events


@contextmanager
def endpoint(given_back: Callable[[], bool]) -> Iterator[tuple[Endpoint, list[bool]]]:
    """An endpoint that answers once the store's connections are given back, or after three seconds."""
    seen: list[bool] = []

    def answer(_method: str, _path: str, _headers: Mapping[str, str], _body: bytes) -> Any:
        deadline = time.monotonic() + 3
        while not given_back() and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(time.monotonic() < deadline)
        return 200, b"{}", {}

    with scripted(answer) as url:
        target = Target(parse_url(url), timeout=10, allow_networks=parse_networks("127.0.0.0/8"))
        yield Endpoint("crm_conn", target, Scheme.STANDARD_WEBHOOKS, (SECRET,)), seen


@pytest.mark.slow
def test_a_task_that_delivers_takes_two_at_most_and_none_while_it_waits(
    postgres_url: str, postgres_admin: sa.Engine
) -> None:
    """With twenty contacts at once, and each request answered when the pool has all its connections back."""
    with closing(Store(named(postgres_url, "task-deliver"), pool=DELIVERING)) as store:
        upgrade(store)
        events = arrive(store, 20)
        with (
            counted(postgres_admin) as (most, _),
            endpoint(lambda: store.engine.pool.checkedout() == 0) as (crm, seen),  # type: ignore[attr-defined]
        ):
            batch = Batch("crm", [each.id for each in events], None, [])
            report = deliver(store, batch, crm, TaskTry(Owner("dag", "run", "deliver", 0, 1)))
        assert report.states == {"delivered": 20}
        assert seen == [True] * 20
        assert most["task-deliver"] == 1


@pytest.mark.slow
def test_a_task_that_sends_keeps_one_while_it_has_nothing_to_stage(
    postgres_url: str, postgres_admin: sa.Engine
) -> None:
    """Two while it stages beside its turns; a second after that one; two again when the next chunk comes."""
    both = threading.Barrier(2, timeout=10)

    def ask() -> None:
        with store.read() as connection:
            both.wait()  # both are at it at once
            connection.execute(sa.text("SELECT 1"))

    async def run() -> None:
        with LedgerThreads(store) as threads:
            for _ in range(2):
                await asyncio.gather(threads.turn(ask), threads.stage(ask))
                assert kept() == 2
                await asyncio.sleep(0.3)
                for _ in range(100):  # until the server has noticed
                    if kept() == 1:
                        break
                    await asyncio.sleep(0.05)
                for _ in range(4):  # nor is one opened by what goes on beside
                    await threads.turn(lambda: store.now() and None)
                    assert kept() == 1

    def kept() -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'task-send'"
        with postgres_admin.connect() as connection:
            return int(connection.execute(sa.text(query)).scalar_one())

    store = Store(named(postgres_url, "task-send"), pool=SENDING)
    try:
        asyncio.run(run())
    finally:
        store.close()


@pytest.mark.slow
def test_a_list_that_is_judged_first_is_read_with_one(
    postgres_url: str, postgres_admin: sa.Engine, sim: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent before it is read to its end: the second is for what is staged beside that."""
    rows = [{"phone": f"+1416{2_000_000 + n}"} for n in range(3000)]
    options = SubmitOptions(
        LeadRules(configuration_id="on"), max_rejected=RejectLimit.parse("5%"), lease=timedelta(seconds=1)
    )
    client = OutreachClient(ApiSettings(sim.url, sim.api_key, trust_env=False))
    asked: list[int] = []

    def release(store: Store, run_id: int) -> None:
        asked.append(most["task-judge"])
        ledger_runs.release(store, run_id)

    monkeypatch.setattr(submit_run, "runs", SimpleNamespace(**vars(ledger_runs) | {"release": release}))
    with (
        closing(Store(named(postgres_url, "task-judge"), pool=SENDING)) as store,
        counted(postgres_admin) as (most, _),
    ):
        upgrade(store)
        run = SubmitRun(store, client, read_list(rows), options, owner=Owner("d"))
        asyncio.run(run.run())
    assert asked == [1]
    assert run.tally.by_state()["accepted"] == 3000
