"""Webhook stored → webhook delivered, on an idle Airflow, beside Airflow's own floor.

The floor is a DAG of the same shape without us: Airflow's own deferrable FileSensor, looking as often, and one
mapped task that writes down the time.
"""

from __future__ import annotations

import importlib.util
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EVENTS = 8
# Longer than a run takes to end and the next one to wait, so that every event meets an idle Airflow.
PAUSE = (13.0, 17.0)

FLOOR = """
import time
from datetime import datetime
from pathlib import Path
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, task

@task
def note(item):
    Path({bell!r}).unlink()
    Path({noted!r}).write_text(str(time.time()))

with DAG("floor", schedule="@continuous", start_date=datetime(2026, 1, 1), max_active_runs=1, catchup=False):
    FileSensor(task_id="wait", filepath={bell!r}, deferrable=True, poke_interval=1, retries=3, retry_delay=1) >> note.expand(item=[1])
"""


def latency() -> None:
    e2e = _harness()
    endpoint = e2e.Endpoint()
    home = Path(tempfile.mkdtemp(prefix="outreach-bench-"))
    (home / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "outreach_event_fanout.py", home / "dags")
    bell, noted = home / "bell", home / "noted"
    (home / "dags" / "floor.py").write_text(FLOOR.format(bell=str(bell), noted=str(noted)))
    airflow = e2e.Airflow(home, endpoint)
    airflow.environment["AIRFLOW_CONN_FS_DEFAULT"] = '{"conn_type": "fs"}'
    command = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
    subprocess.run(command, env=airflow.environment, check=True, capture_output=True)
    for component in e2e.COMPONENTS:
        airflow.start(component)
    try:
        for dag in (e2e.DAG, "floor"):
            e2e.until(lambda dag=dag: airflow.call(f"/dags/{dag}"), 90, f"{dag} is there")
            airflow.call(f"/dags/{dag}", "PATCH", is_paused=False)
        store = e2e.Store(f"sqlite:///{home / 'outreach.db'}")
        e2e.upgrade(store)
        time.sleep(20)
        ours, floor = _measure(e2e, endpoint, store, bell, noted)
    finally:
        for component in list(airflow.processes):
            airflow.kill(component, signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)
    for name, times in (("webhook → webhook", ours), ("Airflow's floor", floor)):
        ordered = sorted(times)
        print(
            f"{name:18} median {statistics.median(ordered):4.1f} s   p95 {ordered[round(0.95 * len(ordered)) - 1]:4.1f} s"
            f"   worst {ordered[-1]:4.1f} s   ({len(ordered)} events)"
        )


def _measure(e2e: Any, endpoint: Any, store: Any, bell: Path, noted: Path) -> tuple[list[float], list[float]]:
    ours, floor = [], []
    for number in range(EVENTS):
        (event,) = e2e.arrive(store, f"w{number}", "jane")
        started = time.time()
        e2e.until(lambda event=event: endpoint.times(event), 60, "the event is delivered")
        ours.append(next(at for at, seen, _ in endpoint.requests if seen == event) - started)
        time.sleep(random.uniform(*PAUSE) / 2)
        noted.unlink(missing_ok=True)
        bell.touch()
        started = time.time()
        e2e.until(noted.exists, 60, "the floor DAG has run")
        floor.append(float(noted.read_text()) - started)
        time.sleep(random.uniform(*PAUSE) / 2)
    return ours, floor


def _harness() -> Any:
    spec = importlib.util.spec_from_file_location("fanout_e2e", ROOT / "tests" / "e2e" / "test_fanout.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
