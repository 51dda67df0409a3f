"""What somebody chose, typed, opened or focused outlives every renewal of a page, and is what is asked and done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.e2e, pytest.mark.xdist_group("world"), pytest.mark.lasts(350), pytest.mark.chromium, pytest.mark.timeout(400), pytest.mark.usefixtures("as_it_was"),
]  # fmt: skip

ENDPOINT = "outreach_endpoint_default"

# Each control of the page gets another state than it came with; what it has then, by its place.
TOUCH_ALL = """() => [...document.querySelectorAll("#main input, #main select, #main textarea, #main details")].map((e, n) => {
    if (e.matches("details")) e.open = true;
    else if (e.matches("[type=checkbox], [type=radio]")) e.checked = !e.checked;
    else if (e.matches("select")) e.selectedIndex = e.options.length - 1;
    else if (e.type === "datetime-local") e.value = "2026-03-25T18:30";
    else if (e.type !== "hidden") e.value = `typed ${n}`;
    return e;
}).length"""
SEEN = """() => [...document.querySelectorAll("#main input, #main select, #main textarea, #main details")].map((e) =>
    [e.tagName, e.name ?? e.id, e.matches("details") ? e.open : e.matches("[type=checkbox], [type=radio]") ? e.checked : e.value])"""
# The server's next page has something new before, between and after everything that was there.
SHAKE = """async () => {
    const [real, url] = [window.fetch, location.href];
    const page = new DOMParser().parseFromString(await (await real(url)).text(), "text/html");
    const extra = (tag, text) => Object.assign(page.createElement(tag), { textContent: text });
    for (const each of page.querySelectorAll("#main, #main section, #main .panels > li, #main form, #main .actions"))
        { each.prepend(extra("p", "new")); each.append(extra("p", "new")); }
    for (const each of page.querySelectorAll("#main select"))
        { each.prepend(extra("option", "a new first")); each.append(extra("option", "a new last")); }
    for (const each of page.querySelectorAll("#main .panels, #main .attempts")) each.prepend(extra("li", "a new neighbour"));
    for (const each of page.querySelectorAll("#main tbody")) each.prepend(each.rows[0]?.cloneNode(true) ?? "");
    const html = "<!doctype html>" + page.documentElement.outerHTML;
    window.fetch = (to, how) => (to === url ? new Response(html) : real(to, how));
    window.asItWas = () => { window.fetch = real; };
}"""
# Everything that can have the focus has it once while the page is renewed; what lost it.
FOCUS_ALL = """async () => {
    const lost = [];
    for (const each of document.querySelectorAll("#main a[href], #main button, #main input, #main select, #main textarea, #main summary")) {
        if (!each.isConnected || !each.checkVisibility()) continue;
        each.focus();
        await refresh(true);
        if (document.activeElement !== each) lost.push(each.outerHTML);
    }
    return lost;
}"""


def disable(world: Any, *names: str) -> None:
    """Endpoints as somebody left them who disabled them."""
    for name in names:
        world.write("DELETE FROM endpoints WHERE conn_id = :name", name=name)
        world.write(
            "INSERT INTO endpoints (conn_id, last_error, disabled_at, disabled_reason, disabled_by) "
            "VALUES (:name, '', 1, 'by hand', 'ada')",
            name=name,
        )


def pages_with_controls(world: Any) -> list[str]:
    event, row = (
        world.scalar(f"SELECT {what} FROM deliveries WHERE last_status = 400") for what in ("event_id", "id")
    )
    tab = f"task?dag_id=spring&task_id=submit_leads&run_id={world.run_ids['spring'].replace('+', '%2B')}"
    return [
        "leads", "leads?state=held&campaign=spring", "runs", "events", "events?kind=replied", f"events/{event}",
        "deliveries", "deliveries?state=dead", f"deliveries/{row}", "connections", "do-not-contact", tab,
    ]  # fmt: skip


def test_every_control_of_every_page_outlives_every_refresh(world: Any, ada: Any) -> None:
    """Selects, fields, boxes and details keep what a person gave them, wherever they stand by then, forced or by time."""
    disable(world, ENDPOINT)
    touched = 0
    for path in pages_with_controls(world):
        ada.goto(f"{world.url}/{path}")
        touched += ada.evaluate(TOUCH_ALL)
        before = ada.evaluate(SEEN)
        ada.evaluate(SHAKE)
        for forced in ("true", "false"):
            ada.evaluate(f"refresh({forced})")
            assert ada.locator("#main > p", has_text="new").count() == 2
            assert ada.evaluate(SEEN) == before, path
        ada.evaluate("asItWas()")
        ada.evaluate("refresh(false)")
        assert ada.locator("#main > p", has_text="new").count() == 0
        assert ada.evaluate(SEEN) == before, path
    assert touched > 30


def test_focus_stays_on_every_page(world: Any, ada: Any) -> None:
    """Every link, button and field that has the focus while the page is renewed has it afterwards."""
    disable(world, ENDPOINT)
    for path in pages_with_controls(world):
        ada.goto(f"{world.url}/{path}")
        ada.evaluate(SHAKE)
        assert ada.evaluate(FOCUS_ALL) == [], path


def test_the_caret_and_scrolling_stay(world: Any, ada: Any) -> None:
    """Somebody goes on typing in the middle of a word, and a table stays where it was scrolled to."""
    ada.set_viewport_size({"width": 500, "height": 700})
    places = "[...document.querySelectorAll('.scroll')].map((e) => e.scrollLeft)"
    ada.goto(f"{world.url}/leads?state=held")
    field = ada.get_by_role("search").get_by_label("Reason")
    field.press_sequentially("half a word")
    field.press("ArrowLeft")
    ada.evaluate("document.querySelectorAll('.scroll').forEach((e) => e.scrollTo(60, 0))")
    before = ada.evaluate(places)
    ada.evaluate(SHAKE)
    ada.evaluate("refresh(true)")
    ada.keyboard.type("X")
    expect(field).to_have_value("half a worXd")
    assert ada.evaluate(places) == before
    assert max(before) > 0


def test_chosen_columns_stay_chosen(world: Any, ada: Any) -> None:
    """By keyboard; over refreshes, pages and visits, in every table of the kind; no link and no sorting depends on it."""
    ada.goto(f"{world.url}/deliveries")
    menu, route = ada.locator("details.columns"), ada.get_by_role("columnheader", name="Route")
    expect(route).to_be_visible()
    menu.locator("summary").press("Enter")
    ada.get_by_role("checkbox", name="Route").press("Space")
    expect(route).to_be_hidden()
    cells = ada.locator("table[data-columns] tbody tr").first.locator("td:visible").count()
    ada.evaluate(SHAKE)
    for forced in ("true", "false"):
        ada.evaluate(f"refresh({forced})")
        expect(route).to_be_hidden()
        expect(ada.get_by_role("checkbox", name="Route")).to_be_focused()
        assert menu.evaluate("(each) => each.open")
    assert ada.locator("table[data-columns] tbody tr").first.locator("td:visible").count() == cells
    ada.keyboard.press("Escape")
    assert not menu.evaluate("(each) => each.open")
    expect(menu.locator("summary")).to_be_focused()
    ada.get_by_role("link", name="Delivery", exact=True).click()
    ada.wait_for_url("**/deliveries?sort=oldest")
    expect(ada.get_by_role("columnheader", name="Delivery")).to_have_attribute("aria-sort", "ascending")
    expect(route).to_be_hidden()
    ada.goto(f"{world.url}/events/{world.scalar('SELECT event_id FROM deliveries WHERE last_status = 400')}")
    deliveries = ada.get_by_role("region", name="Deliveries")
    expect(deliveries.get_by_role("columnheader", name="State")).to_be_visible()
    expect(deliveries.get_by_role("columnheader", name="Route")).to_be_hidden()
    for nonsense in ("nonsense", "[]", '{"deliveries": 3}', "null"):
        ada.evaluate("(text) => localStorage.setItem('outreach-columns', text)", nonsense)
        ada.goto(f"{world.url}/deliveries")
        expect(route).to_be_visible()


@pytest.mark.parametrize("secure", [True, False])
def test_an_id_is_copied_whole(world: Any, ada: Any, secure: bool) -> None:
    """What the page cuts short or breaks is whole in the clipboard, over plain HTTP too, after a refresh too."""
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=world.airflow.url)
    ada.goto(f"{world.url}/events")
    if not secure:
        ada.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    ada.evaluate("refresh(true)")
    cut = ada.locator(
        "[data-whole]:not([data-whole='evt_odd'])"
    )  # which is as short as what is shown of the others
    row = ada.locator("tbody tr", has=cut).first
    whole = row.locator("[data-whole]").get_attribute("data-whole")
    assert whole and whole not in row.inner_text()
    button = row.get_by_role("button", name="Copy")
    button.focus()
    ada.keyboard.press("Enter")
    expect(ada.locator("#toast p")).to_have_text("Copied.")
    expect(button).to_be_focused()
    field = ada.get_by_role("search").get_by_label("Campaign")
    field.press("Control+V")
    expect(field).to_have_value(whole)


def asked_and_done(page: Any) -> list[dict[str, Any]]:
    """What the page posts from now on."""
    bodies: list[dict[str, Any]] = []
    page.on(
        "request",
        lambda request: bodies.append(json.loads(request.post_data)) if request.method == "POST" else None,
    )
    return bodies


@pytest.mark.parametrize(
    ("choice", "says", "becomes"),
    [
        ("none", "none is sent, they are dead", "dead"),
        ("latest", "the latest of each contact is sent", "pending"),
    ],
)
def test_a_choice_made_while_the_page_is_renewed_is_the_one_that_is_done(
    world: Any, ada: Any, choice: str, says: str, becomes: str
) -> None:
    """The page after an action arrives late, after somebody chose: what is chosen, said and done is one and the same."""
    row = world.scalar("SELECT min(id) FROM deliveries WHERE last_status = 400")
    disable(world, ENDPOINT, "another_endpoint")
    world.write(
        "UPDATE deliveries SET state = 'held', endpoint = :name WHERE id = :id", id=row, name=ENDPOINT
    )
    ada.goto(f"{world.url}/connections")
    panel = ada.locator("li", has_text=ENDPOINT)
    late: list[Any] = []
    ada.route("**/connections", lambda route: late.append(route))
    panel.get_by_role("button", name="Send test").click()
    ada.get_by_role("dialog").locator("#confirm-yes").click()
    ada.locator("#toast p").wait_for()
    while not late:
        ada.wait_for_timeout(50)
    panel.get_by_label("Held deliveries").select_option(choice)
    # And another endpoint, before this one, goes meanwhile.
    world.write("DELETE FROM endpoints WHERE conn_id = 'another_endpoint'")
    late.pop().continue_()
    expect(ada.locator("li", has_text="another_endpoint")).to_have_count(0)
    ada.unroute("**/connections")
    bodies = asked_and_done(ada)
    panel.get_by_role("button", name="Enable").click()
    dialog = ada.get_by_role("dialog")
    dialog.wait_for()
    assert says in dialog.inner_text()
    # Whatever becomes of the page behind the dialog.
    ada.evaluate("document.querySelector('select[name=release]').value = 'all'")
    ada.evaluate("refresh(true)")
    dialog.locator("#confirm-yes").click()
    panel.get_by_role("button", name="Disable").wait_for()
    assert [body["release"] for body in bodies] == [choice, choice]
    assert world.scalar("SELECT state FROM deliveries WHERE id = :id", id=row) == becomes


def test_every_form_asks_for_what_was_seen_after_a_refresh(world: Any, ada: Any) -> None:
    """Between choosing and clicking the page is renewed: the question carries what was chosen, and so does the deed."""
    event = world.scalar("SELECT event_id FROM deliveries WHERE state = 'delivered' ORDER BY id LIMIT 1")
    disable(world, ENDPOINT)
    with world.store.read() as connection:
        consumers = [
            row[0]
            for row in connection.exec_driver_sql("SELECT consumer FROM inbox_consumers ORDER BY consumer")
        ]
    for path, name, chosen in (
        ("connections", "release", "latest"),
        ("connections", "release", "none"),
        (f"events/{event}", "consumer", consumers[-1]),
        ("events?kind=replied", "consumer", consumers[-1]),
        ("do-not-contact", "campaign", "spring"),
        ("do-not-contact", "reason", "asked by phone"),
    ):
        ada.goto(f"{world.url}/{path}")
        form = ada.locator("form[data-action]", has=ada.locator(f"[name={name}]"))
        ada.evaluate(SHAKE)
        if name in ("campaign", "reason"):
            form.locator("[name=phones]").fill("+1 416 555 9001")
            form.locator(f"[name={name}]").fill(chosen)
        else:
            form.locator(f"[name={name}]").select_option(chosen)
        ada.evaluate("refresh(true)")
        bodies = asked_and_done(ada)
        form.locator("button").click()
        dialog = ada.get_by_role("dialog")
        dialog.wait_for()
        assert bodies[0][name] == chosen, path
        said = dialog.locator("#confirm-text").inner_text()
        if name in ("campaign", "consumer"):
            assert chosen in said
        dialog.locator("#confirm-yes").click()
        ada.locator("#toast p").wait_for()
        assert bodies[1] == bodies[0] | {"go": True, "expect": bodies[1]["expect"], "confirmed": said}
        disable(world, ENDPOINT)


def test_what_changed_behind_the_dialog_is_asked_again(world: Any, ada: Any) -> None:
    """More deliveries are held by the time somebody agrees: nothing is done, the new number is asked for."""
    disable(world, ENDPOINT)
    world.write("UPDATE deliveries SET endpoint = :name WHERE state = 'delivered'", name=ENDPOINT)
    rows = "SELECT id FROM deliveries WHERE state = 'delivered' ORDER BY id LIMIT 1"
    ada.goto(f"{world.url}/connections")
    ada.get_by_label("Held deliveries").select_option("none")
    ada.get_by_role("button", name=f"Enable {ENDPOINT}").click()
    dialog = ada.get_by_role("dialog")
    expect(dialog).to_contain_text("Held deliveries (0): none is sent")
    row = world.scalar(rows)
    world.write("UPDATE deliveries SET state = 'held' WHERE id = :id", id=row)
    dialog.locator("#confirm-yes").click()
    expect(dialog).to_contain_text("This has changed meanwhile.")
    expect(dialog).to_contain_text("Held deliveries (1): none is sent, they are dead")
    assert world.scalar("SELECT state FROM deliveries WHERE id = :id", id=row) == "held"
    dialog.locator("#confirm-yes").click()
    ada.get_by_role("button", name=f"Disable: {ENDPOINT}").wait_for()
    assert world.scalar("SELECT state FROM deliveries WHERE id = :id", id=row) == "dead"


def test_an_option_that_is_gone_stays_seen(world: Any, ada: Any) -> None:
    """A chosen option the server has no more is still the one that is seen and sent, never another one in silence."""
    event = world.scalar("SELECT event_id FROM deliveries WHERE state = 'delivered' ORDER BY id LIMIT 1")
    ada.goto(f"{world.url}/events/{event}")
    seen = ada.get_by_label("Replay for").input_value()
    ada.route(
        lambda url: "/outreach/events/" in url,
        lambda route: route.fulfill(
            body=route.fetch().text().replace(f"<option>{seen}</option>", "<option>another</option>"),
            content_type="text/html",
        ),
    )
    ada.evaluate("refresh(true)")
    expect(ada.locator("option", has_text="another")).to_be_attached()
    expect(ada.get_by_label("Replay for")).to_have_value(seen)
