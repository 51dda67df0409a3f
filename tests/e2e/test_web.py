"""The pages as people meet them: a real browser, through Airflow's own log-in, menu and frame."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger_schema import leads
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.chromium, pytest.mark.timeout(300)]

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PEOPLE = {"ada": ("admin", "pass-of-ada"), "vic": ("viewer", "pass-of-vic")}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three held leads, one of them with a hostile answer, and a few accepted ones."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'outreach.db'}")
    upgrade(store)
    now = datetime.now(UTC)
    common = {"created_at": now, "updated_at": now, "sent_at": now, "payload": "{}", "tries": 1}
    rows = [
        {"campaign": "spring", "phone": f"+1416555{n:04d}", "state": "held" if n < 103 else "accepted",
         "reason": "server_error", "detail": HOSTILE if n == 100 else "", **common}
        for n in range(100, 110)
    ]  # fmt: skip
    with store.write() as connection:
        connection.execute(leads.insert(), rows)
    yield store
    store.close()


@pytest.fixture(scope="module")
def airflow(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAirflow]:
    home = tmp_path_factory.mktemp("home")
    (home / "passwords.json").write_text(
        json.dumps({name: password for name, (_, password) in PEOPLE.items()})
    )
    environment = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, (role, _) in PEOPLE.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": store.url.render_as_string(hide_password=False),
    }
    dags = home / "dags"
    dags.mkdir()
    with running_airflow(home, dags, environment=environment, components=["api-server"]) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def log_in(browser: Any, airflow: RunningAirflow) -> Iterator[Callable[[str], Any]]:
    """``log_in("ada")``: a page of a browser in which that person has logged in by Airflow's own form."""
    contexts = []

    def enter(name: str, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1360, "height": 850}, **options)
        contexts.append(context)
        page = context.new_page()
        page.goto(airflow.url + "/")
        page.wait_for_url("**/login**")
        page.locator("input[name=username]").fill(name)
        page.locator("input[name=password]").fill(PEOPLE[name][1])
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    yield enter
    for context in contexts:
        context.close()


def outreach_frame(page: Any) -> Any:
    """The pages inside Airflow's frame, opened by its menu."""
    page.get_by_text("Outreach", exact=True).first.click()
    page.wait_for_url("**/plugin/outreach**")
    return page.frame_locator("iframe")


def test_opened_by_the_menu_the_pages_show_the_ledger(log_in: Callable[..., Any]) -> None:
    """Logged in, a click on the menu shows the overview in Airflow's frame; every page of it opens."""
    page = log_in("ada")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    frame = outreach_frame(page)
    frame.get_by_role("heading", name="Overview").wait_for()
    assert "3 held leads" in frame.locator("body").inner_text()
    for name in ("Leads", "Events", "Deliveries", "Sources & endpoints", "Do not contact", "Audit"):
        frame.get_by_role("link", name=name, exact=True).first.click()
        frame.get_by_role("heading", name=name, level=1).wait_for()
    assert problems == []


def test_numbers_are_masked_and_hostile_text_is_text(
    log_in: Callable[..., Any], airflow: RunningAirflow
) -> None:
    """No whole number is on the page, and what an endpoint answered is shown, never run."""
    page = log_in("ada")
    page.goto(f"{airflow.url}/outreach/leads?state=held")
    text = page.locator("body").inner_text()
    assert "+1416•••0100" in text
    assert "4165550100" not in page.content().replace("+1416•••0100", "")
    assert "onerror" in text
    page.wait_for_timeout(300)
    assert page.title() != "owned"


def test_an_editor_settles_a_held_lead_after_a_confirmation(
    log_in: Callable[..., Any], airflow: RunningAirflow, store: Store
) -> None:
    """An action asks in the page before it is done, changes the ledger and leaves an audit row."""
    page = log_in("ada")
    with store.read() as connection:
        lead = connection.execute(
            sa.text("SELECT id FROM leads WHERE state = 'held' ORDER BY id DESC LIMIT 1")
        ).scalar()
    page.goto(f"{airflow.url}/outreach/leads/{lead}")
    page.get_by_role("button", name="accepted").first.click()
    page.get_by_role("dialog").get_by_role("button").last.click()
    page.wait_for_timeout(1500)
    with store.read() as connection:
        state = connection.execute(sa.text("SELECT state FROM leads WHERE id = :id"), {"id": lead}).scalar()
        who = connection.execute(sa.text("SELECT actor FROM audit ORDER BY id DESC LIMIT 1")).scalar()
    assert state == "accepted"
    assert "ada" in str(who)


def test_a_viewer_sees_and_cannot_act(log_in: Callable[..., Any], airflow: RunningAirflow) -> None:
    """A viewer reads the pages, is offered no action, and is refused where the request is made by hand."""
    page = log_in("vic")
    page.goto(f"{airflow.url}/outreach/leads?state=held")
    assert "held" in page.locator("body").inner_text()
    assert page.get_by_role("button", name="Resolve").count() == 0
    status = page.evaluate(
        """() => fetch('/outreach/api/actions/resolve', {method: 'POST', body: '{"ids": [1], "to": "accepted"}',
            headers: {'Content-Type': 'application/json', 'X-Outreach-Action': '1'}}).then(r => r.status)"""
    )
    assert status == 403


def test_nobody_gets_in_without_logging_in(browser: Any, airflow: RunningAirflow) -> None:
    """Without Airflow's log-in the pages show nothing of the ledger."""
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(f"{airflow.url}/outreach/leads")
    assert answer.status == 401
    assert "•••" not in page.content()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["", "leads", "events", "deliveries", "connections", "do-not-contact", "audit"]
)
def test_axe_finds_nothing_serious(
    log_in: Callable[..., Any], airflow: RunningAirflow, path: str, scheme: str
) -> None:
    """axe-core has no serious or critical finding on any page, in light and dark, on a laptop and a phone."""
    from axe_core_python.sync_playwright import Axe

    page = log_in("ada", color_scheme=scheme)
    for width in (1360, 390):
        page.set_viewport_size({"width": width, "height": 850})
        assert page.goto(f"{airflow.url}/outreach/{path}").status == 200
        found = Axe().run(page)["violations"]
        serious = [
            (v["id"], [n["html"][:200] for n in v["nodes"][:2]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == []
