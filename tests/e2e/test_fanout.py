"""A real Airflow: scheduler, triggerer, DAG processor and API server, which lose their processes on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.signing import Scheme, verify
from airflow_outreach_provider.store import deliveries_admin, inbox
from airflow_outreach_provider.store.deliveries_admin import Filter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DAG = "outreach_event_fanout"
ROOT = Path(__file__).parents[2]
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Endpoint:
    """The customer's system: remembers what it was sent; answers as it is told, after a while."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str, str]] = []
        self.answer: Callable[[str, int], tuple[int, dict[str, str]]] = lambda _event, _nth: (200, {})
        self.pause = 0.0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                verify(Scheme.STANDARD_WEBHOOKS, body, dict(self.headers), [SECRET], now=datetime.now(UTC))
                event = json.loads(body)["id"]
                endpoint.requests.append((time.time(), event, self.headers["webhook-id"]))
                status, headers = endpoint.answer(event, endpoint.times(event))
                time.sleep(endpoint.pause)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def times(self, event: str) -> int:
        return sum(1 for _, seen, _ in self.requests if seen == event)

    def first_seen(self) -> list[str]:
        return list(dict.fromkeys(event for _, event, _ in self.requests))


class Airflow:
    """One Airflow in a folder of its own; each component is a process group that can be killed alone."""

    def __init__(self, home: Path, endpoint: Endpoint) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            log_port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        connection = {
            "conn_type": "outreach_endpoint",
            "host": f"http://127.0.0.1:{endpoint.server.server_port}/hook",
            "password": SECRET,
            "extra": {"signature": "standard-webhooks", "allow_networks": ["127.0.0.0/8"]},
        }
        settings = {
            "CORE__DAGS_FOLDER": home / "dags", "CORE__LOAD_EXAMPLES": False, "CORE__PARALLELISM": 4,
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True, "API__PORT": port, "API__BASE_URL": self.base,
            "API__WORKERS": 1, "CORE__EXECUTION_API_SERVER_URL": f"{self.base}/execution/",
            "API_AUTH__JWT_SECRET": "a" * 64, "LOGGING__WORKER_LOG_SERVER_PORT": log_port,
            "LOGGING__TRIGGER_LOG_SERVER_PORT": log_port + 1,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 10, "TRIGGERER__JOB_HEARTBEAT_SEC": 1,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5, "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 6,
            "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1, "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 6,
        }  # fmt: skip
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_OUTREACH_ENDPOINT_DEFAULT": json.dumps(connection),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.token = ""

    def start(self, component: str) -> None:
        log = (self.home / f"{component}.log").open("ab")
        self.processes[component] = subprocess.Popen(
            [str(Path(sys.executable).with_name("airflow")), component],
            env=self.environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def kill(self, component: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.processes.pop(component)
        os.killpg(process.pid, how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def call(self, path: str, method: str = "GET", **body: Any) -> Any:
        if not self.token:
            with urllib.request.urlopen(f"{self.base}/auth/token") as answer:
                self.token = json.load(answer)["access_token"]
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.base}/api/v2{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def runs(self) -> list[str]:
        return [
            each["dag_run_id"]
            for each in self.call(f"/dags/{DAG}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        ]

    def tasks(self, run: str, task: str = "deliver") -> list[dict[str, Any]]:
        found = self.call(f"/dags/{DAG}/dagRuns/{urllib.parse.quote(run)}/taskInstances?limit=200")[
            "task_instances"
        ]
        return [each for each in found if each["task_id"] == task]

    def tries(self, run: str, map_index: int) -> list[dict[str, Any]]:
        path = f"/dags/{DAG}/dagRuns/{urllib.parse.quote(run)}/taskInstances/deliver/{map_index}/tries"
        return list(self.call(path)["task_instances"])


def until(what: Callable[[], Any], seconds: float, failing: str) -> Any:
    """The first truthy answer of ``what``; fails with ``failing`` when none comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if answer := what():
                return answer
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.3)
    pytest.fail(f"not within {seconds} s: {failing}")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[Airflow]:
    """An Airflow with the shipped fan-out DAG, running."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    shutil.copy(ROOT / "dags" / f"{DAG}.py", home / "dags")
    airflow = Airflow(home, endpoint)
    subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), "db", "migrate"],
        env=airflow.environment, check=True, capture_output=True,
    )  # fmt: skip
    for component in COMPONENTS:
        airflow.start(component)
    try:
        until(lambda: airflow.call(f"/dags/{DAG}"), 90, "the DAG is there")
        airflow.call(f"/dags/{DAG}", "PATCH", is_paused=False)
        yield airflow
    finally:
        for component in list(airflow.processes):
            airflow.kill(component, signal.SIGTERM)


@pytest.fixture(scope="module")
def store(airflow: Airflow) -> Iterator[Store]:
    store = Store(f"sqlite:///{airflow.home / 'outreach.db'}")
    upgrade(store)
    yield store
    store.close()


def arrive(store: Store, wave: str, *contacts: str) -> list[str]:
    """One event of each contact, in this order; their ids."""
    now = datetime.now(UTC)
    events = [
        ContactEvent(
            f"evt_{wave}_{place}_{contact}", "src", "varda", "x", EventKind.REPLIED, now, now,
            Contact(external_id=contact, email=f"{contact}@example.com"),
        )
        for place, contact in enumerate(contacts)
    ]  # fmt: skip
    inbox.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    return [event.id for event in events]


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    start, end = datetime.fromisoformat(later["start_date"]), datetime.fromisoformat(earlier["end_date"])
    return (start - end).total_seconds()


def in_order(endpoint: Endpoint, ids: Sequence[str]) -> None:
    """Each contact's events were first seen in the order they happened."""
    seen = endpoint.first_seen()
    for contact in {each.rsplit("_", 1)[1] for each in ids}:
        mine = [each for each in ids if each.endswith(f"_{contact}")]
        assert [each for each in seen if each in mine] == mine


def test_a_failing_endpoint_is_seen_as_three_tries_with_the_delays_it_asked_for(
    airflow: Airflow, store: Store, endpoint: Endpoint
) -> None:
    """Two 503 with Retry-After, then 200: Airflow's API shows three tries, at those delays, and the label."""
    endpoint.answer = lambda _, nth: (
        (503, {"Retry-After": "3" if nth == 1 else "6"}) if nth < 3 else (200, {})
    )
    (event,) = arrive(store, "retry", "jane")
    until(lambda: endpoint.times(event) == 3, 90, "the event is delivered at the third try")
    run = next(each for each in airflow.runs() if any(task["map_index"] == 0 for task in airflow.tasks(each)))
    until(lambda: airflow.tasks(run)[0]["state"] == "success", 30, "the mapped task is green")
    (task,) = airflow.tasks(run)
    assert task["rendered_map_index"] == "replied j•••@example.com"
    tries = sorted(airflow.tries(run, 0), key=lambda each: each["try_number"])
    assert [(each["try_number"], each["state"]) for each in tries] == [
        (1, "failed"),
        (2, "failed"),
        (3, "success"),
    ]
    # Airflow adds its scheduling, up to a few seconds on a busy machine.
    assert 3 <= seconds_between(tries[0], tries[1]) < 3 + 8
    assert 6 <= seconds_between(tries[1], tries[2]) < 6 + 8
    (row,) = deliveries_admin.list_deliveries(store, Filter(event_ids=[event]))
    attempts = deliveries_admin.attempts_of(store, row.id)
    assert [(each.status, each.try_number, each.airflow_run_id) for each in attempts] == [
        (503, 1, run),
        (503, 2, run),
        (200, 3, run),
    ]


def test_a_cleared_run_and_a_paused_dag_lose_and_double_nothing(
    airflow: Airflow, store: Store, endpoint: Endpoint
) -> None:
    """Clearing a finished run sends nothing again; events that come while the DAG is paused wait for it."""
    endpoint.answer = lambda *_: (200, {})
    (event,) = arrive(store, "clear", "ann")
    until(lambda: endpoint.times(event) == 1, 60, "the event is delivered")
    run = next(
        each.airflow_run_id
        for row in deliveries_admin.list_deliveries(store, Filter(event_ids=[event]))
        for each in deliveries_admin.attempts_of(store, row.id)
    )
    airflow.call(f"/dags/{DAG}", "PATCH", is_paused=True)
    path = f"/dags/{DAG}/dagRuns/{urllib.parse.quote(run)}/clear"
    airflow.call(path, "POST", dry_run=False, only_failed=False)
    while_paused = arrive(store, "paused", "bob", "ann")
    time.sleep(3)
    airflow.call(f"/dags/{DAG}", "PATCH", is_paused=False)
    until(lambda: set(while_paused) <= set(endpoint.first_seen()), 120, "what came meanwhile is delivered")
    until(lambda: airflow.tasks(run, "wait_for_events")[0]["state"] == "success", 60, "the cleared run ends")
    assert endpoint.times(event) == 1
    in_order(endpoint, [event, *while_paused])


def test_killed_processes_lose_nothing_and_keep_each_contacts_order(
    airflow: Airflow, store: Store, endpoint: Endpoint
) -> None:
    """Workers, the triggerer and the scheduler are killed while events flow: all arrive, in order, same ids."""
    endpoint.answer, endpoint.pause = lambda *_: (200, {}), 0.4
    people = ["p1", "p2", "p3", "p1", "p2", "p3", "p1", "p1"]
    ids = arrive(store, "k1", *people)
    until(lambda: len(set(ids) & set(endpoint.first_seen())) >= 2, 90, "the first wave is on its way")
    killed = 0
    for task in airflow.tasks(airflow.runs()[-1]):
        if task["state"] == "running" and task["pid"]:
            os.kill(task["pid"], signal.SIGKILL)
            killed += 1
    assert killed, "a worker was at work"
    ids += arrive(store, "k2", *people)
    airflow.kill("triggerer")
    ids += arrive(store, "k3", *people)
    airflow.start("triggerer")
    until(lambda: any("k2" in each for each in endpoint.first_seen()), 150, "the second wave is on its way")
    airflow.kill("scheduler")
    ids += arrive(store, "k4", *people)
    airflow.start("scheduler")
    until(lambda: set(ids) <= set(endpoint.first_seen()), 240, "every event has arrived")
    endpoint.pause = 0.0
    in_order(endpoint, ids)
    identities = {(event, identity) for _, event, identity in endpoint.requests}
    assert len(identities) == len({event for event, _ in identities})
    until(
        lambda: deliveries_admin.count(store, Filter(event_ids=ids)) == {"delivered": len(ids)},
        60, "the store agrees",
    )  # fmt: skip
