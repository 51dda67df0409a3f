"""Deliveries to a real HTTP endpoint: signed, in order per contact, retried as told, and never lost."""

from __future__ import annotations

import copy
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from servers import scripted

from airflow_outreach_provider.core import rests as pauses
from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.deliveries import MAX_BATCHES, DeliveryState
from airflow_outreach_provider.core.errors import (
    AddressForbidden,
    ConfigurationError,
    OutreachError,
    OutreachUnavailable,
    SignatureError,
    StoreError,
)
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import Payload, RequestForm
from airflow_outreach_provider.core.signing import Scheme, verify
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries import callables, hands, lanes, settling, webhooks
from airflow_outreach_provider.services.deliveries import fan_out as fan_out_service
from airflow_outreach_provider.services.deliveries import serving as serving_service
from airflow_outreach_provider.services.deliveries.batch import Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out, is_ready
from airflow_outreach_provider.services.deliveries.sender import send_test
from airflow_outreach_provider.services.events.doorbell import Doorbell
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import claims as deliveries_claims
from airflow_outreach_provider.store.deliveries import endpoints, rests, serving
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.deliverable import glance
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.deliveries.tables import deliveries as deliveries_table
from airflow_outreach_provider.store.deliveries.tables import endpoints as endpoints_table
from airflow_outreach_provider.store.deliveries.tables import served_routes
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
READING = Reading("crm_events", ("crm",))


class Receiver:
    """An endpoint that answers as a script says and remembers what it was sent."""

    url = ""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.script: Callable[[dict[str, Any]], tuple[int, dict[str, str]]] = lambda _: (200, {})

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        self.requests.append((dict(headers), body))
        status, more = self.script(json.loads(body))
        return status, b"ok", more

    def seen(self) -> list[str]:
        """The ids of the events received, in order."""
        return [json.loads(body)["id"] for _, body in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with scripted(receiver.answer) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
def endpoint(receiver: Receiver) -> Endpoint:
    target = Target(parse_url(receiver.url), timeout=5, allow_networks=parse_networks("127.0.0.0/8"))
    return Endpoint("crm_conn", target, Scheme.STANDARD_WEBHOOKS, (SECRET,))


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that answers again gets everything at once, and not a few a second at first."""
    monkeypatch.setattr(webhooks, "warming_rate", lambda *_: None)


def over(store: Store, conn_id: str) -> None:
    """An endpoint's rest is over."""
    with store.write() as connection:
        connection.execute(
            endpoints_table.update().where(endpoints_table.c.conn_id == conn_id).values(rest_until=0)
        )


def later(store: Store) -> None:
    """The time of everything that waits for its time has come."""
    with store.write() as connection:
        table = deliveries_table
        connection.execute(table.update().where(table.c.due_at.is_not(None)).values(due_at=0))


def arrive(store: Store, *contacts: str, first: int = 1, kind: EventKind = EventKind.REPLIED) -> None:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(
            f"evt_{n}", "varda", "varda", "x", kind, at, at, Contact(external_id=c, email=f"{c}@example.com"),
            data={"n": n},
        )
        for n, c in enumerate(contacts, first)
    ]  # fmt: skip
    inbox_append.append(
        store, [Incoming(each, b'{"raw": %d, "id": "r"}' % n, "[]") for n, each in enumerate(events, first)]
    )


def task(name: str = "t1", **changes: Any) -> TaskTry:
    return TaskTry(Owner("dag", name, try_number=changes.pop("try_number", 1)), **changes)


def handed_out(store: Store, key: str = "run1") -> list[Batch]:
    return [Batch("crm", each["events"], each["plan"]) for each in fan_out(store, READING, key) or []]


def as_one(some: Sequence[Batch]) -> Batch:
    return Batch("crm", [each for batch in some for each in batch.event_ids], some[0].plan)


def run(
    store: Store, batch: Batch, endpoint: Endpoint, task: TaskTry, payload: Payload = "canonical"
) -> Report:
    return webhooks.deliver(store, batch, endpoint, task, form=RequestForm(payload))


def test_an_event_is_delivered_signed_once(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """The endpoint gets the canonical event, signed over exactly its bytes; a second run sends nothing."""
    arrive(store, "a")
    (batch,) = handed_out(store)
    report = run(store, batch, endpoint, task())
    assert (report.states, report.left) == ({"delivered": 1}, 0)
    headers, body = receiver.requests[0]
    verify(Scheme.STANDARD_WEBHOOKS, body, headers, [SECRET], now=datetime.now(UTC))
    assert headers["webhook-id"] == "evt_1:crm"
    assert headers["X-Outreach-Event"] == "replied"
    assert ContactEvent.from_json(body).contact.email == "a@example.com"
    assert run(store, batch, endpoint, task(cleared=True)).states == {"delivered": 1}
    assert len(receiver.requests) == 1


def test_few_contacts_get_a_batch_each_and_many_share_some(store: Store) -> None:
    """Up to 64 contacts make a batch each, in order; more are spread over 64, none split."""
    arrive(store, "a", "b", "a")
    out = fan_out(store, READING, "run1") or []
    assert [each["events"] for each in out] == [["evt_1", "evt_3"], ["evt_2"]]
    assert out[1]["label"] == "replied b•••@example.com"
    assert "@example.com" not in json.dumps(out, ensure_ascii=False).replace("•••@example.com", "")
    arrive(store, *(f"c{n % 150}" for n in range(300)), first=10)
    out = fan_out(store, READING, "run2") or []
    assert len(out) == MAX_BATCHES
    assert sorted(each for batch in out for each in batch["events"]) == sorted(
        f"evt_{n}" for n in range(10, 310)
    )
    home = {int(each[4:]): i for i, batch in enumerate(out) for each in batch["events"]}
    assert all(home[n] == home[n + 150] for n in range(10, 160))


def test_nothing_to_do_is_none_and_the_trigger_knows_it_before(store: Store, endpoint: Endpoint) -> None:
    """Readiness is true exactly when there is something to hand out."""
    assert not is_ready(store, READING)
    assert fan_out(store, READING, "run1") is None
    arrive(store, "a")
    assert is_ready(store, READING)
    (batch,) = handed_out(store)
    assert not is_ready(store, READING)
    run(store, batch, endpoint, task())
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]))
    assert is_ready(store, READING), "a redelivery wakes the sensor too"
    assert handed_out(store, "run2") == [replace(batch, plan="run2")]


def test_events_are_filtered_by_an_expression(store: Store) -> None:
    """What where turns away is done with, and does not even wake the sensor."""
    reading = replace(READING, where="contact.external_id == 'b'")
    arrive(store, "c", "c", first=8)
    assert not is_ready(store, reading)
    arrive(store, "a", "b")
    assert is_ready(store, reading)
    assert is_ready(store, reading), "looking takes nothing away"
    assert [each["events"] for each in fan_out(store, reading, "k") or []] == [["evt_2"]]
    assert not is_ready(store, reading)


def test_a_consumer_without_routes_gets_its_batches_once(store: Store) -> None:
    """Where no task reports back, events are handed over, the same again to the same task instance only."""
    arrive(store, "a")
    reading = replace(READING, routes=())
    first = fan_out(store, reading, "run1")
    assert first is not None
    assert [each["events"] for each in first] == [["evt_1"]]
    assert fan_out(store, reading, "run1") == first
    assert fan_out(store, reading, "run2") is None


@pytest.mark.parametrize("how", ["released", "redelivered"])
def test_what_is_open_again_before_a_planned_batch_begins_goes_first(
    store: Store, receiver: Receiver, endpoint: Endpoint, how: str
) -> None:
    """A contact's later event, planned while the earlier was held or dead, does not overtake it."""
    arrive(store, "a")
    (batch,) = handed_out(store)
    receiver.script = lambda _: (503 if how == "released" else 422, {})
    run(store, batch, endpoint, task())
    if how == "released":
        endpoints.disable(store, endpoint.conn_id, reason="maintenance", by="ada")
    arrive(store, "a", first=2)
    (later,) = handed_out(store, "run2")
    receiver.script = lambda _: (200, {})
    if how == "released":
        endpoints.enable(store, endpoint.conn_id, endpoints.Release.ALL)
    else:
        deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]))
    assert run(store, later, endpoint, task("t2")).elsewhere == 1
    (both,) = handed_out(store, "run3")
    assert run(store, both, endpoint, task("t3")).states == {"delivered": 2}
    assert receiver.seen() == ["evt_1", "evt_1", "evt_2"]


