"""Webhook in → webhook out in a whole Airflow: idle, with contacts that fail, with an endpoint away, with many routes.

    python bench/fanout_real.py                                          # some minutes
    python bench/fanout_real.py --minutes 10 --backlog 5000 --strict     # the long one, about 40 minutes

A platform's signed webhooks go to the receiver in Airflow's API server; the clock of an event stops when the
customer's system takes it. All in one Airflow, one part after the other:

a. idle, one event at a time, beside the same shape without us, all of it Airflow's own: a file that an asset's
   watcher finds, looking once a second as ours does, a run, a task, and a mapped task that writes down the time;
b. a steady stream in which the endpoint refuses one contact in twenty for good: how late all others are;
c. one route's endpoint away, while another route gets the same events: how late that one is, how often the absent
   endpoint is asked, and how long the backlog takes once it is back. Nothing may be dead, no contact out of order;
d. in an Airflow of its own: processor time of triggerer and scheduler with one idle route, ten, and many.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from shared import idle
from shared.figures import Bench, percentile

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.demo.airflow import (
    RunningAirflow,
    airflow_environment,
    migrate,
    running_airflow,
    wait_until,
)
from airflow_outreach_provider.demo.events import (
    ENDPOINT,
    Crm,
    CrmAnswer,
    Sources,
    post,
    running_crm,
    varda_webhook,
)
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, count
from airflow_outreach_provider.store.engine import Store

DAG = "outreach_event_fanout"
SHIPPED = Path(__file__).parents[1] / "dags" / f"{DAG}.py"
LOADER = SHIPPED.with_name("outreach_workflows.py")
AWAY = "away"
ROUTE_AWAY = f"""
defaults: {{event_routes: {{poll_interval: 1s}}}}
event_routes:
  {AWAY}: {{deliver: {{endpoint: {AWAY}}}}}
"""
SECONDS = 90
CONTACTS = 200
RUNS_AT_ONCE = 16

bench = Bench(__doc__)
bench.size("events", 10, 1, "webhooks of part a, one at a time")
bench.size("minutes", 1.5, 0.05, "how long parts b and c send")
bench.size("rate", 20.0, 2.0, "webhooks a second in part b")
bench.size("backlog", 500, 5, "events that wait for the absent endpoint")
bench.size("routes", 100, 3, "the most idle routes of part d")
bench.size("window", 30.0, 2.0, "seconds that idle routes are watched")


class Stream:
    """Numbered webhooks at a steady pace, and when each of them was taken.

    :ivar sent: the contact of each number, in the order of sending.
    """

    def __init__(self, airflow: RunningAirflow, sources: Sources) -> None:
        self.airflow, self.sources = airflow, sources
        self.sent: dict[int, int] = {}
        self._at: dict[int, float] = {}
        self._next = 100_000

    def send(self, seconds: float, rate: float, watch: Callable[[], object] = lambda: None) -> list[int]:
        """Send for so long. :param watch: called every few seconds. :return: the numbers sent."""
        begun, looked, first = time.monotonic(), 0.0, self._next
        numbers = list(range(first, first + max(1, round(seconds * rate))))
        self._next += len(numbers)
        self.sent |= {number: number % CONTACTS for number in numbers}
        todo, lock = numbers[:], threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not todo:
                        return
                    number = todo.pop(0)
                    due = begun + (number - first) / rate
                time.sleep(max(0.0, due - time.monotonic()))
                self._post(number)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.2)
            if time.monotonic() - looked > 3:
                watch()
                looked = time.monotonic()
        return numbers

    def late(self, numbers: list[int], crm: Taken) -> list[float]:
        """How many seconds after it was sent each of these was taken."""
        return [crm.at[number] - self._at[number] for number in numbers]

    def _post(self, number: int) -> None:
        self._at[number] = time.time()
        status = post(self.airflow.url, *varda_webhook(self.sources, number, self.sent[number]))
        assert status == 202, f"the receiver answered {status}"


class Taken:
    """What a customer's system took, and in which order it was first sent each contact's events.

    :ivar at: when each number was taken. :ivar first: the numbers of each contact, as they were first sent.
    :ivar refuse: which contacts it refuses, or all. :ivar asked: how many requests it refused.
    """

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self.first: dict[str, list[int]] = defaultdict(list)
        self.refuse: Callable[[int], bool] = lambda _contact: False
        self.asked = 0
        self._status = 500

    def answer(self, event: Mapping[str, Any], times: int) -> CrmAnswer:
        number, contact = int(event["data"]["id"]), str(event["contact"]["external_id"])
        if times == 1:
            self.first[contact].append(number)
        if self.refuse(int(contact) - 1000):
            self.asked += 1
            return CrmAnswer(self._status)
        self.at.setdefault(number, time.time())
        return CrmAnswer()

    def check_order(self) -> None:
        """:raises AssertionError: a contact's events came in another order than they were sent in."""
        mixed = [contact for contact, numbers in self.first.items() if numbers != sorted(numbers)]
        assert not mixed, f"out of order: contacts {mixed[:5]}"


