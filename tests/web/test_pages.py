"""Pages and actions in a mounted application: rights, origins, masking, escaping, audit."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.lists import LeadFilter, lead_story, list_leads
from airflow_outreach_provider.store.ledger.tables import consents

PHONE = "+14165550123"
ACTION = {"X-Outreach-Action": "1"}
PATHS = ("/", "/overview", "/leads", "/runs", "/events", "/deliveries", "/connections", "/do-not-contact", "/audit", "/workflows", "/campaigns", "/person",
         "/api/workflows", "/api/campaigns",
         "/api/overview", "/api/leads", "/api/openapi.json", "/static/app.js")  # fmt: skip

Site = Callable[..., Any]
NewLead = Callable[..., int]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


def resolve(browser: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return browser.post(
        url("/api/actions/resolve"), json=body, headers=ACTION if headers is None else headers
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_page_answers_and_is_strict(site: Site, lead: NewLead, path: str) -> None:
    """Every page opens for a viewer, allows no inline script, and nothing but static files opens without log-in."""
    lead()
    answer = site("VIEWER").get(url(path))
    assert answer.status_code == 200, answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert site(None).get(url(path)).status_code == (200 if "/static/" in path else 401)


def test_hostile_text_is_text(site: Site, lead: NewLead) -> None:
    """No markup of a lead is markup on a page, whole or masked."""
    lead_id = lead()
    editor = site("OP")
    for answer in (editor.get(url("/leads")), editor.get(url(f"/leads/{lead_id}")),
                   editor.post(url(f"/leads/{lead_id}"), headers=ACTION)):  # fmt: skip
        assert answer.status_code == 200
        assert "<script>window" not in answer.text
        assert "<img src=x" not in answer.text
        assert "&lt;script&gt;" in answer.text


@pytest.mark.slow
def test_personal_data_is_masked_until_an_editor_asks(site: Site, store: Store, lead: NewLead) -> None:
    """A number is masked everywhere, whole only for an editor who asks, and that leaves an audit row."""
    lead_id = lead()
    editor, viewer = site("OP"), site("VIEWER")
    for path in ("/leads", f"/leads/{lead_id}", "/api/leads", f"/api/leads/{lead_id}", "/leads.csv"):
        assert PHONE not in editor.get(url(path)).text, path
    assert viewer.post(url(f"/leads/{lead_id}"), headers=ACTION).status_code == 403
    assert PHONE not in viewer.post(url("/leads.csv"), headers=ACTION).text
    assert audit.entries(store).rows == []
    assert PHONE in editor.post(url(f"/leads/{lead_id}"), headers=ACTION).text
    rows = list(csv.DictReader(editor.post(url("/leads.csv"), headers=ACTION).text.splitlines()))
    assert [row["phone"] for row in rows] == [PHONE]
    assert [row.action for row in audit.entries(store).rows] == ["export leads revealed", "reveal lead"]


def test_an_endpoints_url_is_whole_for_editors_only(site: Site) -> None:
    """The path of an endpoint's URL may be a secret: a viewer sees its host."""
    assert "secret-path" in site("OP").get(url("/connections")).text
    viewed = site("VIEWER").get(url("/connections")).text
    assert "crm.example.com" in viewed
    assert "secret-path" not in viewed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        ACTION | {"Origin": "https://evil.example"},
        ACTION | {"Origin": "null"},
        ACTION | {"Origin": "ftp://testserver"},
        ACTION | {"Origin": "http://testserver", "X-Forwarded-Proto": "https"},
        ACTION | {"Origin": "http://testserver:8443"},
        ACTION | {"Sec-Fetch-Site": "cross-site"},
        ACTION | {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_request_changes_nothing(
    site: Site, store: Store, lead: NewLead, headers: dict[str, str]
) -> None:
    """Without our header, or from another origin, an editor's own cookie does nothing."""
    lead_id = lead()
    assert resolve(site("OP"), headers, ids=[lead_id], to="accepted", go=True).status_code == 403
    story = lead_story(store, lead_id)
    assert story is not None
    assert story.lead.state == "held"
    assert audit.entries(store).rows == []


def test_the_page_of_a_lead_shows_the_evidence_of_consent(site: Site, store: Store, lead: NewLead) -> None:
    """Column, value, source and line, where the sync required consent; no empty section elsewhere."""
    agreed, other = lead(), lead("+14165550124")
    with store.write() as connection:
        connection.execute(
            consents.insert().values(
                lead_id=agreed,
                at=store.now(connection),
                column="opt_in",
                value="yes",
                source="march.csv",
                line=1234,
            )
        )
    page = site("VIEWER").get(url(f"/leads/{agreed}")).text
    for text in ("Evidence of consent", "opt_in", "yes", "march.csv", "1,234"):
        assert text in page
    assert "Evidence of consent" not in site("VIEWER").get(url(f"/leads/{other}")).text
    answer = site("VIEWER").get(url(f"/api/leads/{agreed}")).json()
    assert answer["consents"][0]["column"] == "opt_in"


def test_a_viewer_cannot_act(site: Site, store: Store, lead: NewLead) -> None:
    """A viewer gets 403 from every action and sees no button for one."""
    lead_id = lead()
    viewer = site("VIEWER")
    for path in ("actions/resolve", "actions/redeliver", "actions/replay", "actions/suppress", "actions/unsuppress",
                 "endpoints/crm/enable", "endpoints/crm/disable", "endpoints/crm/test", "sources/x/check"):  # fmt: skip
        assert viewer.post(url(f"/api/{path}"), json={"go": True}, headers=ACTION).status_code == 403, path
    assert "data-action" not in viewer.get(url(f"/leads/{lead_id}")).text
    assert "data-action" in site("OP").get(url(f"/leads/{lead_id}")).text


@pytest.mark.parametrize("to", ["accepted", "planned"])
def test_resolving_counts_first_then_goes(site: Site, store: Store, lead: NewLead, to: str) -> None:
    """Counting changes nothing; going settles what is held, once, with history and an audit row."""
    ids = [lead(f"+1416555{n:04d}") for n in range(3)]
    lead("+14165559999", "rejected")
    editor = site("OP")
    planned = resolve(editor, campaign="website", to=to)
    assert planned.json()["count"] == 3, planned.text
    assert [row.state for row in list_leads(store, LeadFilter(state=LeadState.HELD)).rows] == ["held"] * 3
    done = resolve(editor, campaign="website", to=to, go=True).json()
    assert (done["count"], done["done"]) == (3, True)
    story = lead_story(store, ids[0], with_payload=True)
    assert story is not None
    assert story.lead.state == to
    assert (story.payload is None) == (to == "accepted")
    assert [each.outcome for each in story.attempts] == ["resolved"]
    (row,) = audit.entries(store).rows
    assert (row.actor, row.action, row.count) == ("the OP", f"resolve as {to}", 3)
    assert resolve(editor, campaign="website", to=to, go=True).json()["count"] == 0


def test_the_list_is_kept_by_hand(site: Site, store: Store) -> None:
    """Numbers are added and removed with an audit row; a mistyped one changes nothing."""
    editor = site("OP")
    path = url("/api/actions/suppress")
    assert (
        editor.post(path, json={"phones": f"{PHONE}\nnonsense", "go": True}, headers=ACTION).status_code
        == 400
    )
    assert suppressions.entries(store).rows == []
    added = editor.post(path, json={"phones": "+1 416 555 0123", "go": True}, headers=ACTION).json()
    assert added["count"] == 1
    (entry,) = suppressions.entries(store).rows
    assert (entry.phone, entry.source) == (PHONE, "the OP")
    body = {"ids": [entry.id], "go": True}
    assert editor.post(url("/api/actions/unsuppress"), json=body, headers=ACTION).json()["count"] == 1
    assert [row.action for row in audit.entries(store).rows] == ["unsuppress", "suppress"]
    assert PHONE not in "".join(row.subject for row in audit.entries(store).rows)


def test_a_body_too_long_is_refused(site: Site) -> None:
    """More than a mebibyte is not read into memory."""
    answer = site("OP").post(url("/api/actions/suppress"), content=b"x" * (1024 * 1024 + 1), headers=ACTION)
    assert answer.status_code == 413
