"""The operators on batches as Airflow runs them: what a try's end means, and what reaches the other side."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, BaseNotifier, task
from airflow.sdk.exceptions import AirflowSkipException
from servers import as_endpoint, scripted

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    DeliveriesFailed,
    LeadRejected,
    OutreachUnavailable,
)
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
from airflow_outreach_provider.operators import events as events_module
from airflow_outreach_provider.operators.outreach import (
    DeliverEventsOperator,
    HandleEventsOperator,
    handle_events,
)
from airflow_outreach_provider.operators.retry_policy import OutreachRetryPolicy
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append


@pytest.fixture(autouse=True)
def store(tasks_store: Store) -> Store:
    """The store of this Airflow, empty."""
    return tasks_store


class Server:
    """An endpoint that answers as told, and what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.headers: dict[str, str] = {}

    def answer(self, _method: str, _path: str, _headers: Mapping[str, str], body: bytes) -> Any:
        self.bodies.append(json.loads(body))
        return self.status, b"", self.headers


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    with scripted(server.answer) as url:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", as_endpoint(url))
        yield server


def context(try_number: int = 1, max_tries: int = 3, run_id: str = "run1", task_id: str = "deliver") -> Any:
    """What the operators read of Airflow's context."""
    ti = SimpleNamespace(
        dag_id="dag", task_id=task_id, run_id=run_id, map_index=0, try_number=try_number, max_tries=max_tries
    )
    return {"ti": ti}


def arrive(store: Store, *contacts: str) -> None:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(f"evt_{n}", "src", "varda", "x", EventKind.REPLIED, at, at, Contact(external_id=contact))
        for n, contact in enumerate(contacts, 1)
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])


def batches(store: Store, route: str = "crm") -> list[dict[str, Any]]:
    sensor = ContactEventSensor(task_id="sensor", consumer="c", routes=[route])
    return list(sensor.poke(context(task_id="sensor")).xcom_value or [])


def deliver(batch: Any, **more: Any) -> DeliverEventsOperator:
    return DeliverEventsOperator(task_id="deliver", batch=batch, route="crm", endpoint_conn_id="crm", **more)


def test_a_sensors_batch_is_delivered(store: Store, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator returns the states and counts attempts; a second try sends and counts nothing."""
    arrive(store, "a", "a")
    (batch,) = batches(store)
    counted: list[tuple[str, int]] = []
    monkeypatch.setattr(events_module.stats, "incr", lambda name, count, tags: counted.append((name, count)))
    assert deliver(batch).execute(context()) == {"delivered": 2}
    assert deliver(batch).execute(context(2)) == {"delivered": 2}
    assert [body["id"] for body in server.bodies] == ["evt_1", "evt_2"]
    assert counted == [("outreach.deliveries.delivered", 2)]


@pytest.mark.slow
def test_an_endpoint_says_its_method_and_type_of_content(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a task that says none, and for the connection's test, which deletes nothing; the task's own word wins."""
    sent: list[tuple[str, str]] = []

    def answer(method: str, _path: str, headers: Mapping[str, str], _body: bytes) -> Any:
        sent.append((method, headers["Content-Type"]))
        return 200, b"", {}

    arrive(store, "a")
    with scripted(answer) as url:
        said = json.loads(as_endpoint(url))
        said["extra"] |= {"method": "PUT", "content_type": "application/vnd.api+json"}
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(said))
        (batch,) = batches(store)
        assert deliver(batch).execute(context()) == {"delivered": 1}
        assert deliver({"type": "x"}, method="PATCH", content_type="json").execute(context()) == {
            "delivered": 1
        }
        assert OutreachEndpointHook("crm").test_connection()[0]
        said["extra"] |= {"method": "DELETE", "content_type": "form"}
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(said))
        assert OutreachEndpointHook("crm").test_connection()[0]
    assert sent == [
        ("PUT", "application/vnd.api+json"),
        ("PATCH", "application/json"),
        ("PUT", "application/vnd.api+json"),
        ("POST", "application/x-www-form-urlencoded"),
    ]


