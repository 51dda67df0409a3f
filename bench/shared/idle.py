"""The time from webhook to webhook on an Airflow that has nothing else to do, and Airflow's own floor beside it."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

from airflow_outreach_provider.demo.airflow import RunningAirflow, wait_until
from airflow_outreach_provider.demo.events import Crm, Sources, post, varda_webhook

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
ARRIVES_WITHIN = 120


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
