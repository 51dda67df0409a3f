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
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from shared import idle
from shared.figures import Bench
from shared.kills import QUICK, kill_task
from shared.places import new_store
from shared.traffic import Endpoint, Platform

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow, wait_until
from airflow_outreach_provider.demo.events import ENDPOINT, Sources, running_crm
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, count
from airflow_outreach_provider.store.engine import Store

DAG = "outreach_event_fanout"
SHIPPED = Path(__file__).parents[1] / "dags" / f"{DAG}.py"
NAME = "outreach_fanout_chaos"  # of our connections, so that no others are cut
VICTIMS = ("task", "task", "supervisor", "scheduler", "triggerer", "dag-processor", "api-server")

bench = Bench(__doc__)
bench.size("kills", 5, 1, "SIGKILLs")
bench.size("rate", 4.0, 2.0, "webhooks a second")
bench.size("seed", 1, 57, "of the random moments; the small one kills the triggerer soon")
bench.parser.add_argument("--postgres", help="URL of an empty PostgreSQL schema; SQLite where left out")


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
                platform = Platform([airflow.url], sources, asked.rate)
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
    wanted = platform.wanted
    wait_until(
        lambda: wanted <= endpoint.taken.keys(),
        420,
        f"all {len(wanted):,} are delivered without a fresh event",
    )
    assert not endpoint.mixed, f"out of order: contacts {endpoint.mixed}"
    wait_until(
        lambda: set(count(store, DeliveryFilter())) == {"delivered"}, 60, "the store knows of every delivery"
    )
    bench.note(f"kills: {dict(killed)}; no contact's events out of order")
    bench.compare("delivered, kills or not", len(endpoint.taken.keys() & wanted), len(wanted), "acknowledged", unit="events", at_least=1)  # fmt: skip


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
