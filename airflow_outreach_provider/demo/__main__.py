"""``python -m airflow_outreach_provider.demo``: the main job in a real Airflow, against a simulated API.

``run`` syncs a messy file twice, shows what became of every row, and proves that nobody was texted twice.
``up`` leaves Airflow and the simulator running until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.demo.messy import Written, write_messy_csv
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

DAG_ID, TASK_ID = "outreach_lead_sync", "submit_leads"

# A few of everything: refusals with and without Retry-After, failures after the lead was taken, dropped answers.
FAULTS = (
    "status=429,retry_after=1,first=3",
    "status=503,every=400",
    "status=500,when=after,every=1500",
    "drop,when=after,every=1900",
    "latency=0.01,jitter=0.01",
)


def main() -> int:
    """:return: the exit code: 0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m airflow_outreach_provider.demo", description=__doc__)
    parser.add_argument("command", choices=("run", "up"))
    parser.add_argument(
        "--home", type=Path, default=Path(".airflow/demo"), help="AIRFLOW_HOME (default: %(default)s)"
    )
    parser.add_argument(
        "--dags", type=Path, default=Path("dags"), help="the DAGs folder (default: %(default)s)"
    )
    parser.add_argument("--rows", type=int, default=5_000, help="rows of the file (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=None, help="of Airflow (default: 8080 for up, any for run)"
    )
    arguments = parser.parse_args()
    home, dags = arguments.home.resolve(), arguments.dags.resolve()
    if arguments.command == "up":
        return up(home, dags, arguments.rows, arguments.port or 8080)
    return run(home, dags, arguments.rows, arguments.port)


def run(home: Path, dags: Path, rows: int, port: int | None) -> int:
    """Sync a file twice in a fresh Airflow and check the simulator's own count."""
    shutil.rmtree(home, ignore_errors=True)
    with _world(home, dags, rows, port) as (airflow, simulator, written):
        counts = [_sync(airflow, number, written) for number in (1, 2)]
        return _judge(counts, simulator.report(), written)


def up(home: Path, dags: Path, rows: int, port: int) -> int:
    """Keep Airflow and the simulator running until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with _world(home, dags, rows, port) as (airflow, simulator, written):
        print(
            f"\nAirflow:    {airflow.url}  (no log-in; DAG {DAG_ID} is ready to be started)\n"
            f"Simulator:  {simulator.url}/_sim/report  (who was texted how often; nobody real is)\n"
            f"Leads:      {home / 'leads.csv'}  ({written.rows:,} rows)\n\nCtrl-C ends everything.",
            flush=True,
        )
        try:
            while all(process.poll() is None for process in airflow.processes.values()):
                time.sleep(1)
            print("A component of Airflow ended; see", airflow.home / "components", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nEnding …", flush=True)
            return 0


@contextmanager
def _world(
    home: Path, dags: Path, rows: int, port: int | None
) -> Iterator[tuple[RunningAirflow, RunningSimulator, Written]]:
    home.mkdir(parents=True, exist_ok=True)
    leads = home / "leads.csv"
    written = write_messy_csv(leads, rows)
    _say(
        f"{leads.name}: {written.rows:,} rows; {written.people:,} people of many countries, {written.repeats:,} repeats in "
        f"other writings, {written.bad:,} rows that are no leads"
    )
    with running_simulator(faults=FAULTS) as simulator:
        _say(f"simulated outreach API on {simulator.url}, with refusals, failures and dropped answers")
        _say("starting Airflow …")
        environment = {
            "AIRFLOW_CONN_OUTREACH_DEFAULT": json.dumps(simulator.connection),
            "AIRFLOW_VAR_OUTREACH_LEADS": str(leads),
        }
        with running_airflow(home, dags, environment=environment, port=port) as airflow:
            _say(f"Airflow on {airflow.url}")
            airflow.wait_for_dag(DAG_ID)
            yield airflow, simulator, written


def _sync(airflow: RunningAirflow, number: int, written: Written) -> dict[str, int]:
    started = time.monotonic()
    run_id = airflow.trigger(DAG_ID)
    state = airflow.wait_for_run(DAG_ID, run_id)
    task = airflow.api("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}")
    if state != "success":
        print(airflow.task_log(DAG_ID, run_id, TASK_ID, task["try_number"]), file=sys.stderr)
        raise SystemExit(f"the sync ended as {state}")
    answer = airflow.api(
        "GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}/xcomEntries/return_value"
    )
    counts: dict[str, int] = (
        answer["value"] if isinstance(answer["value"], dict) else json.loads(answer["value"])
    )
    print(f"\nSync {number}: {state} on try {task['try_number']}, {time.monotonic() - started:.1f} s\n")
    table = _table(airflow.task_log(DAG_ID, run_id, TASK_ID, task["try_number"]))
    print(table or "\n".join(f"{name:<12}{count:>10,}" for name, count in counts.items() if count))
    return counts


def _judge(counts: list[dict[str, int]], report: Mapping[str, Any], written: Written) -> int:
    first, second = counts
    checks = [
        (f"every one of {written.rows:,} rows is accounted for", sum(first.values()) == written.rows),
        ("… and again in the second sync", sum(second.values()) == written.rows),
        ("nobody was texted twice (the simulator counted)", report["texted_twice_count"] == 0),
        ("the second sync texted nobody", second["accepted"] == 0 and report["texts"] <= written.people),
        ("who was texted is accepted or held", report["texts"] <= first["accepted"] + first["held"]),
    ]
    print(f"\nThe simulator says: {report['texts']:,} texts to {report['people']:,} people, "
          f"{report['texted_twice_count']} texted twice\n")  # fmt: skip
    for text, holds in checks:
        print(f"  {'ok' if holds else 'NO'}  {text}")
    return 0 if all(holds for _, holds in checks) else 1


def _table(log: str) -> str:
    """The table of states out of a task's log."""
    _, found, rest = log.partition("Rows by state:\n")
    lines = []
    for line in rest.splitlines():
        if not line.strip() or line.startswith(("::", "Push", "Task")):
            break
        lines.append("  " + line)
    return "\n".join(lines) if found else ""


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
