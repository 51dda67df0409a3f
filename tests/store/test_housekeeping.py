"""What is kept for whom: an event stays as long as somebody can still read or send it, and no longer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.housekeeping import needed_events, purge, purge_events
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, filters, progress


@pytest.fixture
def store(still_store: Store) -> Store:
    return still_store


def arrive(store: Store, name: str, *, source: str = "varda", kind: EventKind = EventKind.REPLIED) -> None:
    at = store.now()
    made = ContactEvent(name, source, "varda", "x", kind, at, at, Contact(external_id=name))
    inbox_append.append(store, [Incoming(made, made.to_json(), "[]")])


def left(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(sa.text("SELECT event_id FROM inbox_events")).scalars())


def test_an_event_is_kept_for_those_who_can_read_it(store: Store, clock: Any) -> None:
    """A consumer's own source and kinds count; without kinds it is everything but what was not recognised."""
    clock.advance(days=-1)
    consumers.read_new(store, "replies_of_varda", source="varda", kinds=["replied"])
    consumers.read_new(store, "all_of_tether", source="tether")
    clock.advance(days=1)
    arrive(store, "reply")
    arrive(store, "opened", kind=EventKind.OPENED)
    arrive(store, "tether_opened", source="tether", kind=EventKind.OPENED)
    arrive(store, "tether_unknown", source="tether", kind=EventKind.UNRECOGNISED)
    clock.advance(days=2)
    assert needed_events(store, received_before=store.now()) == 2
    assert purge_events(store, received_before=store.now()) == 2
    assert left(store) == {"reply", "tether_opened"}
    behind = {each.name: each.behind for each in progress.consumers(store)}
    assert behind == {"replies_of_varda": 1, "all_of_tether": 1}
    assert [
        event.id for event in consumers.read_new(store, "replies_of_varda", source="varda", kinds=["replied"])
    ] == ["reply"]
    assert purge_events(store, received_before=store.now()) == 0, "handed out and not acknowledged"


def test_a_consumer_that_does_not_look_any_more_keeps_nothing(store: Store, clock: Any) -> None:
    """The progress of a route that is gone is no reason to keep people's data for ever; one that looks, keeps it."""
    consumers.read_new(store, "gone")
    consumers.read_new(store, "alive")
    arrive(store, "one")
    clock.advance(days=31)
    consumers.waiting(store, "alive")
    given_up = {
        each.name: each.abandoned(store.now(), timedelta(days=30)) for each in progress.consumers(store)
    }
    assert given_up == {"gone": True, "alive": False}
    assert purge(store, store.now())["events removed"] == 0
    with store.write() as connection:
        connection.execute(sa.text("UPDATE inbox_consumers SET position = 1 WHERE consumer = 'alive'"))
    assert purge(store, store.now(), abandoned_after=timedelta(days=60))["events removed"] == 0
    assert purge(store, store.now())["events removed"] == 1


def test_a_dead_delivery_keeps_its_event_until_it_is_purged_itself(store: Store, clock: Any) -> None:
    """It may still be redelivered."""
    arrive(store, "one")
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET state = 'dead'"))
    clock.advance(days=40)
    before: datetime = store.now() - timedelta(days=39)
    assert purge_events(store, received_before=store.now()) == 0
    assert purge(store, before)["deliveries removed"] == 1
    assert left(store) == set()


def test_events_that_a_doorbell_rings_for_and_nobody_reads_are_an_alarm(store: Store, clock: Any) -> None:
    """A ring that leads to no run must not be silent; who reads by the clock has time."""
    for name in ("routed", "nightly"):
        consumers.read_new(store, name, kinds=["replied"])
    filters.note_filter(store, "routed", None, ["replied"], rung_for=True)
    arrive(store, "opened", kind=EventKind.OPENED)
    clock.advance(minutes=20)
    assert progress.stalled(store, store.now() - timedelta(minutes=15)) == [], "it cannot read that one"
    arrive(store, "reply")
    assert progress.stalled(store, store.now() - timedelta(minutes=15)) == []
    clock.advance(minutes=16)
    [found] = progress.stalled(store, store.now() - timedelta(minutes=15))
    assert (found.consumer, found.count) == ("routed", 1)
    consumers.read_new(store, "routed", kinds=["replied"])
    assert progress.stalled(store, store.now() - timedelta(minutes=15)) == []
