"""The pages as people meet them: a real browser, through Airflow's own log-in, menu and frame, below a base path."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(300),
]


def outreach(world: Any, page: Any) -> Any:
    """The pages inside Airflow's frame, opened by its menu."""
    page.goto(world.airflow.url + "/")
    page.get_by_text("Outreach", exact=True).first.click()
    page.wait_for_url("**/plugin/outreach**")
    return page.frame_locator("iframe")


def text(page: Any) -> str:
    """What the main part of the page says."""
    return str(page.locator("main").inner_text())


def test_opened_by_the_menu_every_page_shows_itself(world: Any, ada: Any) -> None:
    """A click on Airflow's menu shows the workflows in its frame; every page opens from there, without an error."""
    problems: list[str] = []
    ada.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    ada.on("response", lambda answer: problems.append(answer.url) if answer.status >= 400 else None)
    frame = outreach(world, ada)
    frame.get_by_role("heading", name="Workflows").wait_for()
    for name in (
        "Overview",
        "Workflows",
        "Leads",
        "Campaigns",
        "Events",
        "Deliveries",
        "Sources & endpoints",
        "Do not contact",
        "Audit",
        "Help",
    ):
        frame.get_by_role("link", name=name, exact=True).first.click()
        frame.get_by_role("heading", name=name, level=1).wait_for()
    assert problems == []


def test_the_overview_shows_the_day_and_what_needs_a_person(world: Any, ada: Any) -> None:
    """States, charts and what waits are those of the store, and lead to it."""
    ada.goto(f"{world.url}/overview")
    said = text(ada)
    for words in ("3 held leads", "1 failed deliver", "never_right is refusing", "1 unrecognised event"):
        assert words in said, words
    assert re.search(r"Run #\d+ is up for retry", said)
    charts = ada.locator("figure svg").all()
    labels = [chart.get_attribute("aria-label") for chart in charts]
    assert len(labels) == 3
    assert "20 accepted" in labels[0]
    assert ada.locator("figure rect.good").count() >= 3
    ada.get_by_role("link", name="3 held leads").click()
    expect(ada.locator("section").last.locator("tbody tr")).to_have_count(3)


def test_leads_by_filter_and_one_leads_history(world: Any, ada: Any) -> None:
    """Campaign, state, reason and number find the leads they should; a lead shows every step and its task's log."""
    ada.goto(f"{world.url}/leads")
    rows = ada.locator("section").last.locator("tbody tr")
    ada.get_by_role("search").get_by_label("Campaign").fill("spring")
    ada.get_by_role("search").get_by_label("State").select_option("held")
    ada.get_by_role("button", name="Filter", exact=True).click()
    expect(rows).to_have_count(3)
    ada.get_by_role("search").get_by_label("Reason").fill("no_such_reason")
    ada.get_by_role("button", name="Filter", exact=True).click()
    ada.get_by_text("No lead matches.").wait_for()
    ada.get_by_role("link", name="Clear").click()
    ada.get_by_role("search").get_by_label("Number").fill("+1 (416) 555-1112")
    ada.get_by_role("button", name="Filter", exact=True).click()
    expect(rows).to_have_count(1)
    assert "+1416•••1112" in rows.first.inner_text()
    rows.first.get_by_role("link").first.click()
    history = ada.locator("section", has=ada.get_by_role("heading", name="History"))
    history.wait_for()
    assert "accepted" in history.inner_text()
    assert "spring.submit_leads" in history.inner_text()
    log = (world.airflow.home / "components" / "api-server.log").read_text()
    assert "4165551112" not in re.sub(r"[^\d]", "", " ".join(re.findall(r"phone=\S*", log)))


def test_a_number_in_the_header_opens_the_person(world: Any, ada: Any) -> None:
    """From any page, in any writing, without a country: one time line; the number is in no URL and no log."""
    ada.goto(f"{world.url}/audit")
    ada.get_by_label("Find a person").fill("(416) 555-1113")
    ada.get_by_role("button", name="Find", exact=True).click()
    ada.get_by_role("heading", name="Time line").wait_for()
    assert "/person/lead/" in ada.url
    said = text(ada)
    assert "+1416•••1113" in said
    assert re.search(r"texted [\d:]+ in spring", said)
    ada.get_by_label("Find a person").fill("nobody@example.com")
    ada.keyboard.press("Enter")
    ada.get_by_text("Nobody is known by that").wait_for()
    log = (world.airflow.home / "components" / "api-server.log").read_text()
    # In any writing, also in a URL; not what the figures of a time and of what stands beside it make together.
    assert not re.search(r"416\W{0,3}(?:%[0-9A-F]{2}|\+|\W)*555(?:%[0-9A-F]{2}|\W)*1113", log)