def test_failures_are_airflows_to_retry_at_the_delay_asked_for(store: Store, server: Server) -> None:
    """503 with Retry-After raises what our policy turns into a retry after that time."""
    arrive(store, "a")
    server.status, server.headers = 503, {"Retry-After": "42"}
    with pytest.raises(OutreachUnavailable, match=r"1 of 1 events are not done.*503") as raised:
        deliver(batches(store)[0]).execute(context())
    decision = OutreachRetryPolicy().evaluate(raised.value, 1, 3)
    assert decision.retry_delay == timedelta(seconds=42)


@pytest.mark.slow
@pytest.mark.parametrize("status", [404, 410])
def test_what_no_retry_mends_fails_at_once_with_the_remedy(store: Store, server: Server, status: int) -> None:
    """A refusal and a disabled endpoint are configuration errors; a callback hears of the latter."""
    arrive(store, "a")
    (batch,) = batches(store)
    server.status = status
    told: list[dict[str, str]] = []
    with pytest.raises(ConfigurationError, match=r"failed|disabled now") as raised:
        deliver(batch, on_endpoint_disabled=told.append).execute(context())
    assert OutreachRetryPolicy().evaluate(raised.value, 1, 3).action.value == "fail"
    assert [each["conn_id"] for each in told] == (["crm"] if status == 410 else [])


def test_operational_events_go_to_functions_and_notifiers_once(store: Store, server: Server) -> None:
    """Whatever the try ends with: resting to both, then dead deliveries; a notifier gets them in its context."""
    seen: list[dict[str, Any]] = []
    noticed: list[Any] = []

    class Pager(BaseNotifier):
        template_fields = ("message",)
        message = "{{ outreach_event.kind }} of {{ outreach_event.subject }}"

        def notify(self, context: Any) -> None:
            noticed.append((self.message, context["outreach_event"]["count"]))

    arrive(store, "a")
    server.status = 401
    told = {"on_outreach_event": [seen.append, Pager()]}
    with pytest.raises(OutreachUnavailable):
        deliver(batches(store)[0], **told).execute(context())
    assert [(each["kind"], each["subject"]) for each in seen] == [("endpoint_resting", "crm")]
    assert noticed == [("endpoint_resting of crm", 1)]
    arrive(store, "a", "b")
    server.status = 422
    with store.write() as connection:
        connection.execute(sa.text("UPDATE endpoints SET rest_until = 0"))
    with pytest.raises(ConfigurationError):
        deliver(batches(store, "crm")[0], **told).execute(context(run_id="run2"))
    assert {each["kind"] for each in seen[1:]} >= {"deliveries_dead"}
    with pytest.raises(ConfigurationError, match="cannot be called"):
        deliver([], on_outreach_event=["pager"])


def test_a_listener_that_fails_takes_no_notice_from_the_others(store: Store, server: Server) -> None:
    """Whatever their order: the others hear it, and once; where nobody could be told, the next task tells it."""
    arrive(store, "a")
    server.status = 401
    (batch,) = batches(store)
    seen: list[str] = []

    def hears(told: Mapping[str, Any]) -> None:
        seen.append(told["kind"])

    def fails(told: Mapping[str, Any]) -> None:
        raise RuntimeError("no mail today")

    for try_number, listeners in enumerate(([fails, fails], [fails, hears, fails], [hears]), 1):
        with pytest.raises((OutreachUnavailable, AirflowSkipException)):
            deliver(batch, on_outreach_event=listeners).execute(context(try_number))
        assert seen == ["endpoint_resting"][: try_number - 1]


