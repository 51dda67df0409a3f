"""What a doorbell sees: everything deliverable that is in nobody's hands, whatever made it so, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.batch import Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.callables import handle
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.services.events.doorbell import Deliverable, Doorbell
from airflow_outreach_provider.store.deliveries import attempts, claims
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.deliverable import glance
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, progress

READING = Reading("crm", ("crm",))


def arrive(store: Store, *contacts: str, first: int = 1, kind: EventKind = EventKind.REPLIED) -> None:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(f"evt_{n}", "src", "varda", "x", kind, at, at, Contact(external_id=who))
        for n, who in enumerate(contacts, first)
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def look(store: Store, bell: Doorbell) -> Deliverable:
    return bell.look(store, glance(store))


def doorbell(reading: Reading = READING, own_filter: bool = True) -> Doorbell:
    return Doorbell(reading, own_filter=own_filter)


def take(store: Store, run: str, reading: Reading = READING) -> list[Batch]:
    return [Batch("crm", each["events"], each["plan"]) for each in fan_out(store, reading, run) or []]


def work(store: Store, batch: Batch, fails: bool = False, last_try: bool = False) -> Report:
    def call(_: ContactEvent) -> None:
        if fails:
            raise RuntimeError("no")

    return handle(store, batch, TaskTry(Owner("dag", "t", batch.event_ids[0]), last_try=last_try), call)


def test_a_new_event_waits_until_somebody_takes_it(store: Store) -> None:
    """Looking takes nothing; a run that takes it ends the waiting, before it has delivered anything."""
    bell = doorbell()
    assert look(store, bell).count == 0
    arrive(store, "ann", "bob")
    for _ in range(2):
        assert look(store, bell).events == {1, 2}
    take(store, "run1")
    assert look(store, bell) == Deliverable()


@pytest.mark.slow
def test_a_later_event_of_a_contact_waits_for_the_lane_and_then_goes_along(store: Store) -> None:
    """While the earlier one is with a task the later makes no run; when it is through, the task takes it along."""
    bell = doorbell()
    arrive(store, "bad")
    (batch,) = take(store, "run1")
    assert work(store, batch, fails=True).left == 1
    arrive(store, "bad", first=2)
    assert look(store, bell).count == 0, "unread, behind an earlier one"
    arrive(store, "good", first=3)
    assert look(store, bell).events == {3}
    assert [each.event_ids for each in take(store, "run2")] == [["evt_3"]]
    assert look(store, bell).count == 0, "read by another run, still behind"
    assert work(store, batch).states == {"delivered": 2}
    assert look(store, bell) == Deliverable()


def test_an_unread_event_behind_a_lane_rings_when_the_lane_is_freed(store: Store) -> None:
    """Also where no run has read it meanwhile."""
    bell = doorbell()
    arrive(store, "bad")
    (batch,) = take(store, "run1")
    work(store, batch, fails=True)
    arrive(store, "bad", first=2)
    assert look(store, bell).count == 0
    work(store, batch)
    assert look(store, bell).events == {2}


@pytest.mark.slow
def test_redelivered_replayed_and_dead_tasks_work_waits_again(store: Store) -> None:
    """Without any new event: a redelivery, a replay, and a plan whose task is dead."""
    bell = doorbell()
    arrive(store, "ann")
    (batch,) = take(store, "run1")
    work(store, batch)
    assert look(store, bell).count == 0
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]), 1)
    first = look(store, bell).deliveries
    assert len(first) == 1
    (batch,) = take(store, "run2")
    work(store, batch)
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]), 2)
    assert look(store, bell).deliveries.isdisjoint(first), "a second redelivery is another piece of work"
    work(store, take(store, "run3")[0])
    consumers.replay(store, "crm", event_ids=["evt_1"])
    assert look(store, bell).events == {1}
    take(store, "run4")
    assert look(store, bell).count == 0
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET plan_until = plan_until - 86400000"))
    assert len(look(store, bell).deliveries) == 1


@pytest.mark.slow
def test_what_a_task_took_and_gave_back_as_it_was_is_the_same_piece_of_work(store: Store) -> None:
    """Claimed and released, it is nothing new; tried, it is."""
    bell, owner = doorbell(), Owner("dag", "t", "run1", 0)
    arrive(store, "ann")
    (batch,) = take(store, "run1")
    work(store, batch, fails=True, last_try=True)
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]), 1)
    first = look(store, bell).deliveries
    taken = claims.claim(
        store, route="crm", event_ids=["evt_1"], owner=owner, plan=None, endpoint="", lease=timedelta(minutes=5), revive=False,
    )  # fmt: skip
    assert look(store, bell).count == 0
    attempts.hand_on(store, {each.id: None for each in taken.mine}, owner)
    attempts.release(store, owner, None)
    assert look(store, bell).deliveries == first
    (batch,) = take(store, "run2")
    work(store, batch, fails=True)
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET plan_until = NULL, due_at = NULL"))
    again = look(store, bell).deliveries
    assert len(again) == 1
    assert again.isdisjoint(first)


def test_a_filter_is_heard_and_what_it_turns_away_is_done_with_where_it_is_the_consumers(
    store: Store,
) -> None:
    """source, kinds and where; a route's own doorbell passes the rest, another passes nothing."""
    narrow = Reading("crm", ("crm",), "src", ["replied"], "contact.external_id == 'ann'")
    own, other = doorbell(narrow), doorbell(narrow, own_filter=False)
    arrive(store, "bob", "ann", kind=EventKind.CLICKED)
    arrive(store, "bob", first=3)
    assert look(store, other).count == 0
    assert [each.behind for each in progress.consumers(store)] == [3]
    assert look(store, own).count == 0
    assert [each.behind for each in progress.consumers(store)] == [0]
    arrive(store, "ann", first=4)
    assert look(store, own).events == look(store, other).events == {4}
    assert [each.event_ids for each in take(store, "run1", narrow)] == [["evt_4"]]


