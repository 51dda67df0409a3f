"""Kill it again and again: a real Airflow, an API that drops, fails and refuses, SIGKILLs at random moments.

What must hold, whatever is killed when: texted twice = 0, rows accounted = 100 %, held ≤ kills × window + answers
that left the outcome unknown. With ``--resend`` instead: lost = 0.

    python bench/chaos.py                                 # a short trial
    python bench/chaos.py --leads 20000 --kills 20        # a long one, about ten minutes
    python bench/chaos.py [--resend] [--postgres URL] [--tasks 4]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from shared.figures import Bench
from shared.kills import QUICK, UNKNOWN_ANSWERS, kill_task
from shared.places import new_store

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.demo.messy import write_messy_csv
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store

DAG_ID = "chaos"
DAG = """
from datetime import datetime, timedelta
from airflow.sdk import DAG
from airflow_outreach_provider.operators.outreach import StageLeadsOperator, SubmitLeadsOperator
again = dict(retries=500, retry_delay=timedelta(seconds=1), retry_exponential_backoff=0, max_rejected=None)
sending = dict(on_unknown="{on_unknown}", concurrency={window}, requests_per_second={rate}, **again)
with DAG("chaos", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    if {tasks} == 1:
        SubmitLeadsOperator(task_id="submit", leads="{leads}", default_region="US", **sending)
    else:
        staged = StageLeadsOperator(task_id="stage", leads="{leads}", default_region="US", **again)
        staged >> SubmitLeadsOperator.partial(task_id="submit", leads=None, shards={tasks}, **sending).expand(
            shard=list(range({tasks})))
"""
FAULTS = (
    "status=429,retry_after=1,every=501",
    "status=503,every=701",
    "status=500,when=after,every=907",
    "status=500,when=before,every=1103",
    "drop,when=after,every=1301",
    "latency=0.02,jitter=0.02",
)
WINDOW = 64


bench = Bench(__doc__)
bench.size("leads", 3_000, 1_000, "leads to send")
bench.size("kills", 3, 1, "SIGKILLs")
bench.size("tasks", 1, 1, "mapped tasks that share the leads")
bench.size("seed", 1, 1, "of the random moments")
bench.parser.add_argument("--resend", action="store_true", help="at least once instead of at most once")
bench.parser.add_argument("--postgres", help="URL of an empty PostgreSQL schema; SQLite where left out")


def measure(arguments: argparse.Namespace) -> None:
    """:raises SystemExit: a promise was broken."""
    home = Path(tempfile.mkdtemp(prefix="outreach-chaos-"))
    try:
        if not trial(arguments, home):
            raise SystemExit(1)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def trial(arguments: argparse.Namespace, home: Path) -> bool:
    """:return: whether everything held."""
    dice = random.Random(arguments.seed)
    written = write_messy_csv(home / "leads.csv", arguments.leads, arguments.seed)
    url = arguments.postgres or f"sqlite:///{home / 'outreach.db'}"
    store = new_store(url)
    dags = home / "dags"
    dags.mkdir()
    on_unknown = "resend" if arguments.resend else "hold"
    # Slow enough for every kill to find the batch under way.
    rate = max(200, arguments.leads // max(1, arguments.kills) // 2)
    (dags / "chaos.py").write_text(
        DAG.format(
            leads=home / "leads.csv", on_unknown=on_unknown, window=WINDOW, rate=rate, tasks=arguments.tasks
        )
    )
    with running_simulator(faults=FAULTS, journal=str(home / "journal")) as simulator:
        environment = {
            "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__OUTREACH__LEASE_SECONDS": "10",
            **QUICK,
        }
        parts = ("api-server", "scheduler", "dag-processor")
        given: dict[str, Any] = {
            "connections": {"outreach_default": simulator.connection},
            "environment": environment,
        }
        with running_airflow(home / "airflow", dags, components=parts, **given) as airflow:
            airflow.wait_for_dag(DAG_ID)
            run_id = airflow.trigger(DAG_ID)
            kills = harass(airflow, simulator, store, run_id, arguments.kills, dice)
            state = airflow.wait_for_run(DAG_ID, run_id, 900)
            simulator.set_faults()
            again = airflow.trigger(DAG_ID)
            airflow.wait_for_run(DAG_ID, again, 300)
            return judge(store, simulator, written, kills, state, arguments)


def harass(
    airflow: RunningAirflow,
    simulator: RunningSimulator,
    store: Store,
    run_id: str,
    kills: int,
    dice: random.Random,
) -> Counter[str]:
    """SIGKILL the task, its supervisor or the whole scheduler while leads are being sent."""
    done: Counter[str] = Counter()
    deadline = time.monotonic() + 60 + 30 * kills
    texts = 0
    while sum(done.values()) < kills and time.monotonic() < deadline:
        if airflow.api("GET", f"dags/{DAG_ID}/dagRuns/{run_id}")["state"] in ("success", "failed"):
            print(f"  the run ended after {sum(done.values())} kills; use more leads", flush=True)
            break
        now = simulator.report(full=False)["texts"]
        if now == texts:
            time.sleep(0.1)
            continue
        texts = now
        time.sleep(dice.uniform(0, 1.0))
        victim = "scheduler" if dice.random() < 0.15 else dice.choice(("task", "task", "supervisor"))
        if victim == "scheduler":
            airflow.kill("scheduler")
            airflow.start(["scheduler"])
        elif not kill_task(airflow, victim, dice):
            continue
        done[victim] += 1
        print(f"  kill {sum(done.values())}: {victim} after {texts:,} texts", flush=True)
        texts = simulator.report(full=False)["texts"]
    return done


def judge(
    store: Store,
    simulator: RunningSimulator,
    written: Any,
    kills: Counter[str],
    state: str,
    arguments: argparse.Namespace,
) -> bool:
    report = simulator.report()
    with store.read() as connection:
        counted = connection.execute(sa.text("SELECT state, count(*) FROM leads GROUP BY state"))
        states: dict[str, int] = dict(counted.all())
        last = connection.execute(
            sa.text("SELECT rows_read, counts FROM runs WHERE map_index < 1 ORDER BY id DESC LIMIT 1")
        ).one()
        unknown = connection.execute(sa.text(UNKNOWN_ANSWERS)).scalar_one()
    total, window = sum(kills.values()), WINDOW * arguments.tasks
    held = states.get("held", 0)
    lost = written.people - report["people"] if arguments.resend else 0
    print(f"\nkills: {dict(kills)}   leads by state: {states}   run: {state}")
    print(f"texts: {report['texts']:,} to {report['people']:,} of {written.people:,} people")
    known = sum(n for name, n in states.items() if name != "rejected")
    checks = {
        f"kills at random moments: {total} of {arguments.kills}": total >= arguments.kills,
        f"everybody of the file is in the ledger: {known:,} of {written.people:,}": known == written.people,
        "nobody is left in flight or waiting": not states.get("sending") and not states.get("planned"),
    }
    if arguments.resend:
        checks[f"lost: {lost}"] = lost == 0
    else:
        checks[f"texted twice: {report['texted_twice_count']}"] = report["texted_twice_count"] == 0
        limit = total * window + unknown
        checks[f"held: {held} ≤ {total} kills × {window} + {unknown} unknown answers"] = held <= limit
        reached = report["texts"] <= states.get("accepted", 0) + held
        checks["who was texted is accepted or held"] = reached
    if arguments.tasks == 1:
        counts = last.counts if isinstance(last.counts, dict) else json.loads(last.counts)
        checks[f"rows accounted: {sum(counts.values()):,} of {written.rows:,}"] = (
            sum(counts.values()) == written.rows
        )
    for text, holds in checks.items():
        print(f"  {'ok' if holds else 'NO'}  {text}")
    bench.compare("people in the ledger", known, written.people, "people in the file", unit="leads")
    bench.compare("texts", report["texts"], report["people"], "people texted", unit="texts")
    if not arguments.resend:
        bench.compare(f"held after {total} kills", held, total * window + unknown, "the bound", unit="leads")
    return all(checks.values())


if __name__ == "__main__":
    sys.exit(bench.run(measure))
