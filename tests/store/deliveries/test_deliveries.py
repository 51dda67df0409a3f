"""Deliveries on both databases: taken in once, planned once, claimed once, and never left behind."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from stores import opened

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import claims, endpoints, rests
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.attempts import Attempt
from airflow_outreach_provider.store.deliveries.claims import Claim, claim, claim_untried, hold_behind
from airflow_outreach_provider.store.deliveries.endpoints import Release
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.deliveries.plans import own, plan, ready
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox import housekeeping as inbox_housekeeping

LEASE = timedelta(minutes=5)
ROUTE = "crm"


@pytest.fixture
def store(still_store: Store) -> Store:
    """A store whose time stands still until told otherwise."""
    return still_store


def event(number: int, contact: str) -> ContactEvent:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC) + timedelta(seconds=number)
    return ContactEvent(
        f"evt_{number}",
        "varda",
        "varda",
        "call.ended",
        EventKind.CALL_ENDED,
        at,
        at,
        Contact(external_id=contact),
    )


def arrive(store: Store, *contacts: str, first: int = 1) -> None:
    """One event of each contact, numbered from ``first``."""
    events = [event(number, contact) for number, contact in enumerate(contacts, first)]
    inbox_append.append(store, [Incoming(each, each.to_json(), "[]") for each in events])


def take_in(store: Store, *routes: str) -> int:
    return deliveries_fan_out.fan_out(store, "c", consumers.read_new(store, "c"), routes or (ROUTE,))


def planned(store: Store, key: str = "run1", limit: int = 100) -> list[str] | None:
    found = plan(store, [ROUTE], key, limit=limit, lease=LEASE)
    return None if found is None else [each.event_id for each in found]


def claimed(
    store: Store, ids: list[str], task: str = "t1", key: str = "run1", *, revive: bool = False
) -> Claim:
    return claim(
        store, route=ROUTE, event_ids=ids, owner=Owner("dag", task), plan=key, endpoint="crm_conn",
        lease=LEASE, revive=revive,
    )  # fmt: skip


def settle(store: Store, claim: Claim, state: DeliveryState, task: str = "t1") -> None:
    verdict = DeliveryVerdict.DELIVERED if state is DeliveryState.DELIVERED else DeliveryVerdict.RETRY
    now = store.now()
    attempts = [Attempt(each.id, state, now, verdict, 200, 3, "why", "answer") for each in claim.mine]
    deliveries_attempts.settle(store, attempts, Owner("dag", task))


def states(store: Store) -> dict[str, str]:
    return {
        row.event_id: row.state.value
        for row in deliveries_lists.list_deliveries(store, DeliveryFilter()).rows
    }


def test_events_become_deliveries_and_are_acknowledged_at_once(store: Store) -> None:
    """After fan-out each event has one delivery a route, and the consumer has nothing left to read."""
    arrive(store, "a", "b")
    assert take_in(store, ROUTE, "slack") == 2
    assert consumers.read_new(store, "c") == []
    assert deliveries_lists.count(store, DeliveryFilter()) == {"pending": 4}
    assert deliveries_lists.count(store, DeliveryFilter(route="slack", kinds=["call_ended"])) == {
        "pending": 2
    }


@pytest.mark.parametrize("late", [DeliveryState.FAILED, DeliveryState.DEAD, DeliveryState.DELIVERED])
@pytest.mark.parametrize("then", [None, DeliveryState.FAILED, DeliveryState.DELIVERED])
def test_who_stood_still_for_longer_than_its_lease_undoes_nothing_of_who_came_after(
    store: Store, clock: Any, late: DeliveryState, then: DeliveryState | None
) -> None:
    """Its failures are no longer the delivery's; what it delivered is delivered. Nor does it hand on what another is at."""
    arrive(store, "a")
    take_in(store)
    asleep = claimed(store, planned(store) or [])
    clock.advance(seconds=LEASE.total_seconds() + 1)
    after = claimed(store, planned(store, "run2") or [], task="t2", key="run2")
    assert [each.id for each in after.mine] == [each.id for each in asleep.mine]
    if then is not None:
        settle(store, after, then, task="t2")
    settle(store, asleep, late)
    ids = {each.id: None for each in asleep.mine}
    deliveries_attempts.give_up(store, ids, Owner("dag", "t1"))
    deliveries_attempts.hand_on(store, ids, Owner("dag", "t1"))
    deliveries_attempts.release(store, Owner("dag", "t1"), None)
    expected = DeliveryState.DELIVERED if late is DeliveryState.DELIVERED else then or DeliveryState.PENDING
    assert states(store) == {"evt_1": expected.value}
    assert planned(store, "run3") is None, "t2 is at it, or it is done"


