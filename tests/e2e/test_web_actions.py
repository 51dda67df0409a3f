"""Every action by click in a real browser: asked in the page, counted, done, written down."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.e2e, pytest.mark.xdist_group("world"), pytest.mark.lasts(350), pytest.mark.chromium, pytest.mark.timeout(300), pytest.mark.usefixtures("as_it_was"),
]  # fmt: skip


def agree(page: Any, says: str) -> None:
    """Agree in the dialog, which must say this first."""
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert says in dialog.inner_text(), dialog.inner_text()
    page.evaluate("document.getElementById('toast').replaceChildren()")
    dialog.locator("#confirm-yes").click()


def do_it(page: Any, says: str) -> str:
    """The same; what the page says when it is done."""
    agree(page, says)
    toast = page.locator("#toast p").last
    toast.wait_for()
    return str(toast.inner_text())


@pytest.fixture
def held(world: Any) -> list[int]:
    """Three held leads of a campaign of their own, with payloads; their ids."""
    for n in range(3):
        world.write(
            "INSERT INTO leads (campaign, phone, state, reason, payload, tries, created_at, updated_at, sent_at) "
            "VALUES ('clicks', :phone, 'held', 'timeout', '{}', 1, 1, 1, 1)",
            phone=f"+1416555{8000 + n}",
        )
    with world.store.read() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM leads WHERE campaign = 'clicks' ORDER BY id")
        return [row[0] for row in rows]


def state_of(world: Any, lead: int) -> str:
    return str(world.scalar("SELECT state FROM leads WHERE id = :id", id=lead))


def test_resolve_one_held_lead(world: Any, ada: Any, held: list[int]) -> None:
    """Cancelled, nothing happens; agreed, the lead counts as texted, with its history and an audit row."""
    ada.goto(f"{world.url}/leads/{held[0]}")
    ada.get_by_role("button", name="Resolve as accepted").click()
    ada.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert state_of(world, held[0]) == "held"
    ada.get_by_role("button", name="Resolve as accepted").click()
    said = do_it(ada, "1 held lead will count as texted")
    assert said == "1 lead resolved as accepted."
    assert state_of(world, held[0]) == "accepted"
    assert world.last_audit() == ("ada", "resolve as accepted", 1)
    ada.get_by_text("resolved", exact=True).wait_for()
    expect(ada.get_by_role("button", name="Resolve as accepted")).to_have_count(0)


def test_resolve_what_is_filtered(world: Any, ada: Any, held: list[int]) -> None:
    """The filtered leads, and no other, are planned again; the dialog says what that means."""
    others = world.scalar("SELECT count(*) FROM leads WHERE state = 'held' AND campaign <> 'clicks'")
    ada.goto(f"{world.url}/leads?state=held&campaign=clicks")
    ada.get_by_role("button", name="Resolve filtered as planned").click()
    do_it(ada, "3 held leads will be sent by the next run. Anybody who was texted already is texted twice.")
    assert [state_of(world, lead) for lead in held] == ["planned"] * 3
    assert world.scalar("SELECT count(*) FROM leads WHERE state = 'held' AND campaign <> 'clicks'") == others
    assert world.last_audit() == ("ada", "resolve as planned", 3)


def test_a_second_click_while_something_is_asked_starts_nothing(
    world: Any, ada: Any, held: list[int]
) -> None:
    """Two actions clicked one after the other: the dialog's words and what is done are of one and the same."""
    ada.goto(f"{world.url}/leads/{held[0]}")
    ada.route("**/api/actions/resolve", lambda route: (ada.wait_for_timeout(300), route.continue_()))
    ada.evaluate(
        "document.querySelectorAll('button[data-action*=resolve]').forEach((button) => button.click())"
    )
    do_it(ada, "1 held lead will count as texted and not be sent again.")
    assert state_of(world, held[0]) == "accepted"
    ada.wait_for_timeout(500)
    expect(ada.get_by_role("dialog")).to_have_count(0)


def put(world: Any, state: str) -> int:
    """Bring the delivery of contact 1001 into a state; its id."""
    row = world.scalar("SELECT min(id) FROM deliveries WHERE last_status = 400")
    world.write("UPDATE deliveries SET state = :state WHERE id = :id", state=state, id=row)
    return int(row)


def test_redeliver_one_and_what_is_filtered(world: Any, ada: Any) -> None:
    """A dead delivery is pending again, alone or with all that are filtered, and offered no more."""
    row = put(world, "dead")
    state = "SELECT state FROM deliveries WHERE id = :id"
    for path, button in (
        (f"deliveries/{row}", "Send again"),
        ("deliveries?state=dead", "Send filtered again"),
    ):
        put(world, "dead")
        ada.goto(f"{world.url}/{path}")
        ada.get_by_role("button", name=button).click()
        agree(ada, "1 delivery will be sent by the next run of the route.")
        ada.wait_for_url("**/resends/*")
        ada.get_by_text("0 of 1 through").wait_for()
        assert world.scalar(state, id=row) == "pending"
        assert world.last_audit() == ("ada", "redeliver", 1)
    ada.goto(f"{world.url}/deliveries?state=dead")
    ada.get_by_text("No delivery matches.").wait_for()
    put(world, "dead")


