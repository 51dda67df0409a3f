"""Who may do what, requests of other sites, and hostile content, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.demo.airflow import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(300),
]

PAGES = (
    "",
    "leads",
    "runs",
    "events",
    "deliveries",
    "connections",
    "do-not-contact",
    "audit",
    "workflows",
    "campaigns",
    "person/lead/1",
)
# Each sets window.pwned if it runs in any context we know of: text, attribute, URL, template, SVG, JSON, CSS.
XSS = [
    "<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "\"><svg onload=window.pwned=1>",
    "'><body onload=window.pwned=1>", "javascript:window.pwned=1", "\" onmouseover=window.pwned=1 x=\"",
    "' autofocus onfocus=window.pwned=1 x='", "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "</title><script>window.pwned=1</script>", "</textarea><script>window.pwned=1</script>", "{{7*7}}${7*7}#{7*7}",
    "<a href=javascript:window.pwned=1>x</a>", "<math><mtext></mtext><mglyph><style><img src=x onerror=window.pwned=1>",
    "<style>@import'javascript:window.pwned=1'</style>", "<form action=javascript:window.pwned=1><button>x</button>",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e", "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "<base href=//evil.example>", "<meta http-equiv=refresh content='0;url=javascript:window.pwned=1'>",
    "--><script>window.pwned=1</script><!--", "]]><script>window.pwned=1</script>", "\u2028window.pwned=1",
]  # fmt: skip


def test_nobody_gets_in_without_logging_in(browser: Any, world: Any) -> None:
    """Without Airflow's log-in no page, API or file of the store is shown."""
    context = browser.new_context()
    page = context.new_page()
    for path in (*PAGES, "api/leads", "leads.csv", "api/openapi.json"):
        assert page.goto(f"{world.url}/{path}").status == 401, path
        assert "•••" not in page.content()
    context.close()


def test_a_viewer_sees_everything_masked_and_can_do_nothing(world: Any, vic: Any) -> None:
    """No button, no number, and 403 where the request is made by hand."""
    for path in PAGES:
        assert vic.goto(f"{world.url}/{path}").status == 200, path
        assert "you can look, not act" in vic.locator("footer").inner_text()
        assert vic.locator("[data-action], [data-reveal], [data-export]").count() == 0, path
    vic.goto(f"{world.url}/leads?state=held&campaign=spring")
    assert vic.locator("tbody tr").count() >= 3
    assert "+1416•••1301" in vic.locator("main").inner_text()
    for path, body in (
        ("api/actions/resolve", {"to": "accepted", "all": True, "go": True}), ("leads.csv", {}),
        ("api/endpoints/outreach_endpoint_default/disable", {"go": True}), ("api/actions/redeliver", {"all": True}),
        ("api/sources/varda_demo/disable", {"go": True}), ("leads/1", {}),
    ):  # fmt: skip
        status = vic.evaluate(
            """([url, body]) => fetch(url, {method: 'POST', body: JSON.stringify(body),
                headers: {'Content-Type': 'application/json', 'X-Outreach-Action': '1'}}).then((r) => r.status)""",
            [f"{world.url}/{path}", body],
        )
        assert status == 403, path


@pytest.fixture
def other_site(world: Any) -> Iterator[str]:
    """A page of somebody else's, on another port: the browser sends Airflow's cookie along."""
    target = f"{world.url}/api/actions/resolve"
    page = f"""<!doctype html><script>
      const body = JSON.stringify({{to: "accepted", all: true, go: true}});
      const send = (options) => fetch("{target}", {{method: "POST", credentials: "include", ...options}}).catch(() => 0);
      Promise.all([
        send({{mode: "no-cors", body}}),
        send({{mode: "no-cors", body, headers: {{"Content-Type": "text/plain"}}}}),
        send({{body, headers: {{"Content-Type": "application/json", "X-Outreach-Action": "1"}}}}),
        new Promise((done) => {{ const x = new XMLHttpRequest(); x.onloadend = done; x.open("POST", "{target}");
          x.withCredentials = true; x.send(body); }}),
      ]).then(() => {{ document.title = "sent"; document.forms[0].submit(); }});
    </script><form method=post action="{target}" enctype=text/plain>
    <input name='{{"to":"accepted","all":true,"go":true,"x":"' value='"}}'></form>"""

    with scripted(lambda *_: (200, page.encode(), {"Content-Type": "text/html"})) as url:
        yield f"{url}/"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_site_cannot_act_with_an_editors_session(
    world: Any, ada: Any, other_site: str, host: str
) -> None:
    """Fetch, XMLHttpRequest and a form of a page elsewhere are refused; same host, other port, included."""
    before = world.scalar("SELECT count(*) FROM leads WHERE state = 'held'")
    assert before >= 3
    log = world.airflow.home / "components" / "api-server.log"
    seen = log.stat().st_size
    ada.goto(other_site.replace("127.0.0.1", host))
    ada.wait_for_url("**/api/actions/resolve")
    wait_until(lambda: len(_posts(log, seen)) >= 4, 10, "the log has all four requests")
    assert set(_posts(log, seen)) <= {"401", "403"}
    assert world.scalar("SELECT count(*) FROM leads WHERE state = 'held'") == before


