"""A campaign from sent to opted out: people once a step, by day and by source, with rates and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.ledger import tables as t
from airflow_outreach_provider.web.campaigns import look_at

AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
Site = Callable[..., Any]
NewLead = Callable[..., int]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


@pytest.fixture
def spring(store: Store, lead: NewLead) -> None:
    """Two runs of two sources on two days; four people texted, one of whom replied twice and booked, one who left."""
    with store.write() as connection:
        for n, source in enumerate(("a.csv", "b.csv"), start=1):
            at = AT + timedelta(days=n - 1)
            connection.execute(
                t.runs.insert().values(
                    campaign="spring", owner=f"o{n}", dag_id="d", state="succeeded", source=source, started_at=at, heartbeat_at=at,
                    lease_until=at, finished_at=at, rows_read=3, counts={"accepted": 2, "held": n - 1, "rejected": 1},
                )
            )  # fmt: skip
    for n in range(4):
        lead(f"+1416555010{n}", "accepted", campaign="spring", run_id=1 + n // 2, sent_at=AT, accepted_at=AT)
    lead("+14165550109", "accepted", campaign="other", run_id=1, sent_at=AT, accepted_at=AT)
    for n, (phone, kind) in enumerate(
        (
            ("+14165550100", EventKind.REPLIED), ("+14165550100", EventKind.REPLIED), ("+14165550100", EventKind.APPOINTMENT_BOOKED),
            ("+14165550103", EventKind.UNSUBSCRIBED), ("+14165550109", EventKind.REPLIED), ("+14165550777", EventKind.REPLIED),
        )
    ):  # fmt: skip
        at = AT + timedelta(days=1, minutes=n)
        event = ContactEvent(f"evt_{n}", "s", "varda", "x", kind, at, at, Contact(phone=phone), "c1" if n else None, {})  # fmt: skip
        inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])


def test_who_may_read_some_dags_sees_what_came_of_their_runs(store: Store, spring: None) -> None:
    """Runs of other DAGs do not count, nor the leads that they touched last; of none there is nothing to see."""
    with store.write() as connection:
        connection.execute(t.runs.update().where(t.runs.c.id == 2).values(dag_id="theirs"))
    mine, theirs, both, nobodys = (
        look_at(store, "spring", dags)
        for dags in (frozenset({"d"}), frozenset({"theirs"}), frozenset({"d", "theirs"}), frozenset({"x"}))
    )
    people = [{each.step: each.people for each in look.steps if each.people} for look in (mine, theirs)]
    assert people == [
        {"sent": 2, "delivered": 2, "replied": 1, "booked": 1},
        {"sent": 3, "delivered": 2, "opted_out": 1},
    ]
    assert [each.name for each in mine.by_source] == ["a.csv"] and [
        each.name for each in theirs.by_source
    ] == ["b.csv"]
    assert both == look_at(store, "spring", None)
    assert (nobodys.runs, nobodys.campaigns) == (0, []) and not any(each.people for each in nobodys.steps)


def test_people_count_once_a_step(site: Site, store: Store, spring: None) -> None:
    """Sent and delivered come from the runs, what people did from their events; others' people do not count."""
    said = site("VIEWER").get(url("/api/campaigns"), params={"campaign": "spring"}).json()
    assert {each["step"]: each["people"] for each in said["steps"]} == {
        "sent": 5, "delivered": 4, "replied": 1, "interested": 0, "booked": 1, "opted_out": 1,
    }  # fmt: skip
    assert next(each["rate"] for each in said["steps"] if each["step"] == "replied") == 0.25
    by_source = {each["name"]: each["people"] for each in said["by_source"]}
    assert (by_source["a.csv"]["replied"], by_source["b.csv"]["opted_out"]) == (1, 1)
    by_day = {each["name"]: each["people"] for each in said["by_day"]}
    assert by_day["2026-03-25"]["sent"] == 2
    assert by_day["2026-03-26"] == {"sent": 3, "delivered": 2, "replied": 1, "interested": 0, "booked": 1, "opted_out": 1}  # fmt: skip
    page = site("VIEWER").get(url("/campaigns?campaign=spring")).text
    assert "25.0 %" in page
    assert "spring" in site("VIEWER").get(url("/campaigns")).text
    assert "No run of this campaign" in site("VIEWER").get(url("/campaigns?campaign=nowhere")).text
    rows = list(csv.DictReader(site("VIEWER").get(url("/campaigns.csv?campaign=spring")).text.splitlines()))
    assert [row["by"] for row in rows] == ["all", "day", "day", "source", "source"]
    assert rows[0]["delivered"] == "4"


def test_events_and_deliveries_by_campaign(site: Site, spring: None) -> None:
    """The platform's campaign filters both, and what is filtered is meant by its button."""
    events = site("OP").get(url("/api/events?campaign=c1")).json()["rows"]
    assert len(events) == 5
    assert site("OP").get(url("/api/events?campaign=nowhere")).json()["rows"] == []
    assert site("OP").get(url("/api/deliveries?campaign=c1")).json()["rows"] == []
    assert site("OP").get(url("/deliveries?campaign=c1")).status_code == 200