def test_a_callback_may_be_async(store: Store, server: Server) -> None:
    """It is awaited: nobody is told by calling it alone. What yields, or cannot be called, is a mistake of the DAG."""
    seen: list[Any] = []

    async def tell(told: Any) -> None:
        seen.append(told["reason"] if "reason" in told else told["kind"])

    def yields(told: Any) -> Any:
        yield told

    arrive(store, "a")
    server.status = 410
    with pytest.raises(ConfigurationError, match="disabled now"):
        deliver(batches(store)[0], on_endpoint_disabled=tell, on_outreach_event=tell).execute(context())
    assert len(seen) == 2 and "endpoint_disabled" in seen
    for name in ("on_endpoint_disabled", "on_outreach_event"):
        with pytest.raises(ConfigurationError, match=f"{name} .* yields"):
            deliver([], **{name: yields})
        with pytest.raises(ConfigurationError, match=f"{name} 5 cannot be called"):
            deliver([], **{name: 5})


def test_a_callback_that_fails_does_not_hide_why_the_endpoint_is_disabled(
    store: Store, server: Server
) -> None:
    """The reason reaches the task whatever the user's callback does."""
    arrive(store, "a")
    server.status = 410
    with pytest.raises(ConfigurationError, match="disabled now"):
        deliver(batches(store)[0], on_endpoint_disabled=lambda _: 1 / 0).execute(context())


def test_held_deliveries_show_as_skipped_not_as_done(store: Store, server: Server) -> None:
    """A disabled endpoint turns the task pink, and nothing is sent."""
    arrive(store, "a")
    (batch,) = batches(store)
    endpoints.disable(store, "crm", reason="maintenance", by="test")
    with pytest.raises(AirflowSkipException, match="1 deliveries are held"):
        deliver(batch).execute(context())
    assert server.bodies == []


