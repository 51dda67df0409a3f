"""What a consumer's poll costs with many stored events, against few, interleaved in one run.

A poll is: ten new events have come, read them, acknowledge them (and, apart, a poll that finds nothing).

    python bench/poll.py [--store postgresql://…/empty_database] [--stored 1000000] [--polls 150]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.store import inbox
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

SOURCE = SourceSettings("varda", "varda")
BODY = {"event": "call.ended", "data": {"contact": {"id": 456, "name": "Jane Doe"}, "notes": "x" * 300}}


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
    inbox.read_new(store, "bench", start="now")


def poll(store: Store, number: int) -> tuple[float, float]:
    """(seconds of a poll that finds ten, seconds of one that finds nothing)."""
    inbox.append(store, new_events(number * 10))
    started = time.perf_counter()
    events = inbox.read_new(store, "bench")
    inbox.acknowledge(store, "bench", [event.seq or 0 for event in events])
    found = time.perf_counter() - started
    assert len(events) == 10, len(events)
    started = time.perf_counter()
    assert not inbox.read_new(store, "bench")
    return found, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", help="an empty PostgreSQL database; default: SQLite files")
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--polls", type=int, default=150)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stores = {}
        for count in (1_000, args.stored):
            url = f"sqlite:///{folder}/{count}.db"
            if args.store:
                url = sa.make_url(args.store).update_query_dict({"options": f"-csearch_path=bench_{count}"})
                admin = Store(args.store)
                with admin.write() as connection:
                    connection.execute(sa.text(f"DROP SCHEMA IF EXISTS bench_{count} CASCADE"))
                    connection.execute(sa.text(f"CREATE SCHEMA bench_{count}"))
                url = url.render_as_string(hide_password=False)
            stores[count] = Store(url)
            upgrade(stores[count])
            started = time.perf_counter()
            fill(stores[count], count)
            print(f"stored {count:,} events in {time.perf_counter() - started:.0f} s", flush=True)
        times: dict[int, list[tuple[float, float]]] = {count: [] for count in stores}
        for number in range(args.polls):
            for count, store in stores.items():
                times[count].append(poll(store, number))
        found, nothing = (
            {count: statistics.median(each[kind] for each in times[count]) for count in stores}
            for kind in (0, 1)
        )
        for text, medians in (("ten new events", found), ("nothing new", nothing)):
            few, many = medians[1_000], medians[args.stored]
            print(
                f"{next(iter(stores.values())).dialect}, {text}: {few * 1e3:.2f} ms with 1,000 stored, "
                f"{many * 1e3:.2f} ms with {args.stored:,}: {many / few:.2f}x"
            )


if __name__ == "__main__":
    main()
