"""Held leads settled by the platform's contact list: the simulator's."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
import sqlalchemy as sa
from processes import at_once

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.contacts import ContactPage, TetherContacts
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.reconcile import (
    Reconciled,
    classify_contact,
    reconcile,
    reconcile_once,
)
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import look_ups
from airflow_outreach_provider.store.ledger.held import HeldLead
from airflow_outreach_provider.store.ledger.tables import leads, runs
from airflow_outreach_provider.store.rates import rates

LOGIN = {"contacts_email": "me@example.com", "contacts_password": "a-password"}


@pytest.fixture
def sim(usual_simulator: RunningSimulator) -> RunningSimulator:
    return usual_simulator


def submit(
    store: Store, sim: RunningSimulator, count: int, conn_id: str = "ours", phone: str = "+1416555{:04d}"
) -> Tally:
    rows = read_list([{"phone": phone.format(n)} for n in range(100, 100 + count)])
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "phone",
    [
        "+541123456789", "+5491123456789", "+972599123456", "+970599123456", "+37744123456", "+38344123456", "+24107412345",
        "+551177654321",
    ],
)  # fmt: skip
def test_who_was_reached_by_another_number_of_the_line_is_accepted(
    store: Store, sim: RunningSimulator, phone: str
) -> None:
    """The platform knows the number that the row wrote, the ledger the line's of today: nobody is sent to again."""
    sim.set_faults("status=500,when=after,first=1")
    assert submit(store, sim, 1, phone=phone).by_state()["held"] == 1
    sim.set_faults()
    assert ask(store, sim) == Reconciled(accepted=1)
    submit(store, sim, 1, phone=phone)
    assert sim.report()["texts"] == 1


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


@pytest.mark.slow
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


NUMBER = "+14165550100"
LEAD = HeldLead(1, NUMBER, datetime(2026, 3, 1, tzinfo=UTC), has_payload=True, rev=0)


def verdict(*numbers: object, total: int | None = 1, touched: str = "2026-03-01T00:00:00Z") -> str | None:
    rows = [{"_id": "c", "phoneNumber": number, "updatedAt": touched} for number in numbers]
    finding = classify_contact(LEAD, ContactPage(rows, None, total))
    return finding.state.value if finding else None


@pytest.mark.parametrize(
    "number",
    [
        "(416) 555-0100", "416-555-0100", "5550100", 4165550100, 14165550100.0, "14165550100.0", "1.41656E+10",
        "+1 416 555 0100 ext. 5", "call me", "", None, True, {"number": NUMBER}, [NUMBER],
    ],
)  # fmt: skip
def test_a_contact_that_may_be_the_person_leaves_the_lead_held(number: object) -> None:
    """A number in another writing, or one nobody can read, is no proof that the person was not reached."""
    assert verdict(number) is None


@pytest.mark.parametrize("number", [NUMBER, "14165550100", 14165550100, "+1 (416) 555-0100", "0014165550100"])
def test_a_contact_with_the_whole_number_is_the_person(number: object) -> None:
    """Country code and all: touched since the attempt it is accepted, before it the lead stays held."""
    assert verdict(number) == "accepted"
    assert verdict(number, touched="2025-01-01T00:00:00Z") is None


def test_only_a_complete_list_proves_absence() -> None:
    """Nothing, or nothing but strangers, on all there is; a list that does not say how much there is may go on."""
    assert verdict(total=0) == verdict(total=None) == "planned"
    assert verdict("+14165550199", total=1) == "planned"
    assert verdict("+14165550199", total=None) is None
    assert verdict("+14165550199", total=2) is None
    assert verdict(total=3) is None


class Written:
    """A contact list that looks for a text in what it stores, as its page's search box does."""

    def __init__(self, *stored: dict[str, object], most: int = 100) -> None:
        self.stored, self.most, self.asked = stored, most, 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def search(self, text: str) -> ContactPage:
        self.asked += 1
        rows = [each for each in self.stored if any(text in str(value) for value in each.values())]
        return ContactPage(rows[: self.most], None, len(rows))


def contact(number: object, **more: object) -> dict[str, object]:
    return {"_id": "c", "phoneNumber": number, "updatedAt": datetime.now(UTC).isoformat(), **more}


def looked_up(store: Store, contacts: Written, number: str) -> str:
    """A held lead's state once it was looked for in this list."""
    held = {
        "state": "held",
        "payload": "{}",
        "sent_at": datetime.now(UTC) - timedelta(minutes=1),
        "run_id": 1,
    }
    with store.write() as connection:
        now = store.now(connection)
        connection.execute(leads.delete())
        connection.execute(runs.delete())
        connection.execute(
            runs.insert().values(
                id=1, campaign="c", owner="o", conn_id="ours", state="failed", started_at=now, heartbeat_at=now, lease_until=now
            )
        )  # fmt: skip
        connection.execute(
            leads.insert().values(campaign="c", phone=number, created_at=now, updated_at=now, **held)
        )
    asyncio.run(reconcile(store, contacts, conn_id="ours", delay=timedelta()))
    with store.read() as connection:
        return str(connection.execute(sa.select(leads.c.state)).scalar_one())