def test_what_is_held_beside_what_was_delivered_is_a_warning_and_in_the_result(
    store: Store, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Held deliveries wait for a person: no failure, but the log and the returned counts say so."""
    arrive(store, "a", "a")
    (batch,) = batches(store)
    assert deliver({**batch, "events": ["evt_1"]}).execute(context()) == {"delivered": 1}
    endpoints.disable(store, "crm", reason="maintenance", by="test")
    operator = deliver(batch)
    with mock.patch.object(type(operator), "log", logging.getLogger("outreach.test")):
        assert operator.execute(context(2)) == {"delivered": 1, "held": 1}
    said = "route 'crm': the endpoint is disabled; 1 deliveries are held until it is enabled"
    assert said in [each.message for each in caplog.records if each.levelname == "WARNING"]


def test_an_id_that_is_not_stored_fails_the_task(store: Store, server: Server) -> None:
    """A mistyped or purged event is not passed over in green, whatever else was delivered."""
    arrive(store, "a")
    with pytest.raises(ConfigurationError, match="1 of 2 events are not stored"):
        deliver(["evt_1", "evt_gone"]).execute(context())
    assert [body["id"] for body in server.bodies] == ["evt_1"]


@pytest.mark.slow
def test_the_last_try_leaves_dead_deliveries_and_clear_tries_them_again(store: Store, server: Server) -> None:
    """Exhausted tries are dead, which is no fault of the configuration; the first try after Clear brings them back."""
    arrive(store, "a")
    (batch,) = batches(store)
    server.status = 500
    for number in (1, 2, 3):
        with pytest.raises(OutreachUnavailable):
            deliver(batch, retries=3).execute(context(number))
    with pytest.raises(DeliveriesFailed, match=r"1 of 1 deliveries failed.*500") as raised:
        deliver(batch, retries=3).execute(context(4))
    assert OutreachRetryPolicy().evaluate(raised.value, 4, 3).action.value == "fail"
    server.status = 200
    assert deliver(batch, retries=3).execute(context(5, max_tries=7)) == {"delivered": 1}


def test_events_of_a_dags_own_making_are_delivered_under_a_stable_id(store: Store, server: Server) -> None:
    """A list of mappings, one mapping, or ids of stored events: each is a batch; a retry repeats no id."""
    made = [
        {"type": "deal.won", "contact": {"email": "a@example.com"}, "data": {"value": 3}},
        {"type": "deal.lost"},
    ]
    assert deliver(made).execute(context()) == {"delivered": 2}
    assert deliver(made).execute(context(2)) == {"delivered": 2}
    assert deliver(made[0]).execute(context(run_id="run2")) == {"delivered": 1}
    arrive(store, "a")
    assert deliver(["evt_1"]).execute(context(run_id="run3")) == {"delivered": 1}
    types = [body["type"] for body in server.bodies]
    # The first two are of different contacts: sent at once, they arrive in either order.
    assert [*sorted(types[:2]), *types[2:]] == ["deal.lost", "deal.won", "deal.won", "x"]
    assert len({body["id"] for body in server.bodies}) == 4


def test_a_cleared_task_delivers_what_is_new_in_its_list_and_nothing_else(
    store: Store, server: Server
) -> None:
    """An event keeps its id by what it says: by its place the new one counted as delivered, and an old one went out again."""
    made = [{"type": "deal.won", "data": n} for n in (1, 2)]
    assert deliver(made).execute(context()) == {"delivered": 2}
    assert deliver([{"type": "deal.won", "data": 0}, *made]).execute(context(2)) == {"delivered": 3}
    assert sorted(body["data"] for body in server.bodies) == [0, 1, 2]


@pytest.mark.slow
def test_half_a_surrogate_in_a_made_event_is_replaced(store: Store, server: Server) -> None:
    """What an emoji cut in two becomes, and a NUL: delivered as U+FFFD, as the receiver stores them, and not retried in vain."""
    cut = {"type": "lead.won", "contact": {"name": "Jo \ud83d"}, "data": {"\udc00": ["a\x00b", ("\ud83d",)]}}
    assert deliver([cut]).execute(context()) == {"delivered": 1}
    [body] = server.bodies
    assert body["contact"]["name"] == "Jo �"
    assert body["data"] == {"�": ["a�b", ["�"]]}


def test_events_of_a_dags_own_making_stay_out_of_airflows_database(
    server: Server, run_task: Callable[..., Any]
) -> None:
    """The rendered fields that Airflow stores show how many events there are, and nobody's address."""
    made = [{"type": "deal.won", "contact": {"email": "jane@example.com"}}]
    ran = run_task(deliver(made))
    assert ran.state == "success"
    assert "jane" not in str(ran.rendered)
    assert "1 events made by the DAG" in str(ran.rendered["batch"])
    assert server.bodies[0]["contact"]["email"] == "jane@example.com"


@pytest.mark.parametrize(
    "batch",
    [
        None,
        [1, 2],
        [{"kind": "nonsense", "type": "x"}],
        [{"data": {}}],
        [{"type": "x", "contact": "a"}],
    ],
)
def test_a_batch_that_cannot_be_meant_is_refused(server: Server, batch: Any) -> None:
    """What is no event fails at once, and says what an event needs."""
    with pytest.raises(ConfigurationError):
        deliver(batch).execute(context())


def test_an_internal_address_is_a_configuration_error(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint without the word for its private network is not called, and not retried."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM", json.dumps({"conn_type": "outreach_endpoint", "host": "https://127.0.0.1/"})
    )
    arrive(store, "a")
    with pytest.raises(ConfigurationError, match="allow_networks"):
        deliver(batches(store)[0]).execute(context())
    assert deliveries_lists.count(store, DeliveryFilter()) == {"failed": 1}


def test_a_callable_is_called_again_only_for_events_that_failed(store: Store) -> None:
    """Of three contacts one fails: a retry calls for it and for what waited behind it, in order."""
    arrive(store, "a", "bad", "c", "bad")
    batch = {
        "consumer": "c",
        "plan": batches(store)[0]["plan"],
        "events": [f"evt_{n}" for n in (1, 2, 3, 4)],
        "label": "",
    }
    calls: list[str] = []
    broken = True

    def push(event: ContactEvent, tag: str) -> None:
        calls.append(f"{event.id}{tag}")
        if broken and event.contact.external_id == "bad":
            raise ValueError("no such person: jane@example.com")

    def run(try_number: int) -> dict[str, int]:
        operator = HandleEventsOperator(
            task_id="deliver", batch=batch, route="crm", python_callable=push, op_kwargs={"tag": "!"}
        )
        return operator.execute(context(try_number))

    with pytest.raises(OutreachUnavailable, match=r"2 of 4 .*j•••@example\.com"):
        run(1)
    assert calls == ["evt_1!", "evt_2!", "evt_3!"]
    broken = False
    assert run(2) == {"delivered": 4}
    assert calls[3:] == ["evt_2!", "evt_4!"]


class Untold(Exception):
    """Whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [ValueError("half of \ud83d"), ValueError("a \0 in it"), Untold()])
def test_what_no_database_stores_of_an_error_fails_its_event_alone(store: Store, error: Exception) -> None:
    """What a function raises may hold anything: the attempt is written, and the others' events are done."""
    arrive(store, "bad", "c")

    @handle_events(route="crm")
    def push(event: ContactEvent) -> None:
        if event.contact.external_id == "bad":
            raise error

    with pytest.raises(OutreachUnavailable, match="1 of 2 events"):
        push(["evt_1", "evt_2"]).execute(context())
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 1, "failed": 1}