def _posts(log: Path, since: int) -> list[str]:
    """The statuses of what was posted to the action, by the API server's own log."""
    lines = log.read_text()[since:].splitlines()
    return [
        match.group(1)
        for line in lines
        if "actions/resolve" in line
        and "method=POST" in line
        and (match := re.search(r"status_code=(\d+)", line))
    ]


def _fill_with(world: Any) -> dict[str, list[str]]:
    """Every free text of the store set to something hostile; where to look at each."""
    paths: dict[str, list[str]] = {"leads": [], "events": [], "deliveries": []}
    now = int(world.store.now().timestamp() * 1000)
    for n, bad in enumerate(XSS):
        row = {"bad": bad, "n": n, "now": now, "json": json.dumps({bad: bad, "error": bad, "event": bad})}
        world.write(
            "INSERT INTO runs (id, campaign, owner, dag_id, task_id, airflow_run_id, state, source, started_at, "
            "heartbeat_at, lease_until, counts, reasons, error) VALUES (900000 + :n, :bad, :bad, :bad, :bad, :bad, "
            "'failed', :bad, :now, :now, 0, '{}', :reasons, :bad)",
            reasons=json.dumps({f"rejected:{bad}": 1}), **{k: row[k] for k in ("bad", "n", "now")},
        )  # fmt: skip
        world.write(
            "INSERT INTO leads (id, campaign, phone, state, reason, detail, payload, run_id, created_at, updated_at, "
            "contact_id) VALUES (900000 + :n, :bad, '+1416777' || (1000 + :n), 'held', :bad, :bad, :json, 900000 + :n, 1, 1, :bad)",
            **{k: row[k] for k in ("bad", "n", "json")},
        )
        world.write(
            "INSERT INTO attempts (lead_id, run_id, at, outcome, reason, detail) "
            "VALUES (900000 + :n, 900000 + :n, :now, 'held', :bad, :bad)",
            **{k: row[k] for k in ("bad", "n", "now")},
        )
        world.write(
            "INSERT INTO inbox_events (event_id, source, platform, type, kind, origin, occurred_at, received_at, "
            "campaign_id, name, email, phone, headers, body) VALUES ('evt_xss_' || :n, :bad, 'varda', :bad, 'unrecognised', "
            "'webhook', :now, :now, :bad, :bad, :bad, :bad, :headers, :body)",
            headers=json.dumps([[bad, bad], ["user-agent", bad]]), body=row["json"].encode(),
            **{k: row[k] for k in ("bad", "n", "now")},
        )  # fmt: skip
        world.write(
            "INSERT INTO deliveries (id, event_id, route, endpoint, lane, source, kind, label, state, last_error, "
            "created_at, updated_at) VALUES (900000 + :n, 'evt_xss_' || :n, :bad, :bad, 'x', :bad, 'replied', :bad, 'held', "
            ":bad, :now, :now)",
            **{k: row[k] for k in ("bad", "n", "now")},
        )
        world.write(
            "INSERT INTO delivery_attempts (delivery_id, at, verdict, error, answer, dag_id, task_id, airflow_run_id) "
            "VALUES (900000 + :n, :now, 'refused', :bad, :bad, :bad, :bad, :bad)",
            **{k: row[k] for k in ("bad", "n", "now")},
        )
        world.write(
            "INSERT INTO endpoints (conn_id, last_error, disabled_at, disabled_reason, disabled_by) VALUES (:bad, :bad, :now, :bad, :bad)",
            bad=bad, now=now,
        )  # fmt: skip
        world.write(
            "INSERT INTO audit (at, actor, action, subject, note) VALUES (:old, :bad, :bad, :bad, :bad)",
            bad=bad, old=now - 366 * 86_400_000,
        )  # fmt: skip # old enough to be removed again
        world.write(
            "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES (:bad, '+1416777' || (1000 + :n), :bad, :bad, :now)",
            bad=bad, n=n, now=now,
        )  # fmt: skip
        paths["leads"].append(f"leads/{900000 + n}")
        paths["events"].append(f"events/evt_xss_{n}")
        paths["deliveries"].append(f"deliveries/{900000 + n}")
    return paths


