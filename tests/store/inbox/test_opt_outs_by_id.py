"""An opt-out that names its contact by the platform's id alone is told whose it is by an index, not by reading all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import _said_of, append

EVENTS = 100_000
MANY = sa.text(
    "INSERT INTO inbox_events (event_id, source, platform, type, kind, origin, occurred_at, received_at, phone, "
    "external_id, headers, body) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
    "WHERE n < :events) SELECT 'evt_' || n, 'src', 'varda', 'x', 'clicked', 'webhook', n, n, "
    "CAST(4165550000 + n % 100 AS text), CASE WHEN n % 2 = 0 THEN CAST(n AS text) END, '[]', :body FROM numbers"
)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_who_an_id_is_is_read_from_few_of_many_events(store: Store) -> None:
    """Among 100,000 events of one source the plan goes by the id, and the opt-out of one of them is kept."""
    with store.write() as connection:
        connection.execute(MANY, {"events": EVENTS, "body": b"{}"})
        connection.execute(sa.text("ANALYZE inbox_events"))
    query = _said_of("src", "77").compile(store.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN " if store.dialect == "sqlite" else "EXPLAIN "
    with store.read() as connection:
        lines = [str(row) for row in connection.execute(sa.text(explain + str(query)))]
    assert any("ix_inbox_events_external_id" in line for line in lines), lines
    assert not any("SCAN inbox_events" in line or "Seq Scan" in line for line in lines), lines

    now = datetime.now(UTC)
    contact = Contact(external_id="76")
    event = ContactEvent("evt_no", "src", "varda", "x", EventKind.UNSUBSCRIBED, now, now, contact)
    append(store, [Incoming(event, event.to_json(), "[]")])
    assert [row.phone for row in suppressions.entries(store).rows] == ["4165550076"]