def measure(asked: argparse.Namespace) -> None:
    """Parts a to c in one Airflow, d in another."""
    with place() as like, place() as home, running_crm() as crm, running_crm() as away:
        migrate(airflow_environment(like, like / "dags", port=0))
        (home / "dags" / "workflows").mkdir(parents=True)
        shutil.copy(SHIPPED, home / "dags")
        shutil.copy(LOADER, home / "dags")
        (home / "dags" / "workflows" / "away.yaml").write_text(ROUTE_AWAY)
        bell, noted = home / "bell", home / "noted"
        (home / "dags" / "floor.py").write_text(idle.FLOOR.format(bell=str(bell), noted=str(noted)))
        sources = Sources.new()
        connections = {**sources.connections, ENDPOINT: crm.connection, AWAY: away.connection}
        with running(home, connections, like) as airflow:
            for dag in (DAG, "floor"):
                airflow.wait_for_dag(dag)
            idle.warm_up(airflow)
            idle_p95 = part_a(asked, airflow, crm, sources, bell, noted)
            store = Store(f"sqlite:///{airflow.home / 'outreach.db'}")
            stream = Stream(airflow, sources)
            part_b(asked, stream, crm, idle_p95)
            airflow.wait_for_dag(f"outreach_event_route__{AWAY}")
            part_c(asked, stream, crm, away, store, idle_p95)
            store.close()
        part_d(asked, like)


def part_a(
    asked: argparse.Namespace, airflow: RunningAirflow, crm: Crm, sources: Sources, bell: Path, noted: Path
) -> float:
    """One event of each kind that is not counted, then ours and floor in turn. :return: our p95."""
    ours, floor = [], []
    idle.send(airflow, crm, sources, 0)
    idle.ring(bell, noted)
    for number in bench.rounds(asked.events, SECONDS):
        idle.rest(airflow)
        ours.append(idle.send(airflow, crm, sources, 1 + number))
        idle.rest(airflow)
        floor.append(idle.ring(bell, noted))
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        bench.compare(
            f"a: webhook in → webhook out, {name} of {len(ours)}", percentile(ours, share),
            percentile(floor, share), "Airflow's own floor", unit="s", at_most=1.5,
        )  # fmt: skip
    return percentile(ours, 0.95)


def part_b(asked: argparse.Namespace, stream: Stream, crm: Crm, idle_p95: float) -> None:
    """A steady stream, one contact in twenty refused for good."""
    taken = Taken()
    crm.answer = taken.answer
    taken.refuse = lambda contact: contact % 20 == 0
    most = 0

    def watch() -> None:
        nonlocal most
        found = stream.airflow.api("GET", f"dags/{DAG}/dagRuns?state=running&limit=1")
        most = max(most, found["total_entries"])

    sent = stream.send(asked.minutes * 60, asked.rate, watch)
    well = [number for number in sent if stream.sent[number] % 20]
    wait_until(lambda: all(number in taken.at for number in well), 300, "everybody else's events are taken")
    watch()
    taken.check_order()
    late = stream.late(well, taken)
    bench.note(
        f"b: {len(sent):,} events at {asked.rate:g} a second, {len(sent) - len(well):,} of them refused; late p50 "
        f"{percentile(late, 0.5):.1f} s, p99 {percentile(late, 0.99):.1f} s; refused requests {taken.asked:,}"
    )
    bench.compare(
        "b: p95 of who does not fail", percentile(late, 0.95), idle_p95, "p95 of a", unit="s", at_most=2
    )
    bench.compare("b: most open runs", most, RUNS_AT_ONCE, "max_active_runs", unit="runs", at_most=1)
    taken.refuse = lambda _contact: False


