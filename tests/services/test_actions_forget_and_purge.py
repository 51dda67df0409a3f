"""Forgetting a person and purging what is old, over ledger, inbox and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import hash_email
from airflow_outreach_provider.services.actions import forget, purge
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.ledger.held import connections_of_held, held_before
from airflow_outreach_provider.store.ledger.runs import IN_LEDGER, last_of
from airflow_outreach_provider.store.ledger.tables import attempts, leads, runs

JANE, JOHN = "+14165550101", "+14165550102"
MAIL = "Jane.Doe@example.com"


@pytest.fixture
def store(still_store: Store) -> Store:
    return still_store


def lead(store: Store, phone: str | None, state: str, at: datetime, **more: Any) -> int:
    values = {
        "campaign": "spring", "phone": phone, "row_hash": f"{phone}{state}{at}", "state": state, "detail": "said something",
        "created_at": at, "updated_at": at, "sent_at": at, "accepted_at": at if state == "accepted" else None,
        "run_id": 1, "contact_id": "c1", **more,
    }  # fmt: skip
    with store.write() as connection:
        number = int(connection.execute(leads.insert().returning(leads.c.id), values).scalar_one())
        connection.execute(attempts.insert().values(lead_id=number, run_id=1, at=at, outcome="accepted"))
    return number


def event(store: Store, name: str, contact: Contact, at: datetime) -> None:
    made = ContactEvent(name, "varda", "varda", "call.ended", EventKind.CALL_ENDED, at, at, contact)
    inbox_append.append(store, [Incoming(made, made.to_json(), "[]")])
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])


def count(store: Store, table: str) -> int:
    with store.read() as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.mark.slow
def test_a_person_is_forgotten_everywhere_by_phone(store: Store) -> None:
    """Nothing of the person is left in ledger, inbox and deliveries; the number alone stays on the list; others stay."""
    now = store.now()
    lead(store, JANE, "accepted", now)
    lead(store, JOHN, "accepted", now)
    event(store, "evt_1", Contact(phone=JANE), now)
    event(store, "evt_2", Contact(phone=JOHN), now)
    done = forget(store, phone=JANE, actor="me")
    assert (done["leads"], done["events"], done["deliveries"], done["do-not-contact"]) == (1, 1, 1, 1)
    assert [count(store, table) for table in ("leads", "attempts", "inbox_events", "deliveries")] == [
        1,
        1,
        1,
        1,
    ]
    assert [row.phone for row in suppressions.entries(store).rows] == [JANE]
    assert forget(store, phone=JANE, actor="me")["leads"] == 0


@pytest.mark.slow
def test_a_person_is_forgotten_by_e_mail_in_any_writing(store: Store) -> None:
    """An e-mail address finds the person's leads, though only its hash was kept, and events by the address itself."""
    now = store.now()
    lead(store, JANE, "accepted", now, email_hash=hash_email(MAIL))
    event(store, "evt_1", Contact(email=MAIL), now)
    done = forget(store, email=" jane.doe@EXAMPLE.com ", actor="me", suppress=False)
    assert (done["leads"], done["events"], done["deliveries"]) == (1, 1, 1)
    assert suppressions.entries(store).rows == []


def test_purge_keeps_who_was_texted_and_what_waits(store: Store, clock: Any) -> None:
    """Old rows go; accepted people stay known by number, held and planned leads wait, the list stays whole."""
    old = clock.time
    lead(store, "+14165550110", "accepted", old, email_hash="x")
    lead(store, "+14165550111", "held", old)
    lead(store, "+14165550112", "planned", old)
    lead(store, "+14165550113", "rejected", old)
    lead(store, None, "rejected", old)
    event(store, "evt_1", Contact(phone=JANE), old)
    event(store, "evt_2", Contact(phone=JOHN), old)
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET state = 'delivered' WHERE event_id = 'evt_1'"))
    suppressions.add(store, [JOHN], actor="me")
    with store.write() as connection:
        connection.execute(
            runs.insert().values(
                campaign="spring",
                owner="o",
                state="succeeded",
                started_at=old,
                heartbeat_at=old,
                lease_until=old,
            )
        )
    clock.advance(days=40)
    lead(store, "+14165550114", "rejected", clock.time)
    done = purge(store, clock.time - timedelta(days=30), actor="eve")
    assert done["leads removed"] == 2
    assert done["runs removed"] == done["events removed"] == done["deliveries removed"] == 1
    assert done["old events kept, not read or not delivered"] == 1, "evt_2 is on its way still"
    with store.read() as connection:
        left = connection.execute(
            sa.text("SELECT phone, state, detail, email_hash, contact_id FROM leads ORDER BY phone")
        )
        rows = [tuple(row) for row in left]
    assert rows[0] == ("+14165550110", "accepted", "", None, None)
    assert [row[1] for row in rows[1:]] == ["held", "planned", "rejected"]
    assert [row.phone for row in suppressions.entries(store).rows] == [JOHN]
    assert purge(store, clock.time - timedelta(days=30), actor="eve")["leads reduced to their number"] == 0


