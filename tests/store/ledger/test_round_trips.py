"""What a batch waits for PostgreSQL: its turns, and the staging of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from round_trips import Counts, Trips, counted_trips
from stores import opened

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.bulk import rows_param, values_param
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import Entry
from airflow_outreach_provider.store.ledger.statements import claim_statements

pytestmark = pytest.mark.postgres

GROUP = 32


@pytest.fixture
def counted(postgres_url: str) -> Iterator[tuple[Store, Ledger, Trips]]:
    """A store behind a network that counts, and the ledger of a run there."""
    with counted_trips(postgres_url) as (url, trips), opened(url) as store:
        run = runs.start(store, Owner("a"), campaign="c", source="", lease=timedelta(seconds=300))
        yield store, Ledger(store, run.run_id), trips


def _entry(number: int) -> Entry:
    return Entry("c", f"+1416555{number:04}", f"row{number}", "h", LeadState.PLANNED, "", "", "{}", None, number, None)  # fmt: skip


def _accepted(lead: int) -> Settlement:
    return Settlement(lead, LeadState.ACCEPTED, "", "", "accepted", 200, 5, "contact")


@pytest.mark.slow
def test_a_turn_is_one_round_trip(counted: tuple[Store, Ledger, Trips]) -> None:
    """Settling, recording and claiming, from the first turn of a run to the last."""
    _, ledger, trips = counted
    counts = Counts(trips)
    ids = list(ledger.stage([_entry(n) for n in range(20 * GROUP)]).values())
    answered: list[Settlement] = []
    for at in range(0, len(ids), GROUP):
        group = ids[at : at + GROUP]
        with counts.one("a turn"):
            assert ledger.turn(answered, group) == set(group)
        answered = [_accepted(lead) for lead in group]
    counts.check()


def test_staging_a_chunk_is_three_round_trips(counted: tuple[Store, Ledger, Trips]) -> None:
    """One for what is known of the rows, one for their people, one to write."""
    _, ledger, trips = counted
    counts = Counts(trips)
    for chunk in range(8):
        entries = [_entry(n) for n in range(chunk * 100, chunk * 100 + 100)]
        asked: list[tuple[str, Callable[[], object]]] = [
            ("rows", lambda entries=entries: ledger.find_by_row_hash([e.row_hash or "" for e in entries])),
            ("people", lambda entries=entries: ledger.find([(e.campaign, e.phone or "") for e in entries])),
            ("staging", lambda entries=entries: ledger.stage(entries)),
        ]  # fmt: skip
        for what, ask in asked:
            with counts.one(what):
                ask()
    counts.check()


def test_a_wait_is_heard_of_in_one(counted: tuple[Store, Ledger, Trips]) -> None:
    """What other tasks were asked for is looked up four times a second."""
    store, _, trips = counted
    counts = Counts(trips)
    rates.hold(store, "conn", 20.0)
    for _ in range(8):
        with counts.one("the look"):
            assert 15 < rates.held(store, "conn") <= 20
    counts.check()


def test_an_answer_that_is_written_twice_is_one_attempt(counted: tuple[Store, Ledger, Trips]) -> None:
    """A commit that was not acknowledged is repeated; a later claim of the same lead has an attempt of its own."""
    store, ledger, _ = counted
    [lead] = ledger.stage([_entry(1)]).values()
    failed = Settlement(lead, LeadState.PLANNED, "busy", "", "unavailable", 503, 5)
    for answer in (failed, _accepted(lead)):
        ledger.turn([], [lead])
        with store.write() as connection:  # the API took its time
            connection.execute(sa.text("UPDATE leads SET sent_at = sent_at - 20"))
        for _ in range(3):
            ledger.turn([answer], [])
    with store.read() as connection:
        kept = connection.execute(sa.text("SELECT outcome FROM attempts ORDER BY id")).scalars().all()
    assert kept == ["unavailable", "accepted"]


@pytest.mark.slow
def test_a_turn_looks_up_its_own_leads_alone(counted: tuple[Store, Ledger, Trips]) -> None:
    """However many are planned, sent or tried, on a database that nobody has analysed: by id, never by state or run."""
    store, ledger, _ = counted
    ids = list(ledger.stage([_entry(n) for n in range(2000)]).values())
    ledger.turn([], ids[:500])
    ledger.turn([_accepted(lead) for lead in ids[:400]], [])
    params = {
        "run": ledger.run_id, "now": None, "values": values_param(ids[500:532]), "rows": rows_param(map(_accepted, ids[400:432])),
    }  # fmt: skip
    claims = claim_statements("postgresql")
    for statement in (claims.settle, claims.record_attempts, claims.claim):
        with store.write() as connection:
            probe(connection)
            plan = "\n".join(
                connection.execute(sa.text(f"EXPLAIN (ANALYZE) {statement.text}"), params).scalars()
            )
        assert not re.search("ix_leads_state|ix_leads_run_id|ix_attempts_run_id|Seq Scan on leads", plan), (
            plan
        )
