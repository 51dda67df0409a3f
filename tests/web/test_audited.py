"""Whatever a page or the JSON API can do leaves its audit row, and what only looks leaves none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers

ALIKE = ("+14165550123", "+14165990123")  # of the fixture
ACTION = {"X-Outreach-Action": "1"}
GO = {"go": True}
# What each route that acts is asked, and what the audit says then. Ids are the first ones there are.
ACTS: dict[str, tuple[dict[str, Any], str]] = {
    "/api/actions/resolve": ({"to": "accepted", "all": True}, "resolve as accepted"),
    "/api/actions/suppress": ({"phones": "+14165550144"}, "suppress"),
    "/api/actions/unsuppress": ({"ids": [1]}, "unsuppress"),
    "/api/actions/redeliver": ({"all": True}, "redeliver"),
    "/api/actions/cancel-resend": ({"id": 1}, "cancel resend"),
    "/api/actions/replay": ({"consumer": "crm", "source": "varda"}, "replay"),
    "/api/endpoints/{connection_id:path}/enable": ({"release": "all"}, "enable endpoint"),
    "/api/endpoints/{connection_id:path}/disable": ({}, "disable endpoint"),
    "/api/endpoints/{connection_id:path}/test": ({}, "test endpoint"),
    "/api/sources/{connection_id:path}/enable": ({}, "enable source"),
    "/api/sources/{connection_id:path}/disable": ({}, "disable source"),
    "/api/sources/{connection_id:path}/check": ({}, "check source"),
    "/api/sources/{connection_id:path}/test": ({"kind": "replied"}, "test source"),
    "/api/outreach-apis/{connection_id:path}/test": ({}, "test outreach API"),
    "/leads.csv": ({}, "export leads revealed"),
    "/leads/{lead_id}": ({}, "reveal lead"),
    "/events/{event_id}": ({}, "reveal event"),
    "/deliveries/{delivery_id}": ({}, "reveal delivery"),
    "/do-not-contact.csv": ({}, "export do-not-contact revealed"),
    "/api/actions/send-to-route": ({"event_id": "evt_0", "route": "other"}, "send to route"),
    "/api/actions/forget": ({"anchor": "lead", "id": "1"}, "forget"),
    "/person/{anchor}/{key}": ({}, "reveal person"),
    "/person/{anchor}/{key}/export": ({}, "export person"),
}
# Finding somebody and trying what was pasted only look; revealing a trial is in test_try_route.py, trying rows in
# test_try_rows.py; the contact list is asked in tests/services/test_actions.py.
ELSEWHERE = {
    "/api/person/find", "/api/actions/reconcile", "/workflows/{dag_id}/try/pasted", "/workflows/{dag_id}/try", "/try-yaml",
    "/api/lint", "/api/workflows/{dag_id}/try-rows", "/workflows/{dag_id}/try-rows",
}  # fmt: skip


@pytest.mark.slow
def test_every_route_that_acts_is_tried_here() -> None:
    """All that is posted, but what platforms post to the receiver."""
    from airflow_outreach_provider.web.app import create_app

    acting = {
        getattr(route, "path", "")
        for route in create_app(store=object()).routes  # type: ignore[arg-type]
        if "GET" not in (getattr(route, "methods", None) or {"GET"})
    }
    assert {path for path in acting if not path.startswith("/in/")} == ACTS.keys() | ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("path", ACTS)
def test_an_action_of_the_pages_leaves_its_row(site: Callable[..., Any], filled: Store, path: str) -> None:
    """Who did what, ended; and counting what it would do leaves nothing."""
    asked, action = ACTS[path]
    consumers.note_routes(filled, "crm", ["crm", "other"], None)
    names = {
        "{connection_id:path}": "varda"
        if "/sources/" in path
        else "tether"
        if "/outreach-apis/" in path
        else "crm",
        "{event_id}": "evt_0",
    }
    url = path
    for word, name in {
        **names,
        "{lead_id}": "1",
        "{delivery_id}": "1",
        "{anchor}": "lead",
        "{key}": "1",
    }.items():
        url = url.replace(word, name)
    url, editor = f"http://testserver/af/outreach{url}", site("OP")
    if path.startswith("/api/"):
        counted = editor.post(url, json=asked, headers=ACTION)
        assert counted.status_code == 200, counted.text
        assert audit.entries(filled).rows == []
    answer = editor.post(url, json=asked | (GO if path.startswith("/api/") else {}), headers=ACTION)
    assert answer.status_code == 200, answer.text
    (row,) = audit.entries(filled).rows
    assert (row.actor, row.action) == ("the OP", action)
    assert row.note != "begun"


LOOKS = {
    "leads": ("/leads", "/api/leads", "/leads.csv"),
    "events": ("/events", "/api/events", "/events.csv"),
    "deliveries": ("/deliveries", "/api/deliveries", "/deliveries.csv"),
    "do-not-contact": ("/do-not-contact", "/api/do-not-contact", "/do-not-contact.csv"),
}


@pytest.mark.parametrize("what", LOOKS)
def test_looking_leaves_no_row(site: Callable[..., Any], filled: Store, what: str) -> None:
    """Lists and exports that are masked are what the pages show anyway."""
    for path in LOOKS[what]:
        assert site("VIEWER").get(path.lstrip("/")).status_code == 200
    assert audit.entries(filled).rows == []


@pytest.mark.parametrize("what", LOOKS)
def test_who_is_masked_alike_is_told_apart(site: Callable[..., Any], filled: Store, what: str) -> None:
    """In a page, the JSON API and a CSV file each row has an id of its own beside the masked number."""
    page, api, file = (site("VIEWER").get(path.lstrip("/")).text for path in LOOKS[what])
    ids = [str(row["id"]) for row in json.loads(api)["rows"]]
    assert len(set(ids)) == 2
    for number in ids:
        assert f"#{number}<" in page or f'title="{number}"' in page, number
        assert [line for line in file.splitlines() if line.startswith(f"{number},")], number
    assert page.count("+1416•••0123") == 2 or what == "deliveries"
    assert not any(each in page + api + file for each in ALIKE)


@pytest.mark.slow
def test_the_audit_tells_apart_who_is_masked_alike(site: Callable[..., Any], filled: Store) -> None:
    """The same thing done to two people reads alike but for an id that lists and exports have too."""
    from airflow_outreach_provider.services import actions, people

    for number, phone in enumerate(ALIKE, start=1):
        actions.suppress(filled, [phone], actor="eve")
        for kind in ("leads", "do-not-contact"):
            url = f"http://testserver/af/outreach/{kind}.csv?phone=%2B{phone[1:]}"
            assert site("OP").post(url, headers=ACTION).status_code == 200
        people.export(filled, people.find(filled, [phone], []), actor="eve")
        actions.unsuppress(filled, [phone], actor="eve")
        actions.resolve(filled, [number], actions.resolve_target("accepted"), actor="eve")
    rows = audit.entries(filled).rows
    of_two = [
        [row.subject for row in rows if row.action == action] for action in {row.action for row in rows}
    ]
    assert all(len(subjects) == len(set(subjects)) == 2 for subjects in of_two), of_two
    shown = site("VIEWER").get("audit").text
    assert all(subject in shown for subjects in of_two for subject in subjects)
    assert not any(phone in shown for phone in ALIKE)