def test_a_failing_contact_holds_back_only_itself_and_keeps_its_order(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Of two contacts one fails: the other gets everything, the failing one continues in order on the retry."""
    arrive(store, "bad", "good", "bad", "good")
    batch = as_one(handed_out(store))
    receiver.script = lambda body: (500 if body["contact"]["external_id"] == "bad" else 200, {})
    report = run(store, batch, endpoint, task())
    assert report.states == {"delivered": 2, "failed": 1, "pending": 1}
    assert report.left == 2
    assert "HTTP 500" in report.reason()
    receiver.script = lambda _: (200, {})
    assert run(store, batch, endpoint, task(try_number=2)).states == {"delivered": 4}
    assert receiver.seen().index("evt_2") < receiver.seen().index("evt_4")
    assert [each for each in receiver.seen() if each in {"evt_1", "evt_3"}] == ["evt_1", "evt_1", "evt_3"]
    ids = {headers["webhook-id"] for headers, body in receiver.requests if json.loads(body)["id"] == "evt_1"}
    assert ids == {"evt_1:crm"}, "the id is the same on every try"


def test_exhausted_tries_are_dead_and_what_came_behind_goes_to_the_next_run(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """On the last try the failing delivery dies; the next of its contact is not sent before that is certain."""
    arrive(store, "a", "a")
    (batch,) = handed_out(store)
    receiver.script = lambda _: (500, {})
    run(store, batch, endpoint, task())
    report = run(store, batch, endpoint, task(last_try=True, delays=(0.2, 0.2)))
    assert report.states == {"dead": 1, "pending": 1}
    assert [each.event_ids for each in handed_out(store, "run2")] == [["evt_2"]]
    receiver.script = lambda _: (200, {})
    assert run(store, batch, endpoint, task()).states == {"dead": 1, "pending": 1}, (
        "dead stays dead, the rest moved on"
    )
    assert run(store, batch, endpoint, task(cleared=True)).states == {"delivered": 1, "pending": 1}


@pytest.mark.slow
@pytest.mark.parametrize("planned", [True, False])
def test_no_event_comes_behind_a_later_one_of_its_contact_whoever_is_at_fault(
    store: Store, receiver: Receiver, endpoint: Endpoint, warm: None, planned: bool
) -> None:
    """With no try left it holds up the next until somebody knows whose fault it is; where no run follows, it is dead."""
    arrive(store, "a", "a", *[f"c{n}" for n in range(20)])
    ids = [f"evt_{n}" for n in range(1, 23)]
    batch = as_one(handed_out(store)) if planned else Batch("crm", ids)
    taken = threading.Event()

    def fails(event: dict[str, Any]) -> tuple[int, dict[str, str]]:
        if event["id"] == "evt_2":
            taken.set()
            return 200, {}
        if not planned and event["id"] != "evt_1":
            taken.wait(20)  # what is taken last says that the endpoint answers
        return 500, {}

    receiver.script = fails
    report = run(store, batch, endpoint, task(last_try=True))
    assert report.rest, "the others tell that it is the endpoint"
    dead = 0 if planned else 1
    assert deliveries_lists.count(store, DeliveryFilter()).get("dead", 0) == dead
    receiver.script = lambda _: (200, {})
    over(store, endpoint.conn_id)
    later(store)
    for number in range(2, 9):
        for each in handed_out(store, f"run{number}"):
            run(store, each, endpoint, task(f"t{number}"))
        if not planned:
            run(store, batch, endpoint, task(try_number=number))
    counted = deliveries_lists.count(store, DeliveryFilter())
    assert {state: n for state, n in counted.items() if n} == {
        "delivered": 22 - dead,
        **({"dead": 1} if dead else {}),
    }
    assert [each for each in receiver.seen() if each in {"evt_1", "evt_2"}] == [
        "evt_1",
        *([] if dead else ["evt_1"]),
        "evt_2",
    ]


@pytest.mark.slow
def test_one_refusal_at_the_door_stops_the_batch(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Two hundred requests with an expired token would say nothing that the first did not."""
    arrive(store, *[f"c{n}" for n in range(200)])
    receiver.script = lambda _: (401, {})
    for place, batch in enumerate(handed_out(store)):
        report = run(store, batch, endpoint, task(f"t{place}"))
        assert "renew the token" in (report.rest or report.reason())
    assert len(receiver.requests) <= 128
    assert deliveries_lists.count(store, DeliveryFilter()).get("dead", 0) == 0


def test_one_contacts_own_fault_is_dead_while_others_are_delivered(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Who alone fails at every try is no outage: the endpoint goes on, and that delivery is dead."""
    arrive(store, "a", "b", "c")
    receiver.script = lambda event: (500 if event["contact"]["external_id"] == "a" else 200, {})
    work = handed_out(store)
    for last in (False, True):
        for place, batch in enumerate(work):
            run(store, batch, endpoint, task(f"t{place}", last_try=last))
    assert deliveries_lists.count(store, DeliveryFilter()) == {"dead": 1, "delivered": 2}
    assert endpoints.status(store, "crm_conn").disabled_at is None


@pytest.mark.parametrize(
    ("status", "state"), [(404, "dead"), (422, "dead"), (302, "failed"), (503, "failed")]
)
def test_what_a_status_means_for_a_delivery(
    store: Store, receiver: Receiver, endpoint: Endpoint, status: int, state: str
) -> None:
    """Refusals are final at once; redirects and outages are tried again."""
    arrive(store, "a")
    receiver.script = lambda _: (status, {"Location": receiver.url})
    report = run(store, handed_out(store)[0], endpoint, task())
    assert report.states == {state: 1}
    assert len(receiver.requests) == 1
    (row,) = deliveries_lists.list_deliveries(store, DeliveryFilter()).rows
    (attempt,) = deliveries_lists.attempts_of(store, row.id)
    assert (attempt.status, attempt.answer, row.last_status) == (status, "ok", status)


def test_retry_after_stops_the_batch_and_is_handed_on(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """An endpoint that asks to wait gets no further request in this try, and its wish is reported."""
    arrive(store, *(f"c{n}" for n in range(40)))
    receiver.script = lambda _: (429, {"Retry-After": "7"})
    report = webhooks.deliver(store, as_one(handed_out(store)), endpoint, task(), concurrency=2)
    assert report.retry_after == pytest.approx(7.0, abs=0.5)
    assert len(receiver.requests) <= 2
    assert report.left == 40


@pytest.mark.slow
def test_a_wait_asked_of_one_task_is_kept_by_the_others_at_it(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Two tasks deliver to one endpoint; one is told 429: soon neither sends, and what is left waits for its time."""
    arrive(store, *(f"c{n}" for n in range(120)))
    batches = handed_out(store)
    halves = [
        Batch("crm", [each for batch in some for each in batch.event_ids], batches[0].plan)
        for some in (batches[::2], batches[1::2])
    ]
    asked: list[float] = []
    at: list[float] = []

    def script(_: object) -> tuple[int, dict[str, str]]:
        at.append(time.monotonic())
        time.sleep(0.1)
        if len(at) >= 10 and not asked:
            asked.append(time.monotonic())
            return 429, {"Retry-After": "60"}
        return 200, {}

    receiver.script = script
    reports: list[Report] = []

    def work(name: str, half: Batch) -> None:
        reports.append(webhooks.deliver(store, half, endpoint, task(name), concurrency=1))

    threads = [threading.Thread(target=work, args=(f"t{n}", half)) for n, half in enumerate(halves)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(moment > asked[0] + 1.5 for moment in at) == 0
    assert len(at) < 45
    assert all(report.rest and report.retry_after for report in reports)
    assert all(report.retry_after > 40 for report in reports if report.retry_after)


def test_one_contacts_wish_to_wait_does_not_stop_the_others(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """503 with Retry-After for one contact: the others are delivered, and the retry comes when it was asked for."""
    arrive(store, "busy", *(f"c{n}" for n in range(30)), "busy")
    receiver.script = lambda body: (
        (503, {"Retry-After": "3600"}) if body["contact"]["external_id"] == "busy" else (200, {})
    )
    report = webhooks.deliver(store, as_one(handed_out(store)), endpoint, task(), concurrency=1)
    assert report.states == {"delivered": 30, "failed": 1, "pending": 1}
    assert report.retry_after == 3600.0


def test_an_endpoint_that_asks_everybody_to_wait_is_left_alone(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """After a few 503 in a row that ask to wait the rest waits too."""
    arrive(store, *(f"c{n}" for n in range(30)))
    receiver.script = lambda _: (503, {"Retry-After": "7"})
    report = webhooks.deliver(store, as_one(handed_out(store)), endpoint, task(), concurrency=1)
    assert len(receiver.requests) == lanes.WAIT_AFTER
    assert report.left == 30
    assert report.retry_after == pytest.approx(7.0, abs=0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_an_endpoint_that_is_down_is_not_asked_for_every_event(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """After as many failures in a row as make an outage the rest waits for the retry, untried."""
    arrive(store, *(f"c{n}" for n in range(60)))
    receiver.script = lambda _: (500, {})
    batch = as_one(handed_out(store))
    report = webhooks.deliver(store, batch, endpoint, task(), concurrency=4)
    assert lanes.GIVE_UP_AFTER <= len(receiver.requests) <= lanes.GIVE_UP_AFTER + 4
    assert report.left == 60
    assert run(store, batch, endpoint, task(try_number=2)).attempts == {}, "it rests"
    over(store, "crm_conn")
    receiver.requests.clear()
    receiver.script = lambda body: (500 if body["data"]["raw"] <= 16 else 200, {})
    asking = as_one(handed_out(store, "run2"))
    assert len(asking.event_ids) == 1, "a contact not yet tried is asked for first"
    assert run(store, asking, endpoint, task("t2")).states == {"delivered": 1}
    rest = as_one(handed_out(store, "run3"))
    assert run(store, rest, endpoint, task("t3")).states["delivered"] == 43


def test_410_disables_the_endpoint_and_holds_everything(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """After 410 nothing more is sent, deliveries are held, and enabling sends them."""
    arrive(store, "a", "b")
    first, second = handed_out(store)
    receiver.script = lambda _: (410, {})
    report = run(store, first, endpoint, task())
    assert report.disabled is not None
    assert report.states == {"held": 1}
    assert run(store, second, endpoint, task("t2")).states == {"held": 1}
    assert len(receiver.requests) == 1
    receiver.script = lambda _: (200, {})
    assert endpoints.enable(store, "crm_conn", endpoints.Release.ALL) == (2, 0)
    again = as_one(handed_out(store, "run2"))
    assert run(store, again, endpoint, task("t3")).states == {"delivered": 2}


def failing_for(store: Store, conn_id: str, span: timedelta) -> None:
    """An endpoint's failures began so long ago, and its rest is over."""
    with store.write() as connection:
        connection.execute(
            endpoints_table.update()
            .where(endpoints_table.c.conn_id == conn_id)
            .values(failing_since=datetime.now(UTC) - span)
        )
    over(store, conn_id)


def test_days_of_failures_disable_the_endpoint(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """Ten failures in a row, the first longer ago than the limit, hold deliveries back instead of killing them."""
    receiver.script = lambda _: (500, {})
    arrive(store, *(f"c{n}" for n in range(12)))
    batch = as_one(handed_out(store))
    assert run(store, batch, endpoint, task()).disabled is None
    failing_for(store, "crm_conn", webhooks.DISABLE_AFTER - timedelta(minutes=1))
    assert run(store, batch, endpoint, task(try_number=2)).disabled is None
    failing_for(store, "crm_conn", webhooks.DISABLE_AFTER)
    report = run(store, batch, endpoint, task(try_number=3))
    assert "failed attempts in a row" in (report.disabled or "")
    assert report.states == {"held": 12}


def test_how_long_an_endpoint_may_fail_is_its_owners_to_say(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A limit of its own holds back sooner than the usual one, and says half-way that it will."""
    receiver.script = lambda _: (500, {})
    arrive(store, *(f"c{n}" for n in range(12)))
    batch = as_one(handed_out(store))
    soon = replace(endpoint, disabled_after=timedelta(hours=1))
    assert run(store, batch, soon, task()).disabled is None
    failing_for(store, "crm_conn", timedelta(hours=1))
    assert run(store, batch, endpoint, task(try_number=2)).disabled is None, (
        "five days, where nothing is said"
    )
    over(store, "crm_conn")
    assert "failed attempts in a row" in (run(store, batch, soon, task(try_number=3)).disabled or "")


def test_a_disabled_or_unsubscribed_endpoint_gets_nothing(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Disabled in its connection: held. A kind it does not subscribe to: ignored."""
    arrive(store, "a", "b")
    first, second = handed_out(store)
    report = run(store, first, replace(endpoint, kinds=frozenset({"opened"})), task())
    assert report.states == {"ignored": 1}
    assert run(store, second, replace(endpoint, enabled=False), task("t2")).states == {"held": 1}
    assert receiver.requests == []


def test_disabled_in_its_connection_an_endpoint_is_shown_and_asks_what_becomes_of_what_it_held(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Enabled there again, nothing overtakes what was held: it is sent, in order, when somebody has chosen."""
    off = replace(endpoint, enabled=False)
    arrive(store, "a")
    run(store, handed_out(store)[0], off, task())
    status = endpoints.status(store, "crm_conn")
    assert (status.disabled_by, status.disabled_reason) == ("connection", "disabled in the connection")
    arrive(store, "a", first=2)
    assert run(store, handed_out(store, "run2")[0], endpoint, task("t2")).states == {"held": 1}
    assert receiver.requests == []
    assert endpoints.enable(store, "crm_conn", endpoints.Release.ALL) == (2, 0)
    report = run(store, as_one(handed_out(store, "run3")), endpoint, task("t3"))
    assert report.states == {"delivered": 2}
    assert receiver.seen() == ["evt_1", "evt_2"]


def test_who_dies_before_it_disables_an_endpoint_leaves_nothing_held(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 410 the delivery is open until the endpoint is disabled, which holds it: else nobody would ring for it."""
    arrive(store, "a")
    batch = as_one(handed_out(store))
    receiver.script = lambda _: (410, {})

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(endpoints, "disable", die)
        with pytest.raises(KeyboardInterrupt):
            run(store, batch, endpoint, task())
    assert deliveries_lists.count(store, DeliveryFilter()).get("held", 0) == 0
    assert run(store, batch, endpoint, task(try_number=2)).states == {"held": 1}
    assert endpoints.status(store, "crm_conn").disabled_at is not None


def test_what_was_held_goes_first_where_an_endpoint_is_enabled_just_after_a_claim(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the later one was claimed, the earlier one of its contact was held: it is handed back, and both go in order."""
    endpoints.disable(store, "crm_conn", reason="by hand", by="ann")
    arrive(store, "a")
    assert run(store, handed_out(store)[0], endpoint, task()).states == {"held": 1}
    arrive(store, "a", first=2)

    def claim_and_enable(*given: Any, **named: Any) -> Any:
        claimed = deliveries_claims.claim(*given, **named)
        endpoints.enable(store, "crm_conn", endpoints.Release.ALL)
        return claimed

    with monkeypatch.context() as patched:
        patched.setattr(webhooks, "claim", claim_and_enable)
        report = run(store, handed_out(store, "run2")[0], endpoint, task("t2"))
    assert (report.states, report.left, report.elsewhere) == ({"pending": 1}, 0, 1)
    assert receiver.requests == []
    assert run(store, as_one(handed_out(store, "run3")), endpoint, task("t3")).states == {"delivered": 2}
    assert receiver.seen() == ["evt_1", "evt_2"]


def test_enabled_again_in_its_connection_before_anything_was_held_an_endpoint_just_goes_on(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """With nothing to choose nobody is asked."""
    run(store, Batch("crm", []), replace(endpoint, enabled=False), task())
    assert endpoints.status(store, "crm_conn").disabled_at is not None
    arrive(store, "a")
    assert run(store, handed_out(store)[0], endpoint, task()).states == {"delivered": 1}
    assert endpoints.status(store, "crm_conn").disabled_at is None


def test_nothing_overtakes_a_held_delivery_of_its_contact(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A delivery held by a worker that died before it disabled the endpoint holds the next ones of its contact."""
    arrive(store, "a", "a", "b")
    batch = as_one(handed_out(store))
    rows = {each.event_id: each.id for each in deliveries_lists.list_deliveries(store, DeliveryFilter()).rows}
    deliveries_attempts.move(store, [rows["evt_1"]], DeliveryState.HELD, "HTTP 410")
    with store.write() as connection:
        connection.execute(sa.text("UPDATE deliveries SET endpoint = 'crm_conn' WHERE state = 'held'"))
    assert run(store, batch, endpoint, task()).states == {"held": 2, "delivered": 1}
    assert receiver.seen() == ["evt_3"]


@pytest.mark.parametrize("taken", ["disabled", "forgotten", "given to another task"])
def test_what_is_taken_out_of_a_tasks_hands_is_not_sent(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """A person disables the endpoint, or somebody is forgotten, while a task works through what it took long before."""
    monkeypatch.setattr(hands, "_LOOK_EVERY_SECONDS", 0.05)
    arrive(store, *(f"c{n}" for n in range(40)))
    batch = as_one(handed_out(store))

    def answer(_: Any) -> tuple[int, dict[str, str]]:
        if len(receiver.requests) == 2:
            take_away(store, taken)
        time.sleep(0.02)
        return 200, {}

    receiver.script = answer
    report = webhooks.deliver(store, batch, endpoint, task(), concurrency=1)
    sent = len(receiver.requests)
    assert 2 <= sent < 30
    assert (report.left, report.parked, report.disabled) == (0, 0, None)
    waits = {
        "disabled": {"held": 40 - sent},
        "forgotten": {},
        "given to another task": {"pending": 40 - sent},
    }[taken]
    assert {state: n for state, n in report.states.items() if state != "delivered"} == waits


def take_away(store: Store, how: str) -> None:
    """What was not sent yet is no longer the task's."""
    if how == "disabled":
        endpoints.disable(store, "crm_conn", reason="by hand", by="ann")
        return
    rows = deliveries_lists.list_deliveries(
        store, DeliveryFilter(states=[DeliveryState.PENDING]), limit=100
    ).rows
    ids = [each.id for each in rows]
    if how == "forgotten":
        deliveries_redeliver.forget(store, ids)
        return
    with store.write() as connection:
        of_another = {"claim": "another", "plan": "another"}
        connection.execute(deliveries_table.update().where(deliveries_table.c.id.in_(ids)).values(of_another))


@pytest.mark.parametrize("fault", ["address", "http", "secret"])
def test_an_endpoint_that_cannot_be_called_fails_the_try_and_loses_nothing(
    store: Store, receiver: Receiver, endpoint: Endpoint, fault: str
) -> None:
    """A forbidden address, plain HTTP or a bad secret raises at once; every delivery stays to be done."""
    bad = {
        "address": replace(endpoint, target=replace(endpoint.target, allow_networks=())),
        "http": replace(endpoint, target=Target(parse_url("http://1.1.1.1/"))),
        "secret": replace(endpoint, secrets=("too short",)),
    }[fault]
    arrive(store, "a", "b")
    batch = as_one(handed_out(store))
    with pytest.raises((AddressForbidden, ConfigurationError, SignatureError)):
        run(store, batch, bad, task(last_try=True))
    assert receiver.requests == []
    assert run(store, batch, endpoint, task(try_number=2)).states == {"delivered": 2}


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ("received", {"raw": 1, "id": "r"}),
        (
            {
                "id": "{{ id }}",
                "text": "{{ kind }} by {{ contact.email }}",
                "list": ["{{ data.raw }}", 2],
                "m": {"x": "{{ data.none }}"},
            },
            {"id": "evt_1", "text": "replied by a@example.com", "list": [1, 2], "m": {"x": None}},
        ),
    ],
)
def test_payloads_as_received_and_by_template(
    store: Store, receiver: Receiver, endpoint: Endpoint, payload: Payload, sent: object
) -> None:
    """The raw body goes out byte for byte; a template is filled in, with types kept."""
    arrive(store, "a")
    run(store, handed_out(store)[0], endpoint, task(), payload)
    assert json.loads(receiver.requests[0][1]) == sent
    if payload == "received":
        assert receiver.requests[0][1] == b'{"raw": 1, "id": "r"}'


def test_events_made_by_a_dag_are_delivered_too(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """An event that never was in the inbox is recorded first, so that a retry has it."""
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    event = ContactEvent("evt_own", "my_dag", "airflow", "deal.won", EventKind.OTHER, at, at, data={"x": 1})
    batch = Batch("crm", ["evt_own"], None, (event,))
    receiver.script = lambda _: (500, {})
    assert run(store, batch, endpoint, task()).states == {"failed": 1}
    receiver.script = lambda _: (200, {})
    assert run(store, replace(batch, made=()), endpoint, task(try_number=2)).states == {"delivered": 1}
    assert receiver.seen() == ["evt_own", "evt_own"]


@pytest.mark.parametrize("dies", [False, True])
def test_what_was_taken_along_and_failed_is_the_next_trys(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    """An event that a task took along behind its batch, and that failed or died with it, goes out at its next try."""
    arrive(store, "a")
    (batch,) = handed_out(store)

    def script(event: dict[str, Any]) -> tuple[int, dict[str, str]]:
        if event["id"] == "evt_1":  # while it is sent, the next of this contact comes in
            arrive(store, "a", first=2)
            assert handed_out(store, "run2") == []
            return 200, {}
        return 503, {}

    receiver.script = script
    if dies:  # SIGKILL: nothing is settled or let go any more
        monkeypatch.setattr(
            "airflow_outreach_provider.services.deliveries.lanes.LaneRunner.let_go", lambda _: None
        )
    report = run(store, batch, endpoint, task())
    assert report.states == {"delivered": 1, "failed": 1}
    monkeypatch.undo()
    receiver.script = lambda _: (200, {})
    report = run(store, batch, endpoint, task(try_number=2))
    assert (report.states, report.left) == ({"delivered": 2}, 0)
    assert receiver.seen() == ["evt_1", "evt_2", "evt_2"]
    with store.read() as connection:
        assert (
            connection.execute(
                deliveries_table.select().where(deliveries_table.c.state != "delivered")
            ).first()
            is None
        )


def test_what_a_contact_says_without_end_is_left_to_the_next_run_at_once(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task ends some time, however much its contact has yet; what it did not begin is with nobody, and rings."""
    monkeypatch.setattr(lanes, "_MOST_ROUNDS", 1)
    arrive(store, "a", "a")
    receiver.script = lambda event: (200 if event["id"] == "evt_1" else 503, {})
    (batch,) = handed_out(store)
    run(store, batch, endpoint, task(last_try=True))  # the second one failed, and waits for its time
    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=["evt_1"]))
    (batch,) = handed_out(store, "run2")
    later(store)
    receiver.script = lambda _: (200, {})
    run(store, batch, endpoint, task("t2"))
    assert receiver.seen() == ["evt_1", "evt_2", "evt_1"]
    assert is_ready(store, READING)
    run(store, *handed_out(store, "run3"), endpoint, task("t3"))
    assert receiver.seen() == ["evt_1", "evt_2", "evt_1", "evt_2"]


@pytest.mark.slow
def test_of_two_routes_behind_one_sensor_each_keeps_its_own_order(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """What planning left out for one route, because an earlier event is open there, its task leaves alone too."""
    reading = replace(READING, routes=("crm", "slack"))

    def batch_of(route: str, key: str) -> Batch:
        (found,) = fan_out(store, reading, key) or []
        return Batch(route, found["events"], found["plan"])

    arrive(store, "a")
    receiver.script = lambda _: (500, {})
    run(store, batch_of("crm", "run1"), endpoint, task("crm"))
    receiver.script = lambda _: (200, {})
    run(store, batch_of("slack", "run1"), endpoint, task("slack"))
    arrive(store, "a", first=2)
    report = run(store, batch_of("crm", "run2"), endpoint, task("crm2"))
    assert (report.states, report.left, report.elsewhere) == ({"pending": 1}, 0, 1)
    assert run(store, batch_of("slack", "run2"), endpoint, task("slack2")).states == {"delivered": 1}
    # The contact is free again: its next event goes along.
    assert run(store, batch_of("crm", "run1"), endpoint, task("crm", try_number=2)).states == {"delivered": 2}
    of_crm = [
        json.loads(body)["id"]
        for headers, body in receiver.requests
        if headers["webhook-id"].endswith(":crm")
    ]
    assert of_crm == ["evt_1", "evt_1", "evt_2"]


def made(*names: str, contact: str = "a") -> Batch:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = tuple(
        ContactEvent(
            name, "dag", "airflow", "x", EventKind.OTHER, at, at, Contact(external_id=contact), data={}
        )
        for name in names
    )
    return Batch("crm", names, None, events)


def test_events_given_directly_wait_for_an_earlier_one_of_their_contact(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """While another task has an earlier event of the contact, the later one is not sent, and not forgotten."""
    receiver.script = lambda _: (500, {})
    run(store, made("e1"), endpoint, task("t1"))
    receiver.script = lambda _: (200, {})
    report = run(store, made("e2"), endpoint, task("t2"))
    assert (report.states, report.left, report.elsewhere) == ({"pending": 1}, 0, 1)
    assert run(store, made("other", contact="b"), endpoint, task("t3")).states == {"delivered": 1}
    assert run(store, made("e1"), endpoint, task("t1", try_number=2)).states == {"delivered": 1}
    assert run(store, made("e2"), endpoint, task("t2", try_number=2)).states == {"delivered": 1}
    assert receiver.seen() == ["e1", "other", "e1", "e2"]


def test_the_next_run_of_a_route_without_a_sensor_sends_what_was_made_pending_again(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redelivered and released deliveries go along with the next batch, oldest first and not all at once."""
    receiver.script = lambda _: (404, {})
    run(store, made("e1", "e2", "e3"), endpoint, task("t1"))
    elsewhere = replace(endpoint, conn_id="other_conn")
    run(store, made("o1", contact="o"), elsewhere, task("t2"))
    assert deliveries_redeliver.redeliver(store, DeliveryFilter(states=[DeliveryState.DEAD])) == 4
    receiver.script, receiver.requests = lambda _: (200, {}), []
    monkeypatch.setattr(deliveries_claims, "MOST_TAKEN_ALONG", 2)
    assert run(store, made("e4", contact="b"), endpoint, task("t3")).states == {"delivered": 3}
    assert sorted(receiver.seen()) == ["e1", "e2", "e4"]
    assert run(store, made(), endpoint, task("t4")).states == {"delivered": 1}
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 4, "pending": 1}, (
        "o1 is another endpoint's"
    )


def test_an_unknown_event_is_counted_not_hidden(store: Store, endpoint: Endpoint) -> None:
    """An event that was purged or forgotten shows up as unknown."""
    assert run(store, Batch("crm", ["evt_gone"]), endpoint, task()).states == {"unknown": 1}


@pytest.mark.slow
def test_a_rate_holds_over_concurrent_tasks(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """Two tasks at one endpoint together stay within its requests per second."""
    arrive(store, *(f"c{n}" for n in range(30)))
    slow = replace(endpoint, requests_per_second=40.0)
    all_of_it = as_one(handed_out(store)).event_ids
    halves = [Batch("crm", all_of_it[:15], "run1"), Batch("crm", all_of_it[15:], "run1")]
    started = time.monotonic()
    threads = [
        threading.Thread(target=run, args=(store, half, slow, task(f"t{n}"))) for n, half in enumerate(halves)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.requests) == 30
    assert time.monotonic() - started >= 30 / 40 - 0.25


@pytest.mark.slow
def test_many_small_batches_use_the_whole_rate(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """A task reserves what its own batch needs: ten events in ten tasks take as long as in one."""
    arrive(store, *(f"c{n}" for n in range(10)))
    slow = replace(endpoint, requests_per_second=20.0)
    started = time.monotonic()
    threads = [
        threading.Thread(target=run, args=(store, batch, slow, task(f"t{n}")))
        for n, batch in enumerate(handed_out(store))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.requests) == 10
    assert 0.35 <= time.monotonic() - started <= 4.0, "a whole second for each would be ten"


@pytest.mark.slow
def test_who_waits_for_the_rate_hears_that_nothing_more_is_to_be_sent(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """An endpoint that rests gets nothing more, and a task that is asked to end begins nothing more: those that wait for
    their turn do not take it."""
    arrive(store, *(f"c{n}" for n in range(12)))
    slow = replace(endpoint, requests_per_second=4.0)
    batch = as_one(handed_out(store))
    receiver.script = lambda _: (401, {})
    started = time.monotonic()
    assert "401" in run(store, batch, slow, task()).rest
    assert len(receiver.requests) <= 2 and time.monotonic() - started < 1.5
    receiver.script = lambda _: (200, {})
    over(store, "crm_conn")
    asked = task()
    threading.Timer(0.6, asked.stop.set).start()
    started = time.monotonic()
    with pytest.raises(OutreachUnavailable, match="killed"):
        run(store, as_one(handed_out(store, "run2") or [batch]), slow, asked)
    assert time.monotonic() - started < 1.5
    before = len(receiver.requests)
    time.sleep(0.5)
    assert len(receiver.requests) == before <= 6


def test_the_test_button_sends_no_person_and_shows_the_answer(receiver: Receiver, endpoint: Endpoint) -> None:
    """A test event is signed like any other, names nobody, and its result is told."""
    ok, message = send_test(endpoint, datetime.now(UTC))
    assert ok
    assert message.startswith("HTTP 200 in ")
    headers, body = receiver.requests[0]
    verify(Scheme.STANDARD_WEBHOOKS, body, headers, [SECRET], now=datetime.now(UTC))
    assert not any(json.loads(body)["contact"].values())
    receiver.script = lambda _: (404, {})
    assert send_test(endpoint, datetime.now(UTC)) == (
        False,
        "HTTP 404 Not Found: the endpoint refuses this request",
    )


def test_dead_deliveries_are_found_by_state(store: Store, receiver: Receiver, endpoint: Endpoint) -> None:
    """A redelivery by filter, counted first, is sent by the route's next run with full tries."""
    arrive(store, "a", "b")
    receiver.script = lambda _: (404, {})
    run(store, as_one(handed_out(store)), endpoint, task())
    wanted = DeliveryFilter(states=[DeliveryState.DEAD], endpoint="crm_conn")
    assert deliveries_lists.count(store, wanted) == {"dead": 2}
    assert deliveries_redeliver.redeliver(store, wanted) == 2
    receiver.script = lambda _: (200, {})
    assert run(store, as_one(handed_out(store, "run2")), endpoint, task("t2")).states == {"delivered": 2}


@pytest.mark.slow
def test_a_try_that_is_broken_off_keeps_what_was_delivered(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A time-out or a kill in the middle settles what was answered and frees the rest for the next try."""
    arrive(store, *(f"c{n}" for n in range(40)))
    batch = as_one(handed_out(store))

    class BrokenOff(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise BrokenOff

    def slow(_: object) -> tuple[int, dict[str, str]]:
        time.sleep(0.05)
        return 200, {}

    receiver.script = slow
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.raises(BrokenOff):
            webhooks.deliver(store, batch, endpoint, task(), concurrency=2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    counts = deliveries_lists.count(store, DeliveryFilter())
    assert counts["delivered"] >= 5
    assert counts["pending"] >= 5
    sent = len(receiver.requests)
    assert sent - 2 <= counts["delivered"] <= sent
    receiver.script = lambda _: (200, {})
    assert run(store, batch, endpoint, task(try_number=2)).states == {"delivered": 40}
    assert len(receiver.requests) <= 42, "only what was in flight is sent twice"


# -- an endpoint at fault rests ------------------------------------------------------------------------------


def counts(store: Store) -> dict[str, int]:
    return deliveries_lists.count(store, DeliveryFilter())


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("status", "runs", "people"), [(500, 12, 40), (503, 3, 8), (302, 3, 8), (401, 6, 8), (403, 3, 8)]
)
def test_an_endpoints_fault_kills_no_delivery(
    store: Store, receiver: Receiver, endpoint: Endpoint, status: int, runs: int, people: int
) -> None:
    """Through an outage of any length nothing is dead, few requests ask, and then everything goes out in order."""
    arrive(store, *(f"c{n % people}" for n in range(2 * people)))
    receiver.script = lambda _: (status, {})
    before = 0
    for number in range(runs):
        for place, batch in enumerate(handed_out(store, f"run{number}")):
            last = number % 3 == 2
            report = run(
                store, batch, endpoint, task(f"t{number}.{place}", last_try=last, delays=(0.01,) * 8)
            )
            assert report.attempts["dead"] == 0 and report.disabled is None
        before = len(receiver.requests) if number == 0 else before
        over(store, "crm_conn")
        with store.write() as connection:  # a task that never came back
            connection.execute(deliveries_table.update().values(plan_until=0, due_at=None))
    assert counts(store).keys() <= {"failed", "pending"}
    assert len(receiver.requests) - before <= (runs - 1) * 3, "each time a few ask"
    state = endpoints.status(store, "crm_conn")
    assert state.disabled_at is None and state.resting_since is not None and str(status) in state.rest_reason
    receiver.script, receiver.requests = lambda _: (200, {}), []
    for number in range(4):
        for place, batch in enumerate(handed_out(store, f"after{number}")):
            run(store, batch, endpoint, task(f"u{number}.{place}"))
    assert counts(store) == {"delivered": 2 * people}
    order: dict[str, list[int]] = {}
    for _, body in receiver.requests:
        event = json.loads(body)
        order.setdefault(event["contact"]["external_id"], []).append(int(event["id"].removeprefix("evt_")))
    assert all(ids == sorted(ids) for ids in order.values()), "in order for each contact"
    assert endpoints.status(store, "crm_conn").resting_since is None


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("status", [402, 404, 405, 406, 415, 426])
def test_a_wrong_address_makes_no_backlog_dead(
    store: Store, receiver: Receiver, endpoint: Endpoint, status: int
) -> None:
    """Several contacts refused in a row, as by a mistyped URL, and none taken: it rests, and all of them go out later."""
    arrive(store, *(f"c{n}" for n in range(12)))
    receiver.script = lambda _: (status, {})
    for number in range(3):
        batch = as_one(handed_out(store, f"run{number}"))
        report = run(store, batch, endpoint, task(f"t{number}", last_try=True))
        assert report.attempts["dead"] == 0
        over(store, "crm_conn")
        with store.write() as connection:  # a task that never came back
            connection.execute(deliveries_table.update().values(plan_until=0, due_at=None))
    assert counts(store).keys() <= {"failed", "pending"}
    assert len(receiver.requests) <= 3 * 8, "each time a few ask"
    state = endpoints.status(store, "crm_conn")
    assert state.resting_since is not None and str(status) in state.rest_reason
    receiver.script = lambda _: (200, {})
    for number in range(3):
        for place, batch in enumerate(handed_out(store, f"after{number}")):
            run(store, batch, endpoint, task(f"u{number}.{place}"))
    assert counts(store) == {"delivered": 12}


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_a_wrong_address_is_noticed_over_single_tasks_too(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """One event a task, each alone with its refusal: with the third contact the endpoint rests."""
    receiver.script = lambda _: (404, {})
    for number in range(4):
        arrive(store, f"c{number}", first=number + 1)
        for place, batch in enumerate(handed_out(store, f"run{number}")):
            run(store, batch, endpoint, task(f"t{number}.{place}"))
    assert counts(store)["dead"] == 2
    assert endpoints.status(store, "crm_conn").resting_since is not None


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("status", "refused"),
    [(404, ["b"]), (404, ["b", "e"]), (405, ["a", "b"]), (404, ["a", "c", "e"]), (422, ["a", "b", "c", "d"]), (400, ["b", "c", "d", "e"])],
)  # fmt: skip
def test_a_single_contacts_refusal_stays_its_own(
    store: Store, receiver: Receiver, endpoint: Endpoint, status: int, refused: list[str]
) -> None:
    """Others are taken before the next is refused, or what is refused says that the address is right."""
    arrive(store, *"abcdef")
    receiver.script = lambda body: (status if body["contact"]["external_id"] in refused else 200, {})
    batch = as_one(handed_out(store))
    report = webhooks.deliver(store, batch, endpoint, task(), form=RequestForm("canonical"), concurrency=1)
    assert counts(store) == {"delivered": 6 - len(refused), "dead": len(refused)}
    assert report.attempts["dead"] == len(refused)
    assert endpoints.status(store, "crm_conn").resting_since is None


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(("status", "last_try"), [(404, False), (405, True), (500, True)])
def test_what_a_later_one_overtook_is_not_sent_by_who_comes_after_a_kill(
    store: Store,
    receiver: Receiver,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    last_try: bool,
) -> None:
    """The first of a contact was refused and the next one taken, and the task died before it knew whose fault that was."""
    arrive(store, "a", "a", "b")
    receiver.script = lambda body: (status if body["id"] == "evt_1" else 200, {})
    batch = as_one(handed_out(store))
    with monkeypatch.context() as killed:
        killed.setattr(lanes, "conclude", lambda shift: None)
        killed.setattr(lanes, "let_go", lambda shift: None)
        run(store, batch, endpoint, task(last_try=last_try))
    sent = receiver.seen()
    receiver.script = lambda _: (200, {})
    run(store, batch, endpoint, task(try_number=2))
    again = receiver.seen()[len(sent) :]
    assert again == (["evt_1", "evt_2"] if "evt_2" not in sent else [])
    assert counts(store) == ({"delivered": 3} if "evt_2" not in sent else {"delivered": 2, "dead": 1})


def test_while_an_endpoint_rests_nobody_is_rung_for_it(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Neither what waits nor what comes new makes a run, before somebody may ask; other routes go on."""
    arrive(store, "a")
    receiver.script = lambda _: (401, {})
    run(store, handed_out(store)[0], endpoint, task(keep=0))
    arrive(store, "b", first=2)
    seen = glance(store)
    assert seen.resting == {"crm"} and seen.routes == frozenset()
    assert Doorbell(READING, own_filter=True).look(store, seen).free == frozenset()
    assert (
        Doorbell(replace(READING, consumer="slack", routes=("slack",)), own_filter=True)
        .look(store, seen)
        .free
    )
    over(store, "crm_conn")
    seen = glance(store)
    assert seen.resting == frozenset() and seen.routes == {"crm"}


def test_one_task_asks_a_resting_endpoint_and_the_others_send_nothing(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """However many tasks begin at once when a rest is over."""
    arrive(store, *(f"c{n}" for n in range(6)))
    receiver.script = lambda _: (403, {})
    batches = handed_out(store)
    run(store, as_one(batches), endpoint, task("first", keep=0))
    over(store, "crm_conn")
    first, status = rests.leave(store, "crm_conn")
    assert first is rests.Leave.ONE and status.rests == 1
    assert rests.leave(store, "crm_conn")[0] is rests.Leave.NOT
    receiver.requests.clear()
    report = run(store, as_one(batches), endpoint, task("second"))
    assert receiver.requests == [] and report.left == 0


@pytest.mark.usefixtures("warm")
def test_a_large_batch_asks_a_resting_endpoint_little(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A task that kept many for its own retry does not try them all on an endpoint that is still down; a contact or two
    that fail by themselves do not keep it from finding out that the endpoint is back."""
    arrive(store, *(f"c{n}" for n in range(30)))
    batch = as_one(handed_out(store))
    receiver.script = lambda _: (500, {})
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    assert run(store, batch, endpoint, task()).left == 30
    assert 1 <= len(receiver.requests) <= 3
    over(store, "crm_conn")
    receiver.script = lambda body: (500 if body["data"]["raw"] <= 2 else 200, {})
    assert run(store, batch, endpoint, task(try_number=2)).states == {"delivered": 28, "failed": 2}


def test_an_event_that_is_gone_says_nothing_of_the_endpoint(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Nothing was sent, so nothing answered: the next of the batch asks."""
    arrive(store, "a", "b")
    batch = as_one(handed_out(store))
    with store.write() as connection:
        connection.execute(sa.text("DELETE FROM inbox_events WHERE event_id = 'evt_1'"))
    receiver.script = lambda _: (500, {})
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    run(store, batch, endpoint, task())
    status = endpoints.status(store, "crm_conn")
    assert status.resting_since is not None and status.rests == 2
    assert len(receiver.requests) == 1


def test_a_resting_endpoint_slows_no_other_route_of_its_sensor(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Of the route whose endpoint is to be asked one delivery is handed out; of the others all."""
    rests.lead_to(store, "crm", "crm_conn")
    rests.lead_to(store, "other", "other_conn")
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    arrive(store, *(f"c{n}" for n in range(20)))
    fan_out(store, Reading("c", ("crm", "other")), "run1")
    with store.read() as connection:
        planned = sa.text("SELECT route, count(*) FROM deliveries WHERE plan = 'run1' GROUP BY route")
        assert dict(connection.execute(planned).tuples().all()) == {"crm": 1, "other": 20}


def test_each_rest_is_longer_until_the_endpoint_answers(store: Store) -> None:
    """15 seconds at first, five minutes at last; told to wait, as long as told."""
    lengths = []
    for _ in range(7):
        rest = rests.rest(store, "crm_conn", "HTTP 500")
        lengths.append(round((rest.until - store.now()).total_seconds()))
        over(store, "crm_conn")
    assert lengths == [*pauses.PAUSES, 300, 300]
    assert rests.recover(store, "crm_conn") and not rests.recover(store, "crm_conn")
    asked = rests.rest(store, "crm_conn", "HTTP 429", 7.0)
    assert asked.began and round((asked.until - asked.since).total_seconds()) == 7
    again = rests.rest(store, "crm_conn", "HTTP 500")
    assert not again.began and abs(again.until - asked.until) < timedelta(milliseconds=2), (
        "another task noticed the same"
    )


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("status", [500, 404])
def test_a_contact_that_fails_by_itself_keeps_no_endpoint_at_rest(
    store: Store, receiver: Receiver, endpoint: Endpoint, keep: int, status: int
) -> None:
    """Asked with the bad contact's event an endpoint says nothing good; the next asking is with somebody else's, though the
    bad one's task may come again as soon as the rest is over."""
    arrive(store, "bad", "bad2", "bad3", "bad4", "good")
    receiver.script = lambda body: (status if "bad" in body["contact"]["external_id"] else 200, {})
    rests.lead_to(store, "crm", "crm_conn")
    for batch in handed_out(store, "before"):
        run(store, batch, replace(endpoint, enabled=False), task())
    endpoints.enable(store, "crm_conn", endpoints.Release.ALL)  # known to lead there, and never tried
    rests.rest(store, "crm_conn", "HTTP 500")
    kept: Batch | None = None
    for number in range(6):
        over(store, "crm_conn")
        for batch in [kept] if kept else handed_out(store, f"run{number}"):
            report = run(store, batch, endpoint, task("t", keep=keep, delays=(600.0,) * 8))
            kept = batch if report.left else None
        later(store)
    assert counts(store)["delivered"] == 1
    assert endpoints.status(store, "crm_conn").resting_since is None


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "waiting"), [(3, 3), (0, 0)])
def test_the_runs_that_wait_for_retries_are_few_however_many_contacts_fail(
    store: Store, receiver: Receiver, endpoint: Endpoint, keep: int, waiting: int
) -> None:
    """What fails in more runs waits for its time in nobody's hands, is rung for then, and has all its tries."""
    delays = (600.0, 600.0)
    receiver.script = lambda body: (200 if body["contact"]["external_id"] == "good" else 500, {})
    kept = 0
    for number in range(8):
        arrive(store, f"bad{number}", "good", first=10 * number + 1)
        for place, batch in enumerate(handed_out(store, f"run{number}")):
            report = run(store, batch, endpoint, task(f"t{number}.{place}", keep=keep, delays=delays))
            kept += report.left
            assert report.left + report.parked == report.states.get("failed", 0)
    assert kept == waiting
    assert counts(store) == {"delivered": 8, "failed": 8}
    assert glance(store).routes == frozenset(), "not before their time"
    later(store)
    assert glance(store).routes == {"crm"}
    for number in range(8, 11):
        for place, batch in enumerate(handed_out(store, f"run{number}")):
            run(store, batch, endpoint, task(f"t{number}.{place}", keep=keep, delays=delays))
            # Others are delivered meanwhile: so it is not the endpoint.
            arrive(store, "good", first=1000 * number + place)
            (good,) = handed_out(store, f"good{number}.{place}")
            run(store, good, endpoint, task(f"g{number}.{place}", keep=keep, delays=delays))
        later(store)
    rows = list(deliveries_lists.every_delivery(store, DeliveryFilter(states=[DeliveryState.DEAD])))
    assert {row.tries for row in rows} <= {3}, "as many tries as the task would have had"
    assert len(rows) == 8 - waiting


def test_a_first_failure_does_not_wait_for_the_late_retry_of_a_task_that_was_killed(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Kills use up tries of the task, whose next pause is ten minutes: what has failed once waits five seconds."""
    arrive(store, "a", "b", "a")
    delays, late = (5.0, 30.0, 120.0, 600.0), timedelta(minutes=10)
    receiver.script = lambda body: (500 if body["contact"]["external_id"] == "a" else 200, {})
    batch = as_one(handed_out(store))
    report = run(store, batch, endpoint, task(try_number=4, delays=delays, next_try=late))
    assert (report.left, report.parked) == (0, 2)
    assert counts(store) == {"delivered": 1, "failed": 1, "pending": 1}
    assert handed_out(store, "run2") == [], "not before its time"
    later(store)
    receiver.script = lambda _: (200, {})
    (again,) = handed_out(store, "run2")
    assert again.event_ids == ["evt_1", "evt_3"]
    report = run(store, again, endpoint, task("t2", delays=delays, next_try=timedelta(seconds=5)))
    assert report.states == {"delivered": 2}


def test_what_failed_as_often_as_its_task_stays_with_it(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Its retry is the task's, seen in Airflow; what it is asked to wait for counts in the store as well."""
    delays = (5.0, 30.0, 120.0)
    arrive(store, "a")
    receiver.script = lambda _: (500, {})
    (batch,) = handed_out(store)
    for number, pause in enumerate(delays, 1):
        given = task(try_number=number, delays=delays, next_try=timedelta(seconds=pause))
        report = run(store, batch, endpoint, given)
        assert (report.left, report.parked) == (1, 0)


@pytest.mark.slow
def test_what_another_run_tried_before_waits_as_long_as_its_own_tries_say(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A new run's first pause is five seconds; what failed three times already waits its ten minutes there too."""
    delays = (5.0, 30.0, 120.0, 600.0)
    arrive(store, "a")
    receiver.script = lambda _: (500, {})
    for number in range(3):
        for batch in handed_out(store, f"run{number}"):
            run(store, batch, endpoint, task(f"t{number}", delays=delays, keep=0))
        later(store)
    (batch,) = handed_out(store, "run4")
    report = run(store, batch, endpoint, task("t4", delays=delays, next_try=timedelta(seconds=5)))
    assert (report.left, report.parked, report.retry_after) == (1, 0, 600.0)


def bad_ones_fail_once_more(store: Store, endpoint: Endpoint, number: int) -> None:
    """Contacts that fail for good have failed and others were answered since; now their retries come all at once."""
    given = {"delays": (600.0,) * 8, "keep": 0}
    for batch in handed_out(store, f"bad{number}"):
        run(store, batch, endpoint, task(f"bad{number}", **given))
    arrive(store, "good", first=1000 + number)
    (batch,) = handed_out(store, f"good{number}")
    run(store, batch, endpoint, task(f"good{number}", **given))
    later(store)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_retries_of_contacts_that_fail_for_good_are_no_outage(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """However many come in a row: others were answered since they failed first. They die of their own tries."""
    bad = [f"bad{n}" for n in range(22)]
    arrive(store, *bad[:4])
    receiver.script = lambda body: (500 if "bad" in body["contact"]["external_id"] else 200, {})
    for number in range(9):  # a few more each time, so that no first failures look like an outage
        bad_ones_fail_once_more(store, endpoint, number)
        assert endpoints.status(store, "crm_conn").resting_since is None
        arrive(store, *bad[2 * number + 4 : 2 * number + 6], first=100 + 2 * number)
    assert counts(store)["delivered"] == 9
    assert counts(store)["dead"] == 4, "nine tries each, as the schedule says"


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_an_outage_is_one_even_while_some_contacts_fail_for_good(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """First failures of contacts that nothing speaks against make it rest; once it answers, they are let go at once,
    and who fails for good keeps its time."""
    arrive(store, "bad1", "bad2")
    receiver.script = lambda body: (500 if "bad" in body["contact"]["external_id"] else 200, {})
    bad_ones_fail_once_more(store, endpoint, 0)
    for batch in handed_out(store, "again"):
        run(store, batch, endpoint, task("again", delays=(600.0,) * 8, keep=0))
    arrive(store, "good", first=500)
    (batch,) = handed_out(store, "well")
    run(store, batch, endpoint, task("well"))
    receiver.script = lambda _: (500, {})
    arrive(store, *(f"c{n}" for n in range(20)), first=10)
    down = as_one(handed_out(store, "down"))
    run(store, down, endpoint, task("down", delays=(600.0,) * 8, keep=0))
    assert endpoints.status(store, "crm_conn").resting_since is not None
    over(store, "crm_conn")
    receiver.script, receiver.requests = lambda _: (200, {}), []
    assert rests.recover(store, "crm_conn")
    out = as_one(handed_out(store, "back"))
    assert set(out.event_ids) == {f"evt_{n}" for n in range(10, 30)}, "the two others are not due"
    assert run(store, out, endpoint, task("back")).states == {"delivered": 20}


@pytest.mark.slow
def test_who_failed_before_leaves_it_to_others_to_ask_a_resting_endpoint(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Contacts that are always refused would make the rest longer and longer; with nobody else waiting they ask."""
    receiver.script = lambda body: (500 if "bad" in body["contact"]["external_id"] else 200, {})
    arrive(store, "bad1", "bad2")
    mine = as_one(handed_out(store))
    run(store, mine, endpoint, task())
    arrive(store, "good", first=10)
    (good,) = handed_out(store, "run2")
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    receiver.requests.clear()
    report = run(store, mine, endpoint, task(try_number=2))
    assert receiver.requests == [] and report.rest and (report.retry_after or 0) > 10
    assert run(store, good, endpoint, task("t2")).states == {"delivered": 1}
    assert endpoints.status(store, "crm_conn").resting_since is None
    alone = as_one(handed_out(store, "run3"))
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    receiver.requests.clear()
    run(store, alone, endpoint, task("t3"))
    assert receiver.requests


def failed_beside_another(store: Store, receiver: Receiver, endpoint: Endpoint) -> Batch:
    """One contact's event failed and is kept for its task's retry; another's, ``evt_10``, has come since.

    :return: the batch of the first.
    """
    arrive(store, "a")
    receiver.script = lambda _: (500, {})
    mine = as_one(handed_out(store))
    run(store, mine, endpoint, task())
    arrive(store, "lost", first=10)
    return mine


@pytest.mark.parametrize(("late", "asks"), [("plan_until - 30000", False), ("plan_until - 90000", True)])
def test_who_does_not_begin_is_not_waited_for_to_ask_a_resting_endpoint(
    store: Store, receiver: Receiver, endpoint: Endpoint, late: str, asks: bool
) -> None:
    """What never failed is in a run whose task does not begin: after a minute those that failed ask, or nobody would."""
    mine = failed_beside_another(store, receiver, endpoint)
    assert handed_out(store, "lost")
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE deliveries SET plan_until = {late} WHERE event_id = 'evt_10'"))
    receiver.script = lambda _: (200, {})
    receiver.requests.clear()
    assert run(store, mine, endpoint, task(try_number=2)).states == {"delivered" if asks else "failed": 1}
    assert len(receiver.requests) == asks


def test_who_is_dead_is_not_waited_for_to_ask_a_resting_endpoint(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """What never failed is in the hands of a task that was killed: who failed asks before those claims run out."""
    mine = failed_beside_another(store, receiver, endpoint)
    lost = as_one(handed_out(store, "lost"))
    deliveries_claims.claim(
        store, route="crm", event_ids=lost.event_ids, owner=Owner("dag", "killed"), plan=lost.plan, endpoint="crm_conn",
        lease=timedelta(minutes=5), revive=False,
    )  # fmt: skip
    rests.rest(store, "crm_conn", "HTTP 500")
    over(store, "crm_conn")
    receiver.script = lambda _: (200, {})
    assert run(store, mine, endpoint, task(try_number=2)).states == {"delivered": 1}


def test_a_task_goes_on_with_what_its_contacts_have_next(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """An event that was recorded while its contact's earlier one was in retry goes out with it."""
    arrive(store, "a")
    receiver.script = lambda _: (500, {})
    (batch,) = handed_out(store)
    run(store, batch, endpoint, task())
    arrive(store, "a", "b", first=2)
    assert [each.event_ids for each in handed_out(store, "run2")] == [["evt_3"]]
    receiver.script, receiver.requests = lambda _: (200, {}), []
    report = run(store, batch, endpoint, task(try_number=2))
    assert receiver.seen() == ["evt_1", "evt_2"]
    assert report.states == {"delivered": 2}


class Stream:
    """Contacts whose events wait when a task's batch is done, and more while it is at work."""

    def __init__(self, store: Store, endpoint: Endpoint, patch: Callable[[str, object], None]) -> None:
        self.store, self.endpoint, self.patch = store, endpoint, patch
        self._looks: list[None] = []  # of all tasks
        patch("take_in", self._take_in)
        patch("_LOOK_EVERY", 0.05)
        arrive(store, "first")
        (batch,) = handed_out(store)
        self.batch = replace(batch, consumer=READING.consumer)
        arrive(store, *(f"w{n}" for n in range(12)), first=100)
        self._thread: threading.Thread | None = None
        self.report = Report()
        self.form = RequestForm()

    def begin(self, **changes: Any) -> None:
        """The task of the batch, in a thread; what it raises is lost."""
        changes = {"serve_for": timedelta(seconds=30), "delays": (600.0, 600.0), **changes}
        self.patch("_IDLE", 30.0)
        self._thread = threading.Thread(target=lambda: self._work(**changes))
        self._thread.start()

    def work(self, **changes: Any) -> Report:
        """The same here and now, with what has arrived."""
        self.patch("_IDLE", 0.4)
        return self._work(**changes)

    def _work(self, **changes: Any) -> Report:
        given = task(changes.pop("name", "t1"), **changes)
        self.report = webhooks.deliver(self.store, self.batch, self.endpoint, given, form=self.form)
        return self.report

    def _take_in(self, *given: Any) -> int:
        self._looks.append(None)
        return fan_out_service.take_in(*given)

    def served(self) -> bool:
        return "crm" in glance(self.store).served

    def quicken(self) -> None:
        """It notices in half a second that something waits too long, and a second later it is no longer alone."""
        for name, value in {"_TOO_LONG": 0.5, "_SAY_EVERY": 0.1}.items():
            self.patch(name, value)
        self.patch("_STAY", timedelta(seconds=1.2))

    def wait(self, what: Callable[[], object], seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < until
            time.sleep(0.05)

    def end(self) -> Report:
        """Nothing comes any more: it ends after a look that was begun now."""
        thread, looks = self._thread, len(self._looks)
        assert thread is not None
        self.wait(lambda: len(self._looks) > looks + 1 or not thread.is_alive())
        self.patch("_IDLE", 0.4)
        return self.joined()

    def joined(self) -> Report:
        """It has ended, or does so by itself."""
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.report


@pytest.fixture
def stream(store: Store, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """It goes on while the test does, and by itself for no longer than it takes to deliver what waits."""
    monkeypatch.setattr(settling, "_SETTLE_EVERY_SECONDS", 0.1)
    return Stream(store, endpoint, lambda name, value: monkeypatch.setattr(serving_service, name, value))


@pytest.mark.slow
def test_a_task_goes_on_with_a_stream_and_nothing_rings_meanwhile(stream: Stream, receiver: Receiver) -> None:
    """What waits and what comes is delivered by the running task, in order; then the doorbell rings again as ever."""
    stream.begin()
    stream.wait(lambda: "evt_111" in receiver.seen())
    assert stream.served()
    bell = Doorbell(READING, own_filter=True)
    for n in range(6):
        arrive(stream.store, "x", f"y{n}", first=200 + 2 * n)
        assert not bell.look(stream.store, glance(stream.store)).free
        assert not is_ready(stream.store, READING)
    stream.wait(lambda: {"evt_210", "evt_211"} <= set(receiver.seen()), 3)
    report = stream.end()
    assert report.states == {"delivered": 25}
    assert (report.left, report.parked, report.elsewhere) == (0, 0, 0)
    assert sum(report.meanwhile.values()) == 24
    xs = [each for each in receiver.seen() if int(each[4:]) >= 200 and int(each[4:]) % 2 == 0]
    assert xs == [f"evt_{n}" for n in range(200, 212, 2)]
    assert not stream.served()
    arrive(stream.store, "z", first=300)
    assert bell.look(stream.store, glance(stream.store)).free


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
def test_what_a_stream_lost_and_has_again_goes_out_once(
    stream: Stream, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Somebody disables the endpoint and enables it at once, also again and again, while a task serves its route."""
    monkeypatch.setattr(hands, "_LOOK_EVERY_SECONDS", 0.02)
    arrive(stream.store, *(f"y{n}" for n in range(60)), first=200)

    def answer(_: Any) -> tuple[int, dict[str, str]]:
        if len(receiver.requests) in range(20, 20 + 10 * times, 10):
            endpoints.disable(stream.store, "crm_conn", reason="by hand", by="ann")
            time.sleep(0.2)
            endpoints.enable(stream.store, "crm_conn", endpoints.Release.ALL)
        time.sleep(0.02)
        return 200, {}

    receiver.script = answer
    stream.begin()
    stream.wait(lambda: len(receiver.seen()) >= 73, 15)
    assert stream.served()
    stream.end()
    assert sorted(receiver.seen()) == sorted({*receiver.seen()}) and len(receiver.seen()) == 73


@pytest.mark.slow
@pytest.mark.parametrize("size", [None, 5])
def test_what_a_stream_brings_is_sent_as_the_route_says_its_requests(
    stream: Stream, receiver: Receiver, size: int | None
) -> None:
    """Each in its own form, or several in one request, as those of the batch."""
    payload = {"id": "{{ id }}", "who": "{{ contact.external_id }}"}
    stream.form = RequestForm(payload, "PUT", batch=GroupForm(size) if size else None)
    stream.begin()
    stream.wait(lambda: len(receiver.requests) > 1 and stream.served())
    arrive(stream.store, *(f"y{n}" for n in range(6)), first=200)
    assert stream.end().states == {"delivered": 19}
    bodies = [json.loads(body) for _, body in receiver.requests]
    assert all(isinstance(each, list) is bool(size) for each in bodies)
    items = [item for each in bodies for item in (each if size else [each])]
    named = {"evt_1": "first", **{f"evt_{100 + n}": f"w{n}" for n in range(12)}}
    named |= {f"evt_{200 + n}": f"y{n}" for n in range(6)}
    assert len(items) == 19 and {each["id"]: each["who"] for each in items} == named
    if size:
        assert max(map(len, bodies)) > 1 and max(map(len, bodies)) <= size


@pytest.mark.parametrize("missing", ["time", "consumer", "stream"])
def test_a_task_ends_with_its_batch_where_it_is_not_to_go_on(
    stream: Stream, receiver: Receiver, missing: str
) -> None:
    """No time for it, a batch of unknown origin, or no more than a run carries away."""
    if missing == "stream":
        (*_, batch) = handed_out(stream.store, "run2")
        stream.batch = replace(batch, consumer=READING.consumer)
        arrive(stream.store, "a", "b", "c", first=300)
    if missing == "consumer":
        stream.batch = replace(stream.batch, consumer="")
    serve_for = timedelta(0) if missing == "time" else timedelta(seconds=30)
    assert stream.work(serve_for=serve_for).states == {"delivered": 1}
    assert len(receiver.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "taken"), [(30, []), (90, ["evt_300", "evt_301", "evt_302"])])
def test_what_tasks_do_not_come_to_is_delivered_by_the_next_that_ends(
    stream: Stream, receiver: Receiver, seconds: int, taken: list[str]
) -> None:
    """Handed out a minute ago and never begun: newer runs' tasks keep those of an older run waiting for a slot, for a
    quarter of an hour at worst. Its own tasks then find it done."""
    handed_out(stream.store, "run2")
    arrive(stream.store, "a", "b", "a", first=300)
    batches = handed_out(stream.store, "run3")
    with stream.store.write() as connection:
        late = "UPDATE deliveries SET plan_until = plan_until - :ms WHERE event_id >= 'evt_300'"
        connection.execute(sa.text(late), {"ms": seconds * 1000})
    report = stream.work(serve_for=timedelta(seconds=30))
    seen = [each for each in receiver.seen() if each >= "evt_300"]
    assert sorted(seen) == taken
    assert not taken or seen.index("evt_300") < seen.index("evt_302")
    assert sum(report.meanwhile.values()) == (15 if taken else 0)
    if taken:
        late_ones = [webhooks.deliver(stream.store, each, stream.endpoint, task("late")) for each in batches]
        assert sum(each.states["delivered"] for each in late_ones) == 3
        assert len(receiver.seen()) == 16


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [30, 90])
def test_what_waits_for_the_task_of_its_retry_too_long_goes_out_with_a_stream(
    stream: Stream, receiver: Receiver, seconds: int
) -> None:
    """A run was to try it again, or its own task, and for a minute that has not begun: it is late enough. What fails once
    more has its time as after any try, and what a task keeps until the time of its own retry stays with it."""
    bad, kept, due = ["evt_300", "evt_301", "evt_302"], "evt_303", "evt_305"
    receiver.script = lambda body: (500 if body["id"] in {*bad, kept, due} else 200, {})
    arrive(stream.store, "a", "b", "c", "d", "a", "e", first=300)
    for batch in handed_out(stream.store, "run2"):
        its = task("t2", keep=10, next_try=timedelta(minutes=10 if kept in batch.event_ids else 0))
        if not set(batch.event_ids).isdisjoint([*bad, kept, due]):
            run(
                stream.store,
                batch,
                stream.endpoint,
                its if {kept, due} & {*batch.event_ids} else task("t2", keep=0),
            )
    with stream.store.write() as connection:
        connection.execute(
            sa.text("UPDATE deliveries SET due_at = 0 WHERE due_at IS NOT NULL AND plan IS NULL")
        )
    handed_out(stream.store, "run3")
    with stream.store.write() as connection:
        late = "UPDATE deliveries SET plan_until = plan_until - :ms, due_at = due_at - :ms WHERE event_id >= 'evt_300'"
        connection.execute(sa.text(late), {"ms": seconds * 1000})
    before = [each for each in receiver.seen() if each >= "evt_300"]
    receiver.script = lambda body: (500 if body["id"] in {"evt_301", kept} else 200, {})
    stream.work(serve_for=timedelta(seconds=30))
    seen = [each for each in receiver.seen() if each >= "evt_300"][len(before) :]
    assert seen == [] if seconds == 30 else sorted(seen) == [*bad, "evt_304", due]
    if seconds == 90:
        with stream.store.read() as connection:
            c = deliveries_table.c
            failed = (
                sa.select(c.event_id, c.tries, c.plan, c.due_at).where(c.state == "failed").order_by(c.id)
            )
            left = connection.execute(failed).all()
        assert [(row.event_id, row.tries) for row in left] == [("evt_301", 2), (kept, 1)]
        assert left[0].plan is None and left[1].plan and left[0].due_at and left[1].due_at


@pytest.mark.slow
def test_what_uses_its_last_try_in_a_stream_has_used_its_tries(stream: Stream, receiver: Receiver) -> None:
    """Taken for it by the task that serves: dead with one try more, and told as that, not as a fault of the configuration."""
    receiver.script = lambda body: (500 if body["id"] == "evt_300" else 200, {})
    arrive(stream.store, "a", first=300)
    for batch in handed_out(stream.store, "run2"):
        if "evt_300" in batch.event_ids:
            run(stream.store, batch, stream.endpoint, task("t2", keep=0))
    later(stream.store)
    handed_out(stream.store, "run3")
    with stream.store.write() as connection:
        last = "UPDATE deliveries SET tries = 2, plan_until = plan_until - 90000 WHERE event_id = 'evt_300'"
        connection.execute(sa.text(last))
    report = stream.work(serve_for=timedelta(seconds=30), delays=(600.0, 600.0))
    assert (report.states, report.used_up) == ({"delivered": 13, "dead": 1}, 1)
    with stream.store.read() as connection:
        tried = sa.select(deliveries_table.c.tries).where(deliveries_table.c.event_id == "evt_300")
        assert connection.execute(tried).scalar_one() == 3


@pytest.mark.slow
def test_a_store_that_is_away_for_a_moment_ends_the_service(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was at work has heard it; the task does not wait for them, with what it took in its hands, but fails, and
    what is left of the stream is free."""
    real, seen, told = deliveries_attempts.settle, list[str](), list[BaseException]()

    def settle(to: Store, attempts: Sequence[Any], owner: Owner) -> None:
        if attempts and len(seen) == 4:
            seen.append("")
            raise StoreError("away")
        real(to, attempts, owner)

    def work() -> None:
        try:
            its = task(serve_for=timedelta(seconds=30), delays=(600.0,))
            callables.handle(stream.store, stream.batch, its, lambda event: seen.append(event.id))
        except OutreachError as error:
            told.append(error)

    monkeypatch.setattr(deliveries_attempts, "settle", settle)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert [type(each) for each in told] == [StoreError]
    assert counts(stream.store) == {"delivered": 4, "pending": 9}
    assert not stream.served()
    assert sum(len(each.event_ids) for each in handed_out(stream.store, "run2")) == 9


@pytest.mark.slow
def test_a_store_that_was_away_for_a_moment_is_told_everything(
    stream: Stream, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done by then, and what followed of it, is written as soon as it is back, not at the end of the task."""
    real, refused = deliveries_attempts.settle, threading.Event()
    noted, astray = endpoints.note, threading.Event()

    def settle(to: Store, attempts: Sequence[Any], owner: Owner) -> None:
        if any(each.state is DeliveryState.FAILED for each in attempts) and not refused.is_set():
            refused.set()
            raise StoreError("away")
        real(to, attempts, owner)

    def note(*given: Any, **more: Any) -> Any:
        if refused.is_set() and not astray.is_set():
            astray.set()
            raise StoreError("away")
        return noted(*given, **more)

    monkeypatch.setattr(deliveries_attempts, "settle", settle)
    monkeypatch.setattr(endpoints, "note", note)
    receiver.script = lambda body: (500 if body["contact"]["external_id"] == "w3" else 200, {})
    stream.begin()
    stream.wait(lambda: counts(stream.store) == {"delivered": 12, "failed": 1}, 5)

    def failed() -> list[Any]:
        c = deliveries_table.c
        with stream.store.read() as connection:
            return list(connection.execute(sa.select(c.claim, c.due_at).where(c.state == "failed")).one())

    stream.wait(lambda: failed()[0] is None and failed()[1] is not None, 5)
    stream.end()


@pytest.mark.slow
def test_what_fails_in_a_stream_has_a_run_of_its_own(stream: Stream, receiver: Receiver) -> None:
    """It is handed on at once, waits for its time, and holds its contact's later events back, nobody else's."""
    receiver.script = lambda body: (500 if body["contact"]["external_id"] == "w3" else 200, {})
    stream.begin()
    stream.wait(lambda: len(receiver.requests) == 13)
    arrive(stream.store, "w3", "w4", first=200)
    stream.wait(lambda: "evt_201" in receiver.seen(), 3)
    report = stream.end()
    assert report.states == {"delivered": 13}, "green: its own batch is done"
    assert counts(stream.store) == {"delivered": 13, "failed": 1, "pending": 1}
    assert receiver.seen().count("evt_103") == 1 and "evt_200" not in receiver.seen()
    assert glance(stream.store).routes == frozenset(), "not before its time"
    later(stream.store)
    assert [each.event_ids for each in handed_out(stream.store, "run2")] == [["evt_103", "evt_200"]]


@pytest.mark.slow
def test_what_a_stream_took_behind_what_failed_goes_out_with_its_retry(
    stream: Stream, receiver: Receiver
) -> None:
    """It is not kept until the task that serves ends: once the first of its contact is taken, the next are."""
    arrive(stream.store, "w3", "w3", first=200)
    receiver.script = lambda body: (500 if body["id"] == "evt_103" else 200, {})
    stream.begin()
    stream.wait(lambda: len(receiver.requests) == 13)
    receiver.script = lambda body: (200, {})
    found: list[Batch] = []

    def is_handed_out() -> bool:
        later(stream.store)  # once it is with nobody
        found.extend(handed_out(stream.store, "run2"))
        return bool(found)

    stream.wait(is_handed_out)
    (batch,) = found
    report = webhooks.deliver(stream.store, batch, stream.endpoint, task("t2"))
    assert stream.served() and report.states["delivered"] == len(batch.event_ids)
    assert [each for each in receiver.seen() if each in {"evt_103", "evt_200", "evt_201"}][1:] == [
        "evt_103", "evt_200", "evt_201",
    ]  # fmt: skip
    assert stream.end().meanwhile == {"delivered": 11}


@pytest.mark.slow
def test_a_contact_that_hangs_keeps_nobody_of_a_stream_waiting(stream: Stream, receiver: Receiver) -> None:
    """Others go on beside it."""
    release = threading.Event()
    receiver.script = lambda body: (
        (release.wait(10) and 200) if body["contact"]["external_id"] == "w0" else 200, {},
    )  # fmt: skip
    stream.begin()
    stream.wait(lambda: len(receiver.requests) >= 13)
    arrive(stream.store, *(f"y{n}" for n in range(20)), first=200)
    stream.wait(lambda: "evt_219" in receiver.seen(), 4)
    release.set()
    assert stream.end().states == {"delivered": 33}


@pytest.mark.slow
def test_what_a_stream_refuses_turns_the_task_red(stream: Stream, receiver: Receiver) -> None:
    """Dead at once, counted in the task's report, so that it is seen."""
    receiver.script = lambda body: (422 if body["contact"]["external_id"] == "w3" else 200, {})
    assert stream.work(serve_for=timedelta(seconds=30)).states == {"delivered": 12, "dead": 1}


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
def test_an_endpoint_that_goes_away_ends_the_service(stream: Stream, receiver: Receiver) -> None:
    """It rests, nothing is used up, and nothing is kept for a task."""
    receiver.script = lambda body: (200 if body["contact"]["external_id"] == "first" else 503, {})
    report = stream.work(serve_for=timedelta(seconds=30), delays=(600.0, 600.0))
    assert report.states == {"delivered": 1} and not stream.served()
    assert endpoints.status(stream.store, "crm_conn").resting_since is not None
    assert counts(stream.store).keys() <= {"delivered", "failed", "pending"}
    receiver.script = lambda _: (200, {})
    over(stream.store, "crm_conn")
    later(stream.store)
    for number in range(2, 6):
        for batch in handed_out(stream.store, f"run{number}"):
            run(stream.store, batch, stream.endpoint, task(f"t{number}"))
    assert counts(stream.store) == {"delivered": 13}


@pytest.mark.slow
def test_one_task_a_route_serves(stream: Stream, receiver: Receiver) -> None:
    """The other ends with its batch; a dead one keeps nobody from it for long."""
    assert serving.serve(stream.store, "crm", Owner("dag", "other"), timedelta(seconds=30))
    assert stream.work(serve_for=timedelta(seconds=30)).states == {"delivered": 1}
    with stream.store.write() as connection:
        connection.execute(served_routes.update().values(until=0))
    (*_, batch) = handed_out(stream.store, "run2")
    stream.batch = replace(batch, consumer=READING.consumer)
    arrive(stream.store, *(f"v{n}" for n in range(12)), first=400)
    assert stream.work(name="t2", serve_for=timedelta(seconds=30)).states == {"delivered": 24}


@pytest.mark.slow
def test_a_server_that_cannot_follow_lets_runs_begin(stream: Stream, receiver: Receiver) -> None:
    """With an endpoint slower than the stream, the doorbell rings for what the task does not come to."""
    stream.quicken()
    receiver.script = lambda _: (time.sleep(0.4) or 200, {})  # type: ignore[func-returns-value]
    arrive(stream.store, *(f"y{n}" for n in range(200)), first=200)
    stream.begin(serve_for=timedelta(seconds=4))
    stream.wait(stream.served)
    stream.wait(lambda: not stream.served(), 10)
    assert Doorbell(READING, own_filter=True).look(stream.store, glance(stream.store)).free
    receiver.script = lambda _: (200, {})  # enough was shown
    for batch in handed_out(stream.store, "run2"):
        run(stream.store, batch, stream.endpoint, task("t2"))
    stream.end()
    assert counts(stream.store) == {"delivered": 213}
    assert len(receiver.requests) == 213


@pytest.mark.slow
def test_what_was_handed_out_to_tasks_that_have_not_begun_goes_out_with_a_stream(
    stream: Stream, receiver: Receiver
) -> None:
    """A hundred contacts in many batches wait for no task instances; those find their work done, and are green."""
    arrive(stream.store, *(f"y{n}" for n in range(100)), first=200)
    others = handed_out(stream.store, "run2")
    assert len(others) == MAX_BATCHES
    arrive(stream.store, *(f"z{n}" for n in range(10)), first=400)
    assert stream.work(serve_for=timedelta(seconds=30)).states == {"delivered": 123}
    before = len(receiver.requests)
    for batch in others:
        report = run(stream.store, batch, stream.endpoint, task("t2"))
        assert report.states == {"delivered": len(batch.event_ids)}
        assert not (report.left or report.parked or report.elsewhere)
    assert len(receiver.requests) == before


@pytest.mark.slow
def test_a_task_at_work_keeps_what_it_is_at(stream: Stream, receiver: Receiver) -> None:
    """What another task has claimed is left to it, and what comes behind it too."""
    arrive(stream.store, *(f"y{n}" for n in range(9)), "y0", first=200)
    others = handed_out(stream.store, "run2")
    (batch,) = [each for each in others if "evt_200" in each.event_ids]
    claimed = deliveries_claims.claim(
        stream.store, route="crm", event_ids=batch.event_ids, owner=Owner("dag", "t9"), plan=batch.plan,
        endpoint="crm_conn", lease=timedelta(minutes=5), revive=False,
    )  # fmt: skip
    assert len(claimed.mine) == 2
    arrive(stream.store, "y0", *(f"z{n}" for n in range(10)), first=300)
    assert stream.work(serve_for=timedelta(seconds=30)).states == {"delivered": 31}
    assert not {"evt_200", "evt_209", "evt_300"} & set(receiver.seen())


@pytest.mark.slow
def test_one_that_ends_hands_over(stream: Stream, receiver: Receiver) -> None:
    """While it goes on, the doorbell rings; the next task serves although little waits, and the first ends."""
    over = threading.Event()

    def come() -> None:
        for number in range(300, 1500, 3):
            arrive(stream.store, *(f"z{n}" for n in range(number, number + 3)), first=number)
            if over.wait(0.2):
                return

    coming = threading.Thread(target=come)
    coming.start()
    stream.quicken()
    try:
        stream.begin(serve_for=timedelta(seconds=0.5))
        stream.wait(stream.served)
        stream.wait(lambda: not stream.served(), 10)
        bell = Doorbell(READING, own_filter=True)
        stream.wait(lambda: bell.look(stream.store, glance(stream.store)).free, 5)
        second = copy.copy(stream)
        stream.wait(
            lambda: (
                setattr(second, "batch", next(iter(handed_out(stream.store, "run2")), None)) or second.batch
            )
        )
        second.batch = replace(second.batch, consumer=READING.consumer)
        second.begin(name="t2")
        stream.wait(stream.served, 10)
        stream.joined()
        assert second.served(), "the first ends because the second is at it"
    finally:
        over.set()
        coming.join()
    second.end()
    assert counts(stream.store).keys() == {"delivered"}


@pytest.mark.slow
def test_a_server_that_is_paced_has_no_runs_beside_it(stream: Stream, receiver: Receiver) -> None:
    """What waits for the endpoint's rate would wait for it elsewhere too: no run begins for it."""
    stream.quicken()
    stream.endpoint = replace(stream.endpoint, requests_per_second=15.0)
    arrive(stream.store, *(f"y{n}" for n in range(40)), first=200)
    stream.begin()
    stream.wait(stream.served)
    bell = Doorbell(READING, own_filter=True)
    for _ in range(28):
        time.sleep(0.1)
        assert stream.served() and not bell.look(stream.store, glance(stream.store)).free
    assert stream.end().states == {"delivered": 53}


def test_a_retry_takes_over_what_its_dead_try_had_of_a_stream(
    store: Store, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A worker was killed with events of a stream in its hands: the task's next try delivers them."""
    arrive(store, "a")
    (batch,) = handed_out(store)
    owner, plan = Owner("dag", "t1"), batch.plan
    run(store, batch, endpoint, task())
    arrive(store, "b", "c", first=2)
    fan_out_service.take_in(store, READING)
    claimed = deliveries_claims.claim_untried(
        store, route="crm", owner=owner, plan=plan, endpoint="crm_conn", lease=timedelta(minutes=5), limit=5
    )
    assert [each.event_id for each in claimed] == ["evt_2", "evt_3"]
    assert run(store, batch, endpoint, task(try_number=2)).states == {"delivered": 3}


@pytest.mark.slow
def test_a_stream_is_filtered_as_its_sensor_says(
    store: Store, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expression, the kinds and the source of the sensor hold for the task that goes on."""
    monkeypatch.setattr(serving_service, "_IDLE", 0.4)
    reading = replace(READING, where="contact.external_id != 'w5'", kinds=["replied"])
    arrive(store, "first")
    (handed,) = fan_out(store, reading, "run1") or []
    batch = Batch("crm", handed["events"], handed["plan"], consumer=handed["consumer"])
    arrive(store, *(f"w{n}" for n in range(12)), first=100)
    arrive(store, "o", first=200, kind=EventKind.OPENED)
    report = run(store, batch, endpoint, task(serve_for=timedelta(seconds=30)))
    assert report.states == {"delivered": 12}
    assert not {"evt_105", "evt_200"} & set(receiver.seen())


def test_an_endpoint_that_is_back_is_served_slowly_at_first() -> None:
    """Five requests a second, doubled every ten seconds, and no limit after a minute and a half."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    rates = [pauses.warming_rate(now, now + timedelta(seconds=n)) for n in (0, 10, 20, 89, 90)]
    assert rates[:3] == [5.0, 10.0, 20.0]
    assert (rates[3] or 0) > 2000 and rates[4] is None
    assert pauses.warming_rate(None, now) is None