def test_workflows_say_how_they_stand(world: Any, ada: Any) -> None:
    """The paused route whose delivery waits is red and says so; its runs are those of Airflow."""
    ada.goto(f"{world.url}/workflows")
    row = ada.locator("tr", has_text="outreach_event_fanout")
    assert "stuck" in row.inner_text()
    assert "it is paused" in row.inner_text()
    assert "spring" in ada.locator("tr", has_text="spring").first.inner_text()
    row.get_by_role("link").first.click()
    ada.get_by_role("heading", name="Runs").wait_for()


def test_runs_show_progress_and_what_became_of_the_rows(world: Any, ada: Any) -> None:
    """A run at work shows how far it is, renewed without loading the page anew."""
    world.write(
        "INSERT INTO runs (campaign, owner, state, started_at, heartbeat_at, lease_until, rows_read, fraction, counts) "
        "VALUES ('live', 'live', 'running', :now, :now + 10000, :now + 600000, 400, 0.25, '{\"accepted\": 400}')",
        now=_now_ms(world),
    )
    try:
        ada.goto(f"{world.url}/leads")
        ada.evaluate("window.sameDocument = true")
        row = ada.locator("tr", has_text="live")
        assert "25 %" in row.inner_text()
        assert "about 30 s left" in row.inner_text()
        world.write(
            "UPDATE runs SET rows_read = 800, fraction = 0.5, counts = '{\"accepted\": 800}' WHERE owner = 'live'"
        )
        row.get_by_text("50 %").wait_for(timeout=15_000)
        assert ada.evaluate("window.sameDocument") is True
    finally:
        world.write("DELETE FROM runs WHERE owner = 'live'")


def test_events_by_filter_with_the_raw_body_on_demand(world: Any, ada: Any) -> None:
    """Source and kind find events; an event shows its deliveries, its body's structure, and all of it when asked."""
    ada.goto(f"{world.url}/events")
    ada.get_by_role("search").get_by_label("Source").fill("varda_demo")
    ada.get_by_role("search").get_by_label("Kind").select_option("replied")
    ada.get_by_role("button", name="Filter", exact=True).click()
    rows = ada.locator("tbody tr")
    expect(rows).to_have_count(5)
    rows.last.get_by_role("link").click()
    ada.get_by_role("heading", name="Body").wait_for()
    said = text(ada)
    assert '"direction": "inbound"' in said
    assert "Example Person" not in said
    assert "outreach_event_fanout" in said
    ada.get_by_role("button", name="Show personal data").click()
    ada.get_by_role("dialog").locator("#confirm-yes").click()
    ada.get_by_text("personal data shown").wait_for()
    assert "Example Person" in text(ada)
    assert world.last_audit()[:2] == ("ada", "reveal event")
    ada.goto(f"{world.url}/events?kind=unrecognised")
    assert "strange.event" in text(ada)


def test_deliveries_show_tries_answers_and_the_next_try(world: Any, ada: Any) -> None:
    """State, tries with status and latency, what the endpoint said, and when Airflow tries again and why."""
    ada.goto(f"{world.url}/deliveries?state=retrying")
    row = ada.locator("tbody tr")
    assert row.count() == 1
    said = row.inner_text()
    assert "503" in said
    assert re.search(r"its task's try 2 of 9, in \d+ min", said), said
    ada.goto(f"{world.url}/deliveries?state=failed")
    ada.locator("tbody tr").get_by_role("link").first.click()
    ada.get_by_role("heading", name="Attempts").wait_for()
    said = text(ada)
    assert "400" in said
    assert re.search(r"\d+\sms", said)
    assert "send it again when the cause is mended" in said
    assert "outreach_event_fanout.deliver" in said
    ada.get_by_text("What came back").last.wait_for()
    assert "bytes that are no JSON; hidden" in text(ada)


