"""A delivery's page: what was sent, what came back, and how often, masked until an editor asks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.deliveries import fan_out, redeliver
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append, consumers
from airflow_outreach_provider.web import connections

Site = Callable[..., Any]
BASE = "http://testserver/af/outreach"
ACTION = {"X-Outreach-Action": "1"}
PHONE, HOSTILE = "+14165550123", "<script>window.pwned=1</script>"
ANSWER = {"Content-Type": "text/html", "X-Request-Id": HOSTILE, "Set-Cookie": "session=1"}


@pytest.fixture
def received(store: Store, crm: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """An event, delivered to an endpoint that refuses it; the bodies the endpoint got."""
    bodies: list[bytes] = []

    def answer(_method: str, _path: str, _headers: Any, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        bodies.append(body)
        return 422, HOSTILE.encode(), ANSWER

    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    made = ContactEvent("evt_1", "src", "varda", "replied", EventKind.REPLIED, at, at, Contact(phone=PHONE, name=HOSTILE))  # fmt: skip
    append.append(store, [Incoming(made, made.to_json(), "[]")])
    fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    with scripted(answer) as url:
        extra = {"allow_networks": ["127.0.0.0/8"], "headers": {"X-Api-Key": "endpoint-credential"}}
        connection = {"conn_type": "outreach_endpoint", "host": f"{url}/secret-path", "password": "a-secret-of-length",
                      "extra": {**extra, "signature": "autoreach"}}  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(connection))
        yield bodies


def send(store: Store, form: RequestForm) -> None:
    task = TaskTry(Owner("dag", "deliver", "run"), last_try=True)
    deliver(store, Batch("crm", ["evt_1"]), connections.get_endpoint("crm"), task, form=form)


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        RequestForm(),
        RequestForm("received"),
        RequestForm({"phone": "{{ contact.phone }}", "name": "{{ contact.name }}"}, "PUT", path="c/{{ id }}"),
    ],
)
def test_the_page_shows_what_was_sent_and_what_came_back(
    site: Site, store: Store, received: list[bytes], form: RequestForm
) -> None:
    """Byte for byte what the endpoint got; who may look sees structure, who may edit all but signature and credentials."""
    send(store, form)
    viewed = site("VIEWER").get(f"{BASE}/deliveries/1")
    assert viewed.status_code == 200, viewed.text
    told = site("VIEWER").get(f"{BASE}/api/deliveries/1").json()["attempts"]
    # aiohttp's parsers write some names their own way.
    assert ("x-request-id", HOSTILE) in {(name.lower(), value) for name, value in told[0]["headers"]}
    for text in ("as it was sent", "x-request-id", "webhook-id", "text/html"):
        assert text in viewed.text.lower()
    revealed = site("OP").post(f"{BASE}/deliveries/1", headers=ACTION).text
    assert PHONE in revealed
    assert "secret-path" in revealed
    assert [row.action for row in audit.entries(store).rows] == ["reveal delivery"]
    for page in (viewed.text, revealed):
        for never in ("endpoint-credential", "sha256=", HOSTILE, "session=1", "a-secret-of-length"):
            assert never not in page
    for private in (PHONE, "secret-path"):
        assert private not in viewed.text
    (request,) = site("VIEWER").get(f"{BASE}/api/deliveries/1").json()["requests"]
    assert request["exact"]
    assert request["body_bytes"] == len(received[0])
    assert dict(request["headers"])["X-Api-Key"] == "•••"


def test_a_request_that_would_be_another_now_says_so(site: Site, store: Store, received: list[bytes]) -> None:
    """Where the event makes another request by now, nothing is shown as what was sent."""
    send(store, RequestForm())
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE inbox_events SET campaign_id = 'another'")
    page = site("VIEWER").get(f"{BASE}/deliveries/1").text
    assert "As it would be sent now" in page
    assert "as it was sent" not in page


@pytest.mark.slow
def test_after_sending_again_the_tries_go_on_counting(
    site: Site, store: Store, received: list[bytes]
) -> None:
    """The second round's first try is the third of the delivery, in the list and on its page."""
    for _ in range(3):
        send(store, RequestForm())
        actions.redeliver(store, DeliveryFilter(ids=(1,)), actor="ada", expected=1)
    told = site("VIEWER").get(f"{BASE}/api/deliveries/1").json()
    assert [each["number"] for each in told["attempts"]] == [1, 2, 3]
    assert told["delivery"]["tries"] == 3
    assert told["requests"][0]["tries"] == [1, 2, 3]
    (row,) = site("VIEWER").get(f"{BASE}/api/deliveries").json()["rows"]
    assert row["tries"] == 3


