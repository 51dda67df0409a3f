"""What a run that has ended had reserved and did not deliver is free at once; what a living run has is not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.ended_runs import ended, free_ended
from airflow_outreach_provider.services.deliveries.fan_out import PLAN_LEASE, Reading, fan_out, is_ready
from airflow_outreach_provider.store.deliveries import attempts, claims
from airflow_outreach_provider.store.deliveries.attempts import Attempt
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

READING = Reading("crm", ("crm",))
NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)


class Runs:
    """An Airflow's runs of a DAG by their states, and how often it was asked."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states, self.asked = dict(states), 0

    def count(self, dag_id: str, run_ids: Sequence[str], states: Sequence[str]) -> int:
        assert dag_id == "dag" and run_ids
        self.asked += 1
        found = [self.states[each] for each in run_ids if each in self.states]
        return sum(not states or each in states for each in found)


def key(run: str) -> str:
    return Owner("dag", "wait_for_events", run).key


def arrive(store: Store, *contacts: str) -> None:
    events = [
        ContactEvent(
            f"evt_{contact}", "src", "varda", "reply", EventKind.REPLIED, NOW, NOW, Contact(external_id=contact[0])
        )
        for contact in contacts
    ]  # fmt: skip
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def plan(store: Store, run: str) -> list[str]:
    """The ids of the events that a run hands out."""
    return sorted(each for batch in fan_out(store, READING, key(run)) or [] for each in batch["events"])


def claim(store: Store, run: str, *events: str) -> list[str]:
    """Begin a task of that run; what it gets."""
    taken = claims.claim(
        store, route="crm", event_ids=events, owner=Owner("dag", "deliver", run, 0), plan=key(run), endpoint="",
        lease=LEASE, revive=False,
    )  # fmt: skip
    return [each.event_id for each in taken.mine]


@pytest.mark.parametrize("state", ["success", "failed", None])
def test_what_an_ended_or_deleted_run_reserved_is_the_next_plans(
    still_store: Store, clock: Any, state: str | None
) -> None:
    """A quarter of an hour before its plan runs out; in order, and nothing is with two runs."""
    arrive(still_store, "a1", "a2", "b1")
    assert plan(still_store, "first") == ["evt_a1", "evt_a2", "evt_b1"]
    runs = Runs({"first": state} if state else {})
    clock.advance(seconds=20)
    assert not is_ready(still_store, READING)
    assert free_ended(still_store, runs.count, ["crm"]) == 3
    assert is_ready(still_store, READING)
    assert plan(still_store, "second") == ["evt_a1", "evt_a2", "evt_b1"]
    assert claim(still_store, "first", "evt_a1", "evt_a2", "evt_b1") == []
    assert claim(still_store, "second", "evt_a1", "evt_a2", "evt_b1") == ["evt_a1", "evt_a2", "evt_b1"]


@pytest.mark.parametrize("state", ["running", "queued", "a state of a later Airflow"])
def test_a_living_run_keeps_what_it_planned(still_store: Store, clock: Any, state: str) -> None:
    """Its tasks wait for a slot or for their retry, however long."""
    arrive(still_store, "a1")
    plan(still_store, "first")
    clock.advance(minutes=10)
    free_ended(still_store, Runs({"first": state}).count)
    assert not is_ready(still_store, READING)
    assert plan(still_store, "second") == []
    assert plan(still_store, "first") == ["evt_a1"]


def test_what_a_task_is_at_keeps_its_lease_whatever_became_of_the_run(still_store: Store, clock: Any) -> None:
    """A task of a run that a person marked may still be sending: nobody sends beside it, nor a later event of its contact."""
    arrive(still_store, "a1", "b1")
    plan(still_store, "first")
    assert claim(still_store, "first", "evt_a1") == ["evt_a1"]
    arrive(still_store, "a2")
    clock.advance(seconds=20)
    free_ended(still_store, Runs({"first": "failed"}).count)
    assert plan(still_store, "second") == ["evt_b1"]
    clock.advance(minutes=5)
    assert plan(still_store, "third") == ["evt_a1", "evt_a2"], "its lease has run out"


