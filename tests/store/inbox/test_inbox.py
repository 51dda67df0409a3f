"""The inbox on both databases: each event once, each consumer its own progress, nobody skipped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import stored_events
from strategies import examples

from airflow_outreach_provider.core import intake
from airflow_outreach_provider.core.body_reading import parse
from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.store import housekeeping
from airflow_outreach_provider.store.connections import PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, progress
from airflow_outreach_provider.store.inbox import housekeeping as inbox_housekeeping
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox.append import _append
from airflow_outreach_provider.store.inbox.lists import EventFilter, EventRow
from airflow_outreach_provider.store.inbox.tables import inbox_events, inbox_pending
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.paging import Page

NOW = datetime(2026, 3, 25, 19, tzinfo=UTC)
VARDA = SourceSettings("varda_main", "varda")
SUPERSEND = SourceSettings("supersend_main", "supersend")


def varda(number: int, event: str = "call.ended", source: SourceSettings = VARDA, **data: Any) -> Incoming:
    body = {"event": event, "timestamp": "2026-03-25T18:30:00Z", "data": {"id": number, **data}}
    return read_event(
        source,
        json.dumps(body).encode(),
        {"X-Varda-Delivery": f"d{number}"},
        received_at=NOW + timedelta(seconds=number),
    )


def supersend(email: str, at: datetime = NOW) -> Incoming:
    body = {"type": "open", "CampaignId": "c", "contact": {"email": email}}
    return read_event(SUPERSEND, json.dumps(body).encode(), {"a": "b"}, received_at=at)


def ids(events: Iterable[Any]) -> list[int]:
    return [event.data["id"] for event in events]


def listed(store: Store, page: Page[EventRow]) -> list[int]:
    found = {
        event.id: event.data["id"] for event in inbox_lists.load(store, [row.event_id for row in page.rows])
    }
    return [found[row.event_id] for row in page.rows]


def put(store: Store, *numbers: int, **more: Any) -> None:
    inbox_append.append(store, [varda(number, **more) for number in numbers])


def seqs(events: Iterable[ContactEvent]) -> list[int]:
    return [event.seq or 0 for event in events]


def test_an_event_comes_back_as_it_went_in(store: Store) -> None:
    """What is stored is the canonical event, the raw body byte for byte, and the headers."""
    body = (
        '{ "event":"message.created", "timestamp":"2026-03-25T18:31:00.123Z",\n\t"data": {"direction": '
        '"inbound", "content": "Zoë \\u0000 \\ud83d \\ud83d\\ude00 \\" \\\\ 😀", "contact": {"id": 456, '
        '"name": "Jane Doe", "email": "jane@example.com", "phone": "+18005551234"}}}'
    ).encode()
    incoming = read_event(VARDA, body, {"X-Varda-Delivery": "d", "Ünï": "cødé"}, received_at=NOW)
    assert inbox_append.append(store, [incoming]) == [
        inbox_append.AppendResult(incoming.event.id, duplicate=False)
    ]
    (event,) = inbox_lists.load(store, [incoming.event.id])
    assert event == incoming.event
    assert event.data["content"] == 'Zoë � � 😀 " \\ 😀'
    stored = inbox_lists.show(store, event.id)
    assert stored is not None
    assert (stored.body, json.loads(stored.headers)) == (
        body,
        [["X-Varda-Delivery", "d"], ["Ünï", "cødé"]],
    )


def test_no_row_stops_reading(store: Store) -> None:
    """An event with a time of year 10000 or a body that nobody can read is handed out with all the others."""
    far = {"event": "call.ended", "timestamp": "9999-12-31T23:59:59.9999999Z", "data": {"id": 7}}
    inbox_append.append(store, [read_event(VARDA, json.dumps(far).encode(), {}, received_at=NOW)])
    put(store, 1, 2, 3)
    with store.write() as connection:
        change = sa.update(inbox_events).where(inbox_events.c.event_id == varda(1).event.id)
        connection.execute(change.values(occurred_at=253402300800000))
        change = sa.update(inbox_events).where(inbox_events.c.event_id == varda(2).event.id)
        connection.execute(change.values(body=b"\xff not JSON"))
    assert [event.data and event.data["id"] for event in consumers.read_new(store, "c")] == [7, 1, None, 3]
    assert len(stored_events(store)) == 4


def test_duplicates_within_and_across_groups(store: Store) -> None:
    """A retry is answered as a duplicate under the same id and stored once, in one group or in two."""
    first = inbox_append.append(store, [varda(1), varda(1), varda(2)])
    assert [each.duplicate for each in first] == [False, True, False]
    again = inbox_append.append(store, [varda(2), varda(3), varda(1)])
    assert [each.duplicate for each in again] == [True, False, True]
    assert again[2].event_id == first[0].event_id
    assert ids(consumers.read_new(store, "c")) == [1, 2, 3]


def test_same_body_is_one_event_within_its_window(store: Store) -> None:
    """Without id and time, a repeated body is a retry for a while and a new event after that."""
    (first,) = inbox_append.append(store, [supersend("a@b.ca")])
    answers = inbox_append.append(
        store, [supersend("a@b.ca", NOW + timedelta(minutes=14)), supersend("z@b.ca", NOW)]
    )
    assert [each.duplicate for each in answers] == [True, False]
    assert answers[0].event_id == first.event_id
    later = NOW + timedelta(minutes=15)
    answers = inbox_append.append(store, [supersend("a@b.ca", later), supersend("a@b.ca", later)])
    assert [each.duplicate for each in answers] == [False, True]
    assert answers[0].event_id == answers[1].event_id != first.event_id
    assert len(consumers.read_new(store, "c")) == 3


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=400)])
def test_the_window_of_a_body_that_came_while_the_clock_was_ahead_ends(
    store: Store, ahead: timedelta
) -> None:
    """Once it is put right the same body is a new event, and its retries, which may come a little earlier, are that one."""
    inbox_append.append(store, [supersend("a@b.ca", NOW + ahead)])
    times = [NOW, NOW - timedelta(seconds=2), NOW + timedelta(minutes=1)]
    answers = [inbox_append.append(store, [supersend("a@b.ca", at)])[0] for at in times]
    assert [each.duplicate for each in answers] == [False, True, True]
    assert {each.event_id for each in answers} == {answers[0].event_id}


def test_racing_retries_are_stored_once(store: Store) -> None:
    """The same deliveries arriving on many connections at once are each stored once and answered new once."""
    batches = [
        [varda(n) for n in range(5)] + [supersend(f"{n}@b.ca", NOW) for n in range(5)] for _ in range(6)
    ]
    answers: list[inbox_append.AppendResult] = []
    barrier = threading.Barrier(len(batches))

    def run(batch: list[Incoming], turned: bool) -> None:
        barrier.wait()
        answers.extend(inbox_append.append(store, batch[::-1] if turned else batch))

    threads = [threading.Thread(target=run, args=(batch, i % 2 == 1)) for i, batch in enumerate(batches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 60
    assert sum(not each.duplicate for each in answers) == 10
    assert len(consumers.read_new(store, "c")) == 10


def test_a_consumer_reads_again_until_it_acknowledges(store: Store) -> None:
    """Progress is per event: what is done never comes again, what is not done comes first."""
    put(store, 1, 2, 3)
    events = consumers.read_new(store, "c")
    assert seqs(events) == sorted(seqs(events))
    consumers.acknowledge(store, "c", [events[1].seq or 0])
    put(store, 4)
    assert ids(consumers.read_new(store, "c")) == [1, 3, 4]
    assert ids(consumers.read_new(store, "c", limit=2)) == [1, 3]
    consumers.acknowledge(store, "c", seqs(consumers.read_new(store, "c")))
    consumers.acknowledge(store, "c", seqs(events))
    assert consumers.read_new(store, "c") == []


def test_consumers_do_not_see_each_other(store: Store) -> None:
    """Each consumer starts at the oldest event, or at once where asked, and has its own progress."""
    put(store, 1, 2)
    consumers.acknowledge(store, "a", seqs(consumers.read_new(store, "a")))
    assert consumers.read_new(store, "late", start="now") == []
    put(store, 3)
    assert ids(consumers.read_new(store, "a")) == [3]
    assert ids(consumers.read_new(store, "b")) == [1, 2, 3]
    assert ids(consumers.read_new(store, "late")) == [3]


def test_filters_in_sql_and_in_python(store: Store) -> None:
    """source, kinds and where each let through their events only, and what they turn away is passed."""
    other = SourceSettings("varda_two", "varda")
    put(store, 1, 2)
    put(store, 3, 4, event="call.started")
    put(store, 5, event="call.started", source=other)
    read = consumers.read_new(store, "c", source="varda_main", kinds=[EventKind.CALL_STARTED])
    assert ids(read) == [3, 4]
    assert ids(consumers.read_new(store, "w", where=lambda event: event.data["id"] % 2 == 0)) == [2, 4]
    consumers.acknowledge(store, "w", seqs(consumers.read_new(store, "w")))
    assert consumers.read_new(store, "w") == []
    with pytest.raises(ConfigurationError, match="no event kind 'replies'"):
        consumers.read_new(store, "c", kinds=["replies"])
    with pytest.raises(ConfigurationError, match="cannot be called"):
        consumers.read_new(store, "")


@pytest.mark.slow
def test_limit_with_a_selective_where(store: Store) -> None:
    """A limit counts what is handed out, however much is turned away before it."""
    put(store, *range(1, 1300))
    rare = consumers.read_new(store, "c", where=lambda event: event.data["id"] % 100 == 0, limit=5)
    assert ids(rare) == [100, 200, 300, 400, 500]
    consumers.acknowledge(store, "c", seqs(rare))
    assert ids(consumers.read_new(store, "c", where=lambda event: event.data["id"] % 100 == 0)) == [
        *range(600, 1300, 100)
    ]


def test_a_where_that_fails_loses_nothing(store: Store) -> None:
    """An error in where reaches the caller, and the events come again."""
    put(store, 1, 2)
    with pytest.raises(ZeroDivisionError):
        consumers.read_new(store, "c", where=lambda event: 1 / 0 > 1)
    assert ids(consumers.read_new(store, "c")) == [1, 2]


def test_unrecognised_only_for_those_who_ask(store: Store) -> None:
    """An unrecognised event goes to nobody by default; read again with success, it is new to everybody."""
    body = b'{"evnt": "call.ended"}'
    stored = read_event(VARDA, body, {"X-Varda-Delivery": "u"}, received_at=NOW)
    inbox_append.append(store, [stored])
    put(store, 1)
    assert ids(consumers.read_new(store, "c")) == [1]
    assert len(consumers.read_new(store, "odd", kinds=["unrecognised"])) == 1
    consumers.acknowledge(store, "c", seqs(consumers.read_new(store, "c")))

    def newer(event: ContactEvent, raw: bytes, headers: Mapping[str, str]) -> inbox_housekeeping.ReadAgain:
        assert raw == body and headers == {"X-Varda-Delivery": "u"}
        parsed = parse(VARDA, {"event": "call.ended", "data": {"contact": {"id": 9}}})
        return inbox_housekeeping.ReadAgain(
            intake.build(VARDA, parsed, event.id, event.received_at), opt_out=None
        )

    assert inbox_housekeeping.reparse(store, lambda event, raw, headers: None) == 0
    assert inbox_housekeeping.reparse(store, newer) == 1
    (event,) = consumers.read_new(store, "c")
    assert (event.id, event.kind, event.contact.external_id) == (stored.event.id, "call_ended", "9")
    assert consumers.read_new(store, "odd", kinds=["unrecognised"]) == []


def test_replay(store: Store) -> None:
    """A replay brings back what a filter chose, for one consumer only, and says how many beforehand."""
    put(store, *range(1, 6))
    for consumer in ("c", "d"):
        consumers.acknowledge(store, consumer, seqs(consumers.read_new(store, consumer)))
    put(store, 6)
    since = NOW + timedelta(seconds=4)
    assert consumers.replay(store, "c", since=since, dry_run=True) == 2
    assert consumers.read_new(store, "c", limit=0) == []
    assert consumers.replay(store, "c", since=since) == 2
    assert consumers.replay(store, "c", since=since) == 2
    assert ids(consumers.read_new(store, "c")) == [4, 5, 6]
    assert ids(consumers.read_new(store, "d")) == [6]
    assert consumers.replay(store, "d", kinds=["replied"]) == 0
    assert consumers.replay(store, "d", source="varda_main", until=NOW + timedelta(seconds=2)) == 1
    with pytest.raises(ConfigurationError, match="did you mean 'c'"):
        consumers.replay(store, "cc", since=since)
    with pytest.raises(ConfigurationError, match="nothing says"):
        consumers.replay(store, "c")


def test_what_is_replayed_and_not_read_is_done_with(store: Store) -> None:
    """A replay of a time is of all kinds: those that the consumer does not read wait for nobody afterwards."""
    put(store, 1, 2, 3)
    put(store, 4, 5, event="call.started")
    read = partial(consumers.read_new, store, "c", kinds=["call_started"])
    consumers.acknowledge(store, "c", seqs(read()))
    assert consumers.replay(store, "c", since=NOW) == 5
    (known,) = progress.consumers(store)
    assert known.pending == 2
    assert ids(read(limit=1)) == [4]
    assert ids(read()) == [4, 5]
    consumers.acknowledge(store, "c", seqs(read()))
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(inbox_pending)).scalar_one() == 0


def test_waiting_tells_without_handing_out(store: Store) -> None:
    """A doorbell sees what waits, hands nothing out, and passes what the filter turns away."""
    assert consumers.waiting(store, "c").count == 0
    put(store, 1, 2)
    put(store, 3, event="call.started")
    bell = consumers.waiting(store, "c", kinds=["call_started"])
    assert bell.count == 1
    assert consumers.waiting(store, "c", kinds=["call_started"]) == bell
    assert ids(consumers.read_new(store, "c", kinds=["call_started"])) == [3]
    assert consumers.waiting(store, "c", kinds=["call_started"]).count == 1
    assert consumers.waiting(store, "c", kinds=["replied"]).count == 0
    put(store, 4)
    put(store, 5, event="call.started")
    doorbell = consumers.waiting(store, "c", kinds=["replied"], after=0)
    assert (doorbell.count, consumers.waiting(store, "c", kinds=["replied"], after=doorbell.reached)) == (
        0,
        doorbell,
    )
    assert consumers.waiting(store, "c", kinds=["call_started"], after=0).count == 2
    assert ids(consumers.read_new(store, "c")) == [3, 4, 5], (
        "a narrower doorbell passes nothing for its consumer"
    )
    consumers.acknowledge(store, "c", seqs(consumers.read_new(store, "c"))[1:])
    (before,) = progress.consumers(store)
    assert (before.name, before.pending, before.behind) == ("c", 1, 0)


def test_listing(store: Store) -> None:
    """Events are listed newest first, page by page."""
    put(store, 1, 2, 3)
    first = inbox_lists.list_events(store, EventFilter(), limit=2)
    assert listed(store, first) == [3, 2]
    rest = inbox_lists.list_events(store, EventFilter(), cursor=first.next)
    assert (listed(store, rest), rest.next) == ([1], None)
    late = EventFilter(kinds=["call_ended"], since=NOW + timedelta(seconds=3))
    assert listed(store, inbox_lists.list_events(store, late)) == [3]


def test_a_filter_of_events_holds_whatever_index_answers_it(store: Store) -> None:
    """By kinds, source, time or id, each alone and all at once, the same events are found, the latest first."""
    put(store, 1, 2, 3)
    rows = inbox_lists.list_events(store, EventFilter()).rows
    middle = EventFilter(
        source="varda_main", kinds=["call_ended", "replied"], since=rows[1].received_at, until=rows[0].received_at,
        event_ids=[row.event_id for row in rows],
    )  # fmt: skip
    for left_out in ({}, {"event_ids": None}, {"event_ids": None, "kinds": None}):
        assert inbox_lists.list_events(store, replace(middle, **left_out)).rows == [rows[1]]
    for wrong in ({"source": "other"}, {"kinds": []}, {"kinds": ["replied"]}, {"event_ids": []}):
        assert inbox_lists.list_events(store, replace(middle, **wrong)).rows == []
    with pytest.raises(ConfigurationError, match="no event kind"):
        inbox_lists.list_events(store, EventFilter(kinds=["sold"]))


def test_activity_of_sources(store: Store) -> None:
    """Each source tells what it sent last."""
    put(store, 1, 2, 3)
    activity = inbox_lists.source_activity(store, ["varda_main", "never"])
    assert list(activity) == ["varda_main"]
    assert activity["varda_main"].last_received_at == NOW + timedelta(seconds=3)


def test_retention_and_forgetting(store: Store) -> None:
    """Age and a person's wish remove events, and consumers go on without them."""
    put(store, 1, 2)
    put(store, 3, 4, contact={"email": "Jane@Example.com", "phone": "+14165550123"})
    consumers.read_new(store, "c")
    assert inbox_housekeeping.remove_events(store, inbox_events.c.email == "Jane@Example.com") == 2
    assert inbox_housekeeping.remove_events(store, sa.false()) == 0
    first, _ = consumers.read_new(store, "c")
    consumers.acknowledge(store, "c", seqs([first]))
    assert housekeeping.purge_events(store, received_before=NOW + timedelta(seconds=3)) == 1, (
        "2 is not acknowledged"
    )
    assert ids(consumers.read_new(store, "c")) == [2]
    put(store, 5)
    assert ids(consumers.read_new(store, "c")) == [2, 5]
    assert progress.consumers(store)[0].pending == 2
    assert consumers.forget_consumer(store, "c")
    assert ids(consumers.read_new(store, "c")) == [2, 5]


