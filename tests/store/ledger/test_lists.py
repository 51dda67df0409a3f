"""Leads as pages: every match once, whatever the filter, in bounded steps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import paging
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.lists import LeadFilter, every_lead, list_leads
from airflow_outreach_provider.store.ledger.tables import leads
from airflow_outreach_provider.store.paging import every

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
STATES = [state.value for state in LeadState]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as connection:
        rows = [
            {"campaign": f"c{n % 3}", "phone": f"+1416555{n:04d}", "state": STATES[n % 7], "reason": f"r{n % 5}",
             "run_id": n % 4, "created_at": NOW, "updated_at": NOW} for n in range(210)
        ]  # fmt: skip
        connection.execute(leads.insert(), rows)
    return store


@pytest.mark.slow
@pytest.mark.parametrize("depth", [7, 20_000])
@pytest.mark.parametrize("campaign", [None, "c1", "nowhere"])
@pytest.mark.parametrize("reason", [None, "r2"])
def test_walking_the_leads_meets_each_match_once(
    filled: Store, monkeypatch: pytest.MonkeyPatch, depth: int, campaign: str | None, reason: str | None
) -> None:
    """The pages of a filter together are its matches, none twice, also where the search stops on the way."""
    monkeypatch.setattr(paging, "DEPTH", depth)
    for state in (None, *LeadState):
        found = [
            row.id
            for row in every_lead(filled, LeadFilter(campaign=campaign, state=state, reason=reason), chunk=10)
        ]
        wanted = [
            n + 1
            for n in range(210)
            if campaign in (None, f"c{n % 3}")
            and state in (None, STATES[n % 7])
            and reason in (None, f"r{n % 5}")
        ]
        assert len(found) == len(set(found))
        assert sorted(found) == wanted
        assert found == sorted(found, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [7, 20_000])
@pytest.mark.parametrize("reason", [None, "r2"])
def test_the_oldest_first_is_the_same_list_from_its_other_end(
    filled: Store, monkeypatch: pytest.MonkeyPatch, depth: int, reason: str | None
) -> None:
    """Whatever the filter, over one branch or several, also where the search stops on the way."""
    monkeypatch.setattr(paging, "DEPTH", depth)
    for state in (None, *LeadState):
        for campaign in (None, "c1"):
            wanted = LeadFilter(campaign=campaign, state=state, reason=reason)
            assert ids(filled, wanted, oldest=True) == ids(filled, wanted, oldest=False)[::-1]


def ids(store: Store, wanted: LeadFilter, *, oldest: bool) -> list[int]:
    """All of a list, ten at a time."""
    pages = every(lambda cursor: list_leads(store, wanted, cursor=cursor, limit=10, oldest=oldest))
    return [row.id for row in pages]


def test_the_oldest_first_sorts_nothing(filled: Store) -> None:
    """An index is read from its other end: the cost is of the page, not of the table."""
    if filled.dialect != "sqlite":
        pytest.skip("on PostgreSQL the plan depends on the size of the table")
    told: list[str] = []
    with filled.read() as connection:
        for order in (leads.c.id.asc(), leads.c.id.desc()):
            query = sa.select(leads).where(
                sa.text("leads.state = 'held' AND leads.state <> 'accepted'"), leads.c.campaign == "c1"
            )
            said = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {query.order_by(order).compile(connection.engine, compile_kwargs={'literal_binds': True})}"
            )
            told.append(" ".join(str(row[-1]) for row in said))
    assert "TEMP B-TREE" not in "".join(told)
    assert told[0] == told[1]


@pytest.mark.parametrize("cursor", ["x", "1-2", "-1", "9" * 30, "1;--"])
def test_a_made_up_cursor_is_refused(filled: Store, cursor: str) -> None:
    """What is no page of ours is an error with advice, not a query."""
    with pytest.raises(ConfigurationError, match="no page"):
        list_leads(filled, LeadFilter(), cursor=cursor)
