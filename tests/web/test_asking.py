"""What pages and API are asked for: empty forms, odd values, filters that mean what is shown."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers

Site = Callable[..., Any]
NewLead = Callable[..., int]
ACTION = {"X-Outreach-Action": "1"}
BASE = "http://testserver/af/outreach"


def soon(comes: Callable[[], bool]) -> None:
    """A receiver looks at its switches, and writes down what it refused, now and then."""
    until = time.monotonic() + 20
    while not comes():
        assert time.monotonic() < until
        time.sleep(0.02)


def act(browser: Any, path: str, **asked: Any) -> Any:
    return browser.post(f"{BASE}/api/actions/{path}", json=asked, headers=ACTION)


def event(store: Store, name: str, body: bytes | None = None, **fields: Any) -> str:
    """One event of the source ``src``, received; its id."""
    now = datetime.now(UTC)
    values = {
        "type": "x",
        "kind": EventKind.REPLIED,
        "contact": Contact(external_id=name),
        "campaign_id": None,
    }
    made = ContactEvent(
        id=name, source="src", platform="varda", occurred_at=now, received_at=now, **{**values, **fields}
    )
    headers = json.dumps([["Content-Type", "application/json"], ["X-Name", "Jane Roe"]])
    inbox_append.append(store, [Incoming(made, body or made.to_json(), headers)])
    return name


@pytest.mark.parametrize(
    "form",
    [
        "leads?campaign=&state=held&reason=&phone=&run=", "runs?campaign=&state=", "do-not-contact?phone=&campaign=",
        "events?source=&kind=&since=&until=", "deliveries?state=&route=&endpoint=&kind=&since=&event=", "audit?cursor=",
        "api/leads?campaign=&state=&reason=&phone=&cursor=",
    ],
)  # fmt: skip
def test_a_form_sent_empty_filters_nothing(site: Site, form: str) -> None:
    """Every field of every filter may be left empty, as a browser sends it."""
    answer = site("OP").get(f"{BASE}/{form}")
    assert answer.status_code == 200, answer.text


@pytest.mark.slow
def test_a_consumer_that_has_not_looked_for_long_is_shown_as_abandoned(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the Overview with what waits for it and what to do, and in the API; a wrong setting is shown, not a broken page."""
    consumers.read_new(store, "gone")
    event(store, "evt_1")
    with store.write() as connection:
        connection.execute(
            sa.text(
                "UPDATE inbox_consumers SET read_at = read_at - 864000000, looked_at = looked_at - 864000000"
            )
        )
    assert "gone</b> is abandoned" not in site("VIEWER").get(f"{BASE}/overview").text
    monkeypatch.setenv("AIRFLOW__OUTREACH__CONSUMER_ABANDONED_AFTER_DAYS", "9")
    page = site("VIEWER").get(f"{BASE}/overview").text
    assert "gone</b> is abandoned" in page
    assert "1 events wait" in page
    assert "remove-consumer gone" in page
    (known,) = site("VIEWER").get(f"{BASE}/api/consumers").json()
    assert (known["name"], known["abandoned"]) == ("gone", True)
    monkeypatch.setenv("AIRFLOW__OUTREACH__CONSUMER_ABANDONED_AFTER_DAYS", "nine")
    page = site("VIEWER").get(f"{BASE}/overview")
    assert page.status_code == 200
    assert "consumer_abandoned_after_days is" in page.text


@pytest.mark.parametrize(
    "path", ["leads?state=held", "leads?state=held&campaign=website", "deliveries?state=dead"]
)
def test_every_button_of_a_page_works_as_it_is_rendered(
    site: Site, store: Store, lead: NewLead, path: str
) -> None:
    """What a button carries is accepted by the action it names, and counts what the page shows."""
    lead()
    event(store, "evt_1")
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET state = 'dead'"))
    editor = site("OP")
    page = editor.get(f"{BASE}/{path}").text
    buttons = re.findall(r"data-action=\"([^\"]+)\" data-body='([^']*)'", page)
    assert buttons
    for action, body in buttons:
        answer = editor.post(
            f"http://testserver{action}", json=json.loads(html.unescape(body)), headers=ACTION
        )
        assert (answer.status_code, answer.json().get("count")) == (200, 1), answer.text