def test_what_a_consumer_has_not_read_is_not_purged(store: Store) -> None:
    """An acknowledged webhook is never lost: old events wait for a paused consumer until somebody removes it."""
    put(store, 1, 2)
    consumers.acknowledge(store, "quick", seqs(consumers.read_new(store, "quick")))
    consumers.read_new(store, "paused", limit=1)
    later = NOW + timedelta(days=400)
    assert housekeeping.purge_events(store, received_before=later) == 0
    assert housekeeping.needed_events(store, received_before=later) == 2
    assert ids(consumers.read_new(store, "paused")) == [1, 2]
    consumers.forget_consumer(store, "paused")
    assert housekeeping.purge_events(store, received_before=later) == 2


@pytest.mark.slow
def test_two_readers_of_one_consumer_lose_nothing(store: Store) -> None:
    """Two tasks that read the same consumer at once together see every event."""
    put(store, *range(200))
    seen: set[int] = set()
    barrier = threading.Barrier(3)

    def run() -> None:
        barrier.wait()
        for _ in range(20):
            events = consumers.read_new(store, "c", limit=50)
            seen.update(ids(events))
            consumers.acknowledge(store, "c", seqs(events[:20]))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 200
    assert consumers.read_new(store, "c") == []


@pytest.mark.slow
@pytest.mark.postgres
def test_a_late_commit_is_never_skipped(postgres_url: str) -> None:
    """An event inserted first and committed last, while others commit and are read, still reaches consumers.

    Two real connections: the slow one holds the smaller row_id open.
    """
    store = Store(postgres_url)
    upgrade(store)
    with store.engine.connect() as slow:
        transaction = slow.begin()
        _append(slow, [varda(1)])
        put(store, 2)
        events = consumers.read_new(store, "c")
        assert ids(events) == [2], "an open transaction holds nobody back"
        consumers.acknowledge(store, "c", seqs(events))
        put(store, 3)
        assert ids(consumers.read_new(store, "c")) == [3]
        transaction.commit()
    row_ids = sa.select(inbox_events.c.row_id).order_by(inbox_events.c.seq)
    with store.read() as connection:
        assert connection.execute(row_ids).scalars().first() == 2
    assert ids(consumers.read_new(store, "c")) == [3, 1]
    assert ids(consumers.read_new(store, "other")) == [2, 3, 1]
    store.close()


