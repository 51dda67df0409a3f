"""A whole Airflow on this machine, started and ended by us: API server, scheduler, DAG processor, triggerer.

For the demo, the end-to-end tests and the benches; not for production.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

T = TypeVar("T")

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
_START_SECONDS = 300
_STOP_SECONDS = 10
# A triggerer may wait ten seconds for a process of its own that has ended; what it waits for is in the database.
_TRIGGERER_SECONDS = 4
# The first request of a kind imports what it needs, beside all else that starts then.
_ANSWER_SECONDS = 90
_TRIES = 5
_ROUTE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AirflowDidNotStart(RuntimeError):
    """A component ended or did not answer in time; the message holds the end of its log."""


def wait_until(what: Callable[[], T], seconds: float, failing: str) -> T:
    """The first truthy answer of ``what``, asked again and again; a component may be away meanwhile.

    :raises TimeoutError: none came within ``seconds``; says ``failing``.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if answer := what():
                return answer
        time.sleep(0.5)
    raise TimeoutError(f"not within {seconds:.0f} s: {failing}")


class RunningAirflow:
    """The components' processes, and the public API as a person who may do everything.

    :ivar url: the API server's base URL, its path included.
    :ivar home: AIRFLOW_HOME; the components' logs are in its folder ``components``.
    :param commands: further components by name, as arguments of ``airflow``, e.g. a Celery worker.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        environment: Mapping[str, str],
        commands: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.home = home
        self.url = environment["AIRFLOW__API__BASE_URL"]
        self.environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = {name: [name] for name in COMPONENTS}
        self._commands |= {name: list(command) for name, command in (commands or {}).items()}
        self._commands["api-server"] += ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        self._token = ""

    def start(self, components: Iterable[str] = COMPONENTS) -> None:
        """Start components that do not run; waits until the API answers."""
        (self.home / "components").mkdir(exist_ok=True)
        for name in components:
            with (self.home / "components" / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(  # noqa: S603 - our own command
                    [sys.executable, "-m", "airflow", *self._commands[name]],
                    env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
        self._wait_for_api()

    def kill(self, name: str) -> None:
        """SIGKILL a component and everything it started, as a crashed machine would."""
        self._signal(name, signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self) -> None:
        """End all components, in order where they let us."""
        for name in self.processes:
            self._signal(name, signal.SIGTERM)
        begun = time.monotonic()
        for name, process in list(self.processes.items()):
            patience = _TRIGGERER_SECONDS if name == "triggerer" else _STOP_SECONDS
            try:
                process.wait(max(0.1, begun + patience - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._signal(name, signal.SIGKILL)
                process.wait()
        for name in self.processes:  # what a component left behind when it ended
            self._signal(name, signal.SIGKILL)
        self.processes.clear()

    # -- the public API ------------------------------------------------------------------------------------

    def api(self, method: str, path: str, content: object = None) -> Any:
        """Ask Airflow's public API, e.g. ``api("GET", "dags")``. :return: the decoded JSON.

        What may be asked twice is asked again after a 500: Airflow's own SQLite database may be locked for longer than it
        waits, on a busy machine.
        """
        left = 1 if method == "POST" else _TRIES
        while True:
            try:
                return self._ask(
                    method, f"/api/v2/{path}", content, {"Authorization": f"Bearer {self.token()}"}
                )
            except urllib.error.HTTPError as error:
                left -= 1
                if error.code != 500 or not left:
                    raise
            time.sleep(1.0)

    def token(self) -> str:
        """A token of an administrator: of the first person who may log in, where not everybody is one."""
        if not self._token:
            passwords = self.home / "passwords.json"
            if passwords.exists():
                name, password = next(iter(json.loads(passwords.read_text()).items()))
                person = {"username": name, "password": password}
                self._token = self._ask("POST", "/auth/token", person, {})["access_token"]
            else:
                self._token = self._ask("GET", "/auth/token", None, {})["access_token"]
        return self._token

    def wait_for_dag(self, dag_id: str, seconds: float = 60) -> None:
        """Wait until the DAG processor has read a DAG; unpause it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})
                return
            except urllib.error.HTTPError as error:
                if error.code != 404 or time.monotonic() > deadline:
                    broken = [e["stack_trace"] for e in self.api("GET", "importErrors")["import_errors"]]
                    said = "\n".join(broken) or self.log_tail("dag-processor")
                    raise AirflowDidNotStart(f"DAG {dag_id}: {error}\n{said}") from error
            time.sleep(0.5)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run. :return: its run id."""
        answer = self.api("POST", f"dags/{dag_id}/dagRuns", {"conf": dict(conf or {}), "logical_date": None})
        return str(answer["dag_run_id"])

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = 300) -> str:
        """Wait until a run has ended. :return: its state."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = str(self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])
            if state in ("success", "failed"):
                return state
            time.sleep(0.5)
        raise TimeoutError(
            f"{dag_id} {run_id} is still {state} after {seconds} s\n{self.log_tail('scheduler')}"
        )

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the oldest first, a hundred at most."""
        found: list[dict[str, Any]] = self.api("GET", f"dags/{dag_id}/dagRuns?limit=100&order_by=run_after")[
            "dag_runs"
        ]
        return found

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned, decoded."""
        path = f"dags/{dag_id}/dagRuns/{quote(run_id, '')}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self.api("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> str:
        """The log of one try of a task instance, a line an event."""
        answer = self.api(
            "GET",
            f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?full_content=true&map_index={map_index}",
        )
        return "\n".join(
            str(line.get("event", "")) if isinstance(line, Mapping) else str(line)
            for line in answer["content"]
        )

    def task_instances(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """The instances of one task in a run, mapped or not."""
        path = f"dags/{dag_id}/dagRuns/{quote(run_id, '')}/taskInstances?limit=200&task_id={task_id}"
        found = self.api("GET", path)["task_instances"]
        return [each for each in found if each["task_id"] == task_id]

    def log_tail(self, component: str, lines: int = 30) -> str:
        """The end of a component's own log."""
        path = self.home / "components" / f"{component}.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else ""

    def _ask(self, method: str, path: str, content: object, headers: Mapping[str, str]) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310 - always our own loopback address
            self.url + path, body, {"Content-Type": "application/json", **headers}, method=method
        )
        with _ROUTE.open(request, timeout=_ANSWER_SECONDS) as answer:
            return json.loads(answer.read() or b"null")

    def _wait_for_api(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise AirflowDidNotStart(
                        f"{name} ended with {process.returncode}:\n{self.log_tail(name)}"
                    )
            try:
                self._ask("GET", "/api/v2/monitor/health", None, {})
                return
            except (OSError, ValueError):
                time.sleep(0.5)
        raise AirflowDidNotStart(f"no answer from {self.url}:\n{self.log_tail('api-server')}")

    def _signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, number)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def people(home: Path, roles: Mapping[str, str]) -> dict[str, str]:
    """Settings of an Airflow that these people log in to, with passwords made up here.

    :param roles: name to role (``admin``, ``op``, ``user``, ``viewer``), an administrator first.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "passwords.json"
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({name: secrets.token_hex(12) for name in roles}))
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(":".join(each) for each in roles.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(path),
    }


def airflow_environment(
    home: Path, dags: Path, port: int, extra: Mapping[str, str] | None = None, base_path: str = ""
) -> dict[str, str]:
    """Environment variables of an Airflow on SQLite that nobody has to log in to."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_"))
    }
    return mine | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}{base_path}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # Each component would look at once whether the database is migrated, which it just was: a second of work each.
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{base_path}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }  # fmt: skip