def test_an_answer_for_a_contact_who_was_forgotten_meanwhile_is_nobody_elses(store: Store) -> None:
    """A later event is not done by it, and nothing that was said of the forgotten one is kept."""
    arrive(store, "forgotten")
    take_in(store)
    sent = claimed(store, planned(store) or [])
    deliveries_redeliver.forget(store, [each.id for each in sent.mine])
    arrive(store, "another", first=2)
    take_in(store)
    settle(store, sent, DeliveryState.DELIVERED)
    assert states(store) == {"evt_2": "pending"}
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT * FROM delivery_attempts")).all() == []


def test_a_fan_out_that_dies_before_its_commit_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries and acknowledgement stand or fall together; the next reader gets the events again."""
    arrive(store, "a", "b")
    events = consumers.read_new(store, "c")

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(deliveries_fan_out, "record", dies)
    with pytest.raises(RuntimeError):
        deliveries_fan_out.fan_out(store, "c", events, [ROUTE])
    monkeypatch.undo()
    assert states(store) == {}
    assert take_in(store) == 2


def test_two_readers_of_the_same_events_take_each_once(store: Store) -> None:
    """Of two sensors that read the same events at once, one takes them and the other finds none."""
    arrive(store, *"abcdef")
    events = consumers.read_new(store, "c")
    counts: list[int] = []

    def take() -> None:
        counts.append(deliveries_fan_out.fan_out(store, "c", events, [ROUTE]))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 6]
    assert deliveries_lists.count(store, DeliveryFilter()) == {"pending": 6}


def test_a_replayed_event_is_delivered_again(store: Store) -> None:
    """Replaying an event for the consumer restarts its delivery."""
    arrive(store, "a")
    take_in(store)
    claim = claimed(store, planned(store) or [])
    settle(store, claim, DeliveryState.DELIVERED)
    deliveries_attempts.release(store, Owner("dag", "t1"), LEASE)
    consumers.replay(store, "c", event_ids=["evt_1"])
    assert take_in(store) == 1
    assert planned(store, "run2") == ["evt_1"]


def test_an_event_that_was_not_replayed_is_not_delivered_again(store: Store) -> None:
    """A second consumer of a route, or a sensor after a direct use, finds the delivery as it is."""
    arrive(store, "a")
    take_in(store)
    settle(store, claimed(store, planned(store) or []), DeliveryState.DELIVERED)
    deliveries_attempts.release(store, Owner("dag", "t1"), LEASE)
    assert deliveries_fan_out.fan_out(store, "c2", consumers.read_new(store, "c2"), [ROUTE]) == 1
    assert states(store) == {"evt_1": "delivered"}
    assert planned(store, "run2") is None


def test_an_event_recognised_later_is_delivered_as_what_it_is(store: Store) -> None:
    """A route that was given it as unrecognised is given it once more, under its kind."""
    unknown = replace(event(1, "a"), kind=EventKind.UNRECOGNISED, contact=Contact())
    inbox_append.append(store, [Incoming(unknown, unknown.to_json(), "[]")])
    deliveries_fan_out.fan_out(store, "c", consumers.read_new(store, "c", kinds=["unrecognised"]), [ROUTE])
    settle(store, claimed(store, planned(store) or []), DeliveryState.DELIVERED)
    deliveries_attempts.release(store, Owner("dag", "t1"), LEASE)
    assert (
        inbox_housekeeping.reparse(store, lambda *_: inbox_housekeeping.ReadAgain(event(1, "a"), None)) == 1
    )
    assert take_in(store) == 1
    (row,) = deliveries_lists.list_deliveries(store, DeliveryFilter()).rows
    assert (row.state, row.kind, row.label.split()[0]) == (DeliveryState.PENDING, "call_ended", "call_ended")
    assert planned(store, "run2") == ["evt_1"]


def test_replays_at_once_do_not_trip_over_each_other(store: Store) -> None:
    """Several people replay the same events at the same moment: each is told the count, each event comes once."""
    arrive(store, *(f"c{n}" for n in range(200)))
    take_in(store)
    barrier, counts = threading.Barrier(4), []

    def replay() -> None:
        barrier.wait(10)
        counts.append(consumers.replay(store, "c", kinds=["call_ended"]))

    threads = [threading.Thread(target=replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [200] * 4
    assert len(consumers.read_new(store, "c")) == 200


def test_a_plan_is_given_back_to_its_owner_and_to_nobody_else(store: Store) -> None:
    """A sensor that died before its batches were seen gets the same again; another gets only the rest."""
    arrive(store, *"abc")
    take_in(store)
    assert planned(store, limit=2) == ["evt_1", "evt_2"]
    assert planned(store, limit=2) == ["evt_1", "evt_2"]
    assert planned(store, "run2") == ["evt_3"]
    assert planned(store, "run3") is None
    assert not ready(store, [ROUTE])


def test_when_all_is_done_the_owner_gets_an_empty_plan(store: Store) -> None:
    """A cleared sensor whose work is done hands out nothing, and waits for nothing new."""
    arrive(store, "a")
    take_in(store)
    settle(store, claimed(store, planned(store) or []), DeliveryState.DELIVERED)
    arrive(store, "b", first=2)
    take_in(store)
    assert planned(store) == []
    assert own(store, "unheard of") is None


def test_a_plan_nobody_works_on_runs_out(store: Store, clock: Any) -> None:
    """The deliveries of a deleted run go to the next one."""
    arrive(store, "a")
    take_in(store)
    assert planned(store) == ["evt_1"]
    clock.advance(minutes=6)
    assert ready(store, [ROUTE])
    assert planned(store, "run2") == ["evt_1"]
    assert claimed(store, ["evt_1"], key="run1").mine == [], "it belongs to the second plan now"
    assert len(claimed(store, ["evt_1"], key="run2").mine) == 1


def test_later_events_of_a_contact_wait_for_the_earlier_and_others_do_not(store: Store, clock: Any) -> None:
    """While one event of a contact is with a task, the next ones stay unplanned; other contacts go on."""
    arrive(store, "a")
    take_in(store)
    first = claimed(store, planned(store) or [])
    arrive(store, "a", "b", first=2)
    take_in(store)
    assert planned(store, "run2") == ["evt_3"]
    settle(store, first, DeliveryState.FAILED)
    deliveries_attempts.release(store, Owner("dag", "t1"), timedelta(minutes=20))
    clock.advance(minutes=10)
    assert planned(store, "run3") == ["evt_3"], "the first event of a still has tries, so its second waits"
    again = claimed(store, ["evt_1"])
    assert again.mine[0].tries == 1
    settle(store, again, DeliveryState.DELIVERED)
    assert planned(store, "run4") == ["evt_2"]


def test_a_claim_keeps_others_out_but_not_a_later_try(store: Store, clock: Any) -> None:
    """Another task instance has to wait for the lease; the same one's next try goes on at once."""
    arrive(store, "a")
    take_in(store)
    ids = planned(store) or []
    assert len(claimed(store, ids, "t1").mine) == 1
    other = claimed(store, ids, "t2")
    assert other.mine == []
    assert other.busy_until == clock() + LEASE
    assert len(claimed(store, ids, "t1").mine) == 1
    clock.advance(minutes=3)
    deliveries_attempts.renew(store, Owner("dag", "t1"), LEASE)
    clock.advance(minutes=3)
    assert claimed(store, ids, "t2").mine == []
    clock.advance(minutes=3)
    assert len(claimed(store, ids, "t2").mine) == 1


