"""Events flow while a real Airflow loses its processes: SIGKILLs at random moments, of everything it consists of.

What must hold, whatever is killed when: every event that was acknowledged to the platform is delivered, with no fresh
event sent afterwards to wake anybody; each contact's events are first sent in their order; nothing is dead.

    python bench/fanout_chaos.py                      # a short trial
    python bench/fanout_chaos.py --kills 20           # a long one, about ten minutes
    python bench/fanout_chaos.py --postgres URL       # the store on PostgreSQL, whose connections are cut too

Each kill is of a task, its supervisor, the scheduler, the triggerer, the DAG processor, or the API server, which has
the receiver; the endpoint answers 503 to one first try in ten all along.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from shared import idle
from shared.figures import Bench
from shared.kills import QUICK, kill_task
from shared.places import new_store

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow, wait_until
from airflow_outreach_provider.demo.events import (
    ENDPOINT,
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
CONTACTS, SENDERS = 40, 4
NAME = "outreach_fanout_chaos"  # of our connections, so that no others are cut
VICTIMS = ("task", "task", "supervisor", "scheduler", "triggerer", "dag-processor", "api-server")

bench = Bench(__doc__)
bench.size("kills", 5, 1, "SIGKILLs")
bench.size("rate", 4.0, 2.0, "webhooks a second")
bench.size("seed", 1, 1, "of the random moments")
bench.parser.add_argument("--postgres", help="URL of an empty PostgreSQL schema; SQLite where left out")


class Platform:
    """Sends webhooks until it is told to stop; what is not acknowledged is sent again, as platforms do.

    :ivar acknowledged: the numbers of the events that the receiver took, by contact, in order.
    """

    def __init__(self, airflow: RunningAirflow, sources: Sources, rate: float) -> None:
        self.acknowledged: dict[int, list[int]] = {contact: [] for contact in range(CONTACTS)}
        self._airflow, self._sources, self._rate = airflow, sources, rate
        self._over = threading.Event()
        self._senders = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]
        for sender in self._senders:
            sender.start()

    def stop(self) -> None:
        self._over.set()
        for sender in self._senders:
            sender.join()

    def _send(self, sender: int) -> None:
        dice, number = random.Random(sender), sender
        while not self._over.is_set():
            # One contact's events come from one sender, one after the other.
            contact = dice.randrange(CONTACTS // SENDERS) * SENDERS + sender
            request = varda_webhook(self._sources, number, contact)
            while not self._is_taken(request):
                time.sleep(0.5)
            self.acknowledged[contact].append(number)
            number += SENDERS
            self._over.wait(SENDERS / self._rate)

    def _is_taken(self, request: tuple[str, bytes, dict[str, str]]) -> bool:
        with suppress(OSError, RuntimeError):
            return post(self._airflow.url, *request) in (200, 202)
        return False


class Endpoint:
    """What a customer's system was sent: each contact's events in the order they were first sent in."""

    def __init__(self, dice: random.Random) -> None:
        self.first: dict[int, list[int]] = {contact: [] for contact in range(CONTACTS)}
        self.taken: set[int] = set()
        self._dice = dice

    def answer(self, event: Mapping[str, Any], times: int) -> CrmAnswer:
        number, contact = int(event["data"]["id"]), int(event["contact"]["external_id"]) - 1000
        if times == 1:
            self.first[contact].append(number)
            if self._dice.random() < 0.1:
                return CrmAnswer(503)
        self.taken.add(number)
        return CrmAnswer()


def measure(asked: argparse.Namespace) -> None:
    """:raises AssertionError: a promise was broken. :raises TimeoutError: an event was not delivered."""
    home = Path(tempfile.mkdtemp(prefix="outreach-chaos-"))
    dice, sources = random.Random(asked.seed), Sources.new()
    url = f"sqlite:///{home / 'outreach.db'}"
    if asked.postgres:
        named = sa.make_url(asked.postgres).update_query_dict({"application_name": NAME})
        url = named.render_as_string(hide_password=False)
    store = new_store(url)
    endpoint = Endpoint(random.Random(asked.seed))
    try:
        (home / "dags").mkdir()
        shutil.copy(SHIPPED, home / "dags")
        with running_crm(endpoint.answer) as crm:
            connections = {**sources.connections, ENDPOINT: crm.connection}
            settings = QUICK | {"AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": url}
            with running_airflow(
                home / "airflow", home / "dags", connections=connections, environment=settings
            ) as airflow:
                airflow.wait_for_dag(DAG)
                idle.warm_up(airflow)
                platform = Platform(airflow, sources, asked.rate)
                try:
                    killed = harass(airflow, store, endpoint, asked.kills, dice)
                    platform.stop()
                    judge(platform, endpoint, store, killed)
                except (AssertionError, TimeoutError):
                    tell(airflow, store)
                    raise
    finally:
        store.close()
        shutil.rmtree(home, ignore_errors=True)


def harass(
    airflow: RunningAirflow, store: Store, endpoint: Endpoint, kills: int, dice: random.Random
) -> Counter[str]:
    """Kill one thing after another while events are delivered, at least one between two kills."""
    killed: Counter[str] = Counter()
    wait_until(lambda: endpoint.taken, 180, "the first event is delivered")
    while killed.total() < kills:
        time.sleep(dice.uniform(0, 5))
        victim = dice.choice((*VICTIMS, "connections") if store.dialect == "postgresql" else VICTIMS)
        before = len(endpoint.taken)
        if not kill(airflow, store, victim, dice):
            continue
        killed[victim] += 1
        print(f"  kill {killed.total()}: {victim} after {before:,} deliveries", flush=True)
        wait_until(lambda: len(endpoint.taken) > before, 240, f"events go on after the kill of {victim}")  # noqa: B023
    return killed


def kill(airflow: RunningAirflow, store: Store, victim: str, dice: random.Random) -> bool:
    """:return: whether there was such a thing to kill."""
    if victim in ("task", "supervisor"):
        return kill_task(airflow, victim, dice)
    if victim == "connections":
        with store.write() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
                )
            )
        return True
    airflow.kill(victim)
    time.sleep(dice.uniform(0, 2))
    airflow.start([victim])
    return True


def judge(platform: Platform, endpoint: Endpoint, store: Store, killed: Counter[str]) -> None:
    """Wait for what was acknowledged, and look at the order."""
    wanted = {number for numbers in platform.acknowledged.values() for number in numbers}
    wait_until(
        lambda: wanted <= endpoint.taken, 420, f"all {len(wanted):,} are delivered without a fresh event"
    )
    mixed = [contact for contact, numbers in endpoint.first.items() if numbers != sorted(numbers)]
    assert not mixed, f"out of order: contacts {mixed}"
    wait_until(
        lambda: set(count(store, DeliveryFilter())) == {"delivered"}, 60, "the store knows of every delivery"
    )
    bench.note(f"kills: {dict(killed)}; no contact's events out of order")
    bench.compare("delivered, kills or not", len(endpoint.taken & wanted), len(wanted), "acknowledged", unit="events", at_least=1)  # fmt: skip


def tell(airflow: RunningAirflow, store: Store) -> None:
    """What there is to see when a promise did not hold."""
    print(f"deliveries: {count(store, DeliveryFilter())}")
    for run in airflow.api("GET", f"dags/{DAG}/dagRuns?limit=20&order_by=-run_after")["dag_runs"]:
        tasks = [
            each
            for task in ("wait_for_events", "deliver")
            for each in airflow.task_instances(DAG, run["dag_run_id"], task)
        ]
        states = Counter(f"{each['task_id']} {each['state']} try {each['try_number']}" for each in tasks)
        print(f"{run['dag_run_id']}: {run['state']} {dict(states)}")
    for component in airflow.processes:
        print(f"-- {component}\n{airflow.log_tail(component, 15)}")


if __name__ == "__main__":
    sys.exit(bench.run(measure))