@pytest.mark.slow
def test_what_its_sensor_hands_out_elsewhere_is_looked_at_too(store: Store) -> None:
    """The routes of a consumer may have other names than it; its sensor writes them down."""
    bell = doorbell(Reading("news", ()), own_filter=False)
    arrive(store, "ann")
    assert look(store, bell).events == {1}
    batches = fan_out(store, Reading("news", ("crm",)), "run1") or []
    work(store, Batch("crm", batches[0]["events"], batches[0]["plan"]))
    assert look(store, bell).count == 0
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]))
    assert look(store, bell).count == 1


def test_what_a_consumer_of_its_own_code_has_in_hand_is_told_apart(store: Store) -> None:
    """Read and not acknowledged: in somebody's hands, and counted."""
    bell = doorbell(Reading("mine", ()), own_filter=False)
    arrive(store, "ann", "bob")
    read = consumers.read_new(store, "mine")
    seen = look(store, bell)
    assert (seen.free, seen.handed, seen.count, seen.newest) == (frozenset(), {1, 2}, 2, 2)
    consumers.acknowledge(store, "mine", [event.seq or 0 for event in read])
    assert look(store, bell) == Deliverable()


def test_many_are_counted_only_so_far_and_none_is_missed(store: Store) -> None:
    """Hundreds that the filter turns away hide nothing behind them; a consumer that starts anew sees all again."""
    reading = Reading("crm", ("crm",), where="contact.external_id == 'ann'")
    arrive(store, *["bob"] * 450, "ann")
    bell = doorbell(reading, own_filter=False)
    assert look(store, bell).events == {451}
    consumers.forget_consumer(store, "crm")
    assert look(store, bell).events == {451}


def test_mistakes_are_told(store: Store) -> None:
    """A kind that does not exist, and a name that cannot be a consumer's."""
    for reading in (Reading("crm", (), kinds=["replid"]), Reading("", ())):
        arrive(store, "ann")
        with pytest.raises(ConfigurationError):
            look(store, doorbell(reading))


def test_an_idle_doorbell_asks_the_store_nothing(store: Store) -> None:
    """After one look for all of them, a doorbell with nothing new costs no query."""
    arrive(store, "ann")
    bell = doorbell()
    look(store, bell)
    work(store, take(store, "run1")[0])
    look(store, bell)
    seen, asked = glance(store), []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    assert bell.look(store, seen) == Deliverable()
    assert asked == []


def queries_of_rounds(store: Store, routes: int, rounds: int) -> tuple[int, int]:
    """So many routes, each for somebody of its own, and in each round an event of a stranger and one of the first route's;
    how many statements the store executed in all, and how many events the first route saw."""
    bells = [
        doorbell(Reading(f"r{n}", (f"r{n}",), where=f"contact.external_id == 'c{n}'")) for n in range(routes)
    ]
    asked: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    last, seen, count = None, Deliverable(), 0
    for number in range(rounds + 1):  # the first look makes the consumers known
        before = len(asked)
        found = glance(store, last)
        seen, *_ = [bell.look(store, found) for bell in bells]
        count, last = count + (len(asked) - before if number else 0), found.last
        arrive(store, "stranger", "c0", first=routes * 1000 + 2 * number)
    return count, len(seen.events)


@pytest.mark.slow
def test_a_poll_costs_the_same_for_one_route_and_for_a_hundred(store: Store) -> None:
    """Events come in every round: all routes share one look at them, and only whose they are looks closer."""
    one, seen = queries_of_rounds(store, 1, 6)
    assert seen == 6
    many, seen = queries_of_rounds(store, 100, 6)
    assert seen >= 6
    assert many <= one + 200, (
        "each of those that turn all away writes that down, once a minute, in two statements"
    )
    assert queries_of_rounds(store, 100, 12)[0] <= 2 * one + 200


@pytest.mark.slow
def test_what_was_read_for_all_is_filtered_as_the_store_does(store: Store) -> None:
    """By source, kinds and where, an unrecognised event only for who asks; and who is behind misses nothing of a burst."""
    readings = [
        Reading("all", ()), Reading("named", (), kinds=["unrecognised", "clicked"]), Reading("there", (), source="src"),
        Reading("elsewhere", (), source="other"), Reading("bob", (), where="contact.external_id == 'bob'"),
    ]  # fmt: skip
    shared = [doorbell(each) for each in readings]
    first = glance(store)
    for bell in shared[:-1]:
        bell.look(store, first)
    arrive(store, "ann", "bob")
    arrive(store, "ann", first=3, kind=EventKind.UNRECOGNISED)
    arrive(store, "ann", first=4, kind=EventKind.CLICKED)
    arrive(store, *["eve"] * 300, first=5, kind=EventKind.OPENED)
    arrive(store, "bob", first=305)
    for after in (first.last, 150):
        found = glance(store, after)
        for bell, reading in zip(shared, readings, strict=True):
            alone = doorbell(reading, own_filter=False).look(store, glance(store))
            seen = bell.look(store, found).events
            assert alone.events <= seen, reading.consumer
            assert len(seen) > 200 or seen == alone.events, (
                "beyond that it is enough to know that there is something"
            )


def test_a_try_that_ends_frees_what_waits_behind(store: Store) -> None:
    """A delivery that is dead holds nothing back: what is behind it waits for a run."""
    bell = doorbell()
    arrive(store, "bad")
    (batch,) = take(store, "run1")
    arrive(store, "bad", first=2)
    work(store, batch, fails=True, last_try=True)
    assert look(store, bell).events == {2}
