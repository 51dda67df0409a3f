"""Server time of every page with many leads, events, deliveries and attempts, on SQLite and PostgreSQL.

    python bench/web.py [--rows 200000] [--postgres postgresql+psycopg://postgres@127.0.0.1:5432/postgres]

Asks the application as Airflow mounts it, in this process: log-in, rights, queries, template and all. Prints the
median look at each page in milliseconds beside a file that needs neither log-in nor store, and the slowest page of
all beside ``LIMIT_MS``, which is meant for a million rows a table: ``--rows 1000000`` takes a minute or two to fill.
With SQLite it is this process's processor time, with PostgreSQL the clock on the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from shared.figures import Bench, timed
from shared.filled import analyse, pour
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
# One in ten waits, some of them were held or failed.
_DELIVERY_STATE = (
    "CASE WHEN n % 50 = 0 THEN 'dead' WHEN n % 50 = 1 THEN 'held' WHEN n % 50 = 2 THEN 'failed' "
    "WHEN n % 50 < 7 THEN 'pending' ELSE 'delivered' END"
)
# A run a minute for two weeks; of everything else a day's worth, evenly spread.
_FILL = (
    "INSERT INTO runs (campaign, owner, dag_id, task_id, airflow_run_id, state, started_at, heartbeat_at, lease_until, "
    "finished_at, rows_read, counts) SELECT 'campaign-' || (n % 20), 'owner-' || n, 'outreach_lead_sync__sync_' || (n % 20), "
    "'task', 'run-' || n, CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, :now - n * 60000, "
    ":now - n * 60000 + 50000, 0, :now - n * 60000 + 50000, 100, "
    '\'{"accepted": 90, "rejected": 10}\' FROM {rows} WHERE n <= 20000',
    "INSERT INTO suppressions (campaign, phone, reason, source, added_at) "
    "SELECT '', '+1' || (4162000000 + n), 'unsubscribed', 'bench', :now FROM {rows}",
    "INSERT INTO audit (at, actor, action, subject) SELECT :now, 'ada', 'redeliver', 'all' FROM {rows}",
    "INSERT INTO leads (campaign, phone, email_hash, contact_id, state, reason, line, run_id, tries, rev, created_at, "
    "updated_at, sent_at) SELECT 'campaign-' || (n % 20), '+1' || (4162000000 + n), 'hash-' || n, 'p' || n, "
    f"{_STATE}, CASE WHEN n = 7 THEN 'rare' ELSE '' END, "
    "n, n / 10000, 1, 1, :now - n * 80, :now - n * 80, :now - n * 80 FROM {rows}",
    "INSERT INTO attempts (lead_id, run_id, at, outcome, status, latency_ms) "
    "SELECT n, n / 10000, :now - (:rows - n) * 80, 'accepted', 200, 40 FROM {rows}",
    "INSERT INTO inbox_events (event_id, seq, source, platform, type, kind, origin, occurred_at, received_at, phone, email, "
    "external_id, headers, body) SELECT 'evt_' || n, n, 'source_' || (n % 4), 'varda', 'x', "
    "CASE WHEN n % 1000 = 0 THEN 'unrecognised' WHEN n % 3 = 0 THEN 'replied' ELSE 'opened' END, 'webhook', :now, "
    ":now - (:rows - n) * 80, '+1' || (4162000000 + n), 'Lead.' || n || '@example.com', 'p' || n, '[]', {body} FROM {rows}",
    "INSERT INTO deliveries (event_id, route, endpoint, lane, kind, state, created_at, updated_at, resend) "
    "SELECT 'evt_' || n, 'route_' || (n % 5), 'endpoint_' || (n % 3), 'l' || n, 'replied', "
    f"{_DELIVERY_STATE}, :now - (:rows - n) * 80, :now, 1 FROM {{rows}}",
    "INSERT INTO delivery_attempts (delivery_id, at, verdict, status, latency_ms, dag_id, task_id, airflow_run_id) "
    "SELECT n, :now - (:rows - n) * 80, CASE WHEN n % 50 < 3 THEN 'retry' ELSE 'delivered' END, 200, 30, "
    "'outreach_event_route__route_' || (n % 5), 'deliver', 'run-' || (n / 1000) FROM {rows}",
    "INSERT INTO inbox_sequence (id, last) VALUES (1, :rows)",
    # One is as far as may be, one a tenth behind; one has been paused for ever, and one reads what never comes.
    "INSERT INTO inbox_consumers (consumer, position, created_at, read_at, looked_at, routes, source, kinds, reads_where) "
    "SELECT 'route_' || (n - 1), CASE n WHEN 1 THEN :rows WHEN 2 THEN :rows * 9 / 10 ELSE 0 END, 1, 1, :now, "
    "'route_' || (n - 1), CASE WHEN n = 3 THEN 'source_9' END, CASE WHEN n = 4 THEN ' call_ended ' ELSE '' END, '' "
    "FROM {rows} WHERE n <= 5",
    "INSERT INTO endpoints (conn_id, failures, failing_since, resting_since, rest_until, rest_reason, rests) "
    "SELECT 'endpoint_' || (n - 1), 9, :now - 90000, CASE WHEN n = 2 THEN :now - 60000 END, "
    "CASE WHEN n = 2 THEN :now + 3600000 END, '503', 1 FROM {rows} WHERE n <= 3",
)
_WORKFLOWS = (
    "lead_syncs:\n"
    "  sync_3: {leads: {csv: /data/leads.csv}, outreach: {conn_id: outreach_default, configuration_id: 68d6d7de324658b8a1760d5e}, "
    "map: {phoneNumber: phone}}\n"
    "event_routes:\n"
) + "".join(
    f"  route_{n}: {{where: kind == 'replied', deliver: {{endpoint: endpoint_1}}}}\n" for n in range(5)
)


def fill(store: Store, rows: int) -> None:
    """A day's worth of rows, evenly spread, and counted by the database."""
    numbers = {":now": round(time.time() * 1000), ":rows": rows}
    insertions = list(_FILL)
    for name, number in numbers.items():
        insertions = [each.replace(name, str(number)) for each in insertions]
    pour(store, rows, insertions)
    analyse(store)


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
        "all": "", "of a source": "source=source_1", "of no source": "source=nowhere",
        "of a campaign of none": "campaign=nowhere", "unrecognised": "kind=unrecognised", "of a source and a kind": "source=source_1&kind=replied",
        "of a source and a kind that never meet": "source=source_1&kind=unrecognised",
        "since a time": "since=2026-01-01T00:00", "before a time": "until=2000-01-01T00:00",
    }  # fmt: skip
    deliveries = {
        "all": "", "dead": "state=dead", "delivered": "state=delivered", "of a route": "route=route_2",
        "of no route": "route=nowhere", "to an endpoint": "endpoint=endpoint_1",
        "dead ones to an endpoint": "state=dead&endpoint=endpoint_1", "of a campaign of none": "campaign=nowhere", "of a kind": "kind=clicked",
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
        "setup": "/setup",
        "workflows": "/workflows",
        "a workflow: a sync": "/workflows/outreach_lead_sync__sync_3",
        "a workflow: a route": "/workflows/outreach_event_route__route_1",
        "try it": "/workflows/outreach_event_route__route_1/try",
        "try it with an event": f"/workflows/outreach_event_route__route_1/try?event=evt_{rows // 2}",
        "consumers": "/api/consumers",
        "person, asked for": "/person",
        "a task: leads": "/task?dag_id=outreach_lead_sync__sync_5&run_id=run-5&task_id=task",
        "a task: deliveries": "/task?dag_id=outreach_event_route__route_1&run_id=run-5&task_id=deliver",
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


def browser(store: Store, folder: Path) -> Any:
    """An editor's requests to the application as Airflow mounts it. :param folder: for a few workflows."""
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.utils import db
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from shared.workflows import written

    from airflow_outreach_provider.web.app import create_app

    db.initdb()
    written(folder / "workflows", _WORKFLOWS)
    outer = FastAPI()
    manager = init_auth_manager(outer)
    outer.mount("/outreach", create_app(auth_manager=manager, store=store))
    token = manager.generate_jwt(SimpleAuthManagerUser(username="bench", role="admin"))
    return TestClient(
        outer, base_url="http://testserver/outreach", cookies={"_token": token}, headers={"accept": "text/html"}
    )  # fmt: skip


def milliseconds(client: Any, path: str, looks: int, clock: Callable[[], float]) -> list[float]:
    """How long the first look took, and each of some later ones."""
    times = []
    for _ in range(1 + looks):
        start = clock()
        answer = client.get(f"http://testserver/outreach{path}")
        times.append(1000 * (clock() - start))
        if answer.status_code != 200:
            raise SystemExit(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    return times


def look(store: Store, folder: Path, rows: int, looks: int) -> None:
    """Fill the store and look at every page; what is said last is the slowest page beside the limit."""
    os.environ["AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN"] = store.url.render_as_string(hide_password=False)
    filling = timed(lambda: fill(store, rows))
    bench.note(f"{store.dialect}: {rows:,} rows a table, filled in {filling.seconds:.0f} s")
    client = browser(store, folder)
    # SQLite works in this process, and its processor time is what others on the machine change least.
    clock = time.process_time if store.dialect == "sqlite" else time.perf_counter
    nothing = statistics.median(milliseconds(client, "/static/icon.svg", looks, clock)[1:])
    slowest, slowest_first = 0.0, 0.0
    for name, path in pages(rows).items():
        first, *times = milliseconds(client, path, looks, clock)
        median = statistics.median(times)
        slowest, slowest_first = max(slowest, median), max(slowest_first, first)
        over = (
            f" (at most {max(times):.0f} ms, the first {first:.0f} ms)"
            if max(first, *times) > LIMIT_MS
            else ""
        )
        bench.compare(name + over, median, nothing, "a file: no log-in, no store", unit="ms")
    bench.compare(f"slowest page, {store.dialect}", slowest, LIMIT_MS, "the limit", unit="ms", at_most=1)
    bench.compare(f"slowest first look, {store.dialect}", slowest_first, LIMIT_MS, "the limit", unit="ms")
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
            look(new_store(Path(folder) / "web"), Path(folder), asked.rows, asked.looks)
        if asked.only != "sqlite":
            with postgres_schema(asked.postgres) as url:
                if url is None:
                    bench.note("PostgreSQL: not measured, none answers; say where with --postgres")
                else:
                    look(new_store(url), Path(folder), asked.rows, asked.looks)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
