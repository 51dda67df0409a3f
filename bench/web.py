"""Server time of every page with many leads, events, deliveries and attempts, on SQLite and PostgreSQL.

    python bench/web.py [--rows 200000] [--postgres postgresql+psycopg://postgres@127.0.0.1:5432/postgres]

Asks the application as Airflow mounts it, in this process: log-in, rights, queries, template and all. Prints the
median look at each page in milliseconds beside a file that needs neither log-in nor store, and the slowest look of
all beside ``LIMIT_MS``, which is meant for a million rows a table: ``--rows 1000000`` takes some minutes to fill.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from shared.figures import Bench, timed
from shared.places import POSTGRES, new_store, postgres_schema

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.engine import Store

LIMIT_MS = 200.0

bench = Bench(__doc__)
bench.size("rows", 200_000, 2_000, "rows a table")
bench.size("looks", 5, 1, "looks at each page")
bench.parser.add_argument("--postgres", default=POSTGRES, help="where a schema of our own may be made")
bench.parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")

_STATE = (
    "CASE WHEN n % 100 < 80 THEN 'accepted' WHEN n % 100 < 90 THEN 'rejected' WHEN n % 100 < 92 THEN 'held' "
    "WHEN n % 100 < 96 THEN 'suppressed' ELSE 'planned' END"
)
_FILL = (
    "INSERT INTO runs (campaign, owner, dag_id, task_id, airflow_run_id, state, started_at, heartbeat_at, lease_until, "
    "finished_at, rows_read, counts) SELECT 'campaign-' || (n % 20), 'owner-' || n, 'dag', 'task', 'run-' || n, "
    "CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, :now - n * 60000, :now - n * 60000 + 50000, 0, "
    'CAST(:now - n * 60000 + 50000 AS BIGINT), 100, \'{"accepted": 90, "rejected": 10}\' FROM numbers WHERE n <= 2000',
    "INSERT INTO suppressions (campaign, phone, reason, source, added_at) "
    "SELECT '', '+1' || (4162000000 + n), 'unsubscribed', 'bench', :now FROM numbers",
    "INSERT INTO audit (at, actor, action, subject) SELECT :now, 'ada', 'redeliver', 'all' FROM numbers",
    "INSERT INTO leads (campaign, phone, state, reason, line, run_id, tries, rev, created_at, updated_at) "
    f"SELECT 'campaign-' || (n % 20), '+1' || (4162000000 + n), {_STATE}, CASE WHEN n = 7 THEN 'rare' ELSE '' END, "
    "n, n / 10000, 1, 1, :now - n * 80, :now - n * 80 FROM numbers",
    "INSERT INTO attempts (lead_id, run_id, at, outcome, status, latency_ms) "
    "SELECT n, n / 10000, :now - (:rows - n) * 80, 'accepted', 200, 40 FROM numbers",
    "INSERT INTO inbox_events (event_id, seq, source, platform, type, kind, origin, occurred_at, received_at, phone, email, headers, body) "
    "SELECT 'evt_' || n, n, 'source-' || (n % 4), 'varda', 'x', CASE WHEN n % 1000 = 0 THEN 'unrecognised' "
    "WHEN n % 3 = 0 THEN 'replied' ELSE 'opened' END, 'webhook', :now, :now - (:rows - n) * 80, '+1' || (4162000000 + n), 'Lead.' || n || '@example.com', '[]', {body} FROM numbers",
    "INSERT INTO deliveries (event_id, route, endpoint, lane, kind, state, created_at, updated_at, resend) "
    "SELECT 'evt_' || n, 'route-' || (n % 5), 'endpoint-' || (n % 3), 'l' || n, 'replied', "
    "CASE WHEN n % 50 = 0 THEN 'dead' ELSE 'delivered' END, :now - (:rows - n) * 80, :now, 1 FROM numbers",
    "INSERT INTO delivery_attempts (delivery_id, at, verdict, status, latency_ms) "
    "SELECT n, :now - (:rows - n) * 80, CASE WHEN n % 50 = 0 THEN 'retry' ELSE 'delivered' END, 200, 30 FROM numbers",
)


def fill(store: Store, rows: int) -> None:
    """A day's worth of rows, evenly spread."""
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows) "
    body = "CAST('{}' AS BLOB)" if store.dialect == "sqlite" else "'\\x7b7d'::bytea"
    with store.write() as connection:
        params = {"now": round(time.time() * 1000), "rows": rows}
        for statement in _FILL:
            head, _, tail = statement.replace("{body}", body.replace("::", r"\:\:")).partition("SELECT")
            sql = f"{head}{numbers}SELECT{tail}"
            connection.execute(sa.text(sql), {k: v for k, v in params.items() if f":{k}" in sql})
    with store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))


def _tried(rows: int) -> dict[str, str]:
    """Filters by time of an attempt: in the middle of what there is, with and without others that match."""
    middle, hour = datetime.now(UTC) - timedelta(milliseconds=40 * rows), timedelta(hours=1)
    when = f"tried_since={middle - hour:%Y-%m-%dT%H:%M}&tried_until={middle:%Y-%m-%dT%H:%M}"
    return {
        "in an hour": when, "in an hour, failed": f"{when}&tried=failed", "in an hour, delivered": f"{when}&tried=delivered",
        "in an hour, on no route": f"{when}&route=nowhere", "in an hour, dead": f"{when}&tried=failed&state=failed",
        "ever, failed, on no route": "tried=failed&route=nowhere",
    }  # fmt: skip


def _month() -> str:
    now = datetime.now(UTC)
    return f"/overview?since={now - timedelta(days=30):%Y-%m-%dT%H:%M}&until={now:%Y-%m-%dT%H:%M}"


