"""An Airflow of its own, with what was added by its own commands and nothing in the environment."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, and what it wrote to either stream."""

    code: int
    output: str


class ForkedAirflow:
    """An Airflow in a home of its own, without any connection or variable in the environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.modules = (
            home / "modules"
        )  # on the Python path from the start: Python remembers what was not there
        self.modules.mkdir()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW"))}
        self.environment = {
            **kept,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "PYTHONPATH": str(self.modules),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "COLUMNS": "250",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forked_airflow.py"))],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, env: dict[str, str] | None = None, stdout: str | None = None) -> Ended:
        """Run ``airflow ARGV…`` in the home.

        :param env: more environment.
        :param stdout: the file that standard output goes to instead.
        """
        out = self.home / "output.txt"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"argv": argv, "env": env or {}, "out": str(out), "stdout": stdout}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Ended(code, out.read_text("utf-8", "replace"))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope="session")
def empty_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedAirflow]:
    """An Airflow whose database was never made."""
    airflow = ForkedAirflow(tmp_path_factory.mktemp("empty"))
    yield airflow
    airflow.close()


@pytest.fixture(scope="session")
def migrated_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedAirflow]:
    """An Airflow whose database is there and empty."""
    airflow = ForkedAirflow(tmp_path_factory.mktemp("migrated"))
    ended = airflow.run("db", "migrate")
    assert ended.code == 0, ended.output
    yield airflow
    airflow.close()


@pytest.fixture(scope="module")
def own_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedAirflow]:
    """The same for one module, which may change what it likes in it."""
    airflow = ForkedAirflow(tmp_path_factory.mktemp("own"))
    ended = airflow.run("db", "migrate")
    assert ended.code == 0, ended.output
    yield airflow
    airflow.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``run("leads", "list", "--state", "held")``: what the command prints."""

    def call(*words: str) -> str:
        from airflow_outreach_provider.cli import get_commands

        items: Any = get_commands()[0].subcommands
        rest = list(words)
        while True:
            command = next(item for item in items if item.name == rest[0])
            rest = rest[1:]
            if not hasattr(command, "subcommands"):
                break
            items = command.subcommands
        parser = argparse.ArgumentParser()
        for argument in command.args:
            argument.add_to_parser(parser)
        command.func(parser.parse_args(rest))
        return capsys.readouterr().out

    return call