def test_an_async_callable_is_awaited(store: Store) -> None:
    """What an async function raises fails its event; its events share one loop, so a client lives through them."""
    arrive(store, "a", "bad", "c")
    loops: list[Any] = []
    done: list[str] = []

    @handle_events(route="crm")
    async def push(event: ContactEvent) -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        if event.contact.external_id == "bad":
            raise ValueError("no")
        if event.contact.external_id == "c":
            raise AirflowSkipException("not ours")
        done.append(event.id)

    with pytest.raises(OutreachUnavailable, match="1 of 3 events"):
        push(["evt_1", "evt_2", "evt_3"]).execute(context())
    assert done == ["evt_1"]
    assert len(set(loops)) == 1
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 2, "failed": 1}


def test_a_callable_may_run_an_event_loop_of_its_own(store: Store) -> None:
    """Hooks that call asyncio.run work; the function runs in the task's main thread, where time-outs reach it."""
    arrive(store, "a")
    seen: list[Any] = []

    def push(event: ContactEvent) -> None:
        async def call() -> str:
            return event.id

        seen.append((asyncio.run(call()), threading.current_thread()))

    handler = HandleEventsOperator(task_id="h", batch=["evt_1"], route="crm", python_callable=push)
    assert handler.execute(context()) == {"delivered": 1}
    assert seen == [("evt_1", threading.current_thread())]


class TimeOut(BaseException):
    """As Airflow's own, which is no Exception either."""


def hangs(event: ContactEvent) -> None:
    if event.contact.external_id == "b":
        raise TimeOut("took too long")


async def hangs_in_the_loop(event: ContactEvent) -> None:
    if event.contact.external_id == "b":
        signal.raise_signal(signal.SIGALRM)
        await asyncio.sleep(60)


@pytest.fixture
def alarm() -> Iterator[None]:
    """An alarm times out whatever the main thread is at, as Airflow's does."""

    def raise_time_out(*_: Any) -> None:
        raise TimeOut("took too long")

    before = signal.signal(signal.SIGALRM, raise_time_out)
    yield
    signal.signal(signal.SIGALRM, before)


def exits(event: ContactEvent) -> None:
    if event.contact.external_id == "b":
        raise SystemExit("took too long")


async def exits_in_the_loop(event: ContactEvent) -> None:
    await asyncio.sleep(0)
    exits(event)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("python_callable", "error"),
    [(hangs, TimeOut), (hangs_in_the_loop, TimeOut), (exits, SystemExit), (exits_in_the_loop, SystemExit)],
)
def test_a_call_that_is_broken_off_is_its_events_failure(
    store: Store, python_callable: Callable[[ContactEvent], Any], error: type[BaseException], alarm: None
) -> None:
    """Of a sensor's batch the task's own next try has the rest first, and what never comes to an end is dead in the end."""
    arrive(store, "a", "b", "b", "c")
    sensor = ContactEventSensor(task_id="s", consumer="c", routes=["crm"], events_per_batch=9)
    (batch,) = list(sensor.poke(context(task_id="s")).xcom_value or [])
    handler = HandleEventsOperator(
        task_id="deliver", batch=batch, route="crm", python_callable=python_callable
    )
    for try_number in (1, 2):
        with pytest.raises(error):
            handler.execute(context(try_number, max_tries=2))
        found = deliveries_lists.every_delivery(store, DeliveryFilter())
        (failed,) = [each for each in found if each.state is DeliveryState.FAILED]
        assert (failed.event_id, failed.tries) == ("evt_2", try_number)
        assert failed.last_error == f"{error.__name__}: took too long"
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 2, "failed": 1, "pending": 1}
    with pytest.raises(error):
        handler.execute(context(3, max_tries=2))
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 2, "dead": 1, "pending": 1}