def test_only_a_filter_brings_the_button_for_what_is_filtered(site: Site, store: Store) -> None:
    """A page number is no filter: nothing offers to redeliver everything by accident."""
    event(store, "evt_1")
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    editor = site("OP")
    for path in ("deliveries?cursor=5", "deliveries?x=1", "events?cursor=9-9"):
        assert "filtered" not in editor.get(f"{BASE}/{path}").text, path
    assert "Send filtered failed ones again" in editor.get(f"{BASE}/deliveries?route=crm").text


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("resolve", {"to": "planned", "run_id": 77}, 422),
        ("resolve", {"to": "planned", "campain": "x"}, 422),
        ("resolve", {"to": "planned"}, 400),
        ("resolve", {"to": "planned", "ids": []}, 422),
        ("resolve", {"to": "planned", "ids": [1], "campaign": "other"}, 400),
        ("resolve", {"to": "planned", "ids": [10**30]}, 422),
        ("resolve", {"to": "planned", "campaign": "a\u0000b"}, 422),
        ("redeliver", {"routes": "b"}, 422),
        ("redeliver", {}, 400),
        ("redeliver", {"ids": []}, 422),
        ("replay", {"consumer": "nobody", "source": "src"}, 400),
    ],
)
def test_a_mistyped_action_does_nothing(
    site: Site, store: Store, lead: NewLead, path: str, asked: dict[str, Any], status: int
) -> None:
    """An unknown key, no choice or two choices are refused, and never mean everything."""
    lead()
    answer = act(site("OP"), path, go=True, **asked)
    assert answer.status_code == status, answer.text
    assert audit.entries(store).rows == []


def test_no_more_than_was_confirmed(site: Site, store: Store, lead: NewLead) -> None:
    """Where more rows are meant than the person agreed to, nothing is done and it is said."""
    lead()
    editor = site("OP")
    plan = act(editor, "resolve", to="planned", campaign="website").json()
    lead("+14165550199")
    answer = act(editor, "resolve", to="planned", campaign="website", go=True, expect=plan["count"])
    assert answer.status_code == 409
    assert "look again" in answer.json()["detail"]
    assert act(editor, "resolve", to="planned", all=True, go=True, expect=2).json()["count"] == 2


@pytest.mark.parametrize(
    "path",
    ["leads/-1", "leads/99999999999999999999999", "runs/-9223372036854775809", "deliveries/9223372036854775808",
     "leads?run=-1", "leads?campaign=a%00b", "events/evt%00", "events?since=nonsense", "events?kind=nonsense",
     "leads?cursor=nonsense", "leads?cursor=1-2", "events?cursor=%00"],
)  # fmt: skip
def test_odd_values_are_the_askers_fault(site: Site, path: str) -> None:
    """An id, time or cursor that cannot be is answered 400, 404 or 422, on both databases."""
    assert site("OP").get(f"{BASE}/{path}").status_code in (400, 404, 422)


@pytest.mark.parametrize("index", ["²", "--5", "{MAP_INDEX}", "9" * 30, "-1"])
def test_a_map_index_that_is_none_is_no_map_index(site: Site, index: str) -> None:
    """Airflow leaves its placeholder as it is where a task is not mapped; anything else odd is taken likewise."""
    answer = site("OP").get(f"{BASE}/api/task", params={"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": index})  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.json()["task"]["map_index"] == -1


def test_a_viewer_cannot_look_for_a_number(site: Site, lead: NewLead) -> None:
    """Masked digits cannot be found out by asking for one number after the other."""
    lead()
    for path in ("leads", "leads.csv", "do-not-contact", "api/leads", "api/do-not-contact"):
        assert site("VIEWER").get(f"{BASE}/{path}?phone=%2B14165550123").status_code == 403, path
        assert site("OP").get(f"{BASE}/{path}?phone=%2B14165550123").status_code == 200, path
    assert 'name="phone"' not in site("VIEWER").get(f"{BASE}/leads").text


