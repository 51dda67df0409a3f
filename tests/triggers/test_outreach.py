"""The doorbell: rings for what is new, loses nothing, and waits out what goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.intake import read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.services.events.poll import PollResult
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, sources
from airflow_outreach_provider.triggers import outreach as module
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger


@pytest.fixture
def store(tasks_store: Store) -> Store:
    return tasks_store


def put(store: Store, number: int, event: str = "message.received") -> None:
    body = json.dumps({"event": event, "id": number, "phoneNumber": "+14165550123"}).encode()
    inbox_append.append(
        store, [read_event(SourceSettings("src", "tether"), body, {}, received_at=datetime.now(UTC))]
    )


async def rings(trigger: ContactEventTrigger, count: int, between: Callable[[int], None]) -> list[Any]:
    """The first payloads; ``between(n)`` runs after the nth."""
    found: list[Any] = []
    stream = trigger.run()
    async with asyncio.timeout(20):
        async for event in stream:
            found.append(event.payload)
            if len(found) == count:
                break
            between(len(found))
    await stream.aclose()
    return found


def test_rings_for_each_newer_event_and_takes_nothing(store: Store) -> None:
    """It rings once for what waits and again for what is newer; the events stay for the consumer to read."""
    put(store, 1)
    trigger = ContactEventTrigger("crm", poll_interval=0.02)
    found = asyncio.run(rings(trigger, 3, lambda number: put(store, number + 1)))
    assert found == [
        {"status": "waiting", "consumer": "crm", "count": number, "newest": number} for number in (1, 2, 3)
    ]
    assert "4165550123" not in str(found)
    assert len(consumers.read_new(store, "crm")) == 3


def test_a_restarted_doorbell_rings_again(store: Store) -> None:
    """After the triggerer died around a ring, the next one rings for the same events."""
    put(store, 1)
    for _ in range(2):
        trigger = ContactEventTrigger("crm", poll_interval=0.02)
        assert asyncio.run(rings(trigger, 1, lambda number: None))[0]["count"] == 1


@pytest.mark.slow
def test_rings_again_while_something_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring that nobody heard is repeated; once the consumer is done there is silence."""
    monkeypatch.setattr(module, "_RING_AGAIN_SECONDS", 0.05)
    put(store, 1)
    trigger = ContactEventTrigger("crm", poll_interval=0.02)
    assert [each["newest"] for each in asyncio.run(rings(trigger, 3, lambda number: None))] == [1, 1, 1]
    consumers.acknowledge(store, "crm", [event.seq or 0 for event in consumers.read_new(store, "crm")])

    async def silence() -> None:
        async with asyncio.timeout(0.4):
            async for event in ContactEventTrigger("crm", poll_interval=0.02).run():
                raise AssertionError(event)

    with pytest.raises(TimeoutError):
        asyncio.run(silence())


def test_filters(store: Store) -> None:
    """Only events of its source and kinds ring."""
    put(store, 1, "message.sent")
    put(store, 2)
    found = asyncio.run(
        rings(
            ContactEventTrigger("crm", source="src", kinds={"replied"}, poll_interval=0.02), 1, lambda n: None
        )
    )
    assert (found[0]["count"], found[0]["newest"]) == (1, 2)


def test_a_failing_store_is_waited_out_and_said(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store fails it looks ever more rarely, says so each time, and rings when it is back."""
    slept: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 8:
            with store.write() as connection:
                connection.execute(sa.text("ALTER TABLE hidden RENAME TO inbox_events"))
        await real_sleep(0)

    put(store, 1)
    with store.write() as connection:
        connection.execute(sa.text("ALTER TABLE inbox_events RENAME TO hidden"))
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    said: list[Any] = []
    monkeypatch.setattr(module.log, "warning", lambda text, **values: said.append(values))
    found = asyncio.run(rings(ContactEventTrigger("crm", poll_interval=1.0), 1, lambda number: None))
    assert found[0]["count"] == 1
    assert slept[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert [each["again_in_seconds"] for each in said] == slept[:8]


def test_once(store: Store) -> None:
    """For a waiting task it ends after one ring, and a mistake is reported instead of waited out."""

    async def all_of(trigger: ContactEventTrigger) -> list[Any]:
        async with asyncio.timeout(10):
            return [event.payload async for event in trigger.run()]

    put(store, 1)
    assert len(asyncio.run(all_of(ContactEventTrigger("crm", once=True)))) == 1
    (mistake,) = asyncio.run(all_of(ContactEventTrigger("crm", kinds=["replid"], once=True)))
    assert mistake["status"] == "error"
    assert "no event kind 'replid'" in mistake["message"]
    (missing,) = asyncio.run(all_of(ContactEventTrigger("crm", poll_contacts_every=60, once=True)))
    assert "needs a source" in missing["message"]


def test_a_source_that_is_switched_off_is_not_polled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch counts for contact lists as for webhooks; the doorbell goes on ringing for what is stored."""
    connection = {"conn_type": "outreach_source", "extra": {"platform": "supersend", "api_key": "key"}}
    monkeypatch.setenv("AIRFLOW_CONN_LIST", json.dumps({**connection, "host": "http://127.0.0.1:1"}))
    read: list[str] = []

    async def poll(_store: Any, source: Any, _contacts: Any) -> PollResult:
        read.append(source.name)
        return PollResult(0, 0, 0, True, datetime.now(UTC))

    monkeypatch.setattr("airflow_outreach_provider.services.events.poll.poll_contacts", poll)
    put(store, 1)
    trigger = ContactEventTrigger("crm", source="list", poll_contacts_every=60)
    sources.disable(store, "list", reason="maintenance", by="me")
    asyncio.run(trigger._poll_contacts())
    assert read == []
    sources.enable(store, "list")
    asyncio.run(trigger._poll_contacts())
    assert read == ["list"]


def test_one_kind_is_one_kind() -> None:
    """A text is not taken apart into letters, and a doorbell for nothing is refused."""
    assert ContactEventTrigger("crm", kinds="replied").kinds == ["replied"]
    with pytest.raises(ConfigurationError, match="kinds is empty"):
        ContactEventTrigger("crm", kinds=[])


def test_serialises_to_plain_json() -> None:
    """Its arguments survive JSON and make the same trigger: watchers are known by them."""
    trigger = ContactEventTrigger("crm", source="src", kinds={"replied", "clicked"}, poll_contacts_every=60)
    path, arguments = trigger.serialize()
    assert path == "airflow_outreach_provider.triggers.outreach.ContactEventTrigger"
    again = ContactEventTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == trigger.serialize()
