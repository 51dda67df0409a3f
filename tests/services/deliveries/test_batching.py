"""Events of several contacts in one request, at a real HTTP endpoint: each judged, in order, and none at another's cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from servers import as_json, scripted

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.signing import Scheme, verify
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries import batching, hands
from airflow_outreach_provider.services.deliveries.batch import Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.store.deliveries import endpoints, lists, redeliver
from airflow_outreach_provider.store.engine import Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ITEM = {"id": "{{ id }}", "email": "{{ contact.email }}"}


class Bulk:
    """An API that takes lists."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.script: Callable[[list[str]], tuple[int, Any]] = lambda _ids: (200, {})

    def answer(self, _method: str, _path: str, headers: Mapping[str, str], body: bytes) -> Any:
        said = json.loads(body)
        ids = [each["id"] for each in (said["inputs"] if isinstance(said, dict) else said)]
        self.requests.append(ids)
        self.headers.append(dict(headers))
        self.bodies.append(body)
        status, answer = self.script(ids)
        return status, as_json(answer), {}


@pytest.fixture
def bulk() -> Bulk:
    return Bulk()


@pytest.fixture
def endpoint(bulk: Bulk) -> Iterator[Endpoint]:
    with scripted(bulk.answer) as url:
        target = Target(parse_url(url), timeout=5, allow_networks=parse_networks("127.0.0.0/8"))
        yield Endpoint("crm_conn", target, Scheme.STANDARD_WEBHOOKS, (SECRET,))


def run(store: Store, endpoint: Endpoint, form: GroupForm, *contacts: str) -> Report:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    made = [
        ContactEvent(f"evt_{n}", "dag", "airflow", "x", EventKind.REPLIED, at, at, Contact(external_id=who))
        for n, who in enumerate(contacts, 1)
    ]
    batch = Batch("crm", [each.id for each in made], None, made)
    task = TaskTry(Owner("dag", "run", "deliver", 0, 1))
    return deliver(store, batch, endpoint, task, form=RequestForm(ITEM, batch=form, omit_empty=True))


def states(store: Store) -> dict[str, str]:
    return {each.event_id: each.state for each in lists.every_delivery(store, lists.DeliveryFilter())}