def test_a_callable_that_is_broken_off_leaves_its_event_to_the_next_try(store: Store) -> None:
    """A time-out in the middle of a call ends the batch at once; what was done before stays done."""
    arrive(store, "a", "b", "c")
    handler = HandleEventsOperator(
        task_id="deliver", batch=["evt_1", "evt_2", "evt_3"], route="crm", python_callable=hangs
    )
    with pytest.raises(TimeOut):
        handler.execute(context())
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 1, "failed": 1, "pending": 1}
    handler.python_callable = print
    assert handler.execute(context(2)) == {"delivered": 3}


def test_a_function_that_yields_is_refused() -> None:
    """Calling it would run nothing of it."""

    def push(event: ContactEvent) -> Iterator[str]:
        yield event.id

    with pytest.raises(ConfigurationError, match="yields"):
        HandleEventsOperator(task_id="h", batch=[], route="crm", python_callable=push)


def test_a_callable_decides_what_is_final_and_what_stops_the_batch(store: Store) -> None:
    """LeadRejected kills one event, skipping counts as done, and a configuration error stops everything."""
    arrive(store, *"abcd")
    ids = [each["events"][0] for each in batches(store)]
    raising: dict[str, Exception] = {
        "evt_1": LeadRejected("no_phone"),
        "evt_2": AirflowSkipException("not ours"),
    }

    def push(event: ContactEvent) -> None:
        if event.id in raising:
            raise raising[event.id]

    def run(number: int) -> Any:
        batch = {"plan": batches(store)[0]["plan"], "events": ids}
        return HandleEventsOperator(
            task_id="deliver", batch=batch, route="crm", python_callable=push
        ).execute(context(number))

    raising["evt_3"] = ConfigurationError("wrong key")
    with pytest.raises(ConfigurationError, match="wrong key"):
        run(1)
    del raising["evt_3"]
    with pytest.raises(ConfigurationError, match="1 of 4 deliveries failed"):
        run(2)
    assert deliveries_lists.count(store, DeliveryFilter()) == {"dead": 1, "delivered": 3}


