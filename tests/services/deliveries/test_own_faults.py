"""An endpoint that turns one contact away, and takes all others: it is that contact's trouble, and nobody else's."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.net.webhook import Target, parse_url
from airflow_outreach_provider.services.deliveries import webhooks
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.store.deliveries import endpoints, lists
from airflow_outreach_provider.store.deliveries.tables import deliveries as deliveries_table
from airflow_outreach_provider.store.deliveries.tables import endpoints as endpoints_table
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

READING = Reading("crm_events", ("crm",))
DELAYS = (5.0, 30.0, 120.0)
Script = Callable[[str], tuple[int, dict[str, str]]]


@dataclass
class Route:
    """A route to an endpoint that answers each contact as the script says."""

    store: Store
    endpoint: Endpoint
    script: Script = lambda _: (200, {})
    asked: list[str] = field(default_factory=list)
    events: int = 0
    runs: int = 0

    def answer(self, _method: str, _path: str, _headers: Mapping[str, str], body: bytes) -> Any:
        who = json.loads(body)["contact"]["external_id"]
        self.asked.append(who)
        status, headers = self.script(who)
        return status, b"", headers

    def arrive(self, *contacts: str) -> None:
        at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
        for who in contacts:
            self.events += 1
            event = ContactEvent(
                f"evt_{self.events}",
                "varda",
                "varda",
                "x",
                EventKind.REPLIED,
                at,
                at,
                Contact(external_id=who),
            )
            inbox_append.append(self.store, [Incoming(event, b"{}", "[]")])

    def run(self) -> bool:
        """All that may be sent now, and then it is later; whether the endpoint was left to rest."""
        self.runs += 1
        batches = fan_out(self.store, READING, f"run{self.runs}") or []
        for number, each in reversed(list(enumerate(batches))):
            task = TaskTry(Owner("dag", f"t{number}", f"run{self.runs}"), delays=DELAYS, keep=0)
            batch = Batch("crm", each["events"], each["plan"])
            webhooks.deliver(self.store, batch, self.endpoint, task, form=RequestForm())
        rests = endpoints.status(self.store, self.endpoint.conn_id).resting_since is not None
        self.later()
        return rests

    def later(self) -> None:
        """The time of all that waits has come."""
        with self.store.write() as connection:
            due = deliveries_table.update().where(deliveries_table.c.due_at.is_not(None))
            connection.execute(due.values(due_at=0))
            resting = endpoints_table.update().where(endpoints_table.c.resting_since.is_not(None))
            connection.execute(resting.values(rest_until=0))

    def states(self) -> dict[str, int]:
        return {state: n for state, n in lists.count(self.store, lists.DeliveryFilter()).items() if n}


@pytest.fixture
def route(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Route]:
    monkeypatch.setattr(webhooks, "warming_rate", lambda *_: None)
    made: list[Route] = []
    with scripted(lambda *request: made[0].answer(*request)) as url:
        target = Target(parse_url(url), timeout=5, allow_networks=parse_networks("127.0.0.0/8"))
        made.append(Route(sqlite_store, Endpoint("crm_conn", target, Scheme.NONE, ())))
        yield made[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "headers"), [(429, {"Retry-After": "3600"}), (401, {}), (403, {}), (407, {}), (503, {"Retry-After": "3600"})]
)  # fmt: skip
def test_one_contact_that_is_turned_away_makes_nobody_wait_again_and_again(
    route: Route, status: int, headers: dict[str, str]
) -> None:
    """Whose the answer is shows once others were taken: then it uses up the tries, and the endpoint does not rest."""
    route.script = lambda who: (status, headers) if who == "odd" else (200, {})
    route.arrive("odd")
    rests = 0
    for number in range(9):
        route.arrive(f"a{number}", f"b{number}")
        rests += route.run()
    assert rests <= 1
    assert route.states() == {"dead": 1, "delivered": 18}
    attempts = lists.attempts_of(route.store, 1)
    assert len(attempts) <= len(DELAYS) + 2, (
        "the first of them used up no try where it made the endpoint rest"
    )
    assert str(status) in attempts[-1].error


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403])
def test_who_turns_everybody_away_rests_and_uses_up_nobodys_tries(route: Route, status: int) -> None:
    """However often it does, and although it let them in in between: a key that ran out, was renewed and ran out again."""
    route.script = lambda _: (status, {})
    route.arrive("a", "b", "c")
    for _ in range(6):
        assert route.run()
    assert sum(route.states().get(each, 0) for each in ("failed", "pending")) == 3
    assert all(each.tries == 0 for each in lists.every_delivery(route.store, lists.DeliveryFilter()))
    route.script = lambda _: (200, {})
    for _ in range(3):
        route.run()
    assert route.states() == {"delivered": 3}
    route.script = lambda _: (status, {})
    route.arrive("d", "e")
    assert route.run()
    assert "dead" not in route.states()


class TimeIsUp(BaseException):
    """As Airflow's own, for a task that takes longer than its execution_timeout."""


@contextmanager
def time_out(seconds: float) -> Iterator[None]:
    def raise_it(*_: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with suppress(TimeIsUp):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
def test_what_no_try_of_the_task_has_the_time_for_fails_in_the_end(route: Route) -> None:
    """Each time-out is an attempt with its reason; the others of its batch are sent once, and its contact's next follows."""
    over = threading.Event()

    def hangs(who: str) -> tuple[int, dict[str, str]]:
        if who == "slow":
            over.wait(20)
        return 200, {}

    route.script = hangs
    route.arrive("slow", "a", "b")
    for _ in range(len(DELAYS) + 1):
        with time_out(0.7):
            route.run()
        route.later()
    over.set()
    assert route.states() == {"dead": 1, "delivered": 2}
    reasons = {each.error for each in lists.attempts_of(route.store, 1)}
    assert reasons == {"broken off before there was an answer, as by the task's execution_timeout"}
    assert Counter(route.asked) == {"slow": len(DELAYS) + 1, "a": 1, "b": 1}
    route.arrive("slow")
    route.run()
    assert route.states() == {"dead": 1, "delivered": 3}
