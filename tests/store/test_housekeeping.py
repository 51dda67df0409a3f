"""What is kept for whom: an event stays as long as somebody can still read or send it, and no longer."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stores import opened

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.housekeeping import needed_events, purge, purge_events
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, filters, progress
from airflow_outreach_provider.store.inbox.order import number_events


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


def test_what_is_replayed_and_never_read_keeps_no_event(store: Store, clock: Any) -> None:
    """Nobody waits for what a consumer does not read, though a replay of a time was of that, too."""
    consumers.read_new(store, "c", kinds=["replied"])
    arrive(store, "opened", kind=EventKind.OPENED)
    consumers.read_new(store, "c", kinds=["replied"])
    assert consumers.replay(store, "c", kinds=["opened"]) == 1
    assert progress.oldest_unread(store, ["c"]) == {}
    clock.advance(days=2)
    assert purge_events(store, received_before=store.now()) == 1


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


_SERIES = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
# Of each so many that stay, and behind them as many that go.
_OLD_ROWS = {
    "events": (
        "INSERT INTO inbox_events (event_id, source, platform, type, kind, origin, occurred_at, received_at, headers, body) "
        "SELECT 'evt_' || i, CASE WHEN i <= {half} THEN 'slow' ELSE 'read' END, 'varda', 'x', 'replied', 'webhook', 1, i, "
        "'[]', x'7b7d' FROM n"
    ),
    "leads": (
        "INSERT INTO leads (campaign, phone, state, run_id, created_at, updated_at, accepted_at) SELECT 'c', '+1416' || i, "
        "'accepted', CASE WHEN i <= {half} THEN NULL ELSE 1 END, 1, 1, 1 FROM n"
    ),
    "attempts": (
        "INSERT INTO attempts (lead_id, run_id, at, outcome) "
        "SELECT 1, 1, 2, CASE WHEN i <= {half} THEN 'accepted' ELSE 'rejected' END FROM n"
    ),
    "deliveries": (
        "INSERT INTO deliveries (event_id, route, lane, state, created_at, updated_at) SELECT 'evt_' || i, 'crm', 'l', "
        "CASE WHEN i <= {half} THEN 'held' ELSE 'delivered' END, 1, 1 FROM n"
    ),
}  # fmt: skip


def _steps_of_a_purge(path: Path, of: str, rows: int) -> tuple[int, int]:
    """:return: steps of SQLite's machine, and how many rows went."""
    with opened(f"sqlite:///{path}") as store:
        consumers.read_new(store, "slow", source="slow")
        with store.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO leads (campaign, phone, state, created_at, updated_at, sent_at, accepted_at) "
                "VALUES ('c', '+1', 'accepted', 1, 1, 3, 3)"
            )
            series = _SERIES.format(first=1, last=rows)
            connection.exec_driver_sql(series + _OLD_ROWS[of].format(half=rows // 2))
        number_events(store)
        store.close()
        steps = 0

        def counted() -> int:
            nonlocal steps
            steps += 1
            return 0

        sa.event.listen(store.engine, "connect", lambda raw, _: raw.set_progress_handler(counted, 100))
        done = purge(store, store.now() - timedelta(days=1))
        return steps, sum(done.values())


@pytest.mark.slow
@pytest.mark.parametrize("of", _OLD_ROWS)
def test_what_stays_is_passed_once_and_not_before_each_group(tmp_path: Path, of: str) -> None:
    """Four times the rows take four times the steps, not sixteen: the first purge of years ends within minutes."""
    few, few_gone = _steps_of_a_purge(tmp_path / "few.db", of, 6_000)
    many, many_gone = _steps_of_a_purge(tmp_path / "many.db", of, 24_000)
    assert (few_gone, many_gone) == (3_000, 12_000)
    assert many < 6 * few
