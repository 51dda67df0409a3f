"""Who serves a route: one task at a time, on each database."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import plans, serving
from airflow_outreach_provider.store.engine import Store


@pytest.mark.slow
def test_one_task_serves_a_route_until_it_says_nothing_more(store: Store) -> None:
    """The first has it and keeps it while it says so; another gets it only when that time is over."""
    one, two, stay = Owner("one"), Owner("two"), timedelta(seconds=0.5)
    assert serving.serve(store, "crm", one, stay)
    assert not serving.serve(store, "crm", two, stay)
    assert serving.serve(store, "other", two, stay)
    assert serving.serve(store, "crm", one, stay)
    time.sleep(0.6)
    assert serving.serve(store, "crm", two, timedelta(minutes=1))
    assert not serving.serve(store, "crm", one, stay)


def test_who_serves_may_leave(still_store: Store) -> None:
    """Who serves a route may say so again; once it has left, another has it at once."""
    first, second, lease = Owner("d", "t"), Owner("d", "u"), timedelta(minutes=5)
    assert serving.serve(still_store, "a", first, lease)
    assert serving.serve(still_store, "a", first, lease)
    assert not serving.serve(still_store, "a", second, lease)
    serving.leave(still_store, "a", first)
    assert serving.serve(still_store, "a", second, lease)


def test_who_served_while_the_clock_was_ahead_serves_no_longer(still_store: Store, clock: Any) -> None:
    """It died, and the clock was set right: what is new rings, and another may serve."""
    first, second, stay = Owner("one"), Owner("two"), timedelta(seconds=5)
    clock.advance(hours=6)
    assert serving.serve(still_store, "crm", first, stay)
    assert plans.all_served(still_store, ["crm"])
    clock.advance(hours=-6)
    assert not plans.all_served(still_store, ["crm"])
    assert serving.serve(still_store, "crm", second, stay)
