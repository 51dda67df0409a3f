"""Several runs at once over the same people: threads, processes, tries that overlap, and a shared rate."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.store.engine import Store

People = Callable[..., list[dict[str, object]]]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all in threads; what each returned."""
    results: list[Any] = [None] * len(works)

    def call(index: int, work: Callable[[], Any]) -> None:
        results[index] = work()

    threads = [threading.Thread(target=call, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert None not in results
    return results


@pytest.mark.slow
def test_two_runs_at_once_text_everybody_once(api: Any, people: People) -> None:
    """Two DAGs with the same file at the same time, in different order: no second text, no lost row."""
    api.sim.set_faults("latency=0.004,jitter=0.004")
    rows = people(500)
    mixed = random.Random(1).sample(rows, len(rows))
    url = api.store.url.render_as_string(hide_password=False)
    stores = [Store(url), Store(url)]
    one, two = at_once(
        lambda: api.send(rows, owner="one", window=16, store=stores[0]),
        lambda: api.send(mixed, owner="two", window=16, store=stores[1]),
    )
    for store in stores:
        store.close()
    assert (one.error, two.error) == (None, None)
    assert one.states.get("accepted", 0) + two.states.get("accepted", 0) == 500
    assert set(one.states) | set(two.states) <= {"accepted", "unchanged", "elsewhere"}
    assert api.ledger() == {"accepted": 500}
    assert api.texts() == Counter({row["phone"]: 1 for row in rows})
    third = api.send(rows, owner="three")
    assert third.states == {"unchanged": 500}


@pytest.mark.slow
def test_two_runs_at_once_with_faults_leave_every_lead_in_a_state(api: Any, people: People) -> None:
    """Refusals, lost answers and bad leads while two runs share the people: the ledger and the API agree."""
    api.sim.set_faults(
        "latency=0.003,jitter=0.003", "drop,when=after,p=0.02", "status=503,p=0.03", "status=422,ending=99"
    )
    rows = people(400)
    one, two = at_once(
        lambda: api.send(rows, owner="one", window=16), lambda: api.send(rows[::-1], owner="two", window=16)
    )
    api.sim.set_faults("status=422,ending=99")
    for result in (one, two):
        assert result.error is None or isinstance(result.error, OutreachUnavailable)
    last = api.send(rows, owner="three")
    ledger = api.ledger()
    assert sum(ledger.values()) == 400
    assert set(ledger) <= {"accepted", "held", "rejected"}
    assert ledger["rejected"] == 4
    assert last.states.get("elsewhere", 0) == 0
    api.nobody_twice()
    texted = api.texts()
    accepted = {lead["phone"] for lead in api.leads() if lead["state"] == "accepted"}
    assert accepted <= set(texted)


@pytest.mark.e2e
@pytest.mark.parametrize("overlap", ["same", "half"])
def test_two_processes_at_once_text_everybody_once(api: Any, spawn: Callable[..., Any], overlap: str) -> None:
    """Two workers, each a process of its own, with the same people or half of them."""
    api.sim.set_faults("latency=0.003,jitter=0.003")
    second = range(300) if overlap == "same" else range(150, 450)
    processes = [spawn(api.store, range(300), "one"), spawn(api.store, list(second)[::-1], "two")]
    reports = [json.loads(process.communicate(timeout=60)[0].splitlines()[-1]) for process in processes]
    everybody = 300 if overlap == "same" else 450
    assert [r["error"] for r in reports] == [None, None]
    assert all(sum(r["counts"].values()) == r["read"] == 300 for r in reports)
    assert sum(r["counts"]["accepted"] + r["carried"].get("accepted", 0) for r in reports) == everybody
    assert api.ledger() == {"accepted": everybody}
    assert set(api.texts().values()) == {1}


@pytest.mark.slow
def test_a_later_try_of_the_same_task_takes_over(api: Any, people: People) -> None:
    """When a second try starts while the first still lives, the first sends nothing more and says why."""
    api.sim.set_faults("latency=0.05")
    rows = people(120)
    second: list[Any] = []

    def retry() -> Any:
        time.sleep(0.3)
        second.append(api.send(rows, attempt=2, window=8))
        return second[0]

    first, _ = at_once(lambda: api.send(rows, window=8, lease=timedelta(seconds=2)), retry)
    assert isinstance(first.error, OutreachUnavailable)
    assert "took over" in str(first.error)
    assert second[0].states.get("held", 0) <= 8
    api.nobody_twice()
    ledger = api.ledger()
    assert sum(ledger.values()) == 120
    assert set(ledger) <= {"accepted", "held"}
    assert len(api.texts()) == 120
    assert ledger["held"] == 0, "the first try's late answers settle its own claims"


def test_a_lead_of_another_run_that_dies_is_not_lost(api: Any, people: People) -> None:
    """What another live run has planned is left to it; when it fails, the next run sends it."""
    api.sim.set_faults("status=503,retry_after=60")
    assert api.send(people(20), owner="one", patience=0.2).states == {"planned": 20}
    api.sim.set_faults()
    assert api.send(people(20), owner="two").states == {"accepted": 20}
    api.nobody_twice()


@pytest.mark.slow
def test_the_rate_holds_over_two_runs(api: Any, people: People) -> None:
    """Two tasks of one connection together keep to its requests a second."""
    started = time.monotonic()
    one, two = at_once(
        lambda: api.send(people(30), owner="one", requests_per_second=50.0, conn_id="conn"),
        lambda: api.send(people(30, 100), owner="two", requests_per_second=50.0, conn_id="conn"),
    )
    took = time.monotonic() - started
    assert one.states == two.states == {"accepted": 30}
    assert 1.1 <= took < 6


@pytest.mark.slow
def test_a_slow_source_does_not_stop_the_sending(sqlite_api: Any, people: People) -> None:
    """Rows are sent while the source is still being read."""
    api = sqlite_api

    def slow() -> Iterator[Row]:
        for row in read_list(people(700)):
            if row.number == 650:
                until = time.monotonic() + 30  # a second or so where the machine has nothing else to do
                while len(api.texts()) < 500 and time.monotonic() < until:
                    time.sleep(0.1)
                assert len(api.texts()) >= 500
            yield row

    got = api.send([], source=slow())
    assert (got.error, got.states) == (None, {"accepted": 700})
