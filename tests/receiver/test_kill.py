"""Receivers killed and PostgreSQL crashed under load: every acknowledged event is there, once."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers import free_port

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.migrate import upgrade

SECRET = "a-signing-secret-of-ours"
APP = """
import sys
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.store.engine import Store
import uvicorn
app = create_app({"varda": SourceSettings("varda", "varda", (sys.argv[3],))}, Store(sys.argv[2]))
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="critical")
"""


class Cluster:
    """A PostgreSQL of our own, which may be crashed."""

    def __init__(self, folder: Path, bin_dir: Path) -> None:
        self.folder, self.bin, self.port = folder, bin_dir, free_port()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-instructions", "-D", str(folder / "data"))
        self.start()

    def _run(self, command: str, *arguments: str) -> None:
        # A file, not a pipe: the server would keep a pipe open for ever.
        subprocess.run(
            [*self.as_user, str(self.bin / command), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            cwd="/",
        )

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-o", options, "start")

    def crash(self) -> None:
        """As pulling the plug: no checkpoint, recovery from the log at the next start."""
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].is_file():
        pytest.skip("needs PostgreSQL's server programs (initdb, pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="outreach-pg-"))
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    cluster = Cluster(folder, found[-1].parent)
    yield cluster
    cluster.crash()
    shutil.rmtree(folder, ignore_errors=True)


class Receiver:
    """A receiver process that may be killed and started again on its port."""

    def __init__(self, url: str) -> None:
        self.port, self.url = free_port(), url
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", APP, str(self.port), self.url, SECRET])

    def kill_and_restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._start()


class PlatformUnderLoad:
    """Sends events as a platform does: each again, to whichever receiver, until it is acknowledged."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.acknowledged: dict[str, str] = {}
        self.again = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(6)]

    def _run(self, thread: int) -> None:
        number = 0
        while not self.stopping.is_set():
            delivery = f"{thread}-{number}"
            for attempt in range(1000):
                answer = self._send(delivery, self.ports[(number + attempt) % len(self.ports)])
                if answer is not None:
                    self.acknowledged[delivery] = answer
                    break
                if self.stopping.is_set():
                    return
                self.again += 1
                time.sleep(0.02)
            number += 1

    def _send(self, delivery: str, port: int) -> str | None:
        body = json.dumps({"event": "call.ended", "data": {"id": delivery}}).encode()
        (signature,) = sign(Scheme.STRIPE, body, [SECRET], message_id="m", now=datetime.now(UTC)).values()
        headers = {"X-Varda-Signature": signature, "X-Varda-Delivery": delivery}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/in/varda", body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            answer = response.read()
            assert response.status in {200, 202, 503}, response.status
            return json.loads(answer)["id"] if response.status < 300 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


@pytest.mark.slow
@pytest.mark.postgres
def test_kills_and_crashes_lose_no_acknowledged_event(cluster: Cluster) -> None:
    """SIGKILL of receivers and a crash of PostgreSQL under load: all that was acknowledged is there, once."""
    store = Store(cluster.url)
    upgrade(store)
    receivers = [Receiver(cluster.url) for _ in range(2)]
    platform = PlatformUnderLoad([receiver.port for receiver in receivers])
    marks: list[int] = []
    try:
        for thread in platform.threads:
            thread.start()
        deadline = time.monotonic() + 30
        for chaos in (
            receivers[0].kill_and_restart,
            cluster.crash,
            cluster.start,
            receivers[1].kill_and_restart,
            lambda: None,
        ):
            # Each blow falls only after the system has been seen working since the last one.
            mark = len(platform.acknowledged)
            down = chaos == cluster.start
            while not down and len(platform.acknowledged) < mark + 60 and time.monotonic() < deadline:
                time.sleep(0.02)
            if down:
                time.sleep(0.3)
            chaos()
            marks.append(len(platform.acknowledged))
        time.sleep(0.3)
    finally:
        platform.stopping.set()
        for thread in platform.threads:
            thread.join(30)
        for receiver in receivers:
            receiver.process.kill()
            receiver.process.wait()
    assert platform.again > 0, "nothing went wrong, so nothing was shown"
    assert marks[-1] > marks[2] >= 60, "events flowed again after the crash"
    for _ in range(20):
        try:
            events = consumers.read_new(store, "c", limit=1_000_000)
            break
        except StoreError:
            time.sleep(0.2)
    by_delivery = {event.data["id"]: event.id for event in events}
    assert len(by_delivery) == len(events), "one event each"
    assert platform.acknowledged.items() <= by_delivery.items()
    store.close()