def _remove(world: Any) -> None:
    for table, column in (("leads", "id"), ("runs", "id"), ("deliveries", "id"), ("attempts", "lead_id"), ("delivery_attempts", "delivery_id")):  # fmt: skip
        world.write(f"DELETE FROM {table} WHERE {column} >= 900000")
    world.write("DELETE FROM inbox_events WHERE event_id LIKE 'evt_xss%'")
    world.write("DELETE FROM endpoints WHERE last_error = conn_id")
    world.write("DELETE FROM audit WHERE actor = action")
    world.write("DELETE FROM suppressions")


HARMLESS = """() => ({
    ran: window.pwned === undefined ? null : String(window.pwned),
    title: document.title,
    scripts: document.scripts.length,
    handlers: [...document.querySelectorAll("*")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length,
    foreign: document.querySelectorAll("iframe, object, embed, base, meta[http-equiv], main style, main script, math, main link").length,
    links: [...document.querySelectorAll("[href], [action], [src]")].map((e) => e.href?.baseVal ?? e.href ?? e.action ?? e.src)
        .filter((url) => !/^https?:\\/\\/(127\\.0\\.0\\.1|localhost)[:/]/.test(url)),
})"""


def test_no_hostile_text_ever_runs(world: Any, ada: Any) -> None:
    """In every free text of the store, on every page, masked and revealed: it is text, and the policy had nothing to stop."""
    stopped: list[str] = []
    ada.on(
        "console",
        lambda message: stopped.append(message.text) if "Content Security" in message.text else None,
    )
    ada.on("dialog", lambda dialog: (stopped.append(dialog.message), dialog.dismiss()))
    paths = _fill_with(world)
    try:
        lists = [
            *PAGES,
            "leads?state=held",
            "deliveries?state=held",
            "events?kind=unrecognised",
            "runs?state=failed",
        ]
        one_each = [name for kind in paths.values() for name in kind]
        for path in [*lists, *one_each, "runs/900000"]:
            ada.goto(f"{world.url}/{path}")
            _is_harmless(ada, path)
        for kind in paths.values():
            ada.goto(f"{world.url}/{kind[1]}")
            ada.get_by_role("button", name="Show personal data").click()
            ada.get_by_role("dialog").locator("#confirm-yes").click()
            ada.get_by_text("personal data shown").wait_for()
            _is_harmless(ada, f"{kind[1]}, revealed")
        assert stopped == []
    finally:
        _remove(world)


def _is_harmless(page: Any, where: str) -> None:
    found = page.evaluate(HARMLESS)
    assert found["ran"] is None, where
    assert found["title"].endswith("· Outreach"), where
    assert (found["scripts"], found["handlers"], found["foreign"], found["links"]) == (2, 0, 0, []), (
        where,
        found,
    )


def test_hostile_words_asked_for_come_back_as_text(world: Any, ada: Any) -> None:
    """What is in the address is shown in the fields of the filter, and nowhere else."""
    for bad in XSS:
        for path, name in (
            ("leads", "campaign"),
            ("events", "source"),
            ("deliveries", "route"),
            ("runs", "campaign"),
        ):
            ada.goto(f"{world.url}/{path}?{name}={_quoted(bad)}")
            _is_harmless(ada, f"{path}?{name}={bad}")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def test_log_in_of_each_person_is_their_own(world: Any, log_in: Callable[..., Any]) -> None:
    """Two people in two browsers: what is written down names who did it."""
    ada, vic = log_in("ada"), log_in("vic")
    ada.goto(f"{world.url}/")
    vic.goto(f"{world.url}/")
    assert "You are ada" in ada.locator("footer").inner_text()
    assert "You are vic" in vic.locator("footer").inner_text()