def test_purge_keeps_the_run_that_the_next_is_measured_by(store: Store, clock: Any) -> None:
    """A sync that runs more seldom than what is old is removed has a last run still; what came before it goes."""
    rows = {"whole": 9, "measure": 8, "dry": 7, "partial": 6, "planned": 5, "failed": 4, "another's": 3}
    for name, read in rows.items():
        values = {
            "campaign": "spring", "owner": name, "dag_id": "other" if name == "another's" else "sync",
            "state": "failed" if name == "failed" else "succeeded", "dry_run": name == "dry",
            "partial": name == "partial", "source": IN_LEDGER if name == "planned" else "leads.csv", "rows_read": read,
        }  # fmt: skip
        times = dict.fromkeys(("started_at", "heartbeat_at", "lease_until"), clock.time)
        with store.write() as connection:
            connection.execute(runs.insert().values(**values, **times))
        clock.advance(hours=1)
    clock.advance(days=40)
    assert purge(store, clock.time - timedelta(days=30), actor="eve")["runs removed"] == 5
    last = [last_of(store, Owner(dag_id), "spring") for dag_id in ("sync", "other")]
    assert [each and each.rows for each in last] == [8, 3]


def test_purge_keeps_how_a_held_lead_can_be_settled(store: Store, clock: Any) -> None:
    """Whoever waits for the contact list to tell is still found by the connection they were sent through."""
    old = clock.time - timedelta(days=100)
    with store.write() as connection:
        for owner in ("held", "done"):
            connection.execute(
                runs.insert().values(
                    campaign="spring", owner=owner, conn_id="ours", state="failed", started_at=old, heartbeat_at=old,
                    lease_until=old, finished_at=old,
                )
            )  # fmt: skip
    lead(store, JANE, "held", old, run_id=1, payload="{}")
    lead(store, JOHN, "rejected", old, run_id=2)
    done = purge(store, clock.time - timedelta(days=30), actor="me")
    assert (done["leads removed"], done["runs removed"]) == (1, 1)
    assert connections_of_held(store) == {"ours": 1}
    assert [each.phone for each in held_before(store, clock.time, 10, "ours")] == [JANE]


@pytest.mark.parametrize("state", ["pending", "failed", "held", "dead"])
def test_purge_leaves_the_event_of_a_delivery_that_may_still_be_sent(
    store: Store, clock: Any, state: str
) -> None:
    """However old its event is, a delivery that is enabled, retried or redelivered later has its body."""
    old = clock.time
    event(store, "evt_1", Contact(phone=JANE), old)
    clock.advance(days=40)
    with store.write() as connection:
        connection.execute(deliveries.update().values(state=state, updated_at=clock.time))
    purge(store, clock.time - timedelta(days=30), actor="eve")
    assert [each.id for each in inbox_lists.load(store, ["evt_1"])] == ["evt_1"]
    with store.write() as connection:
        connection.execute(deliveries.update().values(state="delivered"))
    purge(store, clock.time - timedelta(days=30), actor="eve")
    assert inbox_lists.load(store, ["evt_1"]) == []


def test_purge_of_an_empty_store_does_nothing(store: Store) -> None:
    """An empty store has nothing to remove."""
    assert set(purge(store, datetime(2030, 1, 1, tzinfo=UTC), actor="eve").values()) == {0}