@pytest.mark.slow
@pytest.mark.postgres
def test_readers_and_writers_on_postgresql_at_once(postgres_url: str) -> None:
    """Under concurrent writers with commits in any order, a reading consumer gets each event exactly once."""
    store = Store(postgres_url, pool=PoolSettings(size=10))
    upgrade(store)
    done = threading.Event()

    def write(first: int) -> None:
        for number in range(first, first + 150, 3):
            with store.engine.connect() as connection, connection.begin():
                _append(connection, [varda(number), varda(number + 1)])
                done.wait(0.001 * (number % 7))
                _append(connection, [varda(number + 2)])

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 1000, 2000, 3000)]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    while any(writer.is_alive() for writer in writers) or len(seen) < 600:
        events = consumers.read_new(store, "c")
        seen += ids(events)
        consumers.acknowledge(store, "c", seqs(events))
        done.wait(0.005)
        if not any(writer.is_alive() for writer in writers) and not events:
            break
    assert len(seen) == len(set(seen)) == 600
    for first in (0, 1000, 2000, 3000):
        own = [number for number in seen if first <= number < first + 150]
        assert own == sorted(own), "one connection's events keep their order"
    store.close()


def test_a_store_that_is_away_is_a_store_error(store: Store) -> None:
    """Without its tables or server the inbox raises StoreError, and what was not stored is said not to be."""
    _rename(store, "inbox_events", "elsewhere")
    try:
        with pytest.raises(StoreError):
            inbox_append.append(store, [varda(1)])
    finally:  # the next test has the same schema
        _rename(store, "elsewhere", "inbox_events")


