"""Ten everyday questions: each has its answer within three clicks from the page that the menu opens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clicks import MOST, Clicks
from playwright.sync_api import expect

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.demo.airflow import wait_until
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, list_deliveries
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox.filters import note_filter

pytestmark = [
    pytest.mark.e2e, pytest.mark.xdist_group("world"), pytest.mark.lasts(350), pytest.mark.chromium, pytest.mark.timeout(1200), pytest.mark.usefixtures("as_it_was"),
]  # fmt: skip

ROUTE = "outreach_event_fanout"
ENDPOINT = "outreach_endpoint_default"


@pytest.fixture
def clicks(world: Any, ada: Any) -> Iterator[Clicks]:
    """Of somebody who may act; at the end of the test no more than three."""
    made = Clicks(world, ada)
    yield made
    assert made.count <= MOST


def test_did_we_text_this_person_and_why_not(world: Any, ada: Any, log_in: Callable[..., Any]) -> None:
    """1: a number in any writing says texted and when, perhaps, or not and why; an id does for who may only look."""
    for number, said in (
        ("(416) 555-1113", r"texted"), ("+1 416 555 1301", r"perhaps texted"), ("4165551302", r"not"),
    ):  # fmt: skip
        clicks = Clicks(world, ada)
        clicks.find(number)
        holds = clicks.frame.locator(".holds li")
        expect(holds.first).to_contain_text(said)
        expect(holds.first).to_contain_text("in spring")
        if said != "texted":
            assert holds.first.inner_text().partition("in spring:")[2].strip()
        assert clicks.count == 1
    lead = world.scalar("SELECT id FROM leads WHERE phone = '+14165551302'")
    looks = Clicks(world, log_in("vic"))
    looks.find(f"#{lead}")
    expect(looks.frame.locator(".holds")).to_contain_text("in spring")
    assert looks.count == 1


def test_why_is_this_run_red_and_which_rows(clicks: Clicks) -> None:
    """2: the workflow that failed says why its run ended, the run which rows it was, each with its line and reason."""
    expect(clicks.frame.get_by_role("row").filter(has_text="winter")).to_contain_text("failing")
    clicks.link("winter")
    clicks.heading("winter")
    expect(clicks.main).to_contain_text("1 of 2 rows were rejected")
    clicks.click(clicks.main.get_by_role("link", name="#").first)
    clicks.heading("Run #")
    row = clicks.frame.get_by_role("region", name="Leads").locator("tbody tr").filter(has_text="rejected")
    expect(row).to_have_count(1)
    assert "phone" in row.inner_text()
    assert "3" in row.locator("td.num").first.inner_text()
    assert "nobody was texted" in clicks.said()
    assert clicks.count == 2


def test_why_is_it_up_for_retry_and_when_is_the_next_try(world: Any, clicks: Clicks) -> None:
    """3: the first page says it of the workflow; its page names the task instance, also a mapped one by what it has in hand."""
    row = clicks.frame.get_by_role("row").filter(has_text="autumn").first
    expect(row).to_contain_text("retrying")
    expect(row).to_contain_text("next try in")
    expect(row).to_contain_text("asks to wait 3000 s")
    clicks.link("autumn")
    clicks.heading("autumn")
    retrying = clicks.frame.locator("section", has=clicks.frame.get_by_role("heading", name="Retrying"))
    expect(retrying).to_contain_text("autumn.submit_leads")
    expect(retrying).to_contain_text("try 2 of 4 in")
    clicks.link("Workflows")
    clicks.link(ROUTE)
    clicks.heading(ROUTE)
    expect(retrying).to_contain_text("replied +1416•••0103")
    expect(retrying).to_contain_text("503")
    expect(retrying).to_contain_text("not while it is paused")


def test_what_was_missed_while_the_crm_was_down_and_send_it_again(
    world: Any, outage: Any, log_in: Callable[..., Any]
) -> None:
    """4: the first page has the hours; their list is what was missed, sent again at once and followed to its end."""
    clicks = Clicks(world, log_in("ada", timezone_id="America/Toronto"))
    row = clicks.frame.get_by_role("row").filter(has_text=ROUTE).first
    # In that hour of the day there is one of today, too.
    hours = row.get_by_role("link", name="14:00 to").filter(has_text="6 failed")
    expect(hours).to_contain_text("15:00")
    clicks.click(hours)
    clicks.heading("Deliveries")
    expect(clicks.frame.get_by_label("Tried from")).to_have_value(outage.fields[0])
    expect(clicks.frame.get_by_label("Tried before")).to_have_value(outage.fields[1])
    rows = clicks.frame.get_by_role("region", name="Deliveries").locator("tbody tr")
    expect(rows).to_have_count(6)
    clicks.button("Send filtered again")
    clicks.agree("6 deliveries will be sent by the next run of the route.")
    clicks.heading("Sent again")
    assert clicks.count == MOST
    expect(clicks.main).to_contain_text("0 of 6 through")
    states = {world.scalar("SELECT state FROM deliveries WHERE id = :id", id=each) for each in outage.ids}
    assert states == {"pending"}
    clicks.button("Cancel")
    clicks.agree("6 deliveries not under way yet will be as before.")
    expect(clicks.main).to_contain_text("6 failed")


def test_what_was_missed_by_typing_the_hours(world: Any, outage: Any, log_in: Callable[..., Any]) -> None:
    """4, where the list is not at hand: Deliveries, the two times, and the question that sends them again."""
    clicks = Clicks(world, log_in("ada", timezone_id="America/Toronto"))
    clicks.link("Deliveries")
    clicks.heading("Deliveries")
    clicks.frame.get_by_label("Tried from").fill(outage.fields[0])
    clicks.frame.get_by_label("Tried before").fill(outage.fields[1])
    clicks.button("Filter")
    rows = clicks.frame.get_by_role("region", name="Deliveries").locator("tbody tr")
    expect(rows).to_have_count(6)
    clicks.button("Send the failures of this time again")
    expect(clicks.frame.get_by_role("dialog")).to_contain_text("6 deliveries will be sent")
    assert clicks.count == MOST


def test_how_did_a_campaign_do(clicks: Clicks, happened: Callable[..., Any]) -> None:
    """5: from sent to opted out, people and rates, by day and source."""
    for kind, phone in ((EventKind.REPLIED, "1111"), (EventKind.REPLIED, "1112"), (EventKind.INTERESTED, "1112"), (EventKind.UNSUBSCRIBED, "1113")):  # fmt: skip
        happened(kind, f"+1416555{phone}", f"{kind}_{phone}")
    clicks.link("Campaigns")
    clicks.heading("Campaigns")
    clicks.link("spring")
    steps = clicks.frame.locator(".funnel div")
    expect(steps.first).to_be_visible()
    said = {each.split("\n")[0].lower(): each.split("\n")[1] for each in steps.all_inner_texts()}
    assert said == {
        "sent": "23", "delivered": "20 100.0 %", "replied": "2 10.0 %", "interested": "1 5.0 %", "booked": "0 0.0 %", "opted out": "1 5.0 %",
    }  # fmt: skip
    expect(clicks.frame.get_by_role("heading", name="By source")).to_be_visible()
    assert clicks.count == 2


def test_which_workflows_are_there_and_are_they_healthy(clicks: Clicks) -> None:
    """6: the first page has every one with what it does, how it stands and why, and when it runs."""
    table = clicks.frame.get_by_role("region", name="Workflows").locator("tbody tr")
    told = {row.split("\t")[0].strip().split("\n")[0]: row for row in table.all_inner_texts()}
    assert told.keys() == {"spring", "autumn", "winter", ROUTE}
    for name, health, why in (
        ("spring", "healthy", "by hand"), ("autumn", "retrying", "up for retry"), ("winter", "failing", "its last run failed"),
        (ROUTE, "stuck", "it is paused"),
    ):  # fmt: skip
        assert health in told[name], told[name]
        assert why in told[name], told[name]
    assert "campaign spring" in told["spring"]
    assert clicks.count == 0


@pytest.fixture
def choosy(world: Any) -> Iterator[None]:
    """Two routes that do not take everything."""
    choices = (("clicks_only", ["clicked"], None), ("high_scores", None, "data.score > 10"))
    for name, kinds, where in choices:
        consumers.register(world.store, name, "beginning")
        note_filter(world.store, name, None, kinds)
        consumers.note_routes(world.store, name, [name], where)
    yield
    for name, _, _ in choices:
        consumers.forget_consumer(world.store, name)


def test_why_did_an_event_not_go_to_the_crm(
    world: Any, clicks: Clicks, happened: Callable[..., Any], choosy: None
) -> None:
    """7: from the person to the event: what each route made of it, with the values that its condition saw."""
    event = happened(EventKind.REPLIED, "+14165554100", "unsent", score=3)
    clicks.find("416 555 4100")
    clicks.click(clicks.frame.locator(".timeline").get_by_role("link", name="replied from varda_demo"))
    clicks.frame.get_by_role("heading", name="Routes").wait_for()
    routes = clicks.frame.get_by_role("region", name="Routes").locator("tbody tr")
    for route, verdict, why in (
        ("clicks_only", "other kind", "it reads clicked"), ("high_scores", "where was false", "data.score"), (ROUTE, "paused", "its DAG is paused"),
    ):  # fmt: skip
        row = routes.filter(has_text=route)
        expect(row).to_contain_text(verdict)
        expect(row).to_contain_text(why)
    clicks.click(routes.filter(has_text=ROUTE).get_by_role("button", name="Send to this route"))
    assert clicks.count == MOST
    dialog = clicks.frame.get_by_role("dialog")
    expect(dialog).to_contain_text(f"will be sent by the next run of {ROUTE}")
    dialog.locator("#confirm-yes").click()
    expect(routes.filter(has_text=ROUTE)).to_contain_text("taken")
    assert list_deliveries(world.store, DeliveryFilter(event_ids=[event.id])).rows[0].route == ROUTE


def test_what_would_a_route_send(clicks: Clicks) -> None:
    """8 for routes: the latest event at once, a pasted one with a second click; nothing is sent."""
    clicks.click(clicks.frame.get_by_role("link", name=f"Try {ROUTE}", exact=True))
    clicks.heading("Try it")
    expect(clicks.main).to_contain_text("Nothing is sent and nothing is written.")
    expect(clicks.main.get_by_label("Request line and headers")).to_contain_text("POST http://127.0.0.1")
    expect(clicks.main.get_by_label("Body", exact=True)).to_contain_text('"kind"')
    pasted = {
        "type": "deal.won",
        "kind": "interested",
        "contact": {"email": "a@example.com"},
        "data": {"value": 7},
    }
    clicks.frame.get_by_label("JSON").fill(json.dumps(pasted))
    clicks.button("Try it")
    expect(clicks.main.get_by_label("Body", exact=True)).to_contain_text('"value": 7')
    expect(clicks.main.get_by_role("heading", name="This event")).to_contain_text("would be taken")
    assert clicks.count == 2


def test_what_would_a_workflow_file_do(clicks: Clicks) -> None:
    """8 for YAML that is only pasted: its mistakes with line, caret and what was meant, while it is typed."""
    clicks.link("Try YAML")
    clicks.heading("Try a workflow file")
    clicks.frame.get_by_label("YAML").fill(
        "lead_syncs:\n  website:\n    shedule: daily\n    leads: {csv: a.csv}\n"
    )
    expect(clicks.main).to_contain_text("did you mean 'schedule'?")
    clicks.frame.get_by_label("YAML").fill("lead_syncs:\n  website:\n    leads: {csv: a.csv}\n")
    expect(clicks.main).to_contain_text("no mistakes")
    assert clicks.count == 1


@pytest.fixture
def saved(world: Any) -> Iterator[str]:
    """An endpoint that is kept in Airflow's database, seen on our page; its id."""
    fields = json.loads(world.airflow.environment[f"AIRFLOW_CONN_{ENDPOINT.upper()}"])
    fields |= {"connection_id": "crm_in_airflow", "extra": json.dumps(fields["extra"])}
    world.airflow.api("POST", "connections", fields)
    yield "crm_in_airflow"
    world.airflow.api("DELETE", "connections/crm_in_airflow")


