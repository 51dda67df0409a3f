"""``python -m airflow_outreach_provider.demo``: the main job in a real Airflow, against a simulated API.

``run`` syncs a messy file twice, shows what became of every row, and proves that nobody was texted twice; then two
platforms send webhooks, and the fan-out DAG delivers them, signed, to a CRM that is busy at first.
``up`` leaves all of that running until Ctrl-C.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.demo.airflow import RunningAirflow, running_airflow
from airflow_outreach_provider.demo.events import (
    ENDPOINT,
    Crm,
    Sources,
    busy_now_and_then,
    running_crm,
    send_webhooks,
)
from airflow_outreach_provider.demo.messy import Written, write_messy_csv
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

DAG_ID, TASK_ID = "outreach_lead_sync", "submit_leads"
FANOUT_DAG_ID = "outreach_event_fanout"
_FANOUT_SECONDS = 120

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
    """Sync a file twice and fan events out in a fresh Airflow; check simulator's and CRM's own counts."""
    shutil.rmtree(home, ignore_errors=True)
    with _world(home, dags, rows, port) as world:
        counts = [_sync(world.airflow, number) for number in (1, 2)]
        good = _judge(counts, world.simulator.report(), world.written)
        return 0 if _events(world) and good else 1


def up(home: Path, dags: Path, rows: int, port: int) -> int:
    """Keep Airflow, the simulator and the CRM running until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with _world(home, dags, rows, port) as world:
        airflow = world.airflow
        _sync(airflow, 1)
        _events(world)
        print(
            f"\nAirflow:    {airflow.url}  (no log-in; Outreach is in its menu)\n"
            f"DAGs:       {DAG_ID} (start it again: nobody is texted twice), {FANOUT_DAG_ID} (runs when events come)\n"
            f"Simulator:  {world.simulator.url}/_sim/report  (who was texted how often; nobody real is)\n"
            f"Leads:      {home / 'leads.csv'}  ({world.written.rows:,} rows)\n\nCtrl-C ends everything.",
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


@dataclass(frozen=True, slots=True)
class _World:
    """Airflow and everybody it talks to."""

    airflow: RunningAirflow
    simulator: RunningSimulator
    written: Written
    crm: Crm
    sources: Sources


@contextmanager
def _world(home: Path, dags: Path, rows: int, port: int | None) -> Iterator[_World]:
    home.mkdir(parents=True, exist_ok=True)
    leads = home / "leads.csv"
    written = write_messy_csv(leads, rows)
    _say(
        f"{leads.name}: {written.rows:,} rows; {written.people:,} people of many countries, {written.repeats:,} repeats in "
        f"other writings, {written.bad:,} rows that are no leads"
    )
    sources = Sources.new()
    with running_simulator(faults=FAULTS) as simulator, running_crm(busy_now_and_then()) as crm:
        _say(f"simulated outreach API on {simulator.url}, with refusals, failures and dropped answers")
        _say("starting Airflow …")
        connections = {
            "outreach_default": simulator.connection,
            ENDPOINT: crm.connection,
            **sources.connections,
        }
        variables = {"AIRFLOW_VAR_OUTREACH_LEADS": str(leads)}
        with running_airflow(
            home, dags, connections=connections, environment=variables, port=port
        ) as airflow:
            _say(f"Airflow on {airflow.url}")
            airflow.wait_for_dag(DAG_ID)
            yield _World(airflow, simulator, written, crm, sources)


def _sync(airflow: RunningAirflow, number: int) -> dict[str, int]:
    started = time.monotonic()
    run_id = airflow.trigger(DAG_ID)
    state = airflow.wait_for_run(DAG_ID, run_id)
    task = airflow.api("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}")
    if state != "success":
        print(airflow.task_log(DAG_ID, run_id, TASK_ID, task["try_number"]), file=sys.stderr)
        raise SystemExit(f"the sync ended as {state}")
    counts: dict[str, int] = airflow.returned(DAG_ID, run_id, TASK_ID)
    print(f"\nSync {number}: {state} on try {task['try_number']}, {time.monotonic() - started:.1f} s\n")
    table = _table(airflow.task_log(DAG_ID, run_id, TASK_ID, task["try_number"]))
    print(table or "\n".join(f"{name:<12}{count:>10,}" for name, count in counts.items() if count))
    return counts


def _judge(counts: list[dict[str, int]], report: Mapping[str, Any], written: Written) -> bool:
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
    return _told(checks)


def _events(world: _World) -> bool:
    """Webhooks in, signed deliveries out, one retry seen by Airflow. :return: whether all of it held."""
    airflow, crm = world.airflow, world.crm
    airflow.wait_for_dag(FANOUT_DAG_ID)
    sent = send_webhooks(airflow.url, world.sources)
    deadline = time.monotonic() + _FANOUT_SECONDS
    while len(crm.taken) < sent.stored and time.monotonic() < deadline:
        time.sleep(0.3)
    busy = sum(crm.times(event) > 1 for event in crm.taken)
    print(
        f"\nTwo platforms sent webhooks: {sent.stored} stored, {sent.repeated} repeated, {sent.refused} forged. The CRM took "
        f"{len(crm.taken)}, {busy} of them at the second try: it was busy, and the task instances were up for retry.\n"
    )
    return _told(
        [
            ("every acknowledged event reached the CRM, signed", len(crm.taken) == sent.stored > 0 == crm.forged),
            ("a repeated webhook is one event", sent.repeated == 1 and set(crm.taken.values()) == {1}),
            ("a forged webhook was refused", sent.refused == 1),
            ("a delivery that was refused was tried again by Airflow", busy > 0),
        ]
    )  # fmt: skip


def _told(checks: list[tuple[str, bool]]) -> bool:
    for text, holds in checks:
        print(f"  {'ok' if holds else 'NO'}  {text}", flush=True)
    return all(holds for _, holds in checks)


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
    try:
        sys.exit(main())
    except ConfigurationError as error:
        sys.exit(str(error))
