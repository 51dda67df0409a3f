"""The invariant: what may be sent now and is in nobody's hands rings; and in the end all is delivered, in order.

Tasks die, freeze and come back, endpoints fail and rest, people redeliver, disable and enable; whatever happens in
whatever order. What is deliverable is worked out here from the rows alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stores import migrated_file
from strategies import examples

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.fan_out import LEFT_LYING, Reading, fan_out, take_in
from airflow_outreach_provider.services.events.doorbell import Doorbell
from airflow_outreach_provider.store.deliveries import (
    attempts,
    claims,
    endpoints,
    redeliver,
    reserved,
    rests,
    serving,
)
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.deliverable import glance
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers

ROUTE, CONN = "crm", "crm_conn"
READING = Reading("crm_events", (ROUTE,))
LEASE = timedelta(minutes=5)


class Ringing(RuleBasedStateMachine):
    """A route with one endpoint, three contacts, and tasks that do what they like."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.time = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
        path = shutil.copy(migrated_file(), Path(self.folder.name) / "o.db")
        self.store = Store(f"sqlite:///{path}", clock=lambda: self.time)
        self.doorbell = Doorbell(READING, own_filter=True)
        self.events = 0
        self.runs = 0
        self.batches: list[dict[str, Any]] = []
        self.sent: dict[str, list[int]] = defaultdict(list)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.finish()
            self.store.close()
            self.folder.cleanup()

    # -- what happens ------------------------------------------------------------------------------------------

    @rule(contacts=st.text("abc", min_size=1, max_size=5))
    def arrive(self, contacts: str) -> None:
        for contact in contacts:
            self.events += 1
            event = ContactEvent(
                f"evt_{self.events}", "varda", "varda", "x", EventKind.REPLIED, self.time, self.time,
                Contact(external_id=contact),
            )  # fmt: skip
            inbox_append.append(self.store, [Incoming(event, event.to_json(), "[]")])

    @rule(seconds=st.sampled_from([1, 20, 400, 4000]))
    def wait(self, seconds: int) -> None:
        self.time += timedelta(seconds=seconds)

    @rule(lost=st.booleans())
    def run_begins(self, lost: bool) -> None:
        """:param lost: its tasks never do anything."""
        self.batches += [] if lost else self.planned()

    def planned(self) -> list[dict[str, Any]]:
        self.runs += 1
        found = fan_out(self.store, READING, f"run{self.runs}") or []
        return [{**batch, "task": number} for number, batch in enumerate(found)]

    @precondition(lambda self: self.batches)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["good", "bad", "down", "refused", "dies"]),
        kept=st.booleans(),
    )
    def task(self, data: st.DataObject, outcome: str, kept: bool) -> None:
        batch = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        if self.work(batch, outcome, kept):
            self.batches.append(batch)

    def work(self, batch: dict[str, Any], outcome: str, kept: bool) -> bool:
        """As a task does it; whether it stays up for retry."""
        owner = Owner("dag", batch["plan"], map_index=batch["task"])
        rests.lead_to(self.store, ROUTE, CONN)
        claimed = claims.claim(
            self.store, route=ROUTE, event_ids=batch["events"], owner=owner, plan=batch["plan"], endpoint=CONN,
            lease=LEASE, revive=False,
        )  # fmt: skip
        mine = claimed.mine
        if endpoints.status(self.store, CONN).disabled_at and endpoints.hold_if_disabled(
            self.store, CONN, [each.id for each in mine]
        ):
            mine = []
        behind = claims.hold_behind(self.store, ROUTE, CONN, mine)
        mine = [each for each in mine if each.id not in behind]
        leave, _ = rests.leave(self.store, CONN) if mine else (rests.Leave.FREELY, None)
        if outcome == "dies":
            return False
        stuck: set[str] = set()
        due: dict[int, timedelta | None] = {}
        for each in [] if leave is rests.Leave.NOT else mine:
            if each.lane in stuck:
                continue
            state, verdict = {
                "good": (DeliveryState.DELIVERED, DeliveryVerdict.DELIVERED),
                "bad": (DeliveryState.FAILED, DeliveryVerdict.RETRY),
                "down": (DeliveryState.FAILED, DeliveryVerdict.ENDPOINT),
                "refused": (DeliveryState.DEAD, DeliveryVerdict.REFUSED),
            }[outcome]
            self.is_sent(each, outcome)
            attempts.settle(self.store, [Attempt(each.id, state, self.time, verdict)], owner)
            if state is DeliveryState.FAILED:
                stuck.add(each.lane)
                due[each.id] = timedelta(seconds=300)
            if outcome == "down":
                rests.rest(self.store, CONN, "401")
                due = {}
                break
            if leave is rests.Leave.ONE and outcome in ("good", "refused"):
                rests.recover(self.store, CONN)
        if not kept:
            attempts.hand_on(self.store, due, owner)
        times = (timedelta(minutes=20), None, timedelta(minutes=5)) if kept else (None,)
        attempts.release(self.store, owner, *times)
        return kept and bool(stuck)

    def is_sent(self, each: Delivery, outcome: str) -> None:
        """Whatever becomes of it, none before it may still be to be sent."""
        before = "SELECT count(*) FROM deliveries WHERE lane = :lane AND id < :id AND state IN ('pending', 'failed')"
        with self.store.read() as connection:
            assert not connection.execute(sa.text(before), {"lane": each.lane, "id": each.id}).scalar_one()
        if outcome == "good":
            self.sent[each.lane].append(each.id)

    @precondition(lambda self: self.runs)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["good", "bad", "dies"]),
        limit=st.integers(1, 5),
        stays=st.booleans(),
        lying=st.booleans(),
    )
    def serve(self, data: st.DataObject, outcome: str, limit: int, stays: bool, lying: bool) -> None:
        """A task of some run goes on with what comes in, and with what others do not begin; or dies in the middle of it."""
        plan = f"run{data.draw(st.just(self.runs) | st.integers(1, self.runs))}"
        owner = Owner("dag", plan, map_index=99)
        if not serving.serve(self.store, ROUTE, owner, timedelta(seconds=5)):
            return
        take_in(self.store, READING)
        mine = claims.claim_untried(
            self.store, route=ROUTE, owner=owner, plan=plan, endpoint=CONN, lease=LEASE, limit=limit,
            lying=LEFT_LYING if lying else None,
        )  # fmt: skip
        if outcome == "dies":
            return
        stuck: set[str] = set()
        for each in mine:
            if each.lane in stuck:
                attempts.hand_on(self.store, {each.id: None}, owner)
                continue
            state, verdict, wait = (
                (DeliveryState.DELIVERED, DeliveryVerdict.DELIVERED, None)
                if outcome == "good"
                else (DeliveryState.FAILED, DeliveryVerdict.RETRY, timedelta(seconds=300))
            )
            self.is_sent(each, outcome)
            if outcome == "bad":
                stuck.add(each.lane)
            attempts.settle(self.store, [Attempt(each.id, state, self.time, verdict)], owner)
            attempts.hand_on(self.store, {each.id: wait}, owner)
        if not stays:
            serving.leave(self.store, ROUTE, owner)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def run_ends(self, data: st.DataObject) -> None:
        """Its tasks may still be at work, or be cleared later."""
        reserved.end(self.store, [f"run{data.draw(st.integers(1, self.runs))}"])

    @rule()
    def redeliver(self) -> None:
        redeliver.redeliver(self.store, DeliveryFilter())

    @rule(release=st.sampled_from(endpoints.Release))
    def disable_and_enable(self, release: endpoints.Release) -> None:
        endpoints.disable(self.store, CONN, reason="by hand", by="ada")
        endpoints.enable(self.store, CONN, release)

    # -- what holds --------------------------------------------------------------------------------------------

    def deliverable(self) -> set[int]:
        """From the rows alone."""
        with self.store.read() as connection:
            rows = connection.execute(sa.text("SELECT * FROM deliveries ORDER BY id")).mappings().all()
            endpoint = connection.execute(sa.text("SELECT * FROM endpoints")).mappings().first()
            led = connection.execute(sa.text("SELECT 1 FROM route_endpoints")).first() is not None
            served_until = connection.execute(sa.text("SELECT max(until) FROM served_routes")).scalar()
        now = self.time.timestamp() * 1000
        served = (served_until or 0) > now
        failed: set[str] = set()  # lanes
        resting = endpoint is not None and endpoint["resting_since"] is not None and (
            endpoint["rest_until"] > now or (endpoint["asked_until"] or 0) > now
        )  # fmt: skip
        found, lanes = set(), set()
        for row in rows:
            if row["state"] not in OPEN_STATES:
                continue
            held = (row["plan_until"] or 0) >= now or (row["claim_until"] or 0) >= now
            waits = (row["due_at"] or 0) > now
            kept_back = resting and (row["endpoint"] == CONN or (row["endpoint"] == "" and led))
            if row["tries"]:
                failed.add(row["lane"])
            for_a_server = served and row["lane"] not in failed
            if not held and not waits and not kept_back and row["lane"] not in lanes and not for_a_server:
                found.add(row["id"])
            if held or waits:
                lanes.add(row["lane"])
        return found

    @invariant()
    def what_may_be_sent_rings(self) -> None:
        if not hasattr(self, "store"):
            return
        seen = glance(self.store)
        mine = self.deliverable()
        assert (ROUTE in seen.routes) == bool(mine)
        found = self.doorbell.look(self.store, seen)
        assert {each for each, *_ in found.deliveries} == mine
        unread = consumers.waiting(self.store, "crm_events", after=0).count
        if unread and not seen.resting and not mine and not seen.served:
            with self.store.read() as connection:
                busy = connection.execute(
                    sa.text("SELECT count(*) FROM deliveries WHERE state IN ('pending', 'failed')")
                ).scalar_one()
            assert found.events or busy, "an event nobody has read rings, unless its contact is with somebody"

    def finish(self) -> None:
        """From any state, with good answers and no fresh event: all is delivered, each contact's in order."""
        endpoints.enable(self.store, CONN, endpoints.Release.ALL)
        self.sent.clear()
        for _ in range(40):
            self.time += timedelta(hours=1)
            seen = glance(self.store)
            if not self.doorbell.look(self.store, seen).free:
                break
            for batch in self.planned():
                self.work(batch, "good", kept=False)
        with self.store.read() as connection:
            states = set(connection.execute(sa.text("SELECT DISTINCT state FROM deliveries")).scalars())
            count = connection.execute(sa.text("SELECT count(*) FROM deliveries")).scalar_one()
        assert states <= {"delivered", "dead"}
        assert count == self.events
        assert all(ids == sorted(ids) for ids in self.sent.values())


TestRinging = pytest.mark.slow(Ringing.TestCase)
TestRinging.settings = settings(max_examples=examples(12), stateful_step_count=30, deadline=None)
