"""Who opts out by the platform's id of them while nobody knows yet whose id that is: before the lead is settled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.housekeeping import purge_events
from airflow_outreach_provider.store.inbox.append import append
from airflow_outreach_provider.store.ledger import held, runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import Entry

ID, NUMBER, ADDRESS = "64f0", "+525512345678", "a" * 64


def opt_out(store: Store, platform: str = "tether", contact: str = ID, name: str = "evt_no") -> None:
    now = datetime.now(UTC)
    event = ContactEvent(
        name, "src", platform, "x", EventKind.UNSUBSCRIBED, now, now, Contact(external_id=contact)
    )
    append(store, [Incoming(event, event.to_json(), "[]")])


def run_of(store: Store, campaign: str) -> Ledger:
    owner = Owner(campaign, "sync")
    run = runs.start(
        store, owner, campaign=campaign, source="", lease=timedelta(minutes=5), conn_id="outreach_default"
    )
    return Ledger(store, run.run_id)


def stage(ledger: Ledger, campaign: str, phone: str, email_hash: str | None) -> int:
    text = (campaign, phone, f"{campaign} {phone}", "h", LeadState.PLANNED, "", "", "{}", email_hash)
    [lead] = ledger.stage([Entry(*text, 1, None)]).values()
    return lead


def sending(ledger: Ledger, campaign: str, phone: str = NUMBER, email_hash: str | None = ADDRESS) -> int:
    """A lead whose request is on its way."""
    lead = stage(ledger, campaign, phone, email_hash)
    assert ledger.turn([], [lead]) == {lead}
    return lead


def accepted(lead: int, contact: str = ID) -> Settlement:
    return Settlement(lead, LeadState.ACCEPTED, "", "", "accepted", 202, 5, contact)


def may_be_texted(store: Store, campaign: str, phone: str = NUMBER) -> bool:
    ledger = run_of(store, campaign)
    lead = stage(ledger, campaign, phone, None)
    return ledger.turn([], [lead]) == {lead}


@pytest.mark.parametrize("again", [NUMBER, "+5215512345678"])
def test_once_the_lead_is_accepted_the_person_is_on_the_list(store: Store, again: str) -> None:
    """By number, in every writing, and by address; the run that settled it says so before it ends."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    opt_out(store)
    ledger.turn([accepted(lead)], [])
    ledger.list_opted_out()
    assert not may_be_texted(store, "summer", again)
    listed = [row.phone for row in suppressions.entries(store).rows]
    assert sorted(listed) == sorted([NUMBER, f"email:{ADDRESS}"])


def test_a_long_run_does_not_wait_for_its_end(store: Store) -> None:
    """About once a second, with a turn."""
    ledger = run_of(store, "spring")
    first, second = sending(ledger, "spring"), sending(ledger, "spring", "+14165550100", None)
    opt_out(store)
    ledger.turn([accepted(first)], [])
    ledger._listed_at -= 60
    ledger.turn([accepted(second, "another")], [])
    assert not may_be_texted(store, "summer")
    assert may_be_texted(store, "summer", "+14165550100")


def test_a_held_lead_that_is_found_later_counts_as_well(store: Store) -> None:
    """The contact list told the id, long after the person wrote."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    ledger.turn([Settlement(lead, LeadState.HELD, "time_out", "", "unknown", None, 5)], [])
    opt_out(store)
    [found] = held.held_before(store, datetime.now(UTC) + timedelta(hours=1), 10, "outreach_default")
    held.apply(store, [held.Finding(lead, found.rev, LeadState.ACCEPTED, "found_in_contacts", ID)])
    assert not may_be_texted(store, "summer")


@pytest.mark.parametrize("again", ["accepted", "found"])
def test_the_no_outlives_its_event(store: Store, again: str) -> None:
    """Retention removes the event, and the lead that waits for being settled stays."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    opt_out(store)
    opt_out(store, "tether", "65a1", "evt_no_other")
    assert purge_events(store, received_before=datetime.now(UTC) + timedelta(hours=1)) == 2
    if again == "accepted":
        ledger.turn([accepted(lead)], [])
        ledger.list_opted_out()
    else:
        ledger.turn([Settlement(lead, LeadState.HELD, "time_out", "", "unknown", None, 5)], [])
        [found] = held.held_before(store, datetime.now(UTC) + timedelta(hours=1), 10, "outreach_default")
        held.apply(store, [held.Finding(lead, found.rev, LeadState.ACCEPTED, "found_in_contacts", ID)])
    assert not may_be_texted(store, "summer")
    assert may_be_texted(store, "summer", "+14165550100")


def test_whoever_was_taken_off_the_list_is_not_put_there_again(store: Store) -> None:
    """The number taken off the list took the id with it; the next lead of the contact is sent and settled."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    opt_out(store)
    ledger.turn([accepted(lead)], [])
    ledger.list_opted_out()
    suppressions.remove(store, [NUMBER, f"email:{ADDRESS}"], actor="me")
    later = run_of(store, "summer")
    later.turn([accepted(sending(later, "summer"))], [])
    later.list_opted_out()
    assert suppressions.entries(store).rows == []
    assert may_be_texted(store, "autumn")


def test_an_id_whose_number_was_told_goes_with_it(store: Store) -> None:
    """Whoever takes the number off the list is asked by no lead that is accepted later."""
    opt_out(store)
    now = datetime.now(UTC)
    told = Contact(phone=NUMBER, external_id=ID)
    event = ContactEvent("evt_told", "src", "tether", "x", EventKind.REPLIED, now, now, told)
    append(store, [Incoming(event, event.to_json(), "[]")])
    assert [row.phone for row in suppressions.entries(store).rows] == [NUMBER]
    suppressions.remove(store, [NUMBER], actor="me")
    ledger = run_of(store, "spring")
    ledger.turn([accepted(sending(ledger, "spring"))], [])
    ledger.list_opted_out()
    assert may_be_texted(store, "summer")


def test_what_a_version_before_kept_is_found_by_its_event(store: Store) -> None:
    """By its source alone."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    opt_out(store)
    with store.write() as connection:
        connection.execute(sa.text(f"DELETE FROM suppressions WHERE phone = 'contact::{ID}'"))
    ledger.turn([accepted(lead)], [])
    ledger.list_opted_out()
    assert not may_be_texted(store, "summer")


@pytest.mark.parametrize(("platform", "contact"), [("varda", ID), ("tether", "another")])
def test_the_id_of_somebody_else_stops_nobody(store: Store, platform: str, contact: str) -> None:
    """Another contact's, or the same at another platform."""
    ledger = run_of(store, "spring")
    lead = sending(ledger, "spring")
    opt_out(store, platform, contact)
    ledger.turn([accepted(lead)], [])
    ledger.list_opted_out()
    assert may_be_texted(store, "summer")