def _rename(store: Store, table: str, name: str) -> None:
    with store.write() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {name}"))


STEP = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 12)),
    st.tuples(st.just("read"), st.integers(1, 5)),
    st.tuples(st.just("ack"), st.integers(0, 4)),
    st.tuples(st.just("replay"), st.integers(0, 12)),
)


@pytest.mark.slow
@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, max_size=25))
def test_reading_law(sqlite_store: Store, steps: list[tuple[str, int]]) -> None:
    """Whatever the order of writes, reads and acknowledgements: unread and unacknowledged events, in order."""
    with sqlite_store.write() as connection:
        for name in ("inbox_events", "inbox_pending", "inbox_consumers"):
            connection.execute(sa.text(f"DELETE FROM {name}"))
        connection.execute(sa.text("UPDATE inbox_sequence SET last = 0"))
    stored: list[int] = []
    done: set[int] = set()
    read: list[ContactEvent] = []
    for step, number in steps:
        if step == "put":
            put(sqlite_store, number)
            stored += [] if number in stored else [number]
        elif step == "read":
            read = consumers.read_new(sqlite_store, "c", limit=number)
            assert ids(read) == [each for each in stored if each not in done][:number]
        elif step == "ack":
            consumers.acknowledge(sqlite_store, "c", seqs(read[:number]))
            done.update(ids(read[:number]))
        elif progress.consumers(sqlite_store):
            since = NOW + timedelta(seconds=number)
            consumers.replay(sqlite_store, "c", since=since)
            done = {each for each in done if each < number}
    assert ids(consumers.read_new(sqlite_store, "c")) == [each for each in stored if each not in done]