def test_a_cleared_run_takes_up_what_nobody_took_meanwhile(still_store: Store, clock: Any) -> None:
    """Its sensor hands out again what is left of its plan, its task takes it; what another run took is that run's."""
    arrive(still_store, "a1", "b1")
    plan(still_store, "first")
    clock.advance(seconds=20)
    free_ended(still_store, Runs({"first": "failed"}).count)
    assert claim(still_store, "first", "evt_a1") == ["evt_a1"]
    done = Attempt(1, DeliveryState.DELIVERED, NOW, DeliveryVerdict.DELIVERED)
    attempts.settle(still_store, [done], Owner("dag", "deliver", "first", 0))
    assert plan(still_store, "first") == ["evt_b1"]
    assert plan(still_store, "second") == ["evt_b1"]
    assert plan(still_store, "first") == [], "the other run has it"
    assert claim(still_store, "first", "evt_a1", "evt_b1") == []


def test_nothing_is_asked_about_plans_that_need_no_answer(still_store: Store, clock: Any) -> None:
    """Not about young ones, nor what is at work, done or free by now; about many runs of a DAG at once."""
    runs = Runs({"first": "running", "second": "running"})
    arrive(still_store, "a1")
    plan(still_store, "first")
    clock.advance(seconds=5)
    free_ended(still_store, runs.count)
    assert runs.asked == 0, "its tasks are on their way"
    arrive(still_store, "b1")
    plan(still_store, "second")
    clock.advance(seconds=20)
    free_ended(still_store, runs.count)
    assert runs.asked == 1, "both in one question"
    free_ended(still_store, runs.count, ["another_route"])
    assert runs.asked == 1
    claim(still_store, "first", "evt_a1")
    claim(still_store, "second", "evt_b1")
    free_ended(still_store, runs.count)
    assert runs.asked == 1, "both are at work"
    clock.advance(seconds=PLAN_LEASE.total_seconds() + 1)
    free_ended(still_store, runs.count)
    assert runs.asked == 1, "they are free"


def test_plans_of_nobody_in_airflow_are_left_alone(still_store: Store, clock: Any) -> None:
    """A key that names no run is nothing to ask about."""
    arrive(still_store, "a1")
    assert fan_out(still_store, READING, "by hand")
    clock.advance(seconds=20)
    runs = Runs({})
    free_ended(still_store, runs.count)
    assert runs.asked == 0 and not is_ready(still_store, READING)


@pytest.mark.slow
def test_one_ended_run_is_found_among_many(still_store: Store, clock: Any) -> None:
    """Sixty runs wait for their tasks, the last of them in vain."""
    for n in range(60):
        arrive(still_store, f"{chr(0x4E00 + n)}1")
        plan(still_store, f"run_{n:02}")
        clock.advance(seconds=1)
    clock.advance(seconds=20)
    runs = Runs({f"run_{n:02}": "running" for n in range(59)})
    assert free_ended(still_store, runs.count) == 1
    assert runs.asked < 20
    assert plan(still_store, "next") == [f"evt_{chr(0x4E00 + 59)}1"]


STATES = st.sampled_from(["queued", "running", "success", "failed", "a state of a later Airflow", None])


@given(st.lists(STATES, max_size=120))
def test_exactly_the_runs_that_are_over_or_gone_have_ended(states: list[str | None]) -> None:
    """Whatever states there are; the more of them live, the less is asked."""
    ids = [f"run_{n}" for n in range(len(states))]
    runs = Runs({each: state for each, state in zip(ids, states, strict=True) if state})
    over = [each for each, state in zip(ids, states, strict=True) if state in ("success", "failed", None)]
    assert ended(runs.count, "dag", ids) == over
    unusual = sum(state not in ("queued", "running") for state in states)
    assert runs.asked <= bool(ids) * 4 + unusual * (2 * len(ids).bit_length() + 2)
