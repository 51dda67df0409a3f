"""How fast events are fanned out and delivered, beside bare aiohttp POSTing the same signed bodies to the same server.

    python bench/fanout.py [--events 5000] [--rounds 5]

Ours claims, signs, judges the address, sends, and records every attempt in SQLite with ``synchronous=FULL``; the
bare loop only sends, 32 at once like ours. Both take turns; the server has a process of its own. What each side
costs is said in this process's CPU time too, which a busy machine changes less than the clock on the wall.

A backlog is drained by one task that has a small batch and goes on with all the events that wait in the inbox: recorded
as deliveries, claimed, sent and settled, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from shared.figures import Bench, Spent, median, timed
from shared.places import Message, new_store, post_all, postgres_schema, willing_server

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.deliveries import message_id
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.signing import Scheme, signer
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

ROUTE = "crm"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONCURRENCY = 32
SECONDS = 90
BATCH = 100
TERM = timedelta(seconds=60)

bench = Bench(__doc__)
bench.size("events", 5_000, 200, "events a round")
bench.size("rounds", 5, 1, "rounds of bare and ours")


def events(count: int) -> list[ContactEvent]:
    """Replies of as many people, about 600 bytes each."""
    now = datetime.now(UTC)
    return [
        ContactEvent(
            f"evt_{n:08d}", "src", "varda", "reply", EventKind.REPLIED, now, now,
            Contact(external_id=str(n), email=f"p{n}@example.com", phone=f"+1416555{n % 10_000:04d}"),
            data={"text": "x" * 300},
        )
        for n in range(count)
    ]  # fmt: skip


def signed(made: list[ContactEvent]) -> list[Message]:
    """What ours sends of these events, signed beforehand."""
    sign, now = signer(Scheme.STANDARD_WEBHOOKS, [SECRET]), datetime.now(UTC)
    json = {"Content-Type": "application/json"}
    return [
        (body := event.to_json(), {**json, **sign(body, message_id(event.id, ROUTE), now)}) for event in made
    ]


def ours(url: str, made: list[ContactEvent], folder: Path) -> tuple[Spent, Spent, Spent]:
    """What it takes to append the events to the inbox, to fan them out, and to deliver them."""
    store = new_store(folder / "outreach")
    arrived = [Incoming(event, event.to_json(), "[]") for event in made]
    appending = timed(lambda: inbox_append.append(store, arrived))
    batches = []
    reading = Reading("c", (ROUTE,), max_events=len(made))
    fanning = timed(lambda: batches.extend(fan_out(store, reading, "k") or []))
    # One batch under the plan's own key, as a DAG's task would have it.
    batch = Batch(ROUTE, [each for one in batches for each in one["events"]], batches[0]["plan"])
    target = Target(parse_url(url), allow_networks=parse_networks("127.0.0.0/8"))
    endpoint = Endpoint(ROUTE, target, Scheme.STANDARD_WEBHOOKS, (SECRET,))
    task = TaskTry(Owner("bench", "task"))

    def send() -> None:
        report = deliver(store, batch, endpoint, task, concurrency=CONCURRENCY)
        assert report.states == {"delivered": len(made)}, report

    delivering = timed(send)
    store.close()
    return appending, fanning, delivering


def drained(url: str, made: list[ContactEvent], store: Store) -> float:
    """Seconds from the first of the batch to the last of what waited behind it."""
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in made])
    batches = fan_out(store, Reading(ROUTE, (ROUTE,), max_events=BATCH), "k") or []
    first = Batch(
        ROUTE, [each for one in batches for each in one["events"]], batches[0]["plan"], consumer=ROUTE
    )
    target = Target(parse_url(url), allow_networks=parse_networks("127.0.0.0/8"))
    endpoint = Endpoint(ROUTE, target, Scheme.STANDARD_WEBHOOKS, (SECRET,))
    began = datetime.now(UTC)
    deliver(store, first, endpoint, TaskTry(Owner("bench", "task"), serve_for=TERM), concurrency=CONCURRENCY)
    with store.read() as connection:
        count, last = connection.execute(
            sa.select(sa.func.count(), sa.func.max(deliveries.c.delivered_at)).where(
                deliveries.c.state == "delivered"
            )
        ).one()
    assert count == len(made), f"{count} of {len(made)}"
    store.close()
    return float((last - began).total_seconds())


def measure(asked: argparse.Namespace) -> None:
    """Bare, ours, bare, ours …; medians."""
    made = events(asked.events)
    messages = signed(made)
    bare, rounds = [], []
    drains: dict[str, list[float]] = {"sqlite": [], "postgresql": []}
    with willing_server() as url:
        for _ in bench.rounds(asked.rounds, SECONDS):
            bare.append(timed(lambda: asyncio.run(post_all(url, messages, CONCURRENCY))))
            with (
                tempfile.TemporaryDirectory(prefix="outreach-bench-") as folder,
                postgres_schema() as postgres,
            ):
                rounds.append(ours(url, made, Path(folder)))
                drains["sqlite"].append(drained(url, made, new_store(Path(folder) / "backlog")))
                if postgres is not None:
                    drains["postgresql"].append(drained(url, made, new_store(postgres)))
    appending, fanning, delivering = (median(each) for each in zip(*rounds, strict=True))
    floor, count = median(bare), len(made)
    beside = "bare aiohttp, the same signed bodies"
    bench.compare(
        "deliveries, recorded", count / delivering.seconds, count / floor.seconds, beside, unit="/s"
    )
    bench.compare(
        "CPU of a delivery", delivering.cpu / count * 1e6, floor.cpu / count * 1e6, beside, unit="µs"
    )
    bench.compare(
        "events fanned out", count / fanning.seconds, count / appending.seconds,
        "storing them", unit="/s",
    )  # fmt: skip
    for name, seconds in drains.items():
        if seconds:
            ours_rate = count / statistics.median(seconds)
            bench.compare(f"a backlog drained, {name}", ours_rate, count / floor.seconds, beside, unit="/s")


if __name__ == "__main__":
    sys.exit(bench.run(measure))
