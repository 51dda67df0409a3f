"""Server time of every list page with a million leads and a million events, on SQLite and PostgreSQL.

    python bench/web.py [--rows 1000000] [--url sqlite:////tmp/web.db]

Reads what the pages read and prints the slowest of three looks in milliseconds; fails where a list page takes
more than ``LIMIT_MS``. The overview, which sums up a day, is shown beside them.
The time of Airflow's log-in and of the template is not in it: about 10 ms more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.views_deliveries import DeliveryFilter
from airflow_outreach_provider.store.views_events import EventFilter
from airflow_outreach_provider.store.views_leads import LeadFilter
from airflow_outreach_provider.store.views_overview import overview
from airflow_outreach_provider.web import looking

LIMIT_MS = 200.0
_STATE = (
    "CASE WHEN n % 100 < 80 THEN 'accepted' WHEN n % 100 < 90 THEN 'rejected' WHEN n % 100 < 92 THEN 'held' "
    "WHEN n % 100 < 96 THEN 'suppressed' ELSE 'planned' END"
)
_FILL = (
    "INSERT INTO leads (campaign, phone, state, reason, line, run_id, tries, rev, created_at, updated_at) "
    f"SELECT 'campaign-' || (n % 20), '+1' || (4160000000 + n), {_STATE}, CASE WHEN n = 7 THEN 'rare' ELSE '' END, "
    "n, n / 10000, 1, 1, :now - n * 80, :now - n * 80 FROM numbers",
    "INSERT INTO attempts (lead_id, run_id, at, outcome, status, latency_ms) "
    "SELECT n, n / 10000, :now - (:rows - n) * 80, 'accepted', 200, 40 FROM numbers",
    "INSERT INTO inbox_events (event_id, seq, source, platform, type, kind, origin, occurred_at, received_at, headers, body) "
    "SELECT 'evt_' || n, n, 'source-' || (n % 4), 'varda', 'x', CASE WHEN n % 1000 = 0 THEN 'unrecognised' "
    "WHEN n % 3 = 0 THEN 'replied' ELSE 'opened' END, 'webhook', :now, :now - (:rows - n) * 80, '[]', {body} FROM numbers",
    "INSERT INTO deliveries (event_id, route, endpoint, lane, kind, state, created_at, updated_at) "
    "SELECT 'evt_' || n, 'route-' || (n % 5), 'endpoint-' || (n % 3), 'l' || n, 'replied', "
    "CASE WHEN n % 50 = 0 THEN 'dead' ELSE 'delivered' END, :now - (:rows - n) * 80, :now FROM numbers",
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


def looks(store: Store, rows: int) -> dict[str, Callable[[], Any]]:
    """Every list page with its filters, the worst cases among them."""
    leads = {
        "all": LeadFilter(),
        "rare reason": LeadFilter(reason="rare"),
        "one campaign": LeadFilter(campaign="campaign-3"),
        "unknown campaign": LeadFilter(campaign="nowhere"),
        "by number": LeadFilter(phone=f"+1{4160000000 + rows // 2}"),
        "of a run": LeadFilter(run_id=5),
        **{f"state {state.value}": LeadFilter(state=state) for state in LeadState},
        "held in one campaign": LeadFilter(state=LeadState.HELD, campaign="campaign-10"),
    }
    events = {
        "all": EventFilter(),
        "source": EventFilter(source="source-1"),
        "unknown source": EventFilter(source="nowhere"),
        "unrecognised": EventFilter(kind=EventKind.UNRECOGNISED),
        "source and kind": EventFilter(source="source-1", kind=EventKind.REPLIED),
        "source and kind that never meet": EventFilter(source="source-1", kind=EventKind.UNRECOGNISED),
    }
    deliveries = {
        "all": DeliveryFilter(),
        "dead": DeliveryFilter(state=DeliveryState.DEAD),
        "one route": DeliveryFilter(route="route-2"),
        "one endpoint": DeliveryFilter(endpoint="endpoint-1"),
        "kind that is not there": DeliveryFilter(kind="clicked"),
    }
    found: dict[str, Callable[[], Any]] = {"overview": lambda: overview(store)}
    found |= {f"leads: {name}": lambda f=f: looking.leads(store, f, None) for name, f in leads.items()}
    found["leads: deep page"] = lambda: looking.leads(store, LeadFilter(), str(rows // 2))
    found |= {f"events: {name}": lambda f=f: looking.events(store, f, None) for name, f in events.items()}
    found |= {
        f"deliveries: {name}": lambda f=f: looking.deliveries(store, f, None)
        for name, f in deliveries.items()
    }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--url", help="an empty store, which is filled (default: SQLite in a temporary folder)"
    )
    parser.add_argument(
        "--no-fill", dest="fill", action="store_false", help="it was filled by an earlier call"
    )
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="outreach-web-") as folder:
        return measure(Store(asked.url or f"sqlite:///{folder}/web.db"), asked)


def measure(store: Store, asked: argparse.Namespace) -> int:
    """:return: the exit code."""
    upgrade(store)
    began = time.perf_counter()
    if asked.fill:
        fill(store, asked.rows)
    print(
        f"{store.dialect}: filled with {asked.rows:,} rows a table in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    worst = 0.0
    for name, look in looks(store, asked.rows).items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            look()
            times.append(1000 * (time.perf_counter() - start))
        if name != "overview":
            worst = max(worst, *times)
        print(f"{max(times):8.1f} ms  {name}", flush=True)
    print(f"slowest list page {worst:.0f} ms, limit {LIMIT_MS:.0f} ms")
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
