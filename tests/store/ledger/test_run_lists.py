"""Runs as people look at them: a dead worker's run is not shown as running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from stores import opened

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import RunState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.run_lists import find_run, list_runs, tries_of
from airflow_outreach_provider.store.overview import overview

OWNER = Owner("spring", "submit", "manual", -1, 1)
LEASE = timedelta(seconds=300)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def watched(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Clock]]:
    """A store of each kind, and its clock."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    clock = Clock()
    with opened(url, clock) as store:
        yield store, clock


@contextmanager
def silent(store: Store, clock: Clock, seconds: float) -> Iterator[int]:
    """A run that was heard of for the last time so many seconds ago."""
    started = runs.start(store, OWNER, campaign="spring", source="leads.csv", lease=LEASE)
    clock.now += timedelta(seconds=60)
    runs.heartbeat(store, started.run_id, lease=LEASE, read=10, counts={"accepted": 10}, reasons={})
    clock.now += timedelta(seconds=seconds)
    yield started.run_id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "state"), [(2, "running"), (44, "running"), (60, "expired"), (3600, "expired")]
)
def test_a_run_whose_worker_died_is_shown_as_such_within_a_minute(
    watched: tuple[Store, Clock], seconds: float, state: str
) -> None:
    """In every list, filter and page, long before its lease has run out or another run writes so."""
    store, clock = watched
    with silent(store, clock, seconds) as run_id:
        found = find_run(store, run_id)
        assert found is not None
        assert found.state == state
        assert found.seconds == 60
        assert [each.state for each in list_runs(store).rows] == [state]
        assert [each.state for each in tries_of(store, OWNER)] == [state]
        for wanted in RunState:
            assert [each.id for each in list_runs(store, state=wanted).rows] == (
                [run_id] if wanted == state else []
            )
        seen = overview(store)
        assert [each.id for each in (seen.active if state == "running" else seen.failing)] == [run_id]
        assert ("worker died" in (found.error or "")) is (state == "expired")


def test_a_run_that_is_heard_of_again_is_running_again(watched: tuple[Store, Clock]) -> None:
    """To be shown as dead ends nothing: a worker that only hung goes on, and says so."""
    store, clock = watched
    with silent(store, clock, 120) as run_id:
        assert runs.heartbeat(store, run_id, lease=LEASE, read=11, counts={}, reasons={})
        found = find_run(store, run_id)
        assert found is not None
        assert (found.state, found.error) == ("running", None)


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
def test_a_run_that_has_ended_stays_what_it_was(watched: tuple[Store, Clock], state: RunState) -> None:
    """However long ago that is."""
    store, clock = watched
    with silent(store, clock, 1) as run_id:
        runs.finish(store, run_id, state=state, read=10, counts={"accepted": 10}, reasons={})
        clock.now += timedelta(days=3)
        found = find_run(store, run_id)
        assert found is not None
        assert found.state == state