@pytest.mark.slow
def test_contacts_share_requests(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """25 contacts are three requests of at most ten, signed over what is sent, with what else the API wants."""
    monkeypatch.setattr(batching, "_GATHER_SECONDS", 1.0)  # however busy the machine is
    form = GroupForm(10, "inputs", {"allOrNone": False})
    assert run(sqlite_store, endpoint, form, *(f"c{n}" for n in range(25))).states == {"delivered": 25}
    assert sorted(map(len, bulk.requests)) == [5, 10, 10]
    assert len({each for request in bulk.requests for each in request}) == 25
    for headers, body in zip(bulk.headers, bulk.bodies, strict=True):
        verify(Scheme.STANDARD_WEBHOOKS, body, headers, [SECRET], now=datetime.now(UTC))
        assert json.loads(body)["allOrNone"] is False
    assert len({each["webhook-id"] for each in bulk.headers}) == 3


@pytest.mark.slow
def test_a_contacts_events_are_never_together_and_keep_their_order(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint
) -> None:
    """The second event of a contact waits until the first is taken."""
    assert run(sqlite_store, endpoint, GroupForm(10), "a", "b", "a", "b", "a").states == {"delivered": 5}
    assert [sorted(each) for each in bulk.requests] == [["evt_1", "evt_2"], ["evt_3", "evt_4"], ["evt_5"]]


@pytest.mark.parametrize("named", [True, False])
def test_each_event_is_judged_by_what_the_answer_says_of_it(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, named: bool
) -> None:
    """In the order of the items; of the answer each attempt keeps its own part alone."""

    def script(ids: list[str]) -> tuple[int, Any]:
        said = [{"success": each != "evt_2", "id": f"r-{each}"} for each in ids]
        return 207, {"results": said} if named else said

    bulk.script = script
    form = GroupForm(10, results="results" if named else "", ok="result.success")
    assert run(sqlite_store, endpoint, form, "a", "b", "c").states == {"delivered": 2, "dead": 1}
    assert states(sqlite_store) == {"evt_1": "delivered", "evt_2": "dead", "evt_3": "delivered"}
    for each in lists.every_delivery(sqlite_store, lists.DeliveryFilter()):
        [attempt] = lists.attempts_of(sqlite_store, each.id)
        assert json.loads(attempt.answer)["id"] == f"r-{each.event_id}"


@pytest.mark.slow
@pytest.mark.parametrize("taken", ["disabled", "forgotten"])
def test_who_is_out_of_the_tasks_hands_by_then_is_in_no_request(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """Requests that wait for their rate are made of whoever may still be sent, also the halves of one that was refused."""
    monkeypatch.setattr(hands, "_LOOK_EVERY_SECONDS", 0.02)

    def script(_ids: list[str]) -> tuple[int, Any]:
        if len(bulk.requests) == 1 and taken == "disabled":
            endpoints.disable(sqlite_store, "crm_conn", reason="by hand", by="ann")
        elif len(bulk.requests) == 1:
            rows = lists.every_delivery(sqlite_store, lists.DeliveryFilter())
            redeliver.forget(sqlite_store, [each.id for each in rows if each.event_id in {"evt_2", "evt_3"}])
        return (422, {}) if len(bulk.requests) == 1 else (200, {})

    bulk.script = script
    report = run(sqlite_store, replace(endpoint, requests_per_second=4.0), GroupForm(4), *"abcd")
    sent = [each for request in bulk.requests[1:] for each in request]
    assert len(bulk.requests[0]) == 4
    if taken == "disabled":
        assert sent == [] and set(states(sqlite_store).values()) == {"held"}
    else:
        assert sorted(sent) == ["evt_1", "evt_4"]
        assert report.states == {"delivered": 2}


def test_one_bad_event_costs_no_other(sqlite_store: Store, bulk: Bulk, endpoint: Endpoint) -> None:
    """A request that is refused as a whole is sent again by halves, until only the bad one is refused."""
    bulk.script = lambda ids: (422, {}) if "evt_5" in ids else (200, {})
    assert run(sqlite_store, endpoint, GroupForm(8), *"abcdefgh").states == {"delivered": 7, "dead": 1}
    assert states(sqlite_store)["evt_5"] == "dead"
    assert len(bulk.requests) == 7


def test_what_one_half_was_taken_with_stays_known_whatever_becomes_of_the_other(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away for a moment when the second half is to go: the first is not sent again."""
    bulk.script = lambda ids: (422, {}) if len(ids) > 2 else (200, {})
    asked = iter([None, None, StoreError("away")])

    async def take(_gate: RateGate, wanted: int, *, ahead: int = 0) -> int:
        if (error := next(asked, None)) is not None:
            raise error
        return wanted

    monkeypatch.setattr(RateGate, "take", take)
    paced = replace(endpoint, requests_per_second=1000)
    with pytest.raises(StoreError):
        run(sqlite_store, paced, GroupForm(4), *"abcd")
    assert Counter(states(sqlite_store).values()) == {"delivered": 2, "failed": 2}
    assert run(sqlite_store, paced, GroupForm(4), *"abcd").states == {"delivered": 4}
    assert list(map(len, bulk.requests)) == [4, 2, 2]


@pytest.mark.slow
def test_what_waits_for_its_turn_is_not_sent_once_it_is_out_of_the_tasks_hands(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody disables the endpoint while the rate keeps the requests behind the first: none of them goes out."""
    monkeypatch.setattr(hands, "_LOOK_EVERY_SECONDS", 0.05)

    def script(_ids: list[str]) -> tuple[int, Any]:
        endpoints.disable(sqlite_store, "crm_conn", reason="moves", by="ada")
        return 200, {}

    bulk.script = script
    paced = replace(endpoint, requests_per_second=1)
    assert run(sqlite_store, paced, GroupForm(1), *"abc").states == {"delivered": 1, "held": 2}
    assert len(bulk.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (503, {}, "503"),
        (200, {"results": [{"success": True}]}, "does not say of each"),
        (200, {}, "does not say of each"),
    ],
)
def test_what_is_unclear_is_tried_again(
    sqlite_store: Store, bulk: Bulk, endpoint: Endpoint, status: int, answer: Any, reason: str
) -> None:
    """An endpoint that fails, or an answer that does not say of each event what became of it, leaves all of them open."""
    bulk.script = lambda _ids: (status, answer)
    form = GroupForm(10, results="results", ok="result.success")
    report = run(sqlite_store, endpoint, form, "a", "b")
    assert report.states == {"failed": 2} and reason in report.reason()
    bulk.script = lambda ids: (200, {"results": [{"success": True} for _ in ids]})
    assert run(sqlite_store, endpoint, form, "a", "b").states == {"delivered": 2}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (RequestForm(ITEM, batch=GroupForm(0)), "batch size is 0"),
        (RequestForm(ITEM, batch=GroupForm(5, "", {"a": 1})), "no name for the items"),
        (RequestForm(ITEM, batch=GroupForm(5, "a", {"a": 1})), "has 'a' already"),
        (RequestForm(ITEM, batch=GroupForm(5, results="r")), "no effect without ok"),
        (RequestForm(ITEM, batch=GroupForm(5, ok="resul.x")), "unknown name 'resul'"),
        (RequestForm(batch=GroupForm(5)), "payloads of its own events"),
        (RequestForm(ITEM, content_type="form", batch=GroupForm(5)), "payloads of its own events"),
        (RequestForm(ITEM, path="x/{{ id }}", batch=GroupForm(5)), "path is of one event"),
        (RequestForm(ITEM, save={"a": "{{ response.id }}"}, batch=GroupForm(5)), "cannot be saved"),
    ],
)
def test_a_batch_that_cannot_be_meant(form: RequestForm, said: str) -> None:
    """Each mistake is told before any event."""
    with pytest.raises(ConfigurationError, match=said):
        form.check()
