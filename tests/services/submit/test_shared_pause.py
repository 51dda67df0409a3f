"""What one task is asked to wait, every task of the connection waits: processes that share a store."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.services.runtime.pause import SharedPause
from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.engine import Store

# From the answer to the moment at which the last task has heard of it, on a machine that is busy.
HEARD_WITHIN = 2.2


class Busy:
    """An API that takes leads and, once it has had so many requests, asks one of them to wait."""

    def __init__(self, after: int, wait: float) -> None:
        self.after, self.wait = after, wait
        self.at: list[float] = []
        self.asked_at = 0.0
        self.url = ""
        self._one_by_one = threading.Lock()

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        with self._one_by_one:
            self.at.append(time.monotonic())
            asks = len(self.at) == self.after
            if asks:
                self.asked_at = self.at[-1]
        if asks:
            return 429, b"", {"Retry-After": str(self.wait)}
        time.sleep(0.02)
        return 200, json.dumps({"success": True, "data": {"contactId": "c"}}).encode(), {}

    def between(self, start: float, end: float) -> int:
        """Requests that came so many seconds after somebody was asked to wait."""
        return sum(start <= each - self.asked_at < end for each in self.at)


@pytest.fixture
def busy() -> Iterator[Busy]:
    busy = Busy(after=40, wait=3.4)
    with scripted(busy.answer) as url:
        busy.url = url
        yield busy


def ends(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=90)
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.slow
def test_all_processes_of_a_connection_wait_as_one_was_asked(
    api: Any, busy: Busy, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    """One 429 with Retry-After: neither process sends anything until then, and both go on afterwards."""
    shared = {"url": busy.url, "conn_id": "tether", "window": 2}
    one = spawn(api.store, range(80), owner="one", **shared)
    two = spawn(api.store, range(1000, 1080), owner="two", **shared)
    assert [ends(each)["counts"]["accepted"] for each in (one, two)] == [80, 80]
    assert busy.between(HEARD_WITHIN, busy.wait) == 0
    assert busy.between(busy.wait, 60) > 50


@pytest.mark.slow
def test_another_connection_does_not_wait(api: Any, busy: Busy, people: Callable[..., Any]) -> None:
    """It is another account's wish; and a task that begins meanwhile waits from its first request on."""
    rates.hold(api.store, "tether", 1.2)
    started = time.monotonic()
    other = api.send(people(5), base_url=busy.url, conn_id="other")
    assert (other.states, time.monotonic() - started < 1.1) == ({"accepted": 5}, True)
    late = api.send(people(5, 100), owner="late", base_url=busy.url, conn_id="tether")
    assert (late.error, late.states) == (None, {"accepted": 5})
    assert time.monotonic() - started >= 1.1
    assert late.tally.read == 5


def test_a_long_wait_is_for_everybodys_next_try(api: Any, people: Callable[..., Any]) -> None:
    """Retry-After: 60 ends the task that hears it, and another one sends nothing and is tried again when it is over."""
    api.sim.set_faults("status=503,retry_after=60")
    first = api.send(people(20), owner="one", conn_id="tether")
    assert isinstance(first.error, OutreachUnavailable)
    api.sim.set_faults()
    second = api.send(people(20, 100), owner="two", conn_id="tether")
    assert isinstance(second.error, OutreachUnavailable)
    assert second.error.retry_after == pytest.approx(60, abs=10)
    assert api.texts() == {}


def test_a_dry_run_waits_for_nobody(api: Any, people: Callable[..., Any]) -> None:
    """It asks the API for nothing, so a plan is there at once whatever the API asks of those who send."""
    rates.hold(api.store, "tether", 3000.0)
    started = time.monotonic()
    planned = api.send(people(5), conn_id="tether", dry_run=True)
    assert (planned.error, api.texts()) == (None, {})
    assert planned.tally.to_text == 5 and time.monotonic() - started < 5


@pytest.mark.slow
def test_looking_costs_a_few_queries_a_second(sqlite_api: Any, people: Callable[..., Any]) -> None:
    """However many leads are sent, the store is asked at most four times a second."""
    looks: list[float] = []
    held = rates.held

    def counted(*given: Any) -> float:
        looks.append(time.monotonic())
        return held(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "held", counted)
        assert sqlite_api.send(people(1000), conn_id="tether").states == {"accepted": 1000}
    assert looks
    assert len(looks) <= (looks[-1] - looks[0]) / 0.25 + 2


def test_a_shorter_wait_ends_no_longer_one(store: Store) -> None:
    """Whoever is asked for less afterwards changes nothing, no rate is given out before, and other keys are free."""

    async def in_thread(work: Callable[[], Any]) -> Any:
        return work()

    async def ask() -> list[float]:
        mine, other, nobody = (SharedPause(store, key, in_thread) for key in ("a", "a", ""))
        mine.tell(30.0, time.monotonic())
        waits = [await mine.hear()]
        rates.hold(store, "a", 2.0)
        waits.append(await other.hear())
        nobody.tell(30.0, time.monotonic())
        return [*waits, await nobody.hear()]

    assert asyncio.run(ask()) == pytest.approx([30.0, 30.0, 0.0], abs=2)
    assert rates.held(store, "b") == 0.0
    assert rates.reserve(store, "a", 1, 0.1) == pytest.approx(30.0, abs=2)
