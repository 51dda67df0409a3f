"""One person on one page: found by number, address or id; masked, audited, exported, forgotten; indexes alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.ledger.tables import attempts
from airflow_outreach_provider.store.people.look import look_up

PHONE, EMAIL = "+14165550123", "Jane.Doe@example.com"
ACTION = {"X-Outreach-Action": "1"}
AT = datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
Site = Callable[..., Any]
NewLead = Callable[..., int]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


def found(browser: Any, who: str) -> str | None:
    answer = browser.post(url("/api/person/find"), json={"who": who}, headers=ACTION)
    assert answer.status_code == 200, answer.text
    path: str | None = answer.json()["path"]
    return path


@pytest.fixture
def jane(store: Store, lead: NewLead) -> int:
    """Texted in spring, waiting in evening, an event that bears her address, one that bears the platform's id alone."""
    spring = lead(PHONE, "accepted", campaign="spring-2026", reason="", detail="", accepted_at=AT, sent_at=AT, email_hash=hash_email(EMAIL))  # fmt: skip
    lead(PHONE, "deferred", campaign="evening", reason="quiet_hours", detail="", not_before=AT + timedelta(hours=17))  # fmt: skip
    for n, contact in enumerate(
        (
            Contact(email=EMAIL, phone=PHONE, external_id="c_77"),
            Contact(external_id="c_77"),
            Contact(external_id="c_78", email="other@example.com"),
        )
    ):
        event = ContactEvent(
            f"evt_{n}", "varda", "varda", "replied", EventKind.REPLIED, AT, AT, contact, None, {}
        )
        inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])
    with store.write() as connection:
        connection.execute(attempts.insert().values(lead_id=spring, at=AT, outcome="accepted", status=200))
    return spring


@pytest.mark.parametrize(
    "who",
    ["+14165550123", "+1 (416) 555-0123", "(416) 555-0123", "416.555.0123", "001 416 555 0123", EMAIL,
     "jane.doe@EXAMPLE.com", "Jane <jane.doe@example.com>", "c_77", "evt_1", "#1", "lead 1",
     "tel:+14165550123", "sms:%2B14165550123", "\u202a+1 (416) 555\u20110123\u202c", "416\u2013555\u20130123", "\uff0b1 416 555 0123"],
)  # fmt: skip
def test_anything_of_theirs_leads_to_the_one_time_line(site: Site, jane: int, who: str) -> None:
    """A number in any writing, also without its country, an address in any, an id: one person, all that is known."""
    editor = site("OP")
    path = found(editor, who)
    assert path is not None
    said = editor.get(url(f"/api{path}")).json()
    assert said["sentence"] == (
        "Texted 25 Nov 16:00 in spring-2026; not yet in evening: quiet hours until 26 Nov 09:00."
    )
    assert {each["campaign"] for each in said["leads"]} == {"spring-2026", "evening"}
    told = {each["path"] for each in said["timeline"] if each["what"] == "event"}
    assert told == {"/events/evt_0", "/events/evt_1"}
    page = editor.get(url(path))
    assert page.status_code == 200
    assert PHONE not in page.text
    assert "+1416•••0123" in page.text
    assert "other@" not in page.text


def test_nobody_is_an_answer(site: Site, jane: int) -> None:
    """Who is not known is said to be neither texted nor listed; a number that is none says why."""
    editor = site("OP")
    for who in ("+14165550199", "nobody@example.com", "c_99", "#99"):
        assert found(editor, who) is None
    answer = editor.post(
        url("/api/person/find"), json={"who": "+1 416 555 0123 0123 0123 0123"}, headers=ACTION
    )
    assert answer.status_code == 400
    assert "0123" not in answer.text


def test_a_viewer_finds_by_id_alone(site: Site, jane: int) -> None:
    """Numbers could be guessed digit by digit; ids are on every page."""
    viewer = site("VIEWER")
    assert viewer.post(url("/api/person/find"), json={"who": PHONE}, headers=ACTION).status_code == 403
    for who in (PHONE, EMAIL, "416 555 0123", "tel:+14165550123", "\u202a+1 416\u2011555\u20110123\u202c"):
        assert viewer.get(url("/person"), params={"who": who}).status_code == 403
    assert viewer.get(url("/person"), params={"who": "c_77"}).url.path.startswith("/af/outreach/person/lead/")
    assert "Nobody is known" in viewer.get(url("/person"), params={"who": "c_99"}).text
    page = viewer.get(url(f"/person/lead/{jane}")).text
    assert "data-action" not in page
    assert "data-export" not in page


