"""What the first page shows: a day of all three flows by the hour, and what waits for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.states import LeadState, RowState, RunState
from airflow_outreach_provider.store.deliveries.lists import attempted_between, counts_by_state
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import count_unrecognised, received_between
from airflow_outreach_provider.store.ledger.run_lists import RunRow, list_runs, rows_since
from airflow_outreach_provider.store.ledger.tables import leads, runs
from airflow_outreach_provider.store.paging import capped_count
from airflow_outreach_provider.store.schema import UtcTime

T = TypeVar("T")

HOURS = 24
MOST = 1000
"""What waits is counted no further; above it the page says "more than"."""
# What a slow transaction stamped with an hour may become visible this long after it.
_LATE_COMMITS = timedelta(minutes=10)
_over: WeakKeyDictionary[Store, dict[str, dict[datetime, Any]]] = WeakKeyDictionary()
_FAILED = (RowState.REJECTED.value, RowState.HELD.value)
_WAITING_LEADS = (LeadState.HELD, LeadState.PLANNED, LeadState.DEFERRED)
_WAITING_DELIVERIES = (
    DeliveryState.DEAD,
    DeliveryState.HELD,
    DeliveryState.FAILED,
    DeliveryState.PENDING,
)


@dataclass(frozen=True, slots=True)
class Hour:
    """One bar: what went well and what failed from ``start`` on, one hour long."""

    start: datetime
    good: int
    failed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The last 24 hours, and what waits now.

    :ivar rows: source rows by state, over the runs started in that time.
    :ivar waiting_leads: leads by state, :ivar waiting_deliveries: deliveries by state; see ``MOST``.
    :ivar failing: runs that failed in that time and were not followed by a better try.
    """

    at: datetime
    rows: dict[str, int]
    waiting_leads: dict[str, int]
    waiting_deliveries: dict[str, int]
    unrecognised: int
    lead_hours: list[Hour]
    event_hours: list[Hour]
    delivery_hours: list[Hour]
    active: list[RunRow]
    failing: list[RunRow]


def overview(store: Store) -> Overview:
    """Read it all; the cost does not depend on how much is stored."""
    now = store.now()
    top = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    bounds = [top - timedelta(hours=HOURS - n) for n in range(HOURS + 1)]
    since = bounds[0]
    latest = list_runs(store, limit=200).rows
    received = _by_hour(store, "received", now, bounds, lambda some: received_between(store, some))
    attempted = _by_hour(store, "attempted", now, bounds, lambda some: attempted_between(store, some))
    return Overview(
        at=now,
        rows=dict(rows_since(store, since)),
        waiting_leads=_waiting_leads(store),
        waiting_deliveries=counts_by_state(store, _WAITING_DELIVERIES, MOST),
        unrecognised=count_unrecognised(store, since, MOST),
        lead_hours=_lead_hours(store, bounds),
        event_hours=[Hour(start, n, 0) for start, n in zip(bounds, received, strict=False)],
        delivery_hours=[
            Hour(start, n - bad, bad) for start, (n, bad) in zip(bounds, attempted, strict=False)
        ],
        active=[run for run in latest if run.state == RunState.RUNNING][:10],
        failing=_failing(latest, since)[:10],
    )


def _waiting_leads(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return {
            state.value: capped_count(
                connection,
                sa.select(leads.c.id).where(
                    leads.c.state == sa.literal_column(f"'{state.value}'"),
                    sa.text("leads.state <> 'accepted'"),
                ),
                MOST,
            )
            for state in _WAITING_LEADS
        }


def _failing(latest: list[RunRow], since: datetime) -> list[RunRow]:
    """The newest try of each task instance, where that failed."""
    seen: set[str] = set()
    found = []
    for run in latest:
        if run.owner not in seen and run.started_at >= since:
            seen.add(run.owner)
            if run.state in (RunState.FAILED, RunState.EXPIRED) and not run.dry_run:
                found.append(run)
    return found


def _lead_hours(store: Store, bounds: list[datetime]) -> list[Hour]:
    """Accepted and failed rows by the hour: each run's counts, spread evenly over the time it took."""
    columns = (runs.c.started_at, runs.c.finished_at, runs.c.heartbeat_at, runs.c.counts)
    query = sa.select(*columns).where(
        runs.c.started_at >= sa.literal(bounds[0] - timedelta(days=1), UtcTime), runs.c.dry_run.is_(False)
    )
    # Added up as they are, and rounded once: many small runs must not vanish.
    good: dict[int, float] = defaultdict(float)
    bad: dict[int, float] = defaultdict(float)
    with store.read() as connection:
        for run in connection.execute(query.limit(20_000)):
            accepted = run.counts.get(RowState.ACCEPTED.value, 0)
            failed = sum(run.counts.get(name, 0) for name in _FAILED)
            for hour, share in _shares(run.started_at, run.finished_at or run.heartbeat_at, bounds[0]):
                good[hour] += accepted * share
                bad[hour] += failed * share
    return [Hour(start, round(good[n]), round(bad[n])) for n, start in enumerate(bounds[:-1])]


def _shares(start: datetime, end: datetime, first: datetime) -> Iterator[tuple[int, float]]:
    """Which part of the time from ``start`` to ``end`` lies in which of the ``HOURS`` hours from ``first`` on."""
    begin = (start - first).total_seconds() / 3600
    finish = max(begin + 1e-6, (end - first).total_seconds() / 3600)
    for hour in range(max(0, int(begin)), min(HOURS, int(finish) + 1)):
        overlap = min(finish, hour + 1) - max(begin, hour)
        if overlap > 0:
            yield hour, overlap / (finish - begin)


def _by_hour(
    store: Store, what: str, now: datetime, bounds: list[datetime], read: Callable[[list[datetime]], list[T]]
) -> list[T]:
    """What ``read`` finds for each hour; hours that are over are read once and remembered.

    :param bounds: the hours' beginnings, and the end of the last.
    """
    known = _over.setdefault(store, {}).setdefault(what, {})
    for hour in [hour for hour in known if hour < bounds[0]]:
        del known[hour]
    new = next((n for n, hour in enumerate(bounds[:-1]) if hour not in known), HOURS)
    found: list[T] = [known[hour] for hour in bounds[:new]]
    found += read(bounds[new:]) if new < HOURS else []
    for hour, end, value in zip(bounds, bounds[1:], found, strict=False):
        if end <= now - _LATE_COMMITS:
            known[hour] = value
    return found
