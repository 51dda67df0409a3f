"""For everybody: by keyboard, with a screen reader, in light and dark, on a laptop and a phone, in any time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(400),
]


def every_page(world: Any) -> list[str]:
    """Lists, details of one row each, and the tab."""
    event = world.scalar("SELECT event_id FROM deliveries WHERE last_status = 400")
    tab = f"task?dag_id=spring&task_id=submit_leads&run_id={world.run_ids['spring'].replace('+', '%2B')}"
    return [
        "", "leads", "runs", "events", "deliveries", "connections", "do-not-contact", "audit", tab, "nowhere",
        "workflows", "workflows/outreach_event_fanout", "campaigns", "campaigns?campaign=spring",
        f"person/lead/{world.scalar('SELECT min(id) FROM leads')}",
        f"leads/{world.scalar('SELECT min(id) FROM leads')}", f"runs/{world.scalar('SELECT min(id) FROM runs')}",
        f"events/{event}", f"deliveries/{world.scalar('SELECT min(id) FROM deliveries WHERE last_status = 400')}",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(world: Any, log_in: Callable[..., Any], width: int, scheme: str) -> None:
    """axe-core has no serious or critical finding on any page; a phone needs no scrolling sideways."""
    from axe_core_python.sync_playwright import Axe

    page = log_in("ada", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 850})
    for path in every_page(world):
        page.goto(f"{world.url}/{path}")
        found = Axe().run(page)["violations"]
        serious = [
            (v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), path


def test_axe_finds_nothing_serious_in_a_dialog(world: Any, ada: Any) -> None:
    """The confirmation too, and the word about what was done."""
    from axe_core_python.sync_playwright import Axe

    ada.goto(f"{world.url}/connections")
    ada.get_by_role("button", name="Check: supersend_demo").click()
    ada.get_by_role("dialog").wait_for()
    for _ in range(2):
        found = Axe().run(ada)["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
        ada.keyboard.press("Tab")
        ada.keyboard.press("Enter")
        ada.locator("#toast p").wait_for()


def test_by_keyboard_alone(world: Any, ada: Any) -> None:
    """Past the navigation, to a button, into the dialog and out again: focus is where one expects it."""
    ada.goto(f"{world.url}/connections")
    ada.keyboard.press("Tab")
    expect(ada.get_by_role("link", name="Skip to content")).to_be_focused()
    ada.keyboard.press("Enter")
    expect(ada.locator("main")).to_be_focused()
    button = ada.get_by_role("button", name="Disable: outreach_endpoint_default")
    for _ in range(40):
        ada.keyboard.press("Tab")
        if button.evaluate("(each) => each === document.activeElement"):
            break
    expect(button).to_be_focused()
    assert button.evaluate("(each) => getComputedStyle(each).outlineStyle") != "none"
    ada.keyboard.press("Enter")
    dialog = ada.get_by_role("dialog", name="Disable outreach_endpoint_default?")
    dialog.wait_for()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    ada.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert (
        world.scalar("SELECT disabled_at FROM endpoints WHERE conn_id = 'outreach_endpoint_default'") is None
    )


def test_what_a_screen_reader_is_told(world: Any, ada: Any) -> None:
    """Landmarks, one first heading, named regions and columns, and buttons that say what they are about."""
    ada.goto(f"{world.url}/deliveries")
    told = ada.locator("body").aria_snapshot()
    for line in ('navigation "Outreach"', 'link "Deliveries"', "main", 'heading "Deliveries" [level=1]', "search",
                 'combobox "State"', 'region "Deliveries"', 'columnheader "Delivery"', "contentinfo"):  # fmt: skip
        assert line in told, (line, told[:2000])
    for path in every_page(world):
        ada.goto(f"{world.url}/{path}")
        assert ada.locator("h1").count() == 1, path
        nameless = ada.evaluate(
            """() => [...document.querySelectorAll("button, a[href], input, select, textarea, svg[role=img]")].filter((e) =>
                !(e.innerText?.trim() || e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim() || e.type === "hidden")
                && e.offsetParent !== null).map((e) => e.outerHTML.slice(0, 200))"""
        )
        assert nameless == [], path
        names = ada.evaluate(
            """() => [...document.querySelectorAll("main button")].map((e) => e.getAttribute("aria-label") || e.innerText)"""
        )
        assert len(names) == len(set(names)), (path, names)


def test_a_live_page_leaves_a_person_alone(world: Any, ada: Any) -> None:
    """Focus, open details, what was typed and how far was scrolled survive the page's own renewal."""
    ada.goto(
        f"{world.url}/deliveries/{world.scalar('SELECT min(id) FROM deliveries WHERE last_status = 400')}"
    )
    ada.evaluate("document.getElementById('main').dataset.live = '1'")
    summary = ada.locator("summary").first
    before = ada.locator("details[open]").count()
    summary.click()
    chosen = ada.locator("details[open]").count()
    assert abs(chosen - before) == 1
    with ada.expect_response("**/deliveries/*"):
        ada.evaluate("refresh(true)")
    assert ada.locator("details[open]").count() == chosen
    expect(summary).to_be_focused()
    ada.goto(f"{world.url}/leads")
    ada.get_by_role("search").get_by_label("Reason").fill("half a word")
    ada.get_by_role("button", name="Filter").focus()
    ada.evaluate("refresh(false)")
    ada.wait_for_timeout(500)
    expect(ada.get_by_role("search").get_by_label("Reason")).to_have_value("half a word")


def test_a_page_that_is_no_longer_live_says_so(world: Any, ada: Any) -> None:
    """Logged out meanwhile, the page says that it is not renewed any more, and what to do."""
    ada.goto(f"{world.url}/deliveries")
    ada.evaluate("document.getElementById('main').dataset.live = '1'")
    ada.route("**/deliveries", lambda route: route.fulfill(status=401, body="{}"))
    ada.evaluate("keepLive()")
    stale = ada.locator("#stale")
    expect(stale).to_contain_text("no longer logged in", timeout=10_000)
    ada.unroute("**/deliveries")
    expect(stale).to_be_hidden(timeout=10_000)


def test_light_and_dark_follow_airflow(world: Any, ada: Any) -> None:
    """The theme chosen in Airflow's own page is ours too, at once."""
    ada.goto(world.airflow.url + "/")
    ada.get_by_text("Outreach", exact=True).first.click()
    frame = ada.frame_locator("iframe")
    frame.get_by_role("heading", name="Workflows").wait_for()
    for theme in ("dark", "light"):
        ada.evaluate(f"document.documentElement.className = '{theme}'")
        expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    assert (
        frame.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    )


def test_times_are_in_the_zone_chosen_in_airflow(world: Any, ada: Any) -> None:
    """UTC unless a person chose another zone in Airflow; then that one, on every page."""
    ada.goto(f"{world.url}/deliveries")
    assert "Times are UTC." in ada.locator("footer").inner_text()
    clock = ada.locator("tbody time").first
    utc = clock.inner_text()
    ada.evaluate("localStorage.setItem('timezone', JSON.stringify('Asia/Tokyo'))")
    ada.reload()
    assert "Times are Asia/Tokyo." in ada.locator("footer").inner_text()
    there = clock.get_attribute("title")
    hour = int(utc.split()[-1][:2])
    assert f" {(hour + 9) % 24:02d}:" in there, (utc, there)
    ada.evaluate("localStorage.setItem('timezone', 'nonsense')")
    ada.reload()
    assert "Times are UTC." in ada.locator("footer").inner_text()