@pytest.mark.parametrize("external_id", ["14165550123", "+1 416-555-0123", EMAIL])
def test_a_number_or_address_that_is_an_id_is_masked_too(site: Site, store: Store, external_id: str) -> None:
    """Some platforms name people by it: unasked it is whole on no page, and in no JSON."""
    event = ContactEvent("evt_9", "wa", "custom", "replied", EventKind.REPLIED, AT, AT, Contact(phone=PHONE, external_id=external_id), None, {})  # fmt: skip
    inbox_append.append(store, [Incoming(event, b"{}", "[]")])
    for path in ("/person/event/evt_9", "/api/person/event/evt_9", "/events/evt_9", "/events.csv"):
        page = site("VIEWER").get(url(path))
        assert (page.status_code, external_id in page.text) == (200, False), path
    assert external_id in site("OP").post(url("/person/event/evt_9"), headers=ACTION).text


def test_reveal_and_export_are_audited(site: Site, store: Store, jane: int) -> None:
    """Whole numbers only for an editor who asks; each leaves a row without them."""
    editor = site("OP")
    shown = editor.post(url(f"/person/lead/{jane}"), headers=ACTION).text
    assert PHONE in shown
    assert EMAIL.lower() in shown
    document = editor.post(url(f"/person/lead/{jane}/export"), headers=ACTION).json()
    assert document["person"]["numbers"] == [PHONE]
    assert len(document["events"]) == 2
    rows = audit.entries(store).rows
    assert [row.action for row in rows] == ["export person", "reveal person"]
    assert not any(PHONE in row.subject + row.note for row in rows)
    viewer = site("VIEWER")
    assert viewer.post(url(f"/person/lead/{jane}"), headers=ACTION).status_code == 403
    assert viewer.post(url(f"/person/lead/{jane}/export"), headers=ACTION).status_code == 403


@pytest.mark.slow
def test_forgetting_says_what_goes_and_takes_it(site: Site, store: Store, jane: int) -> None:
    """It counts first; then nothing leads to them but the list, which says so."""
    editor = site("OP")
    body = {"anchor": "lead", "id": str(jane)}
    plan = editor.post(url("/api/actions/forget"), json=body, headers=ACTION).json()
    assert "2 leads, 2 events and 0 deliveries will be removed" in plan["says"]
    assert PHONE not in plan["says"]
    go = body | {"go": True, "expect": plan["count"], "confirmed": plan["says"]}
    assert editor.post(url("/api/actions/forget"), json=go, headers=ACTION).json()["done"]
    assert editor.get(url(f"/person/lead/{jane}")).status_code == 404
    path = found(editor, PHONE)
    assert path is not None
    assert path.startswith("/person/entry/")
    assert "On the do-not-contact list of every campaign (forgotten)" in editor.get(url(f"/api{path}")).json()["sentence"]  # fmt: skip


def test_who_is_listed_by_address_alone_is_found(site: Site, store: Store) -> None:
    """Of an address only the hash is kept; it leads to its entry."""
    suppressions.suppress(store, [], email_hashes=[hash_email(EMAIL)], reason="unsubscribed", source="event")
    path = found(site("OP"), EMAIL)
    assert path is not None
    assert "unsubscribed" in site("VIEWER").get(url(path)).text


def test_no_number_is_in_the_log(site: Site, jane: int) -> None:
    """What the server in front logs of a search has dots for it."""
    from airflow_outreach_provider.web.middleware import _out_of_the_log

    scope: dict[str, Any] = {"query_string": b"x=1&who=%2B14165550123&y=2"}
    assert _out_of_the_log(scope)["query_string"] != scope["query_string"] == b"x=1&who=...&y=2"


def test_a_person_is_found_by_indexes_alone(store: Store, jane: int) -> None:
    """No statement of a look reads a table of leads, events or deliveries from end to end."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            prefix = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
            raw = connection.connection.cursor()
            if store.dialect == "postgresql":
                raw.execute("SET LOCAL enable_seqscan = off")
            raw.execute(f"{prefix} {statement}", parameters)
            plans.extend(str(row[-1]) for row in raw.fetchall())

    sa.event.listen(store.engine, "before_cursor_execute", explain)
    try:
        rows = look_up(store, KnownPerson.asked_for((PHONE,), (EMAIL,)))
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", explain)
    assert len(rows.events) == 2
    whole = ("SCAN leads", "SCAN inbox_events", "SCAN deliveries", "SCAN attempts", "Seq Scan on leads", "Seq Scan on inbox_events")  # fmt: skip
    scans = [plan for plan in plans if any(each in plan for each in whole) and "USING" not in plan]
    assert scans == []
    # PostgreSQL chooses any index of so small a table: tests/store/test_growth.py counts what it reads of a larger one.
    for name in ("ix_inbox_events_phone", "ix_inbox_events_email", "ix_leads_email_hash"):
        assert store.dialect != "sqlite" or any(name in plan for plan in plans), (name, plans)
