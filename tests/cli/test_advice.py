"""One place tells a person's mistake from a bug of ours."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.cli import get_commands
from airflow_outreach_provider.cli.common import positive_int
from airflow_outreach_provider.cli.new import NEW_COMMANDS
from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.hooks.advice import advice_on, as_server, with_advice


def _all(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _all(child)


def _raised(error: BaseException) -> SystemExit:
    def run() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        with_advice(run)
    return ended.value


@pytest.mark.slow
@given(st.sampled_from(sorted(errno.errorcode)), st.text(max_size=20))
def test_every_fault_of_the_system_is_told_in_one_line(number: int, path: str) -> None:
    """Whatever the operating system refuses: one line with the path, exit code 1."""
    error = OSError(number, os.strerror(number), path)
    if isinstance(error, BrokenPipeError):
        return
    assert os.strerror(number) in str(_raised(error).code)


@pytest.mark.parametrize("kind", sorted(_all(OutreachError), key=lambda each: each.__name__))
def test_none_of_our_errors_is_a_traceback(kind: type[OutreachError]) -> None:
    """The whole tree of :mod:`core.errors` ends a command with its own words."""
    error = kind.__new__(kind)
    Exception.__init__(error, "what happened — what to do")
    assert _raised(error).code == "what happened — what to do"


@pytest.mark.parametrize("error", [AssertionError("x"), TypeError("x"), KeyError("x"), ZeroDivisionError("x"),
                                   ModuleNotFoundError("x", name="airflow_outreach_provider.nothing")])  # fmt: skip
def test_a_bug_of_ours_stays_one(error: Exception) -> None:
    """What nobody can put right by another argument keeps its traceback."""
    assert advice_on(error) is None

    def run() -> None:
        raise error

    with pytest.raises(type(error)):
        with_advice(run)


def test_interrupted_is_quiet() -> None:
    """Ctrl-C ends a command with the shell's own code."""
    assert _raised(KeyboardInterrupt()).code == 130


def test_the_context_of_the_process_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking as a server is for the time of a command."""
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    with as_server():
        assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "server"
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    with as_server():
        assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "server"
    assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "client"


def _commands() -> Iterator[Any]:
    def walk(items: Any) -> Iterator[Any]:
        for item in items:
            yield from walk(item.subcommands) if hasattr(item, "subcommands") else [item]

    yield from walk(get_commands()[0].subcommands)


@pytest.mark.parametrize("command", list(_commands()), ids=lambda each: each.func.__name__)
def test_every_command_runs_by_it(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left out: each command hands what it does to the one place."""
    seen: list[Any] = []
    for name in [each for each in sys.modules if each.startswith("airflow_outreach_provider.cli")]:
        if hasattr(importlib.import_module(name), "with_advice"):
            monkeypatch.setattr(f"{name}.with_advice", lambda run, **_: seen.append(run))
    command.func(Namespace(host="", port=0, workers=1))
    assert len(seen) == 1


@given(st.integers())
def test_a_number_is_taken_where_every_database_can_hold_it(number: int) -> None:
    """From the least to the most that was said, and nothing else."""
    read = positive_int(allow_zero=True, most=100)
    if 0 <= number <= 100:
        assert read(str(number)) == number
    else:
        with pytest.raises(ArgumentTypeError):
            read(str(number))


@given(st.text())
def test_no_text_breaks_a_number(text: str) -> None:
    """Whatever is typed is a whole number or told not to be one."""
    read = positive_int(allow_zero=False)
    try:
        assert 1 <= read(text) < 2**63
    except ArgumentTypeError as error:
        assert "whole number" in str(error)


@pytest.mark.parametrize("command", list(_commands()), ids=lambda each: each.func.__name__)
@pytest.mark.parametrize("text", ["", "  "])
def test_no_argument_takes_an_empty_text(command: Any, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A variable that is not set is told, and never means all there are; ``new`` asks for what is missing."""
    if command in NEW_COMMANDS:
        return
    for arg in command.args:
        if arg.kwargs.get("action", "store") not in {"store", "append"}:
            continue
        parser = ArgumentParser()
        arg.add_to_parser(parser)
        flag = arg.flags[-1]
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([flag, text] if flag.startswith("-") else [text])
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert "choices" in arg.kwargs or "is empty" in said or "whole number" in said, (flag, said)


def test_a_connection_without_a_name_is_missing_in_one_line(airflow_db: None) -> None:
    """Nothing in Airflow's message names it, and nothing breaks over that."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    said = advice_on(AirflowNotFoundException("The conn_id `` isn't defined"))
    assert said is not None
    assert said.startswith("there is no connection")


def test_a_command_whose_output_is_closed_does_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """``>&-`` of a cron job leaves no stdout at all; what has none to print to is no bug."""
    monkeypatch.setattr(sys, "stdout", None)
    done: list[int] = []
    with_advice(lambda: done.append(sys.stdout.write("said to nobody")))
    assert done == [14]