def test_set_up_a_source_and_an_endpoint(world: Any, saved: str, log_in: Callable[..., Any]) -> None:
    """9: added in Airflow's form, edited there, tested here; what is kept elsewhere says so."""
    page = log_in("ada")

    def look() -> bool:
        page.goto(f"{world.url}/connections")
        return bool(page.get_by_role("link", name=f"Edit {saved}").count())

    wait_until(look, 40, "the new endpoint is on the page, and can be edited")
    adds = Clicks(world, page)
    adds.link("Sources & endpoints")
    adds.heading("Sources & endpoints")
    expect(adds.main).to_contain_text("with the type outreach_source for events in")
    expect(adds.frame.locator(f"#endpoint-{ENDPOINT}")).to_contain_text("kept outside Airflow")
    adds.click(adds.frame.get_by_role("link", name="Add in Airflow"))
    page.wait_for_url(f"{world.airflow.url}/connections")
    adds.click(page.get_by_role("button", name="Add Connection"))
    expect(page.get_by_role("dialog")).to_contain_text("Connection Type")
    edits = Clicks(world, page)
    edits.link("Sources & endpoints")
    edits.link(f"Edit {saved}")
    page.wait_for_url("**/connections?name_pattern=*")
    expect(page.get_by_role("row").filter(has_text=ENDPOINT)).to_have_count(0)
    edits.click(page.get_by_role("row").filter(has_text=saved).get_by_role("button", name="Edit Connection"))
    expect(page.get_by_role("dialog").locator("[name=host]")).to_have_value(
        json.loads(world.airflow.environment[f"AIRFLOW_CONN_{ENDPOINT.upper()}"])["host"]
    )
    for button, asks, says in (
        (f"Send test: {saved}", "One signed test event, without any person in it", "HTTP 200"),
        ("Check: varda_demo", "fields of varda_demo are checked", "/outreach/in/varda_demo into"),
        ("Test: outreach_default", "Nobody is texted", "takes this key"),
    ):
        tests = Clicks(world, page)
        tests.link("Sources & endpoints")
        tests.heading("Sources & endpoints")
        tests.button(button)
        tests.agree(asks)
        tests.done(says)
        assert tests.count == MOST
    assert (adds.count, edits.count) == (MOST, MOST)
