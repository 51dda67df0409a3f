"""The simulator's own process: its journal outlives it, and it does not outlive its owner."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.simulator.contacts import ContactBook
from airflow_outreach_provider.simulator.process import running_simulator


@pytest.mark.slow
def test_a_killed_simulator_loses_no_count(client_of: Any, tmp_path: Path) -> None:
    """Whoever got an answer before the SIGKILL is counted after it, and a restart goes on on the same port."""
    journal = tmp_path / "journal.jsonl"
    answered: list[str] = []
    with running_simulator(journal=journal) as sim:
        client, port = client_of(sim), int(sim.url.rpartition(":")[2])

        def submit_until_dead() -> None:
            for n in range(100_000):
                try:
                    answer = client.submit(f"+1416{n:07}", firstName="Zoë\n")
                except OSError:
                    return
                answered.append(f"+1416{n:07}" if answer.status == 200 else "?")

        thread = threading.Thread(target=submit_until_dead)
        thread.start()
        while len(answered) < 50:
            time.sleep(0.01)
        sim.kill()
        thread.join()
    with running_simulator(journal=journal, port=port) as sim:
        texts = sim.texts()
        assert set(answered) <= set(texts)
        assert len(texts) - len(answered) <= 1
        assert sim.texts(answered[0])["last_payload"]["firstName"] == "Zoë\n"
        client_of(sim).submit(answered[0])
        assert sim.report()["texted_twice"] == [{"phone": answered[0], "texts": 2}]
        sim.reset()
    assert journal.read_bytes() == b""


def test_a_torn_journal_is_mended_and_a_foreign_file_left_alone(tmp_path: Path) -> None:
    """A last line without its end was never answered; a file that is no journal is refused and not touched."""
    journal = tmp_path / "journal.jsonl"
    whole = b'{"at":1,"body":{"configurationId":"on","phoneNumber":"+14165550123"}}\n'
    journal.write_bytes(whole + whole[:30])
    people = ContactBook(journal)
    assert (people.texts, journal.read_bytes()) == (1, whole)
    people.close()
    journal.write_bytes(b"name,phone\n")
    with pytest.raises(ConfigurationError, match=r"Line 1 of .* is not of a simulator's journal"):
        ContactBook(journal)
    assert journal.read_bytes() == b"name,phone\n"


@pytest.mark.slow
def test_a_full_disk_texts_nobody(client_of: Any, tmp_path: Path) -> None:
    """What does not fit into the journal is answered with 500 and not counted, and the journal stays whole."""
    journal = tmp_path / "journal.jsonl"
    with running_simulator(journal=journal) as sim:
        client = client_of(sim)
        assert client.submit("+14165550101").status == 200
        size, hard = journal.stat().st_size, resource.prlimit(sim.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(sim.pid, resource.RLIMIT_FSIZE, (size + 20, hard))
        assert client.submit("+14165550102").status == 500
        assert (sim.report()["texts"], journal.stat().st_size) == (1, size)
        resource.prlimit(sim.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert client.submit("+14165550103").status == 200
    with running_simulator(journal=journal) as sim:
        assert set(sim.texts()) == {"+14165550101", "+14165550103"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order(number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with exit 0, open connections or not."""
    with running_simulator() as sim:
        os.kill(sim.pid, number)
        assert sim._process.wait(5) == 0


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it() -> None:
    """A bench that is killed leaves no simulator behind."""
    code = (
        "import time\nfrom airflow_outreach_provider.simulator.process import running_simulator\n"
        "with running_simulator() as sim:\n    print(sim.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    for _ in range(200):
        if not _alive(pid):
            return
        time.sleep(0.02)
    pytest.fail("the simulator lives on")


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_a_simulator_that_cannot_start_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    """A taken port and an unknown state are explained on standard error."""
    with running_simulator() as sim:
        port = int(sim.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="ended with 1"), running_simulator(port=port):
            pass
    assert "choose another port" in capfd.readouterr().err
    with pytest.raises(RuntimeError), running_simulator(configurations={"on": "asleep"}):
        pass
    assert "use one of active, inactive, unprompted" in capfd.readouterr().err


@pytest.mark.slow
def test_the_command_prints_a_connection_that_works(client_of: Any, tmp_path: Path) -> None:
    """``airflow outreach simulate`` shows the connection to paste; with it a lead is processed."""
    code = (
        "import argparse\nfrom airflow_outreach_provider.cli.simulate import SIMULATE\n"
        "parser = argparse.ArgumentParser()\n[arg.add_to_parser(parser) for arg in SIMULATE.args]\n"
        "args = parser.parse_args()\nSIMULATE.func(args)\n"
    )
    command = [sys.executable, "-c", code, "--port=0", "--configuration=mine", "--configuration=old:inactive"]
    command += ["--fault", "status=503,first=1", "--api-key", "user_mine"]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = next(
            line for line in process.stdout if line.startswith("export AIRFLOW_CONN_OUTREACH_DEFAULT=")
        )
        connection = json.loads(shlex.split(line)[1].partition("=")[2])
        assert connection["conn_type"] == "outreach"
        assert connection["extra"]["configuration_id"] == "mine"
        client = client_of(
            argparse.Namespace(
                url=connection["host"], api_key=connection["password"], configuration_id="mine"
            )
        )
        assert [client.submit().status for _ in range(2)] == [503, 200]
        process.terminate()
        assert process.wait(5) == 0


@pytest.mark.parametrize("missing", ["httptools", "jwt"])
def test_a_missing_package_is_told_in_one_line(tmp_path: Path, missing: str) -> None:
    """Without the extra the simulator says what to install, in one line, however it is started."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *more: None if name == {missing!r} else find(name, *more)\n"
        f"sys.modules[{missing!r}] = None\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    started = "from airflow_outreach_provider.simulator.process import running_simulator as r\nwith r(): pass"
    for command in (["-m", "airflow_outreach_provider.simulator"], ["-c", started]):
        done = subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "airflow-provider-outreach[demo]" in done.stderr.strip().splitlines()[-1]
        if command[0] == "-m":
            assert len(done.stderr.strip().splitlines()) == 1
