"""``airflow outreach init``: all DAGs, in any folder, and the steps it prints, followed to the letter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import free_port

from airflow_outreach_provider.demo.airflow import begin_like
from airflow_outreach_provider.workflows.scaffold import LOADER

_ALL = {
    "outreach_lead_sync", "outreach_event_fanout", "outreach_maintenance", "outreach_lead_sync__website_leads",
    "outreach_event_route__opt_outs",
}  # fmt: skip


@pytest.fixture
def simulate() -> Iterator[Any]:
    """``simulate(command, environment)``: started as a person does in another terminal, ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, environment: dict[str, str]) -> None:
        process = subprocess.Popen(
            command, shell=True, env=environment, stdout=subprocess.PIPE, text=True, executable="/bin/bash"
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        while "Who was texted" not in (line := process.stdout.readline()):
            assert line, "the simulator ended"

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("folder", ["", "else where/team a"])
@pytest.mark.e2e
@pytest.mark.lasts(20)
@pytest.mark.timeout(400)
def test_its_steps_lead_through_without_a_gap(airflow_at: Any, simulate: Any, folder: str) -> None:
    """From the printed lines alone to a run that texts two people of the stand-in, in each kind of folder."""
    home, environment = airflow_at
    said = _shell(
        f"airflow outreach init {f'{home}/{folder}'!r}" if folder else "airflow outreach init", environment
    )
    steps = re.findall(r"^(?:airflow|export|cp) .*", said, re.MULTILINE)
    assert len(steps) == (8 if folder else 7)
    port = str(free_port())  # the usual one may be somebody's on this machine
    steps = [step.replace("8099", port) for step in steps]
    simulator = next(step for step in steps if "outreach simulate" in step)
    simulate(f"exec {simulator.partition('#')[0]} --port {port}", environment)
    steps.remove(simulator)
    *run, doctor = steps
    said = _shell("\n".join(["set -e", *run]), environment)
    assert "no mistakes" in said
    assert "2 of 3 rows would be texted; nothing was sent" in said
    assert said.count("accepted") >= 2
    assert "→" in _shell(f"{doctor} || true", environment)


@pytest.fixture
def airflow_at(tmp_path: Path, migrated_home: Path) -> tuple[Path, dict[str, str]]:
    """The home of an Airflow with nothing in it, and an environment that leads there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = kept | {
        "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PATH": path, "COLUMNS": "250",
    }  # fmt: skip
    begin_like(migrated_home, tmp_path)
    return tmp_path, environment


def _shell(script: str, environment: dict[str, str]) -> str:
    ran = subprocess.run(
        ["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", [LOADER, "our team.py", "x.py"])
def test_the_loader_bears_any_name(migrated_airflow: Any, tmp_path: Path, name: str) -> None:
    """Airflow's own discovery, safe mode on, finds all DAGs, whatever the loader is called."""
    from airflow.dag_processing.dagbag import DagBag

    ended = migrated_airflow.run("outreach", "init", str(tmp_path / "dags"), "--loader", name)
    assert ended.code == 0, ended.output
    assert "warning" not in ended.output
    assert (tmp_path / "dags" / name).is_file()
    bag: Any = DagBag(str(tmp_path / "dags"), safe_mode=True)
    assert bag.import_errors == {}
    assert set(bag.dags) == _ALL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import outreach\n", "its safe mode reads only files with the words 'dag' and 'airflow'"),
        ("from airflow.sdk import DAG\n", "loads no workflows"),
    ],
)
def test_a_loader_that_was_there_and_will_not_do_is_told(
    migrated_airflow: Any, tmp_path: Path, content: str, words: str
) -> None:
    """It is left as it is, with a warning why Airflow makes nothing of it; one that does is passed in silence."""
    (tmp_path / "mine.py").write_text(content)
    ended = migrated_airflow.run("outreach", "init", str(tmp_path), "--loader", "mine.py")
    assert ended.code == 0
    assert f"warning: {tmp_path / 'mine.py'} was there before" in ended.output
    assert words in ended.output
    assert (tmp_path / "mine.py").read_text() == content
    ended = migrated_airflow.run("outreach", "init", str(tmp_path), "--loader", "other.py")
    assert (
        "warning"
        not in migrated_airflow.run("outreach", "init", str(tmp_path), "--loader", "other.py").output
    )


_BUNDLES = {
    "local": {"name": "team", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"},
    "git": {
        "name": "ours",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"repo_url": "x"},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bundles", "given", "written", "told"),
    [
        (["git", "local"], "", "team", ""),
        (["local"], "team/below", "team/below", ""),
        (["local"], "elsewhere", "elsewhere", "cp -R {elsewhere}/. {team}    #"),
        (["git"], "elsewhere", "elsewhere", "# commit the folder"),
        (["git"], "", None, "its DAGs come from the bundle ours — name a folder"),
    ],
)
def test_it_writes_where_airflow_reads(
    migrated_airflow: Any, tmp_path: Path, bundles: list[str], given: str, written: str | None, told: str
) -> None:
    """The folder of a DAG bundle, wherever it is; [core] dags_folder is none that anybody reads then."""
    chosen = [
        _BUNDLES[each] | ({"kwargs": {"path": f"{tmp_path}/team"}} if each == "local" else {})
        for each in bundles
    ]
    env = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(chosen)}
    ended = migrated_airflow.run("outreach", "init", *([f"{tmp_path}/{given}"] if given else []), env=env)
    assert ended.code == (written is None), ended.output
    assert sorted(each.parent for each in tmp_path.rglob(LOADER)) == ([tmp_path / written] if written else [])
    assert told.format(elsewhere=tmp_path / "elsewhere", team=tmp_path / "team") in ended.output
    assert told.startswith("cp") or "cp -R" not in ended.output
    if written:
        ended = migrated_airflow.run(
            "outreach", "explain", "website_leads", "--path", f"{tmp_path}/{written}", env=env
        )
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("name", ["loader", "a/b.py", "outreach_lead_sync.py", ".py", "../x.py"])
def test_a_loader_that_cannot_be_called_so(migrated_airflow: Any, tmp_path: Path, name: str) -> None:
    """One line, and nothing is written."""
    ended = migrated_airflow.run("outreach", "init", str(tmp_path / "new"), "--loader", name)
    assert f"the loader cannot be called {name!r}" in ended.output
    assert "Traceback" not in ended.output
    assert ended.code == 1
    assert not (tmp_path / "new").exists()