def test_replay_one_event_and_what_is_filtered(world: Any, ada: Any) -> None:
    """A consumer reads events again: one, or those that are filtered."""
    event = world.scalar("SELECT event_id FROM deliveries WHERE state = 'delivered' ORDER BY id LIMIT 1")
    ada.goto(f"{world.url}/events/{event}")
    ada.get_by_role("button", name="Replay").click()
    do_it(ada, "1 event will be read again by outreach_event_fanout.")
    assert world.last_audit() == ("ada", "replay", 1)
    ada.goto(f"{world.url}/events?source=supersend_demo&kind=interested")
    count = ada.locator("tbody tr").count()
    ada.get_by_role("button", name="Replay").click()
    do_it(ada, f"{count} events will be read again")
    assert world.last_audit() == ("ada", "replay", count)


def test_an_endpoint_is_disabled_tested_and_enabled(world: Any, ada: Any) -> None:
    """Disabled with the person's name; tested all the same; enabled with a choice of what becomes of the held."""
    ada.goto(f"{world.url}/connections")
    panel = ada.locator("li", has_text="outreach_endpoint_default")
    panel.get_by_role("button", name="Disable").click()
    do_it(ada, "will be held, not lost")
    panel.get_by_text("by ada").first.wait_for()
    assert world.last_audit() == ("ada", "disable endpoint", 1)
    before = len(world.crm.requests)
    panel.get_by_role("button", name="Send test").click()
    assert "HTTP 200" in do_it(ada, "One signed test event, without any person in it")
    assert len(world.crm.requests) == before + 1
    assert world.crm.forged == 0
    row = put(world, "held")
    panel.get_by_label("Held deliveries").select_option("none")
    ada.evaluate("refresh(true)")
    panel.get_by_role("button", name="Enable").click()
    do_it(ada, "none is sent, they are dead")
    assert world.scalar("SELECT state FROM deliveries WHERE id = :id", id=row) == "dead"
    assert world.last_audit()[:2] == ("ada", "enable endpoint")
    panel.get_by_role("button", name="Disable").wait_for()


def test_a_source_is_switched_off_checked_and_on(world: Any, ada: Any) -> None:
    """Switched off, its state is shown on the page and the overview; checking it sends nothing."""
    ada.goto(f"{world.url}/connections")
    panel = ada.locator("li", has_text="supersend_demo")
    panel.get_by_role("button", name="Check").click()
    assert "in/supersend_demo" in do_it(ada, "fields of supersend_demo are checked")
    panel.get_by_role("button", name="Switch off").click()
    do_it(ada, "Events of supersend_demo will be refused (503).")
    panel.get_by_text("Switched off").wait_for()
    assert world.last_audit() == ("ada", "disable source", 1)
    panel.get_by_role("button", name="Switch on").click()
    do_it(ada, "will be taken again")
    assert world.last_audit() == ("ada", "enable source", 1)
    panel.get_by_role("button", name="Switch off").wait_for()


def test_numbers_are_put_on_the_list_and_taken_off(world: Any, ada: Any, held: list[int]) -> None:
    """By hand, from a lead's page, and off again; a mistyped number is refused with its reason."""
    ada.goto(f"{world.url}/do-not-contact")
    ada.get_by_label("Numbers with country code").fill("+1 416 555 9001\nnonsense")
    ada.get_by_role("button", name="Add").click()
    ada.locator("#toast .bad").wait_for()
    assert world.scalar("SELECT count(*) FROM suppressions") == 0
    ada.get_by_label("Numbers with country code").fill("+1 416 555 9001\n(416) 555-9002")
    ada.get_by_label("Numbers with country code").fill("+1 416 555 9001\n+1 (416) 555-9002")
    ada.get_by_role("button", name="Add").click()
    do_it(ada, "2 numbers will not be contacted in every campaign.")
    rows = ada.locator("tbody tr")
    expect(rows).to_have_count(2)
    rows.first.get_by_role("button", name="Remove").click()
    do_it(ada, "+1416•••900")
    expect(rows).to_have_count(1)
    assert world.last_audit() == ("ada", "unsuppress", 1)
    ada.goto(f"{world.url}/leads/{held[2]}")
    ada.get_by_role("button", name="Do not contact").click()
    do_it(ada, "1 number will not be contacted")
    ada.get_by_text("On the do-not-contact list").wait_for()


def test_what_is_filtered_is_exported(world: Any, ada: Any) -> None:
    """The CSV of each list holds what is filtered, masked; whole numbers on demand, which is written down."""
    for path, query in (
        ("leads?state=held&campaign=spring", "leads WHERE state = 'held' AND campaign = 'spring'"),
        ("events?kind=replied", "inbox_events WHERE kind = 'replied'"),
        ("deliveries?state=delivered", "deliveries WHERE state = 'delivered'"),
    ):
        rows = world.scalar(f"SELECT count(*) FROM {query}")
        ada.goto(f"{world.url}/{path}")
        with ada.expect_download() as download:
            ada.get_by_role("link", name="Export CSV, masked").click()
        text = download.value.path().read_text()
        assert len(list(csv.DictReader(io.StringIO(text)))) == rows > 1, path
        assert "4165551" not in text
    ada.goto(f"{world.url}/leads?state=held&campaign=spring")
    with ada.expect_download() as download:
        ada.get_by_role("button", name="Export CSV with numbers").click()
        ada.get_by_role("dialog").locator("#confirm-yes").click()
    found = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert sorted(row["phone"] for row in found) == ["+14165551301", "+14165551401", "+14165551501"]
    assert world.last_audit() == ("ada", "export leads revealed", 3)
