"""How far a consumer is behind is counted in bounded time, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append, consumers, progress
from airflow_outreach_provider.store.inbox.order import number_events
from airflow_outreach_provider.store.inbox.tables import inbox_events

AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
OPENED, REPLIED = EventKind.OPENED, EventKind.REPLIED


def arrive(store: Store, *events: tuple[str, EventKind]) -> None:
    """Events of these sources and kinds, a minute apart."""
    for number, (source, kind) in enumerate(events):
        at = AT + timedelta(minutes=number)
        made = ContactEvent(f"evt_{number}", source, "varda", "x", kind, at, at, Contact(external_id="p"))
        append.append(store, [Incoming(made, made.to_json(), "[]")])
        number_events(store)
        with store.write() as connection:
            mine = inbox_events.c.event_id == made.id
            connection.execute(sa.update(inbox_events).where(mine).values(received_at=at))


@pytest.mark.parametrize(
    ("source", "kinds", "behind", "oldest"),
    [
        (None, None, 3, 0),  # counted among the next three alone
        ("shop", None, 3, 0),
        (None, [REPLIED], 2, 5),  # none of the next three: the latest of its kind, two of them unread
        ("crm", [REPLIED, OPENED], 1, 6),
        ("crm", None, 1, 6),
        ("crm", [OPENED], 0, None),
        ("nowhere", None, 0, None),
        (None, [EventKind.CALL_ENDED], 0, None),
    ],
)  # fmt: skip
def test_what_is_rare_is_found_however_much_else_is_unread(
    store: Store, monkeypatch: pytest.MonkeyPatch, source: str | None, kinds: list[EventKind] | None, behind: int,
    oldest: int | None,
) -> None:  # fmt: skip
    """A consumer whose next event lies behind many that are not for it is behind all the same; one that has none is not."""
    monkeypatch.setattr(progress, "_COUNTED", 3)
    names = None if kinds is None else [each.value for each in kinds]
    consumers.waiting(store, "c", source=source, kinds=names)
    arrive(store, *[("shop", OPENED)] * 5, ("shop", REPLIED), ("crm", REPLIED))
    (found,) = progress.consumers(store)
    assert found.behind == behind
    at = {} if oldest is None else {"c": AT + timedelta(minutes=oldest)}
    assert progress.oldest_unread(store, ["c", "unknown"]) == at


def test_what_was_read_is_not_behind(store: Store) -> None:
    """Who has read everything is behind with nothing, though what it reads is stored."""
    arrive(store, ("shop", OPENED), ("shop", REPLIED))
    consumers.acknowledge(store, "c", [each.seq or 0 for each in consumers.read_new(store, "c")])
    assert [each.behind for each in progress.consumers(store)] == [0]
    assert progress.oldest_unread(store, ["c"]) == {}
