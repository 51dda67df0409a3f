"""What a consumer's poll costs with many stored events, against few, interleaved in one run.

A poll is: ten new events have come, read them, acknowledge them (and, apart, a poll that finds nothing).

    python bench/poll.py [--store postgresql://…/database] [--stored 1000000] [--polls 150]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from shared.figures import Bench, timed
from shared.places import new_store, postgres_schema

from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers

FEW = 1_000
SECONDS = 60
SOURCE = SourceSettings("varda", "varda")
BODY = {"event": "call.ended", "data": {"contact": {"id": 456, "name": "Jane Doe"}, "notes": "x" * 300}}

bench = Bench(__doc__)
bench.parser.add_argument(
    "--store", help="a PostgreSQL database, in schemas of our own; default: SQLite files"
)
bench.size("stored", 1_000_000, 20_000, "events stored before")
bench.size("polls", 150, 5, "polls of each store")


def new_events(first: int) -> list[Incoming]:
    return [
        read_event(
            SOURCE,
            json.dumps({**BODY, "id": number}).encode(),
            {"X-Varda-Delivery": f"bench{number}"},
            received_at=datetime.now(UTC),
        )
        for number in range(first, first + 10)
    ]


def fill(store: Store, count: int) -> None:
    """Store ``count`` events that were numbered and read long ago."""
    numbers = (
        "generate_series(1, :count) AS n"
        if store.dialect == "postgresql"
        else "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s)"
    )
    body = "convert_to(:body, 'UTF8')" if store.dialect == "postgresql" else "CAST(:body AS BLOB)"
    insert = (
        "INSERT INTO inbox_events (event_id, seq, source, platform, type, kind, origin, occurred_at, received_at, "
        f"headers, body) SELECT 'evt_old' || n, n, 'varda', 'varda', 'call.ended', 'call_ended', 'webhook', "
        f"1700000000000 + n, 1700000000000 + n, '[]', {body} FROM {numbers}"
    )
    with store.write() as connection:
        connection.execute(sa.text(insert), {"count": count, "body": json.dumps(BODY)})
        connection.execute(
            sa.text("INSERT INTO inbox_sequence (id, last) VALUES (1, :count)"), {"count": count}
        )
    if store.dialect == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE inbox_events"))
    consumers.read_new(store, "bench", start="now")


def poll(store: Store, number: int) -> tuple[float, float]:
    """(seconds of a poll that finds ten, seconds of one that finds nothing)."""
    inbox_append.append(store, new_events(number * 10))
    started = time.perf_counter()
    events = consumers.read_new(store, "bench")
    consumers.acknowledge(store, "bench", [event.seq or 0 for event in events])
    found = time.perf_counter() - started
    assert len(events) == 10, len(events)
    started = time.perf_counter()
    assert not consumers.read_new(store, "bench")
    return found, time.perf_counter() - started


def measure(asked: argparse.Namespace) -> None:
    """A store with few events and one with many, polled in turn."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-bench-"))
        stores = {}
        for count in (FEW, asked.stored):
            where: Path | str = Path(folder) / str(count)
            if asked.store:
                url = stack.enter_context(postgres_schema(asked.store))
                if url is None:
                    raise SystemExit("no PostgreSQL answers at --store")
                where = url
            stores[count] = new_store(where)
            filling = timed(partial(fill, stores[count], count))
            bench.note(f"stored {count:,} events in {filling.seconds:.0f} s")
        times: dict[int, list[tuple[float, float]]] = {count: [] for count in stores}
        for number in bench.rounds(asked.polls, SECONDS):
            for count, store in stores.items():
                times[count].append(poll(store, number))
        for place, text in enumerate(("ten new events", "nothing new")):
            few, many = (1e3 * statistics.median(each[place] for each in times[count]) for count in stores)
            bench.compare(
                f"a poll of {asked.stored:,}: {text}", many, few, f"of {FEW:,}, {store.dialect}",
                unit="ms", at_most=1.5,
            )  # fmt: skip
        for store in stores.values():
            store.close()


if __name__ == "__main__":
    sys.exit(bench.run(measure))
