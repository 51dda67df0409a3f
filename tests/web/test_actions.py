"""Every action on events, deliveries and endpoints: count first, then go, with an audit row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from servers import scripted
from stored import stored_events

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers

Site = Callable[..., Any]
ACTION = {"X-Outreach-Action": "1"}


def act(editor: Any, path: str, **asked: Any) -> dict[str, Any]:
    answer = editor.post(f"http://testserver/af/outreach/api/{path}", json=asked, headers=ACTION)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def events(store: Store) -> list[str]:
    """Three events, recorded as deliveries of the route ``crm``."""
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    made = [
        ContactEvent(
            f"evt_{n}",
            "varda",
            "varda",
            "call.ended",
            EventKind.CALL_ENDED,
            at,
            at,
            Contact(external_id=str(n)),
        )
        for n in range(3)
    ]
    inbox_append.append(store, [Incoming(each, each.to_json(), "[]") for each in made])
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    return [each.id for each in made]


def put(store: Store, state: DeliveryState) -> None:
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET state = :s, endpoint = 'crm'"), {"s": state.value})


def last(store: Store) -> tuple[str, str, int, str]:
    row = audit.entries(store).rows[0]
    return row.actor, row.action, row.count, row.note


def test_redeliver(site: Site, store: Store, events: list[str]) -> None:
    """Dead deliveries become pending again: counted first, one by id or all by filter."""
    put(store, DeliveryState.DEAD)
    editor = site("OP")
    assert act(editor, "actions/redeliver", route="crm")["count"] == 3
    assert deliveries_lists.count(store, DeliveryFilter(states=[DeliveryState.DEAD]))["dead"] == 3
    one = deliveries_lists.list_deliveries(store, DeliveryFilter(), limit=1).rows[0].id
    assert act(editor, "actions/redeliver", ids=[one], go=True)["count"] == 1
    assert act(editor, "actions/redeliver", route="crm", go=True)["count"] == 2
    assert last(store) == ("the OP", "redeliver", 2, "done")
    assert deliveries_lists.count(store, DeliveryFilter(states=[DeliveryState.PENDING]))["pending"] == 3


def test_replay(site: Site, store: Store, events: list[str]) -> None:
    """A consumer reads again what a person chose."""
    editor = site("OP")
    assert consumers.read_new(store, "crm") == []
    assert act(editor, "actions/replay", consumer="crm", source="varda")["count"] == 3
    assert consumers.read_new(store, "crm") == []
    assert act(editor, "actions/replay", consumer="crm", event_ids=events[:2], go=True)["count"] == 2
    assert {event.id for event in consumers.read_new(store, "crm")} == set(events[:2])
    assert last(store)[:3] == ("the OP", "replay", 2)


def test_a_resend_that_is_taken_back_takes_no_replay_with_it(
    site: Site, store: Store, events: list[str]
) -> None:
    """What was sent again, delivered, and read anew by a replay is the replay's; the audit says which tries were meant."""
    put(store, DeliveryState.DEAD)
    editor = site("OP")
    act(editor, "actions/redeliver", route="crm", tried="failed", go=True)
    assert audit.entries(store).rows[0].subject == "state failed, route crm, tried failed"
    resend = int(act(editor, "actions/redeliver", route="crm", go=True)["follow"].rpartition("/")[2])
    put(store, DeliveryState.DELIVERED)
    act(editor, "actions/replay", consumer="crm", event_ids=events[:2], go=True)
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    assert act(editor, "actions/cancel-resend", id=resend, go=True)["count"] == 0
    assert deliveries_lists.count(store, DeliveryFilter())["pending"] == 2


