"""Held leads settled by the platform's contact list: the simulator's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.contacts import TetherContacts
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.limits import RejectLimit
from airflow_outreach_provider.services.reading import read_list
from airflow_outreach_provider.services.reconcile import Reconciled, reconcile
from airflow_outreach_provider.services.submit import SubmitOptions, SubmitRun
from airflow_outreach_provider.services.tally import Tally
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.runs import Owner

LOGIN = {"contacts_email": "me@example.com", "contacts_password": "a-password"}


@pytest.fixture
def sim() -> Iterator[RunningSimulator]:
    with running_simulator(**LOGIN) as simulator:
        yield simulator


def submit(store: Store, sim: RunningSimulator, count: int, conn_id: str = "ours") -> Tally:
    rows = read_list([{"phone": f"+1416555{n:04d}"} for n in range(100, 100 + count)])
    options = SubmitOptions(
        LeadRules(configuration_id=sim.configuration_id),
        max_rejected=RejectLimit.parse(None),
        conn_id=conn_id,
    )
    run = SubmitRun(store, OutreachClient(ApiSettings(sim.url, sim.api_key)), rows, options, owner=Owner("d"))
    return asyncio.run(run.run())


def ask(
    store: Store, sim: RunningSimulator, delay: timedelta = timedelta(), conn_id: str = "ours"
) -> Reconciled:
    contacts = TetherContacts(sim.url, LOGIN["contacts_email"], LOGIN["contacts_password"])
    return asyncio.run(reconcile(store, contacts, conn_id=conn_id, delay=delay))


def test_who_was_reached_is_accepted_and_who_was_not_is_planned(store: Store, sim: RunningSimulator) -> None:
    """A held lead found and touched is accepted; one certainly absent is sent by the next run; nobody is texted twice."""
    sim.set_faults("status=500,when=after,first=2", "status=500,when=before,skip=2,first=3")
    tally = submit(store, sim, 20)
    held = tally.by_state()["held"]
    assert held == 5, tally.table()
    reached = sim.report()["texts"]
    sim.set_faults()
    assert ask(store, sim) == Reconciled(accepted=2, planned=3)
    submit(store, sim, 20)
    assert sim.report()["texts"] == reached + 3 == 20
    assert sim.report()["texted_twice_count"] == 0


def test_a_fresh_attempt_is_left_alone(store: Store, sim: RunningSimulator) -> None:
    """Before the delay has passed nothing is concluded: a slow platform may still be at it."""
    sim.set_faults("status=500,when=before,first=1")
    submit(store, sim, 20)
    assert ask(store, sim, timedelta(minutes=15)) == Reconciled()
    assert ask(store, sim) == Reconciled(planned=1)


def test_found_but_untouched_stays_held(store: Store, sim: RunningSimulator) -> None:
    """A contact that was there before and shows no sign of the attempt proves nothing; a person decides."""
    submit(store, sim, 3)
    with store.write() as connection:
        connection.exec_driver_sql(
            "UPDATE leads SET state = 'held', sent_at = sent_at + 3600000, payload = '{}' WHERE id = 1"
        )
    future = timedelta(hours=-2)
    assert ask(store, sim, future) == Reconciled(waiting=1)


def test_another_accounts_contact_list_judges_nobody(store: Store, sim: RunningSimulator) -> None:
    """A lead held by one connection is absent from another account's list, which proves nothing."""
    sim.set_faults("status=500,when=after,first=1")
    submit(store, sim, 10)
    sim.set_faults("status=500,when=after,first=1")
    submit(store, sim, 11, conn_id="")
    with running_simulator(**LOGIN) as other:
        assert ask(store, other, conn_id="theirs") == Reconciled()
        assert ask(store, other, conn_id="") == Reconciled(), "nobody knows whose leads these are"
    assert ask(store, sim) == Reconciled(accepted=1)