@pytest.mark.slow
def test_what_people_wrote_is_hidden_until_somebody_asks(site: Site, store: Store) -> None:
    """Bodies, headers and answers show their structure; names, addresses and words only on demand."""
    body = {
        "event": "x",
        "interest": "Jane Roe, 12 King St",
        "contact": {"Jane Roe": "jane@example.com"},
        "ok": True,
    }
    event(store, "evt_1", json.dumps(body).encode(), type="call +1 416 555 0123", campaign_id="j@example.com")
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    answer = json.dumps({"error": "invalid", "name": "Jane Roe", "mail": "jane\u0040example.com"})
    with store.write() as connection:
        row = connection.execute(sa.text("SELECT id FROM deliveries")).scalar()
        connection.execute(
            sa.text("INSERT INTO delivery_attempts (delivery_id, at, verdict, answer) VALUES (:d, 0, 'refused', :a)"),
            {"d": row, "a": answer},
        )  # fmt: skip
    for path in ("events/evt_1", f"deliveries/{row}", "events", "events.csv", "api/events/evt_1"):
        for who in ("VIEWER", "OP"):
            said = site(who).get(f"{BASE}/{path}").text
            for secret in ("Jane", "King St", "jane@", "416 555", "j@example"):
                assert secret not in said, (path, secret)
    assert "invalid" in site("VIEWER").get(f"{BASE}/deliveries/{row}").text
    for path in ("events/evt_1", f"deliveries/{row}"):
        assert "Jane Roe" in site("OP").post(f"{BASE}/{path}", headers=ACTION).text


def test_a_body_that_is_no_text_can_be_shown(site: Site, store: Store) -> None:
    """Half a surrogate pair in a body is shown as a mark, not as an error."""
    event(store, "evt_1", b'{"event":"x","a":"\\ud83d"}')
    answer = site("OP").post(f"{BASE}/events/evt_1", headers=ACTION)
    assert answer.status_code == 200
    assert "\ufffd" in answer.text


def test_reasons_and_notes_are_masked(site: Site, store: Store) -> None:
    """What people type as a reason may hold a number: lists and audit mask it."""
    said = "ask jane.roe@example.com +1 416 555 0123"
    answer = act(site("OP"), "suppress", phones="+14165550199", reason=said, go=True)
    assert answer.status_code == 200, answer.text
    for path in ("do-not-contact", "audit", "api/do-not-contact", "api/audit", "do-not-contact.csv"):
        shown = site("VIEWER").get(f"{BASE}/{path}").text
        assert "jane.roe" not in shown, path
        assert "555 0123" not in shown, path


def test_an_export_says_how_much_it_was(site: Site, store: Store, lead: NewLead) -> None:
    """The audit row of an export with whole numbers has the rows that were given out."""
    for n in range(3):
        lead(f"+1416555{n:04d}")
    assert site("OP").post(f"{BASE}/leads.csv", headers=ACTION).text.count("+1416555") == 3
    (row,) = audit.entries(store).rows
    assert (row.action, row.count, row.note) == ("export leads revealed", 3, "done")


def test_events_made_by_a_dag_are_shown_without_a_dead_link(site: Site, store: Store) -> None:
    """Such an event is not in the inbox: its delivery shows it itself."""
    with store.write() as connection:
        connection.execute(
            sa.text("INSERT INTO deliveries (event_id, route, lane, kind, label, payload, state, created_at, updated_at) "
                    "VALUES ('evt_made', 'crm', 'l', 'replied', 'replied', :p, 'dead', 0, 0)"),
            {"p": json.dumps({"type": "made", "data": {"name": "Jane"}})},
        )  # fmt: skip
    row = deliveries_lists.list_deliveries(store, DeliveryFilter(states=[DeliveryState.DEAD])).rows[0].id
    for path in ("deliveries", f"deliveries/{row}"):
        page = site("OP").get(f"{BASE}/{path}").text
        assert "/events/evt_made" not in page
        assert "by a DAG" in page
    assert "Jane" not in page
    assert "Jane" in site("OP").post(f"{BASE}/deliveries/{row}", headers=ACTION).text


def test_the_openapi_document_says_where_it_is(site: Site) -> None:
    """Its paths are below the base path the person reached us by."""
    assert site("OP").get(f"{BASE}/api/openapi.json").json()["servers"] == [{"url": "/af/outreach"}]


