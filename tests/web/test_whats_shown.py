"""What the pages say is true and complete: routes that never ran, APIs that cannot be used, filters that hold for what is done."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.store import audit, rates
from airflow_outreach_provider.store.deliveries import fan_out
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, list_deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

Site = Callable[..., Any]
BASE = "http://testserver/af/outreach"
ACTION = {"X-Outreach-Action": "1"}
AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
YAML = """
event_routes:
  booked: {kinds: [appointment_booked], deliver: {endpoint: crm}}
  scored: {where: data.score > 10, deliver: {endpoint: crm}}
  all_of_it: {deliver: {endpoint: crm}}
"""


def event(store: Store, n: int) -> ContactEvent:
    made = ContactEvent(f"evt_{n}", "src", "varda", "replied", EventKind.REPLIED, AT, AT, Contact(phone=f"+1416555010{n}"), None, {"score": 3})  # fmt: skip
    inbox_append.append(store, [Incoming(made, b'{"score": 3}', "[]")])
    return made


def test_a_route_that_never_ran_is_among_the_routes_of_an_event(
    site: Site, store: Store, airflow_knows: Callable[..., None]
) -> None:
    """Its kinds and its where are those of its DAG; an event cannot be given to it before it has run."""
    airflow_knows(YAML)
    event(store, 1)
    routes = site("OP").get(f"{BASE}/api/events/evt_1").json()["routes"]
    verdicts = {each["route"]: each["verdict"] for each in routes}
    assert verdicts.items() >= {
        "booked": "other kind", "scored": "where was false", "all_of_it": "not read yet",
    }.items()  # fmt: skip
    page = site("OP").get(f"{BASE}/events/evt_1").text
    assert "its DAG has not run yet" in page
    assert "Send to this route" not in page


def test_what_is_sent_again_is_what_was_filtered(site: Site, store: Store) -> None:
    """By the action that sent it again before, or by its event: the button carries that, and the field shows it."""
    ids = []
    for n in (1, 2):
        fan_out.send(store, made := event(store, n), "crm")
        ids.append(list_deliveries(store, DeliveryFilter(event_ids=[made.id])).rows[0].id)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'dead'")
    resend = actions.redeliver(store, DeliveryFilter(ids=ids[:1]), actor="ada", expected=1).id
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'dead'")
    editor = site("OP")
    for asked, name in ((f"resend={resend}", "resend"), ("event=evt_1", "event")):
        page = editor.get(f"{BASE}/deliveries?state=failed&{asked}").text
        assert f'name="{name}"' in page
        (body,) = re.findall(r"data-action=\"[^\"]+/redeliver\" data-body='([^']*)'", page)
        answer = editor.post(
            f"{BASE}/api/actions/redeliver", json=json.loads(html.unescape(body)), headers=ACTION
        )
        assert answer.json()["count"] == 1, asked
    answer = editor.post(
        f"{BASE}/api/actions/redeliver",
        json={"resend": resend, "state": "failed", "go": True},
        headers=ACTION,
    )
    assert answer.json()["done"]
    assert f"resend {resend}" in audit.entries(store).rows[0].subject
    states = [row.state for row in list_deliveries(store, DeliveryFilter(ids=ids)).rows]
    assert sorted(states) == [DeliveryState.DEAD, DeliveryState.PENDING]


def test_the_run_that_leads_are_of_is_seen(site: Site, store: Store) -> None:
    """What filters stands in a field that can be emptied."""
    assert 'name="run" type="number" value="7"' in site("VIEWER").get(f"{BASE}/leads?run=7").text


def test_apis_that_cannot_be_used_and_those_that_asked_to_wait(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first needs somebody; the second is tried again by itself, and says when."""
    for name, host in (
        ("tether_wrong", "http://elsewhere.example.com"),
        ("tether", "https://api.example.com"),
    ):
        fields = {"conn_type": "outreach", "host": host, "password": "a-key-of-length"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
    rates.hold(store, "tether", 3000)
    found = site("VIEWER").get(f"{BASE}/api/overview").json()
    broken = {each["name"]: each for each in found["troubled"]}
    assert broken["tether_wrong"]["health"] == "broken"
    assert "allow_http" in broken["tether_wrong"]["why"]
    (waits,) = found["resting"]
    assert (waits["name"], waits["health"]) == ("tether", "busy")
    page = site("VIEWER").get(f"{BASE}/overview").text
    assert page.index("tether_wrong") < page.index('id="retrying"') < page.index("<b>tether</b> is busy")
    assert "It is asked again" in page


@pytest.mark.parametrize(
    ("state", "word"), [("dead", "failed"), ("failed", "retrying"), ("delivered", "delivered")]
)
def test_a_persons_deliveries_have_the_words_of_every_page(
    site: Site, store: Store, state: str, word: str
) -> None:
    """What is tried no more is failed on the time line too, what is tried again is retrying."""
    fan_out.send(store, event(store, 1), "crm")
    with store.write() as connection:
        connection.exec_driver_sql(f"UPDATE deliveries SET state = '{state}'")
    answer = site("VIEWER").get(f"{BASE}/api/person/event/evt_1")
    assert answer.status_code == 200, answer.text
    assert [each["state"] for each in answer.json()["timeline"] if each["what"] == "delivery"] == [word]


def test_ids_of_ours_are_whole_in_the_audit(site: Site, store: Store) -> None:
    """They are nobody's number, however long they get; a number that somebody wrote is masked all the same."""
    for subject in ("lead 12345678", "1234567, 1234568 and 3 more", "delivery 12345678901"):
        actions.note(store, "reveal", subject, actor="ada")
    for subject in ("lead of 4165550123", "4165550123", "lead 1 416 555 0123"):
        actions.note(store, "reveal", subject, actor="ada")
    shown = [row["subject"] for row in site("VIEWER").get(f"{BASE}/api/audit").json()["rows"]]
    assert shown[3:] == ["delivery 12345678901", "1234567, 1234568 and 3 more", "lead 12345678"]
    assert not [each for each in shown[:3] if "0123" in each.replace("•••0123", "")]


def test_who_is_not_logged_in_comes_back_to_what_they_asked_for(site: Site) -> None:
    """The way through Airflow's log-in leads to the page in Airflow's frame, its filter with it."""
    answer = site(None).get(f"{BASE}/deliveries?state=failed&route=a%26b")
    assert answer.status_code == 401
    assert 'href="/af/plugin/outreach/af/outreach/deliveries?state=failed&amp;route=a%26b"' in answer.text


def test_connections_of_the_environment_are_not_edited_in_airflow(site: Site) -> None:
    """Airflow's form has only what its database keeps; the rest says where it is instead of leading to an empty list."""
    page = site("OP").get(f"{BASE}/connections").text
    assert "kept outside Airflow" in page
    assert 'aria-label="Edit crm"' not in page
    assert "<dt>Proof</dt>" not in page
