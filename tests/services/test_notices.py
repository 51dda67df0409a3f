"""Operational events: each noted once, told once to those it concerns, and never lost by a listener that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.notices import Notice, NoticeKind
from airflow_outreach_provider.services.notices import tell
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.deliveries import endpoints, rests
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, sources
from airflow_outreach_provider.store.inbox.sources import Refusal


@pytest.fixture
def store(still_store: Store) -> Store:
    return still_store


def heard(store: Store, *subjects: str) -> list[tuple[str, str]]:
    found: list[Notice] = []
    tell(store, subjects, found.append)
    return [(each.kind.value, each.subject) for each in found]


def test_a_rest_its_end_and_a_disabling_are_told_once_each(store: Store, clock: Any) -> None:
    """However many tasks notice the same outage; and only to those whose endpoint it is."""
    for _ in range(3):
        rests.rest(store, "crm", "HTTP 500")
    assert heard(store, "other") == []
    assert heard(store, "crm") == [("endpoint_resting", "crm")]
    assert heard(store, "crm") == []
    clock.advance(minutes=1)
    rests.recover(store, "crm")
    rests.recover(store, "crm")
    endpoints.disable(store, "crm", reason="gone", by="deliveries")
    endpoints.disable(store, "crm", reason="gone", by="deliveries")
    assert heard(store, "crm") == [("endpoint_recovered", "crm"), ("endpoint_disabled", "crm")]
    clock.advance(minutes=1)
    endpoints.enable(store, "crm", endpoints.Release.ALL)
    rests.rest(store, "crm", "HTTP 500")
    assert heard(store, "crm") == [("endpoint_resting", "crm")], "another rest is another event"


def test_a_listener_that_fails_loses_nothing(store: Store) -> None:
    """The next one who tells, tells it."""
    rests.rest(store, "crm", "HTTP 500")

    def broken(_: Notice) -> None:
        raise RuntimeError("no mail today")

    assert tell(store, ["crm"], broken) == 1
    assert heard(store, "crm") == [("endpoint_resting", "crm")]


def test_what_only_a_newer_version_knows_is_left_to_it(store: Store) -> None:
    """In an upgrade one by one: it stops nobody from being told the rest, and is not taken for told."""
    with store.write() as connection:
        row = {"key": "k", "kind": "endpoint_sings", "subject": "crm", "at": store.now(connection)}
        connection.execute(notices.notices.insert().values(row))
    rests.rest(store, "crm", "HTTP 500")
    assert heard(store, "crm") == [("endpoint_resting", "crm")]
    with store.read() as connection:
        untold = sa.select(notices.notices.c.kind).where(notices.notices.c.told_at.is_(None))
        assert connection.execute(untold).scalars().all() == ["endpoint_sings"]


def test_a_source_that_refuses_and_events_nobody_reads_are_told_to_anybody(store: Store, clock: Any) -> None:
    """Nobody's task is at fault there, so whoever is at work says it; once, as long as it lasts."""
    sources.note_refusals(store, {"varda": Refusal(3, 401, "the signature does not match")})
    consumers.read_new(store, "crm_events")
    consumers.note_filter(store, "crm_events", None, None, rung_for=True)
    at = store.now()
    made = ContactEvent("evt_1", "tether", "tether", "x", EventKind.REPLIED, at, at, Contact(external_id="c"))
    inbox_append.append(store, [Incoming(made, made.to_json(), "[]")])
    assert heard(store, "x") == [("source_refusing", "varda")]
    clock.advance(minutes=16)
    assert heard(store, "y") == [("events_not_read", "crm_events")]
    clock.advance(hours=1)
    assert heard(store, "x", "y") == []


def test_no_notice_holds_personal_data(store: Store) -> None:
    """Numbers and addresses in an error's words are masked before they are kept."""
    notices.note(
        store, NoticeKind.DELIVERIES_DEAD, "crm", "422: +14165550123 jane@example.com", once="1", count=2
    )
    [notice] = notices.take_untold(store, ["crm"]).values()
    assert "4165550123" not in notice.detail and "jane" not in notice.detail
    assert notice.to_dict() == {
        "kind": "deliveries_dead", "subject": "crm", "detail": notice.detail, "count": 2, "at": notice.at.isoformat()
    }  # fmt: skip
    assert notice.at.tzinfo is not None and timedelta(0) == store.now() - notice.at
