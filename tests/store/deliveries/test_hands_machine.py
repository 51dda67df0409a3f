"""The invariant: whatever tasks have in their hands at a time, none has what an earlier open one of its contact is not with.

Here tasks hold what they took from one step to the next, as they do where a machine is slow: runs' own tasks, and those
that go on serving the route, of the same run or of another.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from stores import migrated_file
from strategies import examples

from airflow_outreach_provider.core.deliveries import DeliveryState, batched
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.fan_out import LEFT_LYING, PLAN_LEASE
from airflow_outreach_provider.store.deliveries import attempts, claims, plans
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery, NewDelivery
from airflow_outreach_provider.store.engine import Store

ROUTE, CONN = "crm", "crm_conn"
LEASE = timedelta(minutes=5)
SOME_CONTACTS = st.text("abc", min_size=1, max_size=5)


class Task:
    """A task instance: its batch, and what it has in its hands."""

    def __init__(self, plan: str, number: int, ids: Sequence[str]) -> None:
        self.plan, self.ids, self.owner = plan, ids, Owner("dag", "deliver", plan, number)
        self.hands: list[Delivery] = []
        self.freed: set[str] = set()


class Hands(RuleBasedStateMachine):
    """A route, some contacts, and tasks that are slow."""

    @initialize(contacts=st.text("abcd", min_size=4, max_size=10))
    def begin(self, contacts: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.time = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
        path = shutil.copy(migrated_file(), Path(self.folder.name) / "o.db")
        self.store = Store(f"sqlite:///{path}", clock=lambda: self.time)
        self.events = self.runs = 0
        self.waiting: list[Task] = []
        self.at_work: list[Task] = []
        self.arrive(contacts)
        self.plan(3)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @precondition(lambda self: not self.waiting)
    @rule(contacts=SOME_CONTACTS)
    def arrive(self, contacts: str) -> None:
        first, self.events = self.events + 1, self.events + len(contacts)
        rows = [
            NewDelivery(f"evt_{n}", ROUTE, contact, "varda", "replied", "x")
            for n, contact in enumerate(contacts, first)
        ]
        with self.store.write() as connection:
            attempts.record(connection, rows, self.time)

    @precondition(lambda self: len(self.waiting) < 3)
    @rule(batches=st.integers(2, 3))
    def plan(self, batches: int) -> None:
        self.runs += 1
        name = f"run{self.runs}"
        found = plans.plan(self.store, [ROUTE], name, limit=100, lease=PLAN_LEASE) or []
        ids = batched(((each.lane, each.event_id) for each in found), batches)
        self.waiting += [Task(name, number, batch) for number, batch in enumerate(ids)]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def task_begins(self, data: st.DataObject) -> None:
        task = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.takes(task, claims.claim(
            self.store, route=ROUTE, event_ids=task.ids, owner=task.owner, plan=task.plan, endpoint=CONN,
            lease=LEASE, revive=False,
        ).mine)  # fmt: skip
        self.at_work.append(task)

    def takes(self, task: Task, mine: Sequence[Delivery]) -> None:
        task.hands += [each for each in mine if each.id not in {other.id for other in task.hands}]
        before = (
            "SELECT count(*) FROM deliveries WHERE lane = :lane AND id < :id AND state IN ('pending', 'failed') "
            "AND claim IS DISTINCT FROM :claim"
        )
        with self.store.read() as connection:
            for each in mine:
                asked = {"lane": each.lane, "id": each.id, "claim": task.owner.key}
                assert connection.execute(sa.text(before), asked).scalar_one() == 0

    def one_at_work(self, data: st.DataObject) -> Task:
        return data.draw(st.sampled_from(self.at_work))

    @precondition(lambda self: self.at_work)
    @rule(data=st.data(), limit=st.integers(1, 3), lying=st.sampled_from([True, True, False]))
    def task_serves(self, data: st.DataObject, limit: int, lying: bool) -> None:
        task = self.one_at_work(data)
        self.takes(task, claims.claim_untried(
            self.store, route=ROUTE, owner=task.owner, plan=task.plan, endpoint=CONN, lease=LEASE, limit=limit,
            lying=LEFT_LYING if lying else None,
        ))  # fmt: skip

    @precondition(lambda self: any(task.freed for task in self.at_work))
    @rule(data=st.data())
    def task_goes_on_with_its_contacts(self, data: st.DataObject) -> None:
        task = self.one_at_work(data)
        self.takes(task, claims.claim_freed(
            self.store, route=ROUTE, lanes=task.freed, owner=task.owner, plan=task.plan, endpoint=CONN, lease=LEASE,
        ))  # fmt: skip
        task.freed = set()

    @precondition(lambda self: any(task.hands for task in self.at_work))
    @rule(data=st.data(), good=st.booleans())
    def task_sends(self, data: st.DataObject, good: bool) -> None:
        task = data.draw(st.sampled_from([task for task in self.at_work if task.hands]))
        lane = data.draw(st.sampled_from(sorted({each.lane for each in task.hands})))
        each, *others = [each for each in task.hands if each.lane == lane]
        state, verdict = (
            (DeliveryState.DELIVERED, DeliveryVerdict.DELIVERED)
            if good
            else (DeliveryState.FAILED, DeliveryVerdict.RETRY)
        )
        attempts.settle(self.store, [Attempt(each.id, state, self.time, verdict)], task.owner)
        if good:
            task.hands.remove(each)
            if not others:
                task.freed.add(lane)
            return
        later: dict[int, Any] = {each.id: timedelta(seconds=300), **{other.id: None for other in others}}
        attempts.hand_on(self.store, later, task.owner)
        task.hands = [other for other in task.hands if other.id not in later]

    @precondition(lambda self: self.at_work)
    @rule(data=st.data(), again=st.booleans())
    def task_ends(self, data: st.DataObject, again: bool) -> None:
        """:param again: it is killed, or fails, and its next try is to come."""
        task = self.one_at_work(data)
        self.at_work.remove(task)
        if again:
            self.waiting.append(task)
        else:
            attempts.release(self.store, task.owner, None)

    @rule()
    def wait(self) -> None:
        self.time += timedelta(seconds=100)
        for task in self.at_work:
            attempts.renew(self.store, task.owner, LEASE)


TestHands = pytest.mark.slow(Hands.TestCase)
TestHands.settings = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)