def test_events_given_directly_are_claimed_in_order_with_what_nobody_has(store: Store, clock: Any) -> None:
    """A direct batch takes its own and the route's free deliveries, and none behind another task's."""
    arrive(store, "a", "b", "c")
    take_in(store)
    planned(store, limit=1)
    arrive(store, "a", first=4)
    take_in(store)

    def direct(ids: list[str], task: str = "t9") -> list[str]:
        got = claim(
            store, route=ROUTE, event_ids=ids, owner=Owner("dag", task), plan=None, endpoint="crm_conn",
            lease=LEASE, revive=False,
        )  # fmt: skip
        return [each.event_id for each in got.mine]

    assert direct(["evt_3", "evt_4"]) == ["evt_2", "evt_3"], "evt_1 is planned elsewhere, so evt_4 waits"
    assert direct(["evt_4"], "t8") == []
    clock.advance(minutes=6)
    assert direct(["evt_4"], "t8") == ["evt_1", "evt_2", "evt_3", "evt_4"], "every plan and claim has run out"


def test_two_direct_batches_at_once_share_nothing_and_keep_the_order(store: Store) -> None:
    """Of four tasks that take what is free, one gets a contact's deliveries, all of them."""
    arrive(store, *"abababab")
    take_in(store)
    got: list[list[str]] = []

    def take(name: str) -> None:
        taken = claim(
            store, route=ROUTE, event_ids=["evt_8"], owner=Owner("dag", name), plan=None, endpoint="crm_conn",
            lease=LEASE, revive=False,
        )  # fmt: skip
        got.append([each.event_id for each in taken.mine])

    threads = [threading.Thread(target=take, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [[], [], [], [f"evt_{n}" for n in range(1, 9)]]


@pytest.mark.slow
def test_concurrent_claims_never_share_a_delivery(store: Store) -> None:
    """Of eight task instances claiming one batch at once, each delivery goes to exactly one."""
    arrive(store, *(f"c{n}" for n in range(50)))
    take_in(store)
    ids = planned(store) or []
    got: list[int] = []

    def take(name: str) -> None:
        got.extend(each.id for each in claimed(store, ids, name).mine)

    threads = [threading.Thread(target=take, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(set(got))
    assert len(got) == 50


@pytest.mark.slow
@pytest.mark.parametrize("failed", [False, True])
def test_a_task_that_begins_while_the_first_of_its_contact_is_taken_begins_none(
    store: Store, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    """Whoever serves the route has it already, or again, and has not committed: the next is not sent beside it."""
    arrive(store, "a", "a")
    take_in(store)
    ids = planned(store) or []
    if failed:
        with store.write() as connection:
            again = "UPDATE deliveries SET state = 'failed', tries = 1, due_at = 1 WHERE event_id = 'evt_1'"
            connection.execute(sa.text(again))
    take, taken, served = claims._take, threading.Event(), []

    def slowly(*given: Any) -> Any:
        found = take(*given)
        taken.set()
        time.sleep(0.3)
        return found

    def serve() -> None:
        served.extend(
            claim_untried(
                store, route=ROUTE, owner=Owner("dag", "server"), plan="served", endpoint="crm_conn",
                lease=LEASE, limit=1, lying=2 * LEASE,
            )
        )  # fmt: skip

    monkeypatch.setattr(claims, "_take", slowly)
    server = threading.Thread(target=serve)
    server.start()
    assert taken.wait(10)
    monkeypatch.setattr(claims, "_take", take)
    late = claimed(store, ids)
    server.join(10)
    assert [each.event_id for each in served] == ["evt_1"] and late.mine == []


@pytest.mark.parametrize("begun", [1, 2])
def test_a_task_begins_nothing_behind_what_another_of_its_run_has(store: Store, begun: int) -> None:
    """The one that serves the route is of a run too, perhaps of the same, and took the first of a contact alone."""
    arrive(store, "a", "b", "b", "b")
    take_in(store)
    planned(store)
    served = claim_untried(
        store, route=ROUTE, owner=Owner("dag", "t1"), plan="run1", endpoint="crm_conn", lease=LEASE, limit=1 + begun,
        lying=LEASE,
    )  # fmt: skip
    assert [each.event_id for each in served] == ["evt_1", *(f"evt_{n}" for n in range(2, 2 + begun))]
    late = claimed(store, ["evt_2", "evt_3", "evt_4"], "t2")
    assert late.mine == []
    again = claimed(store, ["evt_1"], "t1")
    assert again.mine == served, "its retry, were it killed, has all that it had"
    settle(store, Claim(served), DeliveryState.DELIVERED)
    rest = claim_untried(
        store, route=ROUTE, owner=Owner("dag", "t1"), plan="run1", endpoint="crm_conn", lease=LEASE, limit=9
    )
    assert [each.event_id for each in rest] == [f"evt_{n}" for n in range(2 + begun, 5)]


def test_what_failed_at_a_place_that_its_route_has_left_is_not_overtaken(store: Store) -> None:
    """The old place rests, perhaps for days: other routes still lead there. What waits goes to the new one, in order."""
    arrive(store, "a")
    take_in(store)
    rests.lead_to(store, ROUTE, "crm_conn")
    mine = claimed(store, planned(store) or [])
    settle(store, mine, DeliveryState.FAILED)
    rests.rest(store, "crm_conn", "401")
    deliveries_attempts.hand_on(store, {each.id: None for each in mine.mine}, Owner("dag", "t1"))
    arrive(store, "a", "b", first=2)
    take_in(store)
    assert planned(store, "run2") is None, "the route leads there, and it rests"
    rests.lead_to(store, ROUTE, "new_conn")
    assert planned(store, "run2") == ["evt_1", "evt_2", "evt_3"]


def test_attempts_are_kept_with_the_task_that_made_them(store: Store) -> None:
    """Each attempt can be found by its delivery and by its task instance."""
    arrive(store, "a")
    take_in(store)
    ids = planned(store) or []
    settle(store, claimed(store, ids), DeliveryState.FAILED)
    settle(store, claimed(store, ids), DeliveryState.DELIVERED)
    (row,) = deliveries_lists.list_deliveries(store, DeliveryFilter(states=[DeliveryState.DELIVERED])).rows
    assert (row.tries, row.endpoint, row.delivered_at) == (2, "crm_conn", store.now())
    attempts = deliveries_lists.attempts_of(store, row.id)
    assert [(each.verdict, each.answer, each.task_id) for each in attempts] == [
        ("retry", "answer", "t1"),
        ("delivered", "answer", "t1"),
    ]
    of_task = deliveries_lists.attempts_of_task(store, dag_id="dag", run_id="", task_id="t1")
    assert [(each.event_id, attempt.id) for each, attempt in of_task] == [("evt_1", a.id) for a in attempts]


def test_dead_ones_are_revived_by_clear_or_redelivered_by_filter(store: Store) -> None:
    """What is dead stays dead for a retry, lives again for a cleared task, and can be redelivered."""
    arrive(store, "a", "b")
    take_in(store)
    ids = planned(store) or []
    settle(store, claimed(store, ids), DeliveryState.DEAD)
    deliveries_attempts.release(store, Owner("dag", "t1"), LEASE)
    assert claimed(store, ids).mine == []
    assert len(claimed(store, ids[:1], revive=True).mine) == 1
    wanted = DeliveryFilter(route=ROUTE, states=[DeliveryState.DEAD], since=store.now() - timedelta(hours=1))
    assert deliveries_lists.count(store, wanted) == {"dead": 1}
    assert deliveries_redeliver.redeliver(store, wanted) == 1
    assert planned(store, "run2") == ["evt_2"]
    assert deliveries_redeliver.redeliver(store, DeliveryFilter(route=ROUTE)) == 0, (
        "open ones are on their way already"
    )


@pytest.mark.parametrize(
    ("taken", "left"),
    [(0, [1, 2, 3, 4]), (1, [3, 4]), (3, [4]), (4, [])],
    ids=["by nobody", "one", "three", "all"],
)
def test_a_cleared_task_takes_what_its_last_try_handed_back(
    store: Store, taken: int, left: list[int]
) -> None:
    """But for what another run has by now, and what comes behind that: a retry leaves it to the next run, which takes all."""
    arrive(store, "a", "a", "b", "c")
    take_in(store)
    ids = planned(store) or []
    claimed(store, ids)
    deliveries_attempts.release(store, Owner("dag", "t1"), None)  # killed in its last try
    assert claimed(store, ids).mine == []
    if taken:
        assert planned(store, "run2", taken) == ids[:taken]
    again = claimed(store, ids, revive=True).mine
    assert [each.event_id for each in again] == [f"evt_{n}" for n in left]
    deliveries_attempts.release(store, Owner("dag", "t1"), None)
    settle(store, claimed(store, ids[:taken], "t2", "run2"), DeliveryState.DELIVERED, "t2")
    assert (planned(store, "run3") or []) == ids[taken:]


@pytest.mark.parametrize(
    ("release", "sent"), [(Release.ALL, ["evt_1", "evt_2", "evt_3"]), (Release.LATEST, ["evt_2", "evt_3"]), (Release.NONE, [])]
)  # fmt: skip
def test_held_deliveries_are_released_as_chosen(store: Store, release: Release, sent: list[str]) -> None:
    """Disabling holds; enabling sends all, the latest of each contact, or none, and loses none."""
    arrive(store, "a", "b", "a")
    take_in(store)
    claimed(store, planned(store) or [])
    deliveries_attempts.release(store, Owner("dag", "t1"), None)
    assert endpoints.disable(store, "crm_conn", reason="gone", by="test")
    assert not endpoints.disable(store, "crm_conn", reason="again", by="test")
    assert set(states(store).values()) == {"held"}
    assert endpoints.status(store, "crm_conn").disabled_reason == "gone"
    if release is Release.LATEST:
        sent = ["evt_2", "evt_3"]
    assert endpoints.enable(store, "crm_conn", release) == (len(sent), 3 - len(sent))
    assert (planned(store, "run2") or []) == sent
    assert len(states(store)) == 3
    assert endpoints.status(store, "crm_conn").disabled_at is None


def test_an_endpoint_remembers_its_failures_in_a_row(store: Store, clock: Any) -> None:
    """Failures add up from the first one, and one success ends the row."""

    def note(failed: int, *, succeeded: bool) -> Any:
        return endpoints.note(
            store, "e", at=clock(), status=500, error="x", failed_in_a_row=failed, succeeded=succeeded,
            failing_from=clock() if failed else None,
        )  # fmt: skip

    began = clock()
    assert note(3, succeeded=False).failures == 3
    clock.advance(hours=1)
    status = note(2, succeeded=False)
    assert (status.failures, status.failing_since) == (5, began)
    assert note(1, succeeded=True).failures == 1
    assert note(0, succeeded=True).failing_since is None
    assert [each.conn_id for each in endpoints.statuses(store)] == ["e"]


def test_purge_and_forget_remove_deliveries_with_their_attempts(store: Store, clock: Any) -> None:
    """Purge takes what ended before a time and leaves what is open; forget takes whatever is named."""
    arrive(store, "a", "b", "c")
    take_in(store)
    ids = planned(store) or []
    settle(store, claimed(store, ids[:1]), DeliveryState.DELIVERED)
    (done,) = deliveries_lists.list_deliveries(store, DeliveryFilter(states=[DeliveryState.DELIVERED])).rows
    clock.advance(days=1)
    assert deliveries_redeliver.purge(store, clock()) == 1
    assert deliveries_lists.attempts_of(store, done.id) == []
    (second, _) = sorted(row.id for row in deliveries_lists.list_deliveries(store, DeliveryFilter()).rows)
    assert deliveries_redeliver.forget(store, [second]) == 1
    assert states(store) == {"evt_3": "pending"}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgres)])
def test_the_work_to_do_is_found_by_indexes_of_it_alone(
    request: pytest.FixtureRequest, database: str
) -> None:
    """Looking for work walks indexes that hold only what waits, on a database that was never analysed."""
    import sqlalchemy as sa

    from airflow_outreach_provider.store.deliveries.tables import deliveries
    from airflow_outreach_provider.store.deliveries.waiting import free, look

    # Of its own: in one that other tests have used, PostgreSQL may have gathered statistics.
    with opened(request.getfixturevalue(database)) as store:
        # Of an empty table any index is as good as another.
        arrive(store, *(f"c{n % 40}" for n in range(400)))
        take_in(store)
        explain = "EXPLAIN QUERY PLAN " if store.dialect == "sqlite" else "EXPLAIN "
        with store.read() as connection:
            query = free(look(store, connection), ROUTE, deliveries.c.id, limit=1)
            text = str(query.compile(store.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
            lines = "\n".join(str(row) for row in connection.execute(sa.text(explain + text)))
        # While nothing came due or was left PostgreSQL does not care by which index that is found.
        for kind in ("waiting", "taken", *(("due", "planned") if store.dialect == "sqlite" else ())):
            assert f"ix_deliveries_{kind}" in lines, lines
        assert "Seq Scan on deliveries" not in lines


@pytest.mark.slow
def test_nothing_is_held_behind_the_back_of_who_enables_the_endpoint(store: Store) -> None:
    """Who finds an earlier one of the contact held waits for who enables the endpoint, and looks again."""
    arrive(store, "a", "a")
    take_in(store)
    mine = claimed(store, planned(store) or []).mine
    with store.write() as connection:
        endpoints.ensure(connection, "crm_conn")
    deliveries_attempts.move(store, [mine[0].id], DeliveryState.HELD, "held")
    found: list[set[int]] = []
    holding = threading.Thread(
        target=lambda: found.append(hold_behind(store, ROUTE, "crm_conn", mine[1:])), daemon=True
    )
    with store.write() as connection:
        connection.execute(sa.text("UPDATE endpoints SET disabled_at = NULL WHERE conn_id = 'crm_conn'"))
        holding.start()
        time.sleep(0.2)
        connection.execute(sa.text("UPDATE deliveries SET state = 'pending' WHERE state = 'held'"))
    holding.join(30)
    assert found == [set()]
    assert deliveries_lists.count(store, DeliveryFilter()).get("held", 0) == 0