def test_why_a_callable_skips_an_event_is_told_without_the_person(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """What its exception says of number and address is masked in the log."""
    arrive(store, "a")
    caplog.set_level(logging.INFO)

    def push(_event: ContactEvent) -> None:
        raise AirflowSkipException("no record of +14165550123, ada@example.com")

    HandleEventsOperator(
        task_id="deliver", batch=batches(store)[0], route="crm", python_callable=push
    ).execute(context())
    assert "skipped: no record of" in caplog.text
    assert "4165550123" not in caplog.text and "ada@example.com" not in caplog.text


def test_one_contacts_wish_to_wait_does_not_hold_back_the_others(store: Store) -> None:
    """Quiet hours of one contact: the rest is done, and the retry comes when they end."""
    arrive(store, "quiet", "b", "c")
    ids = [each["events"][0] for each in batches(store)]

    def push(event: ContactEvent) -> None:
        if event.contact.external_id == "quiet":
            raise OutreachUnavailable("quiet hours", 7200.0)

    batch = {"plan": batches(store)[0]["plan"], "events": ids}
    with pytest.raises(OutreachUnavailable) as raised:
        HandleEventsOperator(task_id="deliver", batch=batch, route="crm", python_callable=push).execute(
            context()
        )
    assert raised.value.retry_after == 7200.0
    assert deliveries_lists.count(store, DeliveryFilter()) == {"failed": 1, "delivered": 2}


def test_retries_are_ours_unless_somebody_says_otherwise() -> None:
    """Three retries with our policy, mapped or not; default_args and the call win."""
    with DAG("d", schedule=None, default_args={"retry_delay": timedelta(seconds=9)}):
        plain = deliver([])
        mapped = DeliverEventsOperator.partial(
            task_id="m", route="r", endpoint_conn_id="c", retries=1
        ).expand(batch=[])
    assert (plain.retries, plain.retry_delay) == (3, timedelta(seconds=9))
    assert isinstance(plain.retry_policy, OutreachRetryPolicy)
    assert (mapped.retries, mapped.retry_delay) == (1, timedelta(seconds=9))
    assert isinstance(mapped.retry_policy, OutreachRetryPolicy)


def test_a_mistake_in_the_dag_file_shows_when_it_is_read() -> None:
    """A bad payload, condition or callable is an import error, not a failed run."""
    with pytest.raises(ConfigurationError, match="payload is 'raw'"):
        deliver([], payload="raw")
    with pytest.raises(ConfigurationError):
        ContactEventSensor(task_id="s", consumer="c", where="kind = 'replied'")
    with pytest.raises(ConfigurationError, match="cannot be called"):
        HandleEventsOperator(task_id="h", batch=[], route="r", python_callable="print")
    for call in (lambda: 1, lambda event, ti: 1, lambda **context: 1):
        with pytest.raises(ConfigurationError, match=r"cannot be called with an event: .* — let it take one"):
            HandleEventsOperator(task_id="h", batch=[], route="r", python_callable=call)
    HandleEventsOperator(
        task_id="h", batch=[], route="r", python_callable=lambda event, tag: 1, op_kwargs={"tag": 1}
    )


def test_the_sensor_finds_the_routes_of_the_tasks_behind_it() -> None:
    """Our operators directly downstream, mapped or not, are the routes; a task of somebody else's is none."""
    with DAG("d", schedule=None):
        events = ContactEventSensor(task_id="s", consumer="c")
        DeliverEventsOperator.partial(task_id="m", route="crm", endpoint_conn_id="c").expand(
            batch=events.output
        )
        HandleEventsOperator(task_id="h", route="py", batch=events.output, python_callable=print)
        alone = ContactEventSensor(task_id="s2", consumer="c2")

        @task
        def somebody_elses(batch: Any) -> None: ...

        somebody_elses.expand(batch=alone.output)
    assert events._reading().routes == ("crm", "py")
    assert alone._reading().routes == ()


@pytest.mark.parametrize("form", ["template", "mapped", "kwargs"])
def test_a_route_that_the_sensor_cannot_know_is_refused(
    store: Store, run_task: Callable[..., Any], form: str
) -> None:
    """Deliveries under a name that no task answers to would wait for ever: the sensor fails, and takes nothing."""
    arrive(store, "a")
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        events = ContactEventSensor(task_id="s", consumer="c", timeout=0.5, poll_interval=0.1)
        batches = events.output
        given = {"task_id": "d", "endpoint_conn_id": "crm"}
        if form == "template":
            DeliverEventsOperator.partial(**given, route="crm_{{ dag.dag_id }}").expand(batch=batches)
        elif form == "mapped":
            DeliverEventsOperator.partial(**given).expand(batch=batches, route=["a", "b"])
        else:
            DeliverEventsOperator.partial(**given).expand_kwargs(
                batches.map(lambda b: {"batch": b, "route": "r"})
            )
    ran = run_task(events)
    assert ran.state == "failed", "at once: no retry mends it"
    assert isinstance(ran.error, ConfigurationError)
    assert deliveries_lists.count(store, DeliveryFilter()) == {}
    events.routes = ["a", "b"]
    assert run_task(events).state == "success"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"route": "no such / name"}, "has no usable name"), ({"concurrency": 0}, "concurrency is 0"),
     ({"concurrency": True}, "concurrency is True")],
)  # fmt: skip
def test_what_is_wrong_as_written_is_an_import_error(arguments: dict[str, Any], words: str) -> None:
    """A mistake that can be seen in the DAG waits for no run."""
    with pytest.raises(ConfigurationError, match=words):
        DeliverEventsOperator(
            **{"task_id": "d", "endpoint_conn_id": "crm", "route": "r", "batch": [], **arguments}
        )