def migrate(environment: Mapping[str, str]) -> None:
    """Make Airflow's own database, or bring it up to date."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        raise AirflowDidNotStart(done.stderr.decode("utf-8", "replace")[-2000:])


def begin_like(like: Path, home: Path) -> None:
    """Give a home the database and settings of another one, with its own paths."""
    shutil.copy(like / "airflow.db", home)
    settings = Path(shutil.copy(like / "airflow.cfg", home))  # for its owner's eyes alone, as it was
    settings.write_text(settings.read_text("utf-8").replace(str(like), str(home)), "utf-8")


@contextmanager
def running_airflow(
    home: Path,
    dags: Path,
    *,
    connections: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    components: Iterable[str] = COMPONENTS,
    commands: Mapping[str, Sequence[str]] | None = None,
    port: int | None = None,
    base_path: str = "",
    like: Path | None = None,
) -> Iterator[RunningAirflow]:
    """Start an Airflow in ``home`` (made where it is missing), end it with the block.

    :param dags: the DAGs folder.
    :param connections: by id, each as its JSON says it.
    :param environment: on top of ours, e.g. ``AIRFLOW_VAR_…``.
    :param commands: further components by name, started too: what follows ``airflow`` on their command line.
    :param base_path: where its pages begin, e.g. ``/team``.
    :param like: the home of an Airflow on SQLite whose database is migrated: this one begins with a copy of it.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    given = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in (connections or {}).items()}
    variables = airflow_environment(home, dags, port, given | dict(environment or {}), base_path)
    if like is None:
        migrate(variables)
    else:
        begin_like(like, home)
    airflow = RunningAirflow(home, port, variables, commands)
    try:
        airflow.start([*components, *(commands or ())])
        yield airflow
    finally:
        airflow.stop()
