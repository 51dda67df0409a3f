"""The first page's day: every hour's bars are what happened in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.chart_span import last_span
from airflow_outreach_provider.store import paging
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import runs
from airflow_outreach_provider.store.overview import Overview, overview
from airflow_outreach_provider.store.schema import to_ms


def fill(store: Store, sql: str, **values: object) -> None:
    with store.write() as connection:
        connection.execute(sa.text(sql), values)


@pytest.fixture
def hour(store: Store) -> datetime:
    """The beginning of an hour that is over, three hours ago."""
    return store.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


def bar(found: Overview, what: str, start: datetime) -> tuple[int, int]:
    (mine,) = [each for each in getattr(found, what) if each.start == start.astimezone(UTC)]
    return mine.good, mine.failed


def attempts(store: Store, at: datetime, verdict: str, count: int) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
    fill(
        store,
        "INSERT INTO delivery_attempts (delivery_id, at, verdict) "
        f"{numbers}SELECT i, :at + i, CAST(:verdict AS TEXT) FROM n",
        at=to_ms(at), verdict=verdict, count=count,
    )  # fmt: skip


def test_failures_are_never_drawn_as_successes(store: Store, hour: datetime) -> None:
    """An hour of nothing but failures has no good part, however many there are."""
    attempts(store, hour, "retry", 3 * paging.EXACT_UP_TO)
    good, failed = bar(overview(store), "delivery_hours", hour)
    assert good == 0
    assert failed == pytest.approx(3 * paging.EXACT_UP_TO, rel=0.02)


def test_a_mixed_hour_keeps_its_share(store: Store, hour: datetime) -> None:
    """Up to a thousand an hour are counted one by one."""
    attempts(store, hour, "delivered", 700)
    attempts(store, hour + timedelta(minutes=30), "refused", 50)
    assert bar(overview(store), "delivery_hours", hour) == (700, 50)


def test_a_retry_of_a_platform_is_no_event(store: Store, hour: datetime) -> None:
    """What was stored before uses up a number on PostgreSQL; the chart counts events, not numbers."""
    for n in range(50):
        fill(
            store,
            "INSERT INTO inbox_events (event_id, source, platform, type, kind, origin, occurred_at, received_at, headers, "
            "body) VALUES (:id, 's', 'varda', 'x', 'replied', 'webhook', :at, :at, '[]', :body) ON CONFLICT DO NOTHING",
            id=f"evt_{n % 2}", at=to_ms(hour) + n, body=b"{}",
        )  # fmt: skip
    assert bar(overview(store), "event_hours", hour) == (2, 0)


def test_many_small_runs_are_not_rounded_away(store: Store, hour: datetime) -> None:
    """Ten runs of one lead each, over the full hour, are ten leads in the chart."""
    for n in range(10):
        start = to_ms(hour + timedelta(minutes=50))
        fill(
            store,
            "INSERT INTO runs (campaign, owner, state, started_at, heartbeat_at, lease_until, finished_at, counts) "
            "VALUES ('c', :owner, 'succeeded', :start, :end, 0, :end, '{\"accepted\": 1}')",
            owner=str(n), start=start, end=start + 20 * 60_000,
        )  # fmt: skip
    found = overview(store)
    assert sum(each.good for each in found.lead_hours) == 10
    assert bar(found, "lead_hours", hour)[0] == 5
    assert found.rows == {"accepted": 10}


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(-1500, 180),
            st.integers(0, 3000),
            st.integers(0, 10**6),
            st.integers(0, 999),
            st.integers(0, 999),
        ),
        max_size=12,
    )
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_bar_has_its_part_of_every_run(store: Store, made: list[tuple[int, ...]]) -> None:
    """However runs lie: begun before the chart, over many bars, of no time at all."""
    fill(store, "DELETE FROM runs")
    now = store.now()
    shown = last_span(now)
    runs = []
    for number, (begun, minutes, accepted, rejected, held) in enumerate(made):
        start = now - timedelta(minutes=180 - begun)
        end = start + timedelta(minutes=minutes)
        if start <= now:
            runs.append((start, end, accepted, rejected + held))
            counts = {"accepted": accepted, "rejected": rejected, "held": held}
            fill(
                store,
                "INSERT INTO runs (campaign, owner, state, started_at, heartbeat_at, lease_until, finished_at, counts) "
                "VALUES ('c', :owner, 'succeeded', :start, :end, 0, :end, :counts)",
                owner=str(number), start=to_ms(start), end=to_ms(end), counts=json.dumps(counts),
            )  # fmt: skip
    found = overview(store, shown).lead_hours
    for at, (begin, finish) in zip(found, pairwise(shown.bounds), strict=True):
        good = failed = 0.0
        for start, end, accepted, others in runs:
            if start < shown.start - timedelta(days=1):
                continue
            inside = max(timedelta(0), min(end, finish) - max(start, begin))
            part = inside / (end - start) if end > start else float(begin <= start < finish)
            good += accepted * part
            failed += others * part
        # A millisecond of a run may lie on the other side.
        assert at.good == pytest.approx(good, abs=1 + 1e-4 * sum(each[2] for each in runs))
        assert at.failed == pytest.approx(failed, abs=1 + 1e-4 * sum(each[3] for each in runs))


def test_what_is_over_is_remembered_and_what_goes_on_is_not(store: Store, hour: datetime) -> None:
    """A later look reads the current hour anew and finds the earlier ones as they were."""
    attempts(store, hour, "delivered", 3)
    now = store.now()
    first = overview(store)
    attempts(store, now - timedelta(seconds=5), "delivered", 2)
    later = overview(store)
    assert bar(later, "delivery_hours", hour) == bar(first, "delivery_hours", hour) == (3, 0)
    assert sum(each.good for each in later.delivery_hours) == 5


@pytest.mark.slow
def test_a_failed_run_needs_somebody_until_a_later_one_of_its_sync(store: Store) -> None:
    """However many runs of other syncs came after it; a dry run, and one of the first rows, mend nothing. What is at work
    is shown however long ago it began."""
    began = store.now() - timedelta(hours=3)

    def ran(dag: str, run: str, state: str, dry_run: bool = False, partial: bool = False) -> None:
        now = store.now()
        row = {
            "campaign": "spring", "owner": f"{dag} {run}", "dag_id": dag, "task_id": "submit", "airflow_run_id": run,
            "state": state, "dry_run": dry_run, "partial": partial, "started_at": began, "heartbeat_at": now, "lease_until": now,
        }  # fmt: skip
        with store.write() as connection:
            connection.execute(runs.insert(), row)

    ran("daily", "1", "failed")
    ran("long", "1", "running")
    ran("mended", "1", "failed")
    for number in range(220):
        ran("busy", str(number), "succeeded")
    ran("daily", "try", "succeeded", dry_run=True)
    ran("daily", "first rows", "succeeded", partial=True)
    ran("mended", "2", "succeeded")
    found = overview(store)
    assert [run.dag_id for run in found.failing] == ["daily"]
    assert [run.dag_id for run in found.active] == ["long"]
