"""Webhook in → webhook out through the shipped DAG, on an idle Airflow, beside Airflow's own floor in the same run.

    python bench/fanout_latency.py [--events 10]

A platform's signed webhook goes to the receiver in Airflow's API server; the clock stops when the customer's system
is asked. The floor is the same shape without us, all of it Airflow's own: a file that an asset's watcher finds,
looking once a second as ours does, a run, a task, and a mapped task that writes down the time. Both take turns, each
time on an Airflow that has come to rest, so that neither waits for the other.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from shared.figures import Bench, percentile

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow, wait_until
from airflow_outreach_provider.demo.events import ENDPOINT, Crm, Sources, post, running_crm, varda_webhook

DAG = "outreach_event_fanout"
SHIPPED = Path(__file__).parents[1] / "dags" / f"{DAG}.py"
FLOOR = """
import time
from datetime import datetime
from pathlib import Path
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

@task
def look():
    return [1]

@task
def note(item):
    Path({noted!r}).write_text(str(time.time()))

bell = AssetWatcher(name="bell", trigger=FileDeleteTrigger(filepath={bell!r}, poke_interval=1))
with DAG("floor", schedule=[Asset("bell", watchers=[bell])], start_date=datetime(2026, 1, 1), catchup=False):
    note.expand(item=look())
"""
SECONDS = 90
ARRIVES_WITHIN = 120

bench = Bench(__doc__)
bench.size("events", 10, 1, "webhooks, one at a time")


def send(airflow: RunningAirflow, crm: Crm, sources: Sources, number: int) -> float:
    """Send a platform's webhook. :return: seconds until the customer's system was asked."""
    before, started = len(crm.requests), time.time()
    status = post(airflow.url, *varda_webhook(sources, number))
    assert status == 202, f"the receiver answered {status}"
    wait_until(lambda: len(crm.requests) > before, ARRIVES_WITHIN, "the event is delivered")
    return crm.requests[before].at - started


def ring(bell: Path, noted: Path) -> float:
    """Ring the bell of the floor. :return: seconds until its mapped task wrote down the time."""
    noted.unlink(missing_ok=True)
    started = time.time()
    bell.touch()
    written = wait_until(lambda: noted.exists() and noted.read_text(), ARRIVES_WITHIN, "the floor has run")
    return float(written) - started


def warm_up(airflow: RunningAirflow) -> None:
    """Wait until the receiver answers: its first request imports it, which takes long on a busy machine."""

    def answers() -> bool:
        with suppress(TimeoutError):
            return post(airflow.url, "/outreach/in/nobody", b"{}", {}) == 404
        return False

    wait_until(answers, ARRIVES_WITHIN, "the receiver answers")


def rest(airflow: RunningAirflow) -> None:
    """Wait until nothing has been at work for two seconds, then for a moment of any length."""
    busy = (
        "dags/~/dagRuns/~/taskInstances?limit=1&state=scheduled&state=queued&state=running&state=restarting",
        "dags/~/dagRuns?limit=1&state=queued",
    )
    quiet_since = time.monotonic()

    def quiet() -> bool:
        nonlocal quiet_since
        if any(airflow.api("GET", path)["total_entries"] for path in busy):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > 2

    wait_until(quiet, ARRIVES_WITHIN, "Airflow has come to rest")
    time.sleep(random.random())


def measure(asked: argparse.Namespace) -> None:
    """A whole Airflow, one event of each kind that is not counted, then ours and floor in turn."""
    home = Path(tempfile.mkdtemp(prefix="outreach-bench-"))
    try:
        (home / "dags").mkdir()
        shutil.copy(SHIPPED, home / "dags")
        bell, noted = home / "bell", home / "noted"
        (home / "dags" / "floor.py").write_text(FLOOR.format(bell=str(bell), noted=str(noted)))
        sources = Sources.new()
        with running_crm() as crm:
            connections = {**sources.connections, ENDPOINT: crm.connection}
            environment = {f"AIRFLOW_CONN_{k.upper()}": json.dumps(v) for k, v in connections.items()}
            with running_airflow(home / "airflow", home / "dags", environment=environment) as airflow:
                for dag in (DAG, "floor"):
                    airflow.wait_for_dag(dag)
                ours, floor = [], []
                warm_up(airflow)
                send(airflow, crm, sources, 0)
                ring(bell, noted)
                for number in bench.rounds(asked.events, SECONDS):
                    rest(airflow)
                    ours.append(send(airflow, crm, sources, 1 + number))
                    rest(airflow)
                    floor.append(ring(bell, noted))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        bench.compare(
            f"webhook in → webhook out, {name} of {len(ours)}", percentile(ours, share),
            percentile(floor, share), "Airflow's own floor", unit="s", at_most=1.5,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(bench.run(measure))