def test_nothing_of_it_outlives_its_time(store: Store, received: list[bytes]) -> None:
    """Housekeeping removes attempts and the forms that made nothing since; what is younger stays."""
    send(store, RequestForm({"a": "{{ contact.phone }}"}))

    def left() -> list[int]:
        with store.read() as connection:
            return [int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0)
                    for table in ("delivery_attempts", "request_forms")]  # fmt: skip

    redeliver.purge(store, datetime(2026, 1, 1, tzinfo=UTC))
    assert left() == [1, 1]
    redeliver.purge(store, datetime(2100, 1, 1, tzinfo=UTC))
    assert left() == [0, 0]


@pytest.mark.slow
def test_what_is_sent_again_is_followed_to_its_end_and_can_be_cancelled(
    site: Site, store: Store, received: list[bytes]
) -> None:
    """The action leads to a page that says how far it is; cancelling leaves what was not sent as it was."""
    send(store, RequestForm())
    asked = {"tried_since": "2026-01-01T00:00", "tried_until": "2100-01-01T00:00", "tried": "failed"}
    nothing = asked | {"tried_since": "2099-01-01T00:00"}
    editor = site("OP")

    def act(name: str, **body: Any) -> Any:
        return editor.post(f"{BASE}/api/actions/{name}", json=body, headers=ACTION).json()

    assert act("redeliver", **nothing)["count"] == 0
    assert act("redeliver", **asked | {"tried": "delivered"})["count"] == 0
    follow = act("redeliver", go=True, **asked)["follow"]
    assert "Cancel" in editor.get(BASE + follow).text
    status = editor.get(f"{BASE}/api{follow}").json()
    assert (status["count"], status["states"], status["waiting"]) == (1, {"pending": 1}, 1)
    number = int(follow.rpartition("/")[2])
    assert site("VIEWER").post(f"{BASE}/api/actions/cancel-resend", json={"id": number, "go": True}, headers=ACTION).status_code == 403  # fmt: skip
    assert act("cancel-resend", id=number, go=True)["count"] == 1
    assert editor.get(f"{BASE}/api{follow}").json()["waiting"] == 0
    assert [row.action for row in audit.entries(store).rows] == ["cancel resend", "redeliver"]
    assert act("redeliver", go=True, **asked)["count"] == 1
    send(store, RequestForm())
    assert len(received) == 2
    assert editor.get(f"{BASE}/resends/999").status_code == 404


@pytest.mark.slow
def test_deliveries_are_found_by_when_they_were_tried(
    site: Site, store: Store, received: list[bytes]
) -> None:
    """From and until are of an attempt; each delivery stands there once; other filters still hold."""
    for _ in range(2):
        send(store, RequestForm())
        redeliver.redeliver(store, DeliveryFilter())
    now = datetime.now(UTC)

    def found(**asked: str) -> int:
        rows = site("VIEWER").get(f"{BASE}/api/deliveries", params=asked).json()["rows"]
        return len(rows)

    day = {"tried_since": f"{now.year}-01-01T00:00", "tried_until": "2100-01-01T00:00"}
    assert found(**day) == 1
    assert found(**day, tried="failed") == 1
    assert found(**day, tried="failed", route="crm", kind="replied") == 1
    assert found(**day, tried="failed", route="other") == 0
    assert found(**day, tried="delivered") == 0
    assert found(tried_since="2099-01-01T00:00") == 0
    assert found(tried_until="2000-01-01T00:00") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked", ["range=1h", "range=24h", "range=7d", "since={y}-01-01T00:00&until={y}-01-02T00:00"]
)
def test_a_bar_of_a_chart_leads_to_its_list(
    site: Site, store: Store, received: list[bytes], asked: str
) -> None:
    """Each bar is a link, and its list has as many rows as the bar says."""
    send(store, RequestForm())
    page = site("VIEWER").get(f"{BASE}/overview?{asked.format(y=datetime.now(UTC).year)}").text
    links = [
        html.unescape(each)
        for each in re.findall(r'href="/af/outreach(/deliveries\?tried_since[^"]*)"', page)
    ]
    assert len(links) == (0 if asked.startswith("since") else 1)
    for link in links:
        rows = site("VIEWER").get(f"{BASE}/api{link}").json()["rows"]
        assert [row["id"] for row in rows] == [1]


@pytest.mark.parametrize("asked", ["since=2026-01-01", "since=2026-02-01&until=2026-01-01", "since=2026-01-01&until=2026-03-01",
                                   "range=1h&since=2026-01-01&until=2026-01-02", "range=2y"])  # fmt: skip
def test_a_time_no_chart_can_show_is_a_message(site: Site, asked: str) -> None:
    """Half a time, one that ends before it begins, too long a one, two at once: said so, never a traceback."""
    answer = site("VIEWER").get(f"{BASE}/api/overview?{asked}")
    assert answer.status_code in (400, 422), answer.text
    page = site("VIEWER").get(f"{BASE}/overview?{asked}")
    assert (
        'id="problem-until" role="alert"' in page.text if page.status_code == 200 else page.status_code == 422
    )
    typed = dict(each.split("=") for each in asked.split("&"))
    assert all(value in page.text for name, value in typed.items() if name != "range")
