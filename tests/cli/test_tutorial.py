"""The tutorial and the receiver of the page *Install*, followed word by word in an Airflow that has nothing yet."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from documents import DOCS, Block, blocks
from servers import free_port

from airflow_outreach_provider.simulator.process import running_simulator


def fresh(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has just installed Airflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    return kept | {
        "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200", **more,
    }  # fmt: skip


def pages(name: str, language: str) -> list[Block]:
    return [each for each in blocks(DOCS / f"{name}.md") if each.language == language]


def follow(home: Path, line: str, **more: str) -> str:
    """One line of the page in a shell; what it says on either stream."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=home, env=fresh(home, **more), capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_from_an_empty_folder_to_the_plan(tmp_path: Path) -> None:
    """init, whose files the page names, lint, a typing error as it is shown there, and the plan as it is shown there, by the page's own commands."""
    lines = [
        line.split("#")[0].strip() for each in pages("tutorial", "bash") for line in each.text.splitlines()
    ]
    (init,) = [line for line in lines if line.startswith("airflow outreach init")]
    (lint,) = [line for line in lines if line.startswith("airflow outreach lint")]
    (plan,) = [line for line in lines if line.startswith("airflow outreach plan")]
    good, mistaken, planned = [each.text.strip() for each in pages("tutorial", "text")]
    assert "starter.yaml" in follow(tmp_path, init)
    files = [path.name for path in (tmp_path / "dags").rglob("*") if path.is_file()]
    page = (DOCS / "tutorial.md").read_text("utf-8")
    assert len(files) >= 4
    assert [name for name in files if name not in page] == []
    assert good in follow(tmp_path, lint)

    starter = tmp_path / "dags" / "workflows" / "starter.yaml"
    written = starter.read_text("utf-8")
    starter.write_text(re.sub(r'^( +)# schedule: ".*?"', r'\1shedule: "@daily"', written, flags=re.MULTILINE))
    said = follow(tmp_path, lint)
    for line in mistaken.splitlines():
        assert line.strip() in said, said
    starter.write_text(written)

    with running_simulator() as simulator:
        shown = follow(tmp_path, plan, AIRFLOW_CONN_OUTREACH_DEFAULT=json.dumps(simulator.connection))
        assert simulator.texts() == {}
    for line in planned.splitlines():
        assert line.strip() in shown, shown


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_receiver_runs_without_the_rest_of_airflow(tmp_path: Path) -> None:
    """The page's three lines, on another port and with a store in a file: no metadata database, and it answers."""
    (block,) = [each for each in pages("install", "bash") if "outreach receive" in each.text]
    port = free_port()
    script = block.text.replace("--port 8000", f"--port {port}").replace("0.0.0.0", "127.0.0.1")
    script = re.sub(r"postgresql://\S+", f"sqlite:///{tmp_path / 'outreach.db'}", script).replace(
        "\nairflow", "\nexec airflow"
    )
    log = tmp_path / "log"
    with log.open("wb") as out:
        receiver = subprocess.Popen(["bash", "-euc", script], env=fresh(tmp_path), stdout=out, stderr=out)
    try:
        assert answers(f"http://127.0.0.1:{port}/outreach/in/varda") == 401, log.read_text()
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait(30)


def answers(url: str) -> int:
    """The status of an event without a signature, once anybody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > deadline:
                return 0
            time.sleep(0.2)
