"""What is saved of answers: by contact and endpoint, as long as the contact's deliveries, on both dialects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.store.deliveries import redeliver, saved
from airflow_outreach_provider.store.deliveries.tables import deliveries, saved_answers
from airflow_outreach_provider.store.engine import Store


def delivery(store: Store, lane: str) -> int:
    now = store.now()
    values = {"event_id": f"evt_{lane}", "route": "crm", "lane": lane, "state": "delivered"}
    with store.write() as connection:
        made = connection.execute(deliveries.insert().values(**values, created_at=now, updated_at=now))
        [number] = made.inserted_primary_key or (0,)
    return int(number)


def rows(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(saved_answers)).scalar_one())


def test_names_are_replaced_one_by_one(store: Store) -> None:
    """A later answer changes what it names and leaves the rest; types stay."""
    saved.keep(store, "crm", "ada", {"id": 7, "ok": True, "name": "Ada ü"})
    saved.keep(store, "crm", "ada", {"id": "8"})
    saved.keep(store, "crm", "ada", {})
    saved.keep(store, "erp", "ada", {"id": 9})
    assert saved.of_contact(store, "crm", "ada") == {"id": "8", "ok": True, "name": "Ada ü"}
    assert saved.of_contact(store, "crm", "bob") == {}


def test_it_is_forgotten_with_the_contacts_deliveries(store: Store) -> None:
    """All endpoints' of that contact; nobody else's."""
    number, _ = delivery(store, "ada"), delivery(store, "bob")
    for lane in ("ada", "bob"):
        saved.keep(store, "crm", lane, {"id": 1})
        saved.keep(store, "erp", lane, {"id": 1})
    assert redeliver.forget(store, [number]) == 1
    assert saved.of_contact(store, "crm", "ada") == saved.of_contact(store, "erp", "ada") == {}
    assert rows(store) == 2


def test_it_is_purged_with_age(store: Store) -> None:
    """What was last heard before the time goes, what was heard since stays."""
    saved.keep(store, "crm", "ada", {"id": 1})
    redeliver.purge(store, store.now() - timedelta(hours=1))
    assert rows(store) == 1
    redeliver.purge(store, store.now() + timedelta(hours=1))
    assert rows(store) == 0


@pytest.mark.slow
def test_what_requests_are_made_of_does_not_grow_old(still_store: Store, clock: Any) -> None:
    """A contact who goes on is not made at the endpoint a second time; whoever fell silent is purged, seen by a page or not."""
    for lane in ("ada", "bob"):
        saved.keep(still_store, "crm", lane, {"id": lane})
    for _ in range(100):
        clock.advance(days=1)
        assert saved.use(still_store, "crm", "ada") == {"id": "ada"}
        assert saved.of_contact(still_store, "crm", "bob").keys() <= {"id"}
        redeliver.purge(still_store, still_store.now() - timedelta(days=30))
    assert saved.of_contact(still_store, "crm", "ada") == {"id": "ada"}
    assert rows(still_store) == 1