def part_c(
    asked: argparse.Namespace, stream: Stream, crm: Crm, away: Crm, store: Store, idle_p95: float
) -> None:
    """One route's endpoint answers 503, the other route gets the same events."""
    here, gone = Taken(), Taken()
    crm.answer, away.answer = here.answer, gone.answer
    gone.refuse, gone._status = lambda _contact: True, 503
    seconds = asked.minutes * 60
    sent = stream.send(seconds, asked.backlog / seconds)
    wait_until(lambda: all(number in here.at for number in sent), 300, "the other route has taken everything")
    states = count(store, DeliveryFilter(route=AWAY))
    assert not states.keys() & {DeliveryState.DEAD, DeliveryState.HELD}, states
    back, requests = time.time(), gone.asked
    gone.refuse = lambda _contact: False
    wait_until(lambda: all(number in gone.at for number in sent), 900 + len(sent), "the backlog is taken")
    gone.check_order()
    first = min(gone.at[number] for number in sent)
    last = max(gone.at[number] for number in sent)
    bench.note(
        f"c: first taken {first - back:.0f} s after it was back, the last of {len(sent):,} {last - first:.0f} s later"
    )
    bench.compare(
        "c: p95 of the other route", percentile(stream.late(sent, here), 0.95), idle_p95, "p95 of a",
        unit="s", at_most=2,
    )  # fmt: skip
    bench.compare("c: requests to who is away", requests, len(sent), "events that wait", unit="", at_most=1)
    bench.compare(
        "c: the backlog goes out", len(sent) / max(0.1, last - first), len(sent) / seconds,
        "the pace it came at", unit="/s",
    )  # fmt: skip


def part_d(asked: argparse.Namespace, like: Path) -> None:
    """Idle routes, more and more of them."""
    with place() as home:
        workflows = home / "dags" / "workflows"
        workflows.mkdir(parents=True)
        shutil.copy(LOADER, home / "dags")
        used: dict[str, float] = {}
        connections = {ENDPOINT: {"conn_type": "outreach_endpoint", "host": "http://127.0.0.1:9"}}
        routes = sorted({1, min(10, asked.routes), asked.routes})
        write_routes(workflows, 1)
        with running(home, connections, like) as airflow:
            for number in routes:
                write_routes(workflows, number)
                (home / "dags" / LOADER.name).touch()  # what did not change is read twice a minute
                for each in range(number):
                    airflow.wait_for_dag(f"outreach_event_route__r{each}", 180)
                time.sleep(min(10.0, asked.window))  # their watchers begin to look
                idle.rest(airflow)
                for part in ("triggerer", "scheduler"):
                    used[f"{part} {number}"] = -processor_time(airflow, part)
                time.sleep(asked.window)
                for part in ("triggerer", "scheduler"):
                    used[f"{part} {number}"] += processor_time(airflow, part)
        for part in ("triggerer", "scheduler"):
            for number in routes[1:]:
                bench.compare(
                    f"d: {part}'s CPU with {number} idle routes", used[f"{part} {number}"] / asked.window * 100,
                    used[f"{part} 1"] / asked.window * 100, "with one", unit="%", at_most=1.5,
                )  # fmt: skip


def write_routes(workflows: Path, number: int) -> None:
    lines = [f"  r{each}: {{deliver: {{endpoint: {ENDPOINT}}}}}\n" for each in range(number)]
    (workflows / "routes.yaml").write_text("event_routes:\n" + "".join(lines))


def processor_time(airflow: RunningAirflow, part: str) -> float:
    """Seconds that a component and everything it started have used; what has ended counts to its parent."""
    process = psutil.Process(airflow.processes[part].pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def place() -> Iterator[Path]:
    """A folder that goes with the block."""
    # A process that is ending may still write into it.
    with tempfile.TemporaryDirectory(prefix="outreach-bench-", ignore_cleanup_errors=True) as home:
        yield Path(home)


def running(home: Path, connections: Mapping[str, object], like: Path) -> Any:
    """An Airflow with these connections that begins as ``like``, ended with its block."""
    return running_airflow(home / "airflow", home / "dags", connections=connections, like=like)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