def register(dag: DAG) -> None:
    """Let Airflow's database know a DAG that is in no file."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get(DagBundleModel, "event-tests") is None:
            session.add(DagBundleModel(name="event-tests"))
    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "event-tests", None)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
def test_the_pair_runs_as_a_dag(store: Store, server: Server) -> None:
    """Sensor, mapped delivery and a decorated function run in one DAG; each event reaches both routes."""
    arrive(store, "a", "b", "a")
    handled: list[str] = []

    @handle_events(route="python")
    def note(event: ContactEvent) -> None:
        handled.append(event.id)

    with DAG("outreach_pair", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        events = ContactEventSensor(task_id="wait", consumer="pair", timeout=5)
        DeliverEventsOperator.partial(task_id="deliver", route="crm", endpoint_conn_id="crm").expand(
            batch=events.output
        )
        note.expand(batch=events.output)
    register(dag)
    run = dag.test()
    assert run.state == "success"
    assert sorted(handled) == ["evt_1", "evt_2", "evt_3"]
    assert sorted(body["id"] for body in server.bodies) == ["evt_1", "evt_2", "evt_3"]
    assert deliveries_lists.count(store, DeliveryFilter()) == {"delivered": 6}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"headers": ["X-A: b"]}, "headers is a list"), ({"query": "a=b"}, "query is a text"), ({"save": ["id"]}, "save is a list"),
        ({"headers": {1: "x"}}, "headers has the key 1"), ({"path": 5}, "path is 5"), ({"omit_empty": "maybe"}, "omit_empty is 'maybe'"),
        ({"batching": {"size": "5"}}, "batch size is '5'"), ({"batching": {"siz": 5}}, "batching has no part 'siz' — did you mean 'size'?"),
        ({"batching": 5}, "batching is int"), ({"batching": {"items": "events"}}, "batch size is None"), ({"batching": {"size": 5, "ok": True}}, "batch ok is True"),
        ({"batching": {"size": 5, "items": ["events"]}}, "batch items is ['events']"), ({"batching": {"size": 5, "items": "e", "body": "x"}}, "batch body is a text"),
        ({"concurrency": "5"}, "concurrency is '5'"), ({"route": 5}, "route 5 has no usable name"), ({"route": None}, "route None has no usable name"),
        ({"endpoint_conn_id": None}, "endpoint_conn_id is None"), ({"endpoint_conn_id": " "}, "endpoint_conn_id is ' '"), ({"endpoint_conn_id": 5}, "endpoint_conn_id is 5"),
        ({"content_type": {}}, "content_type is {}"), ({"content_type": []}, "content_type is []"), ({"method": []}, "method is []"),
        ({"on_outreach_event": 5}, "on_outreach_event 5 cannot be called"), ({"on_outreach_event": "tell"}, "on_outreach_event 'tell' cannot"),
        ({"on_outreach_event": [5]}, "on_outreach_event 5 cannot be called"), ({"on_outreach_event": {}}, "on_outreach_event {} cannot"),
    ],
)  # fmt: skip
def test_what_a_request_cannot_be_made_of_shows_in_the_dag_list(wrong: dict[str, Any], said: str) -> None:
    """An error that names the argument and says what to write, and no error of whatever is made of it later."""
    with pytest.raises(ConfigurationError) as caught:
        DeliverEventsOperator(
            **{"task_id": "t", "batch": [], "route": "crm", "endpoint_conn_id": "crm", **wrong}
        )
    assert said in str(caught.value) and " — " in str(caught.value)
