"""A simulator in a process of its own: its own core and interpreter lock, and it can be killed.

::

    with running_simulator(faults=["status=503,p=0.1,retry_after=1", "drop,every=50"]) as sim:
        ...  # post to sim.url with sim.api_key and sim.configuration_id
        assert sim.report()["texted_twice_count"] == 0
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from airflow_outreach_provider.simulator.faults import Faults, InjectedFault
from airflow_outreach_provider.simulator.options import check_installed

_START_SECONDS = 30
_STOP_SECONDS = 5


class RunningSimulator:
    """A simulator's process and what can be asked of it.

    :ivar url: the base URL, without a slash at the end.
    :ivar configuration_id: the first configuration.
    :ivar connection: the Airflow connection of type ``outreach``, as ``AIRFLOW_CONN_…`` takes it in JSON.
    """

    def __init__(self, process: subprocess.Popen[bytes], ready: Mapping[str, Any]) -> None:
        self._process = process
        self.pid = process.pid
        self.url: str = ready["url"]
        self.api_key: str = ready["api_key"]
        self.configuration_id: str = ready["configuration_id"]
        self.connection: dict[str, Any] = ready["connection"]

    def report(self, *, full: bool = True) -> dict[str, Any]:
        """The totals, see :meth:`Simulator.report`; whole phone numbers unless ``full`` is False."""
        return self._ask("GET", f"/_sim/report?full={int(full)}")

    def texts(self, phone: str | None = None) -> dict[str, Any]:
        """How often each phone was texted; of one ``phone`` all that is known."""
        return self._ask("GET", "/_sim/texts" + (f"?phone={quote(phone, safe='')}" if phone else ""))

    def set_faults(self, *faults: InjectedFault | str, seed: int | None = None) -> dict[str, Any]:
        """Replace the faults; without arguments nothing goes wrong any more."""
        return self._ask("POST", "/_sim/faults", {"faults": Faults.of(*faults).specs(), "seed": seed})

    def reset(self) -> None:
        """Forget people and counts; the faults stay."""
        self._ask("POST", "/_sim/reset", {})

    def kill(self) -> None:
        """SIGKILL, as a crashed machine would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order; at once if it does not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = cast(dict[str, Any], json.loads(response.read()))
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"The simulator answered {response.status} to {path}: {answer.get('message')}")
        return answer


@contextlib.contextmanager
def running_simulator(
    *,
    api_key: str | None = None,
    configurations: Mapping[str, str] | None = None,
    faults: Faults | Iterable[InjectedFault | str] = (),
    seed: int = 0,
    journal: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    contacts_email: str | None = None,
    contacts_password: str | None = None,
    owns_contacts: bool = True,
) -> Iterator[RunningSimulator]:
    """Start ``python -m airflow_outreach_provider.simulator`` and end it on leaving. See :class:`Simulator`.

    The process ends with this one, however this one ends.

    :raises ConfigurationError: a package that only the simulator needs is missing.
    """
    check_installed()
    command = [sys.executable, "-m", __name__.rpartition(".")[0], "--until-stdin-closes"]
    options: dict[str, object] = {"api-key": api_key, "journal": journal, "contacts-email": contacts_email}
    options |= {"contacts-password": contacts_password, "host": host, "port": port, "seed": seed}
    command += [f"--{name}={value}" for name, value in options.items() if value is not None]
    command += [f"--configuration={key}:{state}" for key, state in (configurations or {}).items()]
    rules = faults if isinstance(faults, Faults) else Faults.of(*faults)
    command += [f"--fault={spec}" for spec in rules.specs()]
    command += [] if owns_contacts else ["--foreign-contacts"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
    try:
        running = RunningSimulator(process, _ready_line(process))
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        yield running
    finally:
        running.stop()


def _ready_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], _START_SECONDS)[0]:
        raise RuntimeError(f"The simulator was not ready within {_START_SECONDS} s")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"The simulator ended with {process.wait()}; its error output says why")
    return cast(dict[str, Any], json.loads(line))
