"""What the first page shows: a day of all three flows by the hour, and what waits for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from pydantic_core import from_json

from airflow_outreach_provider.core.chart_span import ChartSpan, last_span
from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.states import LeadState, RowState
from airflow_outreach_provider.store.deliveries.lists import attempted_between, counts_by_state
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import count_unrecognised, received_between
from airflow_outreach_provider.store.ledger.run_lists import RunRow, failing, running
from airflow_outreach_provider.store.ledger.tables import leads, runs
from airflow_outreach_provider.store.paging import capped_count
from airflow_outreach_provider.store.schema import UtcTime, to_ms

T = TypeVar("T")

MOST = 1000
"""What waits is counted no further; above it the page says "more than"."""
_MOST_RUNS = 20_000
_MOST_SHOWN = 10
# Bars of each width.
_REMEMBERED = 500
# What a slow transaction stamped with an hour may become visible this long after it.
_LATE_COMMITS = timedelta(minutes=10)
_over: WeakKeyDictionary[Store, dict[tuple[str, timedelta], dict[datetime, Any]]] = WeakKeyDictionary()
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
    """One bar: what went well and what failed from ``start`` on, an hour or another step long."""

    start: datetime
    good: int
    failed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The last 24 hours, or another time, and what waits now.

    :ivar span: which time. :ivar rows: source rows by state, over the runs started in that time.
    :ivar waiting_leads: leads by state, :ivar waiting_deliveries: deliveries by state; see ``MOST``.
    :ivar failing: runs that failed in the last 24 hours and were followed by no other of their sync.
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
    span: ChartSpan


def overview(store: Store, asked: ChartSpan | str = "24h") -> Overview:
    """Read it all; the cost does not depend on how much is stored.

    :param asked: a time, or the name of one of ``core.chart_span.RANGES``.
    """
    now = store.now()
    span = last_span(now, asked) if isinstance(asked, str) else asked
    bounds, day = span.bounds, last_span(now).start
    received = _by_hour(store, "received", now, bounds, lambda some: received_between(store, some))
    attempted = _by_hour(store, "attempted", now, bounds, lambda some: attempted_between(store, some))
    rows, lead_hours = _rows_of_runs(store, span)
    return Overview(
        at=now,
        rows=rows,
        waiting_leads=_waiting_leads(store),
        waiting_deliveries=counts_by_state(store, _WAITING_DELIVERIES, MOST),
        unrecognised=count_unrecognised(store, day, MOST),
        lead_hours=lead_hours,
        event_hours=[Hour(start, n, 0) for start, n in zip(bounds, received, strict=False)],
        delivery_hours=[
            Hour(start, n - bad, bad) for start, (n, bad) in zip(bounds, attempted, strict=False)
        ],
        active=running(store, _MOST_SHOWN),
        failing=failing(store, day, _MOST_SHOWN),
        span=span,
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


def _rows_of_runs(store: Store, span: ChartSpan) -> tuple[dict[str, int], list[Hour]]:
    """Rows by state over the runs started in that time; and accepted and failed ones by the bar: each run's counts, spread
    evenly over the time it took. Dry runs are left out."""
    begun, ended = runs.c.started_at, sa.func.coalesce(runs.c.finished_at, runs.c.heartbeat_at)
    # Read as numbers and text: of a month there may be tens of thousands.
    query = sa.select(
        sa.type_coerce(begun, sa.BigInteger), sa.type_coerce(ended, sa.BigInteger), sa.cast(runs.c.counts, sa.Text)
    ).where(
        begun >= sa.literal(span.start - timedelta(days=1), UtcTime),
        begun < sa.literal(span.end, UtcTime),
        runs.c.dry_run.is_(False),
    )  # fmt: skip
    # Added up as they are, and rounded once: many small runs must not vanish.
    good, bad = [0.0] * span.count, [0.0] * span.count
    rows: defaultdict[str, int] = defaultdict(int)
    first, step = to_ms(span.start), span.step / timedelta(milliseconds=1)
    with store.read() as connection:
        for start_ms, end_ms, text in connection.execute(query.limit(_MOST_RUNS)).tuples():
            counts: dict[str, int] = from_json(text) or {}
            if start_ms >= first:
                for state, n in counts.items():
                    rows[state] += n
            accepted = counts.get(RowState.ACCEPTED.value, 0)
            failed = sum(counts.get(state, 0) for state in _FAILED)
            for bar, share in _shares((start_ms - first) / step, (end_ms - first) / step, span.count):
                good[bar] += accepted * share
                bad[bar] += failed * share
    return dict(rows), [
        Hour(start, round(good[n]), round(bad[n])) for n, start in enumerate(span.bounds[:-1])
    ]


def _shares(begin: float, end: float, count: int) -> Iterable[tuple[int, float]]:
    """Which part of a time lies in which of so many bars. :param begin, end: in bars from the first one's beginning."""
    if 0 <= begin <= end < (bar := int(begin)) + 1 <= count:
        return ((bar, 1.0),)  # as of most runs
    finish = max(begin + 1e-6, end)
    shared = []
    for bar in range(max(0, int(begin)), min(count, int(finish) + 1)):
        overlap = min(finish, bar + 1) - max(begin, bar)
        if overlap > 0:
            shared.append((bar, overlap / (finish - begin)))
    return shared


def _by_hour(
    store: Store, what: str, now: datetime, bounds: list[datetime], read: Callable[[list[datetime]], list[T]]
) -> list[T]:
    """What ``read`` finds for each bar; bars that are over are read once and remembered.

    :param bounds: the bars' beginnings, and the end of the last.
    """
    count = len(bounds) - 1
    known = _over.setdefault(store, {}).setdefault((what, bounds[1] - bounds[0]), {})
    for bar in sorted(known)[: max(0, len(known) - _REMEMBERED)]:
        known.pop(bar, None)
    before = dict(known)  # others look at the same time
    new = next((n for n, bar in enumerate(bounds[:-1]) if bar not in before), count)
    found: list[T] = [before[bar] for bar in bounds[:new]]
    found += read(bounds[new:]) if new < count else []
    for hour, end, value in zip(bounds, bounds[1:], found, strict=False):
        if end <= now - _LATE_COMMITS:
            known[hour] = value
    return found