def pages(rows: int) -> dict[str, str]:
    """Every page with its filters, the worst cases among them: what it is → its path."""
    middle = quote(f"+1{4162000000 + rows // 2}")
    leads = {
        "all": "", "a reason of one lead": "reason=rare", "a reason of none": "reason=nothing",
        "one campaign": "campaign=campaign-3", "a campaign of none": "campaign=nowhere",
        "by number": f"phone={middle}", "of a run": "run=5",
        **{f"state {state.value}": f"state={state.value}" for state in LeadState},
        "held in one campaign": "state=held&campaign=campaign-10",
        "rejected for a reason of none": "state=rejected&reason=nothing", "deep in the list": f"cursor={rows // 2}",
    }  # fmt: skip
    events = {
        "all": "", "of a source": "source=source-1", "of no source": "source=nowhere",
        "of a campaign of none": "campaign=nowhere", "unrecognised": "kind=unrecognised", "of a source and a kind": "source=source-1&kind=replied",
        "of a source and a kind that never meet": "source=source-1&kind=unrecognised",
        "since a time": "since=2026-01-01T00:00", "before a time": "until=2000-01-01T00:00",
    }  # fmt: skip
    deliveries = {
        "all": "", "dead": "state=dead", "delivered": "state=delivered", "of a route": "route=route-2",
        "of no route": "route=nowhere", "to an endpoint": "endpoint=endpoint-1",
        "dead ones to an endpoint": "state=dead&endpoint=endpoint-1", "of a campaign of none": "campaign=nowhere", "of a kind": "kind=clicked",
        "of an event": f"event=evt_{rows // 2}", "since a time": "since=2026-01-01T00:00",
        **{f"tried {name}": query for name, query in _tried(rows).items()},
        "sent again by one action": "resend=1", "sent again, still to be done": "resend=1&state=pending",
    }  # fmt: skip
    found = {
        "overview": "/overview",
        "overview of an hour": "/overview?range=1h",
        "overview of a week": "/overview?range=7d",
        "overview of a month": _month(),
        "sent again by one action": "/resends/1",
        "runs": "/runs",
        "runs of an hour": "/runs?since=2026-01-01T00:00&until=2026-01-01T01:00",
        "audit": "/audit",
        "do not contact: of a campaign of none": "/do-not-contact?campaign=nowhere",
        "connections": "/connections",
        "do not contact": "/do-not-contact",
        "workflows": "/workflows",
        "campaigns": "/campaigns",
        "one campaign": "/campaigns?campaign=campaign-3",
    }
    for path, filters in (("leads", leads), ("events", events), ("deliveries", deliveries)):
        found |= {f"{path}: {name}": f"/{path}?{query}" for name, query in filters.items()}
    found |= {
        "one person": f"/person/lead/{rows // 2}", "one person by an event": f"/person/event/evt_{rows // 2}",
        "one lead": f"/leads/{rows // 2}", "one event": f"/events/evt_{rows // 2}", "one run": "/runs/5",
        "one delivery": f"/deliveries/{rows // 2}",
    }  # fmt: skip
    return found


def browser(store: Store) -> Any:
    """An editor's requests to the application as Airflow mounts it."""
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.utils import db
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from airflow_outreach_provider.web.app import create_app

    db.initdb()
    outer = FastAPI()
    manager = init_auth_manager(outer)
    outer.mount("/outreach", create_app(auth_manager=manager, store=store))
    token = manager.generate_jwt(SimpleAuthManagerUser(username="bench", role="admin"))
    return TestClient(
        outer, base_url="http://testserver/outreach", cookies={"_token": token}, headers={"accept": "text/html"}
    )  # fmt: skip


def milliseconds(client: Any, path: str, looks: int) -> list[float]:
    """How long each of some looks took, after one that is not counted."""
    times = []
    for _ in range(1 + looks):
        start = time.perf_counter()
        answer = client.get(f"http://testserver/outreach{path}")
        times.append(1000 * (time.perf_counter() - start))
        if answer.status_code != 200:
            raise SystemExit(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    return times[1:]


def look(store: Store, rows: int, looks: int) -> None:
    """Fill the store and look at every page; what is said last is the slowest look beside the limit."""
    filling = timed(lambda: fill(store, rows))
    bench.note(f"{store.dialect}: {rows:,} rows a table, filled in {filling.seconds:.0f} s")
    client = browser(store)
    nothing = statistics.median(milliseconds(client, "/static/icon.svg", looks))
    slowest = 0.0
    for name, path in pages(rows).items():
        times = milliseconds(client, path, looks)
        slowest = max(slowest, *times)
        bench.compare(name, statistics.median(times), nothing, "a file: no log-in, no store", unit="ms")
    bench.compare(f"slowest look, {store.dialect}", slowest, LIMIT_MS, "the limit", unit="ms", at_most=1)
    store.close()


def measure(asked: argparse.Namespace) -> None:
    """Every page on both databases, or the one that was asked for."""
    with TemporaryDirectory(prefix="outreach-web-") as folder:
        os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = uuid.uuid4().hex * 4
        os.environ["AIRFLOW_CONN_ENDPOINT_1"] = json.dumps(
            {"conn_type": "outreach_endpoint", "host": "https://crm.example.com/hook"}
        )
        if asked.only != "postgresql":
            look(new_store(Path(folder) / "web"), asked.rows, asked.looks)
        if asked.only != "sqlite":
            with postgres_schema(asked.postgres) as url:
                if url is None:
                    bench.note("PostgreSQL: not measured, none answers; say where with --postgres")
                else:
                    look(new_store(url), asked.rows, asked.looks)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