@pytest.mark.slow
def test_one_broken_connection_does_not_take_the_pages_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is no connection, or an endpoint that cannot be read, leaves all other pages as they are."""
    monkeypatch.setenv("AIRFLOW_CONN_NONSENSE", "{bad json")
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "outreach_endpoint", "host": "https://x.example", "extra": "[1,2]"}))  # fmt: skip
    for path in ("", "connections", "events", "deliveries", "api/overview"):
        answer = site("OP").get(f"{BASE}/{path}")
        assert answer.status_code == 200, (path, answer.text)
    assert "odd" in site("OP").get(f"{BASE}/connections").text


@pytest.mark.slow
def test_a_source_is_switched_by_hand(
    site_with_receiver: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off, its requests are refused with 503 and it is said by whom; on, they are taken again."""
    secret = {
        "conn_type": "outreach_source",
        "password": "a-token-of-length",
        "extra": {"platform": "tether"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TETHER_MAIN", json.dumps(secret))
    editor = site_with_receiver("OP")
    post = lambda: editor.post(f"{BASE}/in/tether_main", json={"event": "x"}, headers={"X-Outreach-Token": "a-token-of-length"})  # noqa: E731  # fmt: skip
    switch = f"{BASE}/api/sources/tether_main"
    assert post().status_code == 202
    assert editor.post(f"{switch}/disable", json={"reason": "moving", "go": True}, headers=ACTION).json()[
        "done"
    ]
    soon(lambda: post().status_code == 503)
    refused = post()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "300")
    page = editor.get(f"{BASE}/connections").text
    assert "moving" in page
    assert "the OP" in page
    assert "tether_main</b> is off" in editor.get(f"{BASE}/overview").text
    assert editor.post(f"{switch}/enable", json={"go": True}, headers=ACTION).json()["done"]
    soon(lambda: post().status_code == 200)
    assert [row.action for row in audit.entries(store).rows] == ["enable source", "disable source"]
    assert (
        editor.post(f"{BASE}/api/sources/nobody/disable", json={"go": True}, headers=ACTION).status_code
        == 404
    )


@pytest.mark.slow
def test_one_forgery_is_no_alarm(
    site_with_receiver: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that works stays well when a stranger knocks; one that only refuses needs a person."""
    for name in ("WELL", "WRONG"):
        fields = {
            "conn_type": "outreach_source",
            "password": f"a-token-of-{name}-one",
            "extra": {"platform": "tether"},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    with site_with_receiver("OP") as editor:
        for name, token in (("well", "a-token-of-WELL-one"), ("well", "forged"), ("wrong", "forged")):
            editor.post(f"{BASE}/in/{name}", json={"event": "x"}, headers={"X-Outreach-Token": token})

        def sources() -> dict[str, Any]:
            return {each["name"]: each for each in editor.get(f"{BASE}/api/connections").json()["sources"]}

        soon(lambda: [each["refused"] for each in sources().values()] == [1, 1])
        found = sources()
        assert (found["well"]["health"], found["well"]["refused"]) == ("healthy", 1)
        assert (found["wrong"]["health"], found["wrong"]["refused_status"]) == ("refusing", 401)
        assert "wrong</b> is refusing" in editor.get(f"{BASE}/overview").text


def test_what_was_confirmed_is_what_is_done(site: Site, store: Store, lead: NewLead) -> None:
    """Where the answer would say something else by now, or of another number of rows, nothing is done."""
    ids = [lead(), lead("+14165550199")]
    editor = site("OP")
    asked = {"to": "planned", "campaign": "website"}
    plan = act(editor, "resolve", **asked).json()
    agreed = {"go": True, "expect": plan["count"], "confirmed": plan["says"]}
    with store.write() as connection:
        connection.execute(sa.text("UPDATE leads SET state = 'accepted' WHERE id = :id"), {"id": ids[0]})
    assert act(editor, "resolve", **asked, **agreed).status_code == 409  # fewer than were confirmed
    third = lead("+14165550177")
    with store.write() as connection:  # as many as were confirmed; the sentence is another one
        connection.execute(sa.text("UPDATE leads SET payload = NULL WHERE id = :id"), {"id": third})
    lead("+14165550166")
    assert act(editor, "resolve", **asked, **agreed).status_code == 409
    assert audit.entries(store).rows == []
    plan = act(editor, "resolve", **asked).json()
    done = act(editor, "resolve", **asked, go=True, expect=plan["count"], confirmed=plan["says"])
    assert done.json() == {"says": "2 leads resolved as planned.", "count": 2, "done": True, "follow": None}


def test_enabling_takes_a_choice(site: Site, store: Store) -> None:
    """What becomes of held deliveries is nobody's default, and is said before it is done, whether any wait or not."""
    enable = f"{BASE}/api/endpoints/crm/enable"
    editor = site("OP")
    assert editor.post(enable, json={"go": True}, headers=ACTION).status_code == 422
    said = {
        release: editor.post(enable, json={"release": release}, headers=ACTION).json()["says"]
        for release in ("all", "latest", "none")
    }
    assert len(set(said.values())) == 3
    wrong = {"release": "all", "go": True, "confirmed": said["none"]}
    assert editor.post(enable, json=wrong, headers=ACTION).status_code == 409
    assert audit.entries(store).rows == []
