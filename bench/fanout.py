"""How fast deliveries are, and how soon an event arrives.

    python bench/fanout.py throughput    deliveries a second beside bare aiohttp, to the same server
    python bench/fanout.py latency       webhook stored → webhook delivered on an idle Airflow, beside
                                         Airflow's own floor: a bare deferred task followed by a mapped one

Everything on this machine. The server of the first runs in a process of its own; what the two sides cost is
said in this process's CPU time too, which a busy machine changes less than the clock on the wall.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.batch_types import Batch, Task
from airflow_outreach_provider.services.deliver import Endpoint, deliver
from airflow_outreach_provider.services.fanout import Reading, fan_out
from airflow_outreach_provider.store import inbox
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.runs import Owner

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENTS = 5_000
CONCURRENCY = 32
ROUNDS = 5


def serve(port: Any) -> None:
    """A server that takes everything."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="ok")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.value = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        await asyncio.Event().wait()

    asyncio.run(run())


def events(count: int) -> list[ContactEvent]:
    now = datetime.now(UTC)
    return [
        ContactEvent(
            f"evt_{n:08d}", "src", "varda", "reply", EventKind.REPLIED, now, now,
            Contact(external_id=str(n), email=f"p{n}@example.com", phone=f"+1416555{n % 10_000:04d}"),
            data={"text": "x" * 300},
        )
        for n in range(count)
    ]  # fmt: skip


class Stopwatch:
    """Seconds an event: by the clock, and of this process's CPU time."""

    def __init__(self, count: int) -> None:
        self._count, self._started = count, (time.perf_counter(), time.process_time())

    def stop(self) -> tuple[float, float]:
        wall, cpu = self._started
        return (time.perf_counter() - wall) / self._count, (time.process_time() - cpu) / self._count


async def bare(url: str, bodies: list[bytes]) -> tuple[float, float]:
    """The same bytes by aiohttp alone."""
    todo = iter(bodies)
    watch = Stopwatch(len(bodies))
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for body in todo:
                async with session.post(
                    url, data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return watch.stop()


def ours(url: str, made: list[ContactEvent], folder: Path) -> tuple[tuple[float, float], float]:
    """What a delivery costs, and events fanned out a second."""
    store = Store(f"sqlite:///{folder / 'outreach.db'}")
    upgrade(store)
    inbox.append(store, [Incoming(event, event.to_json(), "[]") for event in made])
    started = time.perf_counter()
    batches = fan_out(store, Reading("c", ("crm",), max_events=len(made)), "k") or []
    fanned = len(made) / (time.perf_counter() - started)
    batch = Batch("crm", [each for one in batches for each in one["events"]], "k")
    target = Target(parse_url(url), allow_networks=parse_networks("127.0.0.0/8"))
    endpoint = Endpoint("crm", target, Scheme.STANDARD_WEBHOOKS, (SECRET,))
    # The batch has a plan of its own key, as in a DAG.
    batch = Batch(batch.route, batch.event_ids, batches[0]["plan"])
    watch = Stopwatch(len(made))
    report = deliver(store, batch, endpoint, Task(Owner("bench", "task")), concurrency=CONCURRENCY)
    took = watch.stop()
    assert report.states == {"delivered": len(made)}, report
    return took, fanned


def throughput() -> None:
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    url, made = f"http://127.0.0.1:{port.value}/", events(EVENTS)
    bodies = [event.to_json() for event in made]
    floors, costs = [], []
    for _ in range(ROUNDS):
        floors.append(asyncio.run(bare(url, bodies)))
        with tempfile.TemporaryDirectory() as folder:
            cost, fanned = ours(url, made, Path(folder))
        costs.append(cost)
    server.terminate()
    floor_wall, floor_cpu = (statistics.median(each) for each in zip(*floors, strict=True))
    wall, cpu = (statistics.median(each) for each in zip(*costs, strict=True))
    print(
        f"bare aiohttp, {CONCURRENCY} at once        {1 / floor_wall:8,.0f} /s, {1e6 * floor_cpu:4.0f} µs CPU each"
    )
    print(f"signed, judged, recorded deliveries {1 / wall:6,.0f} /s, {1e6 * cpu:4.0f} µs CPU each")
    print(f"of bare aiohttp: {floor_wall / wall:.0%} by the clock, {floor_cpu / cpu:.0%} by CPU time")
    print(f"fan-out into deliveries (SQLite)    {fanned:6,.0f} events/s")


if __name__ == "__main__":
    commands: dict[str, Callable[[], None]] = {"throughput": throughput}
    if sys.argv[1:] == ["latency"]:
        from fanout_latency import latency

        commands["latency"] = latency
    chosen = commands.get("".join(sys.argv[1:]))
    if chosen is None:
        sys.exit(__doc__)
    chosen()