WRITTEN = [
    *(("+14165550123", each) for each in (
        "(416) 555-0123", "416-555-0123", "416.555.0123", "416 555 0123", "4165550123", "555-0123",
        "(416) 555-0123 ext. 5", "tel: 416/555/0123", "416 - 555 - 0123",
    )),
    *(("+33612345678", each) for each in ("06 12 34 56 78", "06.12.34.56.78", "06-12-34-56-78", "0612345678", "06 12 345 678", "06 12-34-56-78")),
    *(("+447911123456", each) for each in ("07911 123456", "07911 123 456", "(0)7911-123456", "07911.123.456")),
    *(("+491711234567", each) for each in ("0171 1234567", "0171/1234567", "0171 123 45 67", "(0171) 12 34 567")),
    *(("+48512345678", each) for each in ("512 345 678", "512-345-678", "51 234 56 78")),
    *(("+525512345678", each) for each in ("55 1234 5678", "044 55 1234 5678", "55 12 34 56 78")),
]  # fmt: skip


@pytest.mark.parametrize(("number", "written"), WRITTEN)
def test_whom_the_list_writes_otherwise_is_not_absent(sqlite_store: Store, number: str, written: str) -> None:
    """A list that searches what it stores finds nobody by the whole number; the next run would text them again."""
    assert looked_up(sqlite_store, Written(contact(written)), number) == "held"


@pytest.mark.parametrize("number", ["0014165550123", "1 (416) 555-0123", "1-416-555-0123"])
def test_the_whole_number_in_another_writing_is_the_person(sqlite_store: Store, number: str) -> None:
    """Country code and all, found by its ending: touched since the attempt, it was reached."""
    assert looked_up(sqlite_store, Written(contact(number)), "+14165550123") == "accepted"


def test_who_is_nobody_of_those_that_end_alike_is_absent(sqlite_store: Store) -> None:
    """Others with the last four digits, in a name or address too, are no reason to leave a lead to a person."""
    others = [
        contact("(647) 111-0123"), contact("+442079460123"), contact(None, email="jane0123@example.com"),
        contact("", firstName="R2D20123"), contact("+1 647 222 0123 ext. 9"),
    ]  # fmt: skip
    contacts = Written(*others)
    assert looked_up(sqlite_store, contacts, "+14165550123") == "planned"
    assert contacts.asked == 2
    many = Written(*(contact(f"+1647{n:03}0123") for n in range(101)))
    assert looked_up(sqlite_store, many, "+14165550123") == "held", "there are more than the list tells of"


class Contacts:
    """A contact list that answers what is asked of the first number and then does as told."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault, self.first = fault, ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def search(self, text: str) -> ContactPage:
        self.first = self.first or text
        if text not in self.first:
            await asyncio.sleep(0.01 if self.fault else 60)
            raise self.fault or AssertionError
        return ContactPage([], None, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ConfigurationError("refused"), ConfigurationError),
        (OutreachUnavailable("busy"), OutreachUnavailable),
        (KeyError("data"), OutreachUnavailable),
        (None, OutreachUnavailable),
    ],
)
def test_a_contact_list_that_fails_is_one_error_of_ours_and_what_it_said_before_counts(
    store: Store, sim: RunningSimulator, fault: Exception | None, error: type[Exception]
) -> None:
    """Refused, broken or hanging: an OutreachError and no group of exceptions, in the time allowed."""
    sim.set_faults("status=500,when=before,first=3")
    assert submit(store, sim, 20).by_state()["held"] == 3
    with pytest.raises(error):
        asyncio.run(reconcile(store, Contacts(fault), conn_id="ours", delay=timedelta(), patience=0.3))
    with store.read() as connection:
        states = list(
            connection.execute(sa.select(leads.c.state).where(leads.c.state != "accepted")).scalars()
        )
    assert sorted(states) == ["held", "held", "planned"]


LOOK = """
import asyncio, json, sys
from datetime import timedelta
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.contacts import TetherContacts
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.reconcile import reconcile_once
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.store.engine import Store

given = json.loads(sys.argv[1])
store = Store(given["store"])
rules = LeadRules(configuration_id=given["campaign"])
options = SubmitOptions(rules, max_rejected=RejectLimit.parse(None), conn_id="ours", shard=given["shard"], shards=4)
client = OutreachClient(ApiSettings(given["url"], given["api_key"]))
run = SubmitRun(store, client, None, options, owner=Owner("d", task_id="send", map_index=given["shard"]))
contacts = TetherContacts(given["url"], *given["login"])

async def settle():
    await reconcile_once(store, contacts, conn_id="ours", delay=timedelta(), campaign=given["campaign"])

