"""Deliveries as pages: every match once, whatever the filter, in bounded steps."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store import paging
from airflow_outreach_provider.store.deliveries.lists import (
    DeliveryFilter,
    DeliveryRow,
    every_delivery,
    list_deliveries,
)
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import Page, every

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
STATES = [state.value for state in DeliveryState]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as connection:
        rows = [
            {"event_id": f"e{n}", "route": f"r{n % 3}", "endpoint": f"p{n % 2}", "lane": "l", "kind": f"k{n % 5}",
             "state": STATES[n % 7], "created_at": NOW, "updated_at": NOW} for n in range(210)
        ]  # fmt: skip
        connection.execute(deliveries.insert(), rows)
    return store


@pytest.mark.slow
@pytest.mark.parametrize("depth", [7, 20_000])
@pytest.mark.parametrize("route", [None, "r1"])
@pytest.mark.parametrize("endpoint", [None, "p0"])
def test_walking_the_deliveries_meets_each_match_once(
    filled: Store, monkeypatch: pytest.MonkeyPatch, depth: int, route: str | None, endpoint: str | None
) -> None:
    """The pages of a filter together are its matches, none twice, also where the search stops on the way."""
    monkeypatch.setattr(paging, "DEPTH", depth)
    for state in (None, *DeliveryState):
        found = [
            row.id
            for row in every_delivery(
                filled,
                DeliveryFilter(states=[state] if state else [], route=route, endpoint=endpoint),
                chunk=10,
            )
        ]
        wanted = [
            n + 1
            for n in range(210)
            if route in (None, f"r{n % 3}")
            and endpoint in (None, f"p{n % 2}")
            and state in (None, list(DeliveryState)[n % 7])
        ]
        assert found == sorted(wanted, reverse=True)
        meant = DeliveryFilter(states=[state] if state else [], route=route, endpoint=endpoint)
        pages = every(partial(oldest_first, filled, meant))
        assert [row.id for row in pages] == wanted


def oldest_first(store: Store, meant: DeliveryFilter, cursor: str | None) -> Page[DeliveryRow]:
    """The same list from its other end."""
    return list_deliveries(store, meant, cursor=cursor, limit=10, oldest=True)