def test_the_tab_of_a_task_that_waits_says_why_and_when(world: Any, ada: Any) -> None:
    """On Airflow's page of the task instance: the reason of the retry, the time of the next, the leads of each try."""
    path = f"dags/autumn/runs/{world.run_ids['autumn']}/tasks/submit_leads"
    ada.goto(f"{world.airflow.url}/{path}")
    ada.locator("a[href*='outreach-task']").click()
    frame = ada.frame_locator("iframe")
    note = frame.locator("main .note").first
    note.wait_for()
    said = note.inner_text()
    assert re.search(r"Try 2 of 4 in \d+ min", said), said
    assert "asks to wait 3000 s" in said
    assert "1 planned" in frame.locator("main").inner_text()


def test_from_the_tab_to_the_log_and_back(world: Any, ada: Any) -> None:
    """A row's link leaves the frame for its task instance's log in Airflow; the tab there leads back."""
    ada.goto(f"{world.airflow.url}/dags/spring/runs/{world.run_ids['spring']}/tasks/submit_leads")
    ada.locator("a[href*='outreach-task']").click()
    frame = ada.frame_locator("iframe")
    assert "3 held" in frame.locator("main").inner_text()
    frame.locator("tr", has_text="held").get_by_role("link", name="try 1").last.click()
    ada.wait_for_url("**/tasks/submit_leads?try_number=1**")
    ada.get_by_text("Rows by state").first.wait_for()
    ada.locator("a[href*='outreach-task']").click()
    assert "3 held" in ada.frame_locator("iframe").locator("main").inner_text()


def test_the_extra_link_leads_to_the_same(world: Any, ada: Any) -> None:
    """The operator's extra link on the task instance opens our page on exactly this task instance."""
    path = f"dags/spring/dagRuns/{world.run_ids['spring']}/taskInstances/submit_leads/links"
    link = world.airflow.api("GET", path)["extra_links"]["Outreach"]
    ada.goto(f"{world.airflow.url}/dags/spring/runs/{world.run_ids['spring']}/tasks/submit_leads/details")
    ada.goto(world.airflow.url.removesuffix("/team/airflow") + link)
    frame = ada.frame_locator("iframe")
    frame.get_by_role("heading", name="submit_leads").wait_for()
    assert "3 held" in frame.locator("main").inner_text()


def test_mapped_instances_carry_speaking_names(world: Any, ada: Any) -> None:
    """Airflow's list of mapped instances says what each is about, numbers masked; each one's tab has its deliveries."""
    delivery = world.scalar("SELECT id FROM deliveries WHERE state = 'failed'")
    query = "SELECT {} FROM delivery_attempts WHERE delivery_id = :id ORDER BY id DESC LIMIT 1"
    run = world.scalar(query.format("airflow_run_id"), id=delivery)
    index = world.scalar(query.format("map_index"), id=delivery)
    instances = world.airflow.task_instances("outreach_event_fanout", run, "deliver")
    names = {
        each["map_index"]: each["rendered_map_index"] for each in instances if each["map_index"] != index
    }
    assert all(name.startswith(("replied ", "interested ")) and "•••" in name for name in names.values()), (
        names
    )
    ada.goto(f"{world.airflow.url}/dags/outreach_event_fanout/runs/{run}/tasks/deliver/mapped/{index}")
    ada.locator("a[href*='outreach-task']").click()
    frame = ada.frame_locator("iframe")
    frame.get_by_role("heading", name="deliver").wait_for()
    said = frame.locator("main").inner_text()
    assert f"deliver[{index}] replied +1416•••0103" in said
    assert "503" in said
    assert f"#{delivery}" in said
    assert "Try 2 of 9" in said


def test_sources_and_endpoints_say_what_to_paste_and_how_they_are(world: Any, ada: Any) -> None:
    """The URL below the base path, the last event, why requests were refused, and each endpoint's last answer."""
    ada.goto(f"{world.url}/connections")
    said = text(ada)
    assert f"{world.url}/in/varda_demo" in said
    assert "X-Varda-Signature" in said
    assert "refusing" in said
    endpoint = ada.locator("#endpoint-outreach_endpoint_default").inner_text()
    assert "failing" in endpoint or "healthy" in endpoint
    assert "standard-webhooks" in endpoint


def _now_ms(world: Any) -> int:
    return int(world.store.now().timestamp() * 1000)
