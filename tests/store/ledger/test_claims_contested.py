"""Writing all at once, and row by row where somebody else is at work, end the same."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import Entry


def _ledger(store: Store, owner: str) -> Ledger:
    run = runs.start(store, Owner(owner), campaign="c", source="", lease=timedelta(seconds=300))
    return Ledger(store, run.run_id)


def _entry(number: int, rev: int = -1) -> Entry:
    phone = f"+1416555{number:04}"
    return Entry(
        "c",
        phone,
        f"row{number}{rev}",
        f"content{number}",
        LeadState.PLANNED,
        "",
        "",
        "{}",
        None,
        number,
        None,
        rev,
    )


def _settlement(lead_id: int) -> Settlement:
    return Settlement(lead_id, LeadState.ACCEPTED, "", "", "accepted", 200, 5, "contact")


def _states(store: Store) -> dict[int, str]:
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(sa.text("SELECT id, state FROM leads"))}


def test_ids_are_those_of_the_rows_in_any_order(store: Store) -> None:
    """Each key gets the id of its own lead."""
    ledger = _ledger(store, "one")
    entries = [_entry(number) for number in (5, 1, 4, 2, 3)]
    ids = ledger.stage(entries)
    known, _ = ledger.find([(e.campaign, e.phone or "") for e in entries])
    assert [ids[e.campaign, e.phone or ""] for e in entries] == [known[at].id for at in range(5)]


def test_what_somebody_else_changed_is_left_out_and_the_rest_is_written(store: Store) -> None:
    """A lead staged by another run meanwhile keeps that run's row; its neighbours are staged."""
    mine, theirs = _ledger(store, "one"), _ledger(store, "two")
    their_ids = theirs.stage([_entry(2)])
    ids = mine.stage([_entry(1), _entry(2), _entry(3)])
    assert sorted(phone for _, phone in ids) == ["+14165550001", "+14165550003"]
    known, _ = mine.find([("c", "+14165550002")])
    assert known[0].id == their_ids["c", "+14165550002"]
    assert known[0].run_id == theirs.run_id


def test_a_turn_settles_even_when_a_claim_is_contested(store: Store) -> None:
    """One of three leads is another run's already: two are claimed, and the answers of the turn count once."""
    mine, theirs = _ledger(store, "one"), _ledger(store, "two")
    ids = list(mine.stage([_entry(number) for number in range(4)]).values())
    assert mine.turn([], ids[:1]) == {ids[0]}
    assert theirs.turn([], ids[2:3]) == {ids[2]}
    assert mine.turn([_settlement(ids[0])], ids[1:]) == {ids[1], ids[3]}
    states = _states(store)
    assert [states[lead] for lead in ids] == ["accepted", "sending", "sending", "sending"]
    with store.read() as connection:
        attempts = connection.execute(sa.text("SELECT lead_id FROM attempts")).scalars().all()
    assert attempts == [ids[0]]


def test_a_superseded_run_claims_nothing(store: Store) -> None:
    """A later try took over: what the earlier one asks for stays planned."""
    earlier = _ledger(store, "one")
    ids = list(earlier.stage([_entry(1), _entry(2)]).values())
    _ledger(store, "one")
    assert earlier.turn([], ids) == set()
    assert set(_states(store).values()) == {"planned"}
