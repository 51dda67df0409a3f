"""Lists with several filters at once: what each of them alone lists, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger import lists as ledger_lists
from airflow_outreach_provider.store.ledger.lists import LeadFilter
from airflow_outreach_provider.store.ledger.tables import leads, runs

START = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
COUNT = 120
DELIVERY_STATES, LEAD_STATES = list(DeliveryState), list(LeadState)


def at(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def filled(store: Store) -> Store:
    """Everything that filters ask for, each in a rhythm of its own."""
    numbers = range(1, COUNT + 1)
    with store.write() as connection:
        connection.execute(inbox_events.insert(), [
            {"event_id": f"e{n}", "seq": n, "source": f"s{n % 2}", "platform": "varda", "type": "x", "kind": ("replied", "clicked", "opened")[n % 3],
             "origin": "webhook", "campaign_id": f"c{n % 5}", "headers": "[]", "body": b"{}", "occurred_at": at(n), "received_at": at(n)} for n in numbers
        ])  # fmt: skip
        connection.execute(deliveries.insert(), [
            {"id": n, "event_id": f"e{n}", "route": f"r{n % 3}", "endpoint": f"p{n % 2}", "lane": "l", "kind": f"k{n % 5}",
             "state": DELIVERY_STATES[n % len(DELIVERY_STATES)], "resend": n % 4 or None, "created_at": at(n), "updated_at": at(n)} for n in numbers
        ])  # fmt: skip
        connection.execute(delivery_attempts.insert(), [
            {"delivery_id": n, "at": at(n), "dag_id": f"d{n % 3}", "verdict": list(DeliveryVerdict)[n % 2]} for n in numbers if n % 7
        ])  # fmt: skip
        connection.execute(runs.insert(), [
            {"id": n, "dag_id": f"d{n}", "owner": f"o{n}", "campaign": "c0", "state": "done", "started_at": START, "heartbeat_at": START, "lease_until": START} for n in range(1, 5)
        ])  # fmt: skip
        connection.execute(leads.insert(), [
            {"id": n, "campaign": f"c{n % 3}", "phone": f"+1416555{n // 3:04d}", "state": LEAD_STATES[n % len(LEAD_STATES)], "reason": f"x{n % 5}",
             "run_id": n % 4 + 1, "created_at": START, "updated_at": START} for n in numbers
        ])  # fmt: skip
    return store


DELIVERIES = {
    "ids": range(1, COUNT, 2), "event_ids": [f"e{n}" for n in range(1, COUNT, 3)], "route": "r1", "endpoint": "p1",
    "states": [DeliveryState.DEAD, DeliveryState.PENDING, DeliveryState.DELIVERED], "kinds": ["k1", "k2", "k3"], "since": at(20), "until": at(100), "dags": frozenset({"d1", "d2"}),
    "campaign": "c1", "tried_since": at(10), "tried_until": at(90), "tried_failed": True, "resend": 1,
}  # fmt: skip
EVENTS = {
    "source": "s1", "kinds": ["replied", "clicked"], "since": at(20), "until": at(100), "event_ids": [f"e{n}" for n in range(1, COUNT, 3)], "campaign": "c1",
}  # fmt: skip
LEADS = {
    "campaign": "c1", "state": LEAD_STATES[31 % len(LEAD_STATES)], "reason": "x1", "phone": "+14165550010", "run_id": 3, "dags": frozenset({"d1", "d2"}),
}  # fmt: skip
"""A value for each field of a filter; several of them have something in common."""


def ids_of(
    store: Store, kind: Callable[..., Any], page: Callable[..., Any], key: str, said: Mapping[str, Any]
) -> list[Any]:
    return [getattr(row, key) for row in page(store, kind(**said), limit=COUNT).rows]


LISTS: Sequence[tuple[Any, Any, str, Mapping[str, Any]]] = [
    (DeliveryFilter, deliveries_lists.list_deliveries, "id", DELIVERIES),
    (EventFilter, inbox_lists.list_events, "row_id", EVENTS),
    (LeadFilter, ledger_lists.list_leads, "id", LEADS),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "page", "key", "fields"), LISTS, ids=[kind.__name__ for kind, *_ in LISTS])
def test_several_filters_list_what_each_of_them_lists(
    filled: Store, kind: Any, page: Any, key: str, fields: Mapping[str, Any]
) -> None:
    """Law: whichever are put together, what comes is what all of them have in common; and each turns something away."""
    assert set(fields) == set(kind.__slots__), "a field that nobody tries"
    everything = ids_of(filled, kind, page, key, {})
    alone = {name: set(ids_of(filled, kind, page, key, {name: value})) for name, value in fields.items()}
    assert len(everything) == COUNT
    for name, found in alone.items():
        assert 0 < len(found) < COUNT, name

    @settings(deadline=None, max_examples=examples(60))
    @given(st.sets(st.sampled_from(sorted(fields)), min_size=2))
    def together(names: set[str]) -> None:
        found = ids_of(filled, kind, page, key, {name: fields[name] for name in names})
        assert sorted(found) == sorted(set.intersection(*(alone[name] for name in names)))

    together()