run.beside = settle
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(run.run())
print(run.tally.by_state()["accepted"])
"""


def searches(sim: RunningSimulator) -> int:
    """Look-ups of a number that came to the contact list."""
    return sum(int(each["hit"]) for each in sim.report()["faults"] if "contacts" in each["fault"])


@pytest.mark.slow
def test_shards_in_parallel_look_each_held_lead_up_once(store: Store, sim: RunningSimulator) -> None:
    """Four mapped tasks, one look-up: what is planned goes out meanwhile, and what was never sent goes out after it."""
    sim.set_faults("status=500,when=before,first=6", "status=503,skip=6,retry_after=60")
    rows = [{"phone": f"+1416555{n:04d}"} for n in range(100, 150)]
    options = SubmitOptions(
        LeadRules(configuration_id=sim.configuration_id), max_rejected=RejectLimit.parse(None), conn_id="ours"
    )
    client = OutreachClient(ApiSettings(sim.url, sim.api_key))
    first = SubmitRun(store, client, read_list(rows), options, owner=Owner("d"))
    with pytest.raises(OutreachUnavailable):
        asyncio.run(first.run())
    done = first.tally.by_state()
    held = done["held"]
    assert held >= 4
    forget_pause(store)
    sim.set_faults("latency=0.5,on=contacts")
    before = searches(sim)
    given = {"store": store.url.render_as_string(hide_password=False), "url": sim.url, "api_key": sim.api_key}
    given |= {"campaign": sim.configuration_id, "login": list(LOGIN.values())}
    sent = at_once(LOOK, [json.dumps({**given, "shard": shard}) for shard in range(4)])
    assert sum(map(int, sent)) == 50 - done["accepted"], "all are sent, by whichever shard"
    assert sim.report()["texts"] == 50
    assert searches(sim) - before == 2 * held, "by the whole number, and by what it ends with"
    assert sim.report()["texted_twice_count"] == 0


@pytest.mark.slow
def test_a_look_is_not_repeated_at_once_and_a_dead_one_is_taken_over(
    store: Store, sim: RunningSimulator
) -> None:
    """For a while nobody asks again; whoever died over it is followed once its lease is over."""
    sim.set_faults("status=500,when=before,first=3")
    submit(store, sim, 3)
    contacts = TetherContacts(sim.url, *LOGIN.values())

    def once(fresh: float = 300.0) -> Reconciled:
        work = reconcile_once(
            store, contacts, conn_id="ours", delay=timedelta(), campaign=None, fresh=timedelta(seconds=fresh)
        )
        return asyncio.run(work)

    assert look_ups.claim(store, "ours", "", "dead", timedelta(seconds=0.5))
    assert once() == Reconciled()
    assert look_ups.claim(store, "ours", "another campaign", "mine", timedelta(minutes=1))
    time.sleep(0.6)
    assert once(fresh=0.3) == Reconciled(planned=3)
    assert not look_ups.claim(store, "ours", "", "next", timedelta(minutes=1))
    time.sleep(0.4)
    look_ups.end(store, "ours", "", "dead", timedelta(minutes=5))
    assert look_ups.claim(store, "ours", "", "next", timedelta(minutes=1)), "the dead one ends nobody else's"


def test_a_contact_list_that_hangs_keeps_nothing_that_is_certain(store: Store, sim: RunningSimulator) -> None:
    """What is planned is sent while held leads are looked up, and a run that is stopped does not wait for them."""
    campaign = sim.configuration_id
    options = SubmitOptions(LeadRules(configuration_id=campaign), stage_only=True, conn_id="ours")
    rows = [{"phone": f"+1416555{n:04d}"} for n in range(100, 120)]
    client = OutreachClient(ApiSettings(sim.url, sim.api_key))
    asyncio.run(SubmitRun(store, client, read_list(rows), options, owner=Owner("stage")).run())
    run = SubmitRun(store, client, None, replace(options, stage_only=False), owner=Owner("send"))
    seen: list[int] = []

    async def hang() -> None:
        while len(seen) < 100 and (not seen or seen[-1] < 20):
            await asyncio.sleep(0.1)
            seen.append(sim.report()["texts"])
        run.stop("somebody wants it to end")
        await asyncio.sleep(30)

    run.beside = hang
    started = time.monotonic()
    with pytest.raises(OutreachUnavailable, match="stopped"):
        asyncio.run(run.run())
    assert seen[-1] == 20
    assert time.monotonic() - started < 20
    assert run.tally.by_state()["accepted"] == 20


def forget_pause(store: Store) -> None:
    """As if what was asked for were over."""
    with store.write() as connection:
        connection.execute(sa.delete(rates))


def test_a_look_up_begun_while_the_clock_was_ahead_keeps_nobody_away(still_store: Store, clock: Any) -> None:
    """Its task died, or what it found out is to be fresh for a while; the clock was set right meanwhile."""
    minute = timedelta(minutes=1)
    clock.advance(hours=6)
    assert look_ups.claim(still_store, "ours", "", "dead", minute)
    clock.advance(hours=-6)
    assert look_ups.claim(still_store, "ours", "", "mine", minute)
    assert not look_ups.claim(still_store, "ours", "", "next", minute)