@pytest.mark.parametrize(("release", "pending"), [("all", 3), ("latest", 3), ("none", 0)])
def test_disable_and_enable(site: Site, store: Store, events: list[str], release: str, pending: int) -> None:
    """A disabled endpoint is disabled with the person's name; enabling says what becomes of the held deliveries."""
    editor = site("OP")
    assert not act(editor, "endpoints/crm/disable")["done"]
    assert act(editor, "endpoints/crm/disable", reason="moving house", go=True)["done"]
    assert endpoints.status(store, "crm").disabled_reason == "moving house"
    put(store, DeliveryState.HELD)
    assert act(editor, "endpoints/crm/enable", release=release)["count"] == 3
    done = act(editor, "endpoints/crm/enable", release=release, go=True)
    assert (done["done"], done["count"]) == (True, 3)
    assert endpoints.status(store, "crm").disabled_at is None
    assert deliveries_lists.count(store, DeliveryFilter()).get("pending", 0) == pending
    note = f"{pending} to be sent, {3 - pending} dead"
    assert last(store)[1:] == ("enable endpoint", 3, note), "whoever was given up is counted too"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """A real endpoint behind the connection ``crm``; what it was sent."""
    seen: list[dict[str, str]] = []

    def answer(_method: str, _path: str, headers: Mapping[str, str], body: bytes) -> Any:
        seen.append({**headers, "body": body.decode()})
        return 204, b"", {}

    with scripted(answer) as url:
        connection = {
            "conn_type": "outreach_endpoint", "host": f"{url}/hook", "password": "a-secret-of-length",
            "extra": {"signature": "github", "allow_networks": ["127.0.0.0/8"]},
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_LOCAL", json.dumps(connection))
        yield seen


def test_send_a_test_event(site: Site, store: Store, endpoint: list[dict[str, str]]) -> None:
    """The test sends one signed event without any person in it, shows the answer and is written down."""
    editor = site("OP")
    assert not act(editor, "endpoints/local/test")["done"]
    assert endpoint == []
    said = act(editor, "endpoints/local/test", go=True)["says"]
    assert "204" in said
    assert len(endpoint) == 1
    assert "X-Hub-Signature-256" in endpoint[0]
    assert last(store)[:2] == ("the OP", "test endpoint")


@pytest.mark.slow
def test_send_a_test_event_in(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One signed event goes through the receiver; who may only look cannot, and it is written down."""
    connection = {
        "conn_type": "outreach_source",
        "password": "a-secret-of-length",
        "extra": {"platform": "varda"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_VARDA", json.dumps(connection))
    editor = site("OP")
    before = len(stored_events(store))
    assert not act(editor, "sources/varda/test", kind="call_ended")["done"]
    assert len(stored_events(store)) == before
    said = act(editor, "sources/varda/test", kind="call_ended", go=True)["says"]
    assert "202: stored as evt_" in said
    (new, *_) = stored_events(store)
    assert (new.source, new.kind) == ("varda", "call_ended")
    assert last(store)[:2] == ("the OP", "test source")
    assert "Send test event: varda" in editor.get("connections").text
    assert "Send test event" not in site("VIEWER").get("connections").text
    asked = {"kind": "replied", "go": True}
    refused = site("VIEWER").post(
        "http://testserver/af/outreach/api/sources/varda/test", json=asked, headers={"X-Outreach-Action": "1"}
    )
    assert refused.status_code == 403
    assert len(stored_events(store)) == before + 1


def test_a_test_event_that_cannot_be_made_is_not_announced(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count says what going says: nobody is asked to agree to what is refused then."""
    connection = {"conn_type": "outreach_source", "password": "a-secret-of-length", "extra": {"platform": "varda"}}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_VARDA", json.dumps(connection))
    for go in (False, True):
        answer = site("OP").post(
            "http://testserver/af/outreach/api/sources/varda/test", json={"kind": "unrecognised", "go": go},
            headers={"X-Outreach-Action": "1"},
        )  # fmt: skip
        assert (answer.status_code, "no event of kind 'unrecognised' can be made" in answer.text) == (
            400,
            True,
        )
    assert audit.entries(store).rows == []


@pytest.mark.slow
def test_the_json_api_is_documented(site: Site) -> None:
    """The OpenAPI document names every route of the JSON API."""
    paths = site("VIEWER").get("http://testserver/af/outreach/api/openapi.json").json()["paths"]
    for path in ("leads", "events", "deliveries", "runs", "overview", "actions/resolve", "actions/redeliver"):
        assert any(known.endswith(path) for known in paths), path


def test_export_of_what_is_filtered(site: Site, store: Store, lead: Callable[..., int]) -> None:
    """The CSV holds the filtered leads, masked; whole numbers only for editors who ask, and that is written down."""
    lead("+14165550100", "held")
    lead("+14165550101", "rejected")
    masked = site("VIEWER").get("http://testserver/af/outreach/leads.csv?state=held").text
    assert "•••0100" in masked
    assert "+14165550100" not in masked
    assert "0101" not in masked
    assert (
        site("VIEWER").post("http://testserver/af/outreach/leads.csv?state=held", headers=ACTION).status_code
        == 403
    )
    whole = site("OP").post("http://testserver/af/outreach/leads.csv?state=held", headers=ACTION)
    assert "+14165550100" in whole.text
    assert last(store)[0] == "the OP"
