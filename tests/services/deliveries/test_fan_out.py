"""How work is handed out: an event a task instance where Airflow keeps up, together where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_outreach_provider.core.deliveries import MAX_BATCHES_IN_BACKLOG, MAX_BATCHES_WHEN_BUSY
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

READING = Reading("crm", ("crm",))
NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)


def arrive(store: Store, *contacts: int) -> None:
    events = [
        ContactEvent(
            f"evt_{contact}", "src", "varda", "reply", EventKind.REPLIED, NOW, NOW, Contact(external_id=str(contact))
        )
        for contact in contacts
    ]  # fmt: skip
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def sizes(store: Store, key: str) -> list[int]:
    return [len(each["events"]) for each in fan_out(store, READING, key) or []]


def set_state(store: Store, state: str) -> None:
    with store.write() as connection:
        connection.execute(deliveries.update().values(state=state))


def test_few_events_are_a_task_instance_each(still_store: Store) -> None:
    """Twenty contacts with nothing else at work: twenty batches, each to be seen."""
    arrive(still_store, *range(20))
    assert sizes(still_store, "first") == [1] * 20


def test_a_stream_is_handed_out_together(still_store: Store) -> None:
    """While earlier events wait for their task instances, the next go in few batches, each contact's in one."""
    arrive(still_store, *range(20))
    sizes(still_store, "first")
    arrive(still_store, *range(100, 120))
    assert sizes(still_store, "second") == [20 // MAX_BATCHES_WHEN_BUSY] * MAX_BATCHES_WHEN_BUSY
    set_state(still_store, "delivered")
    arrive(still_store, *range(200, 220))
    assert sizes(still_store, "third") == [1] * 20, "Airflow has caught up"


def test_a_few_that_wait_are_no_stream(still_store: Store) -> None:
    """A handful of contacts not served yet changes nothing for the next."""
    arrive(still_store, *range(5))
    sizes(still_store, "first")
    arrive(still_store, *range(100, 120))
    assert sizes(still_store, "second") == [1] * 20


def test_what_waits_for_its_retry_is_no_stream(still_store: Store) -> None:
    """Contacts that failed and are kept by their tasks for hours do not hide the others' events in batches; once their
    tasks do not begin, Airflow does not keep up."""
    arrive(still_store, *range(20))
    sizes(still_store, "first")
    with still_store.write() as connection:
        kept = deliveries.update().where(deliveries.c.id <= 20)
        time = still_store.now(connection) + timedelta(minutes=5)
        connection.execute(kept.values(state="failed", tries=1, due_at=time))
    arrive(still_store, *range(100, 120))
    assert sizes(still_store, "second") == [1] * 20
    with still_store.write() as connection:
        connection.execute(deliveries.update().where(deliveries.c.id > 20).values(state="delivered"))
        connection.execute(kept.values(due_at=still_store.now(connection)))
    arrive(still_store, *range(200, 220))
    assert sizes(still_store, "third") == [20 // MAX_BATCHES_WHEN_BUSY] * MAX_BATCHES_WHEN_BUSY


def test_what_is_to_be_tried_again_and_has_not_begun_is_a_stream(still_store: Store) -> None:
    """Twenty contacts whose time came, handed out to tasks that have not begun: what fails next goes in few batches too."""
    arrive(still_store, *range(40))
    fan_out(still_store, READING, "first")
    with still_store.write() as connection:
        due = {
            "state": "failed",
            "tries": 1,
            "plan": None,
            "plan_until": None,
            "due_at": still_store.now(connection),
        }
        connection.execute(deliveries.update().values(due))
        late = deliveries.update().where(deliveries.c.id > 20)
        connection.execute(late.values(due_at=still_store.now(connection) + timedelta(hours=1)))
    assert sizes(still_store, "second") == [1] * 20
    with still_store.write() as connection:
        connection.execute(late.values(due_at=still_store.now(connection)))
    assert sizes(still_store, "third") == [20 // MAX_BATCHES_WHEN_BUSY] * MAX_BATCHES_WHEN_BUSY


def test_a_backlog_is_handed_out_in_few_batches(still_store: Store) -> None:
    """Where more waits than a run may take, its tasks are few: they go on with the rest. What is just enough is seen singly."""
    reading = replace(READING, max_events=20)
    arrive(still_store, *range(20))
    assert [len(each["events"]) for each in fan_out(still_store, reading, "enough") or []] == [1] * 20
    set_state(still_store, "delivered")
    arrive(still_store, *range(100, 140))
    batches = fan_out(still_store, reading, "backlog") or []
    assert len(batches) == MAX_BATCHES_IN_BACKLOG and sum(len(each["events"]) for each in batches) == 20
