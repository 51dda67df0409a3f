"""What somebody sees is what a colleague sees by its address; and what is broken is seen whenever one looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clicks import MOST, Clicks
from playwright.sync_api import expect

from airflow_outreach_provider.demo.airflow import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(1200),
]

ROUTE = "outreach_event_fanout"
ROOT = Path(__file__).parents[2]


def test_hand_over_a_link(world: Any, outage: Any, log_in: Callable[..., Any]) -> None:
    """10: the browser's address is what is seen, filters and times too; a colleague's rights and zone are their own."""
    ada, vic = (
        log_in(name, timezone_id=zone) for name, zone in (("ada", "America/Toronto"), ("vic", "Asia/Tokyo"))
    )
    clicks = Clicks(world, ada)
    clicks.link("Deliveries")
    clicks.heading("Deliveries")
    clicks.frame.get_by_role("search").get_by_label("Route").fill(ROUTE)
    clicks.frame.get_by_label("Tried from").fill(outage.fields[0])
    clicks.frame.get_by_label("Tried before").fill(outage.fields[1])
    clicks.button("Filter")
    expect(clicks.frame.locator("tbody tr")).to_have_count(6)
    ada.wait_for_url("**tried_since=*")
    assert clicks.count <= MOST
    vic.goto(ada.url)
    theirs = vic.frame_locator("iframe")
    expect(theirs.locator("tbody tr")).to_have_count(6)
    ids = [each.locator("tbody tr td:first-child").all_inner_texts() for each in (clicks.frame, theirs)]
    assert ids[0] == ids[1]
    begin = outage.begin.astimezone(ZoneInfo("Asia/Tokyo"))
    expect(theirs.get_by_label("Tried from")).to_have_value(f"{begin:%Y-%m-%dT%H:%M}")
    expect(theirs.get_by_text("Times are Asia/Tokyo.")).to_be_visible()
    expect(theirs.get_by_role("button", name="Send the failures")).to_have_count(0)


def test_hand_over_what_the_overview_shows(world: Any, log_in: Callable[..., Any]) -> None:
    """10 for a range that moves on: with its times fixed the address shows the same charts later."""
    clicks = Clicks(world, log_in("ada"))
    clicks.link("Overview")
    clicks.heading("Overview")
    clicks.link("Fix these times")
    clicks.page.wait_for_url("**since=*")
    vic = log_in("vic")
    vic.goto(clicks.page.url)
    theirs = vic.frame_locator("iframe")
    charts = [_charts(some) for some in (clicks.frame, theirs)]
    assert charts[0] == charts[1] != []
    assert clicks.count <= MOST


def _charts(frame: Any) -> list[str]:
    """What each chart says of itself, its time aside."""
    frame.locator("#custom[open]").wait_for()
    charts = frame.locator("figure svg").all()
    return [each.get_attribute("aria-label").partition(":")[2] for each in charts]


def test_a_link_opens_after_the_log_in(world: Any, browser: Any) -> None:
    """10 for who is not logged in: the page says so, and the way through Airflow's log-in ends where the link led."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{world.url}/deliveries?state=failed")
    page.get_by_role("link", name="Log in to Airflow").click()
    passwords = json.loads((world.airflow.home / "passwords.json").read_text())
    page.locator("input[name=username]").fill("vic")
    page.locator("input[name=password]").fill(passwords["vic"])
    page.locator("button[type=submit]").click()
    page.wait_for_url("**/plugin/outreach/**")
    expect(page.frame_locator("iframe").get_by_role("search").get_by_label("State")).to_have_value("failed")
    context.close()


def test_a_broken_file_is_seen_at_every_look(world: Any, ada: Any) -> None:
    """Airflow takes the error away again and again while the file is broken; on our page it stays, fifty looks long."""
    dags = world.airflow.home / "dags"
    folder = dags / "workflows"
    folder.mkdir()
    (folder / "bad.yaml").write_text('lead_syncs:\n  bad:\n    shedule: "@daily"\n    leads: {csv: a.csv}\n')
    (dags / "outreach_workflows.py").write_text((ROOT / "dags" / "outreach_workflows.py").read_text())

    def seen() -> bool:
        ada.goto(f"{world.url}/workflows")
        return "did you mean 'schedule'?" in ada.locator("main").inner_text()

    try:
        wait_until(seen, 90, "the file's error is on the page")
        missed = []
        for look in range(50):
            ada.wait_for_timeout(700)
            if not seen():
                missed.append(look)
        assert missed == []
    finally:
        (dags / "outreach_workflows.py").unlink()
        (folder / "bad.yaml").unlink()
        folder.rmdir()
