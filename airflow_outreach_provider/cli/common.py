"""What the commands share."""

from __future__ import annotations

import functools
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_outreach_provider.hooks.advice import with_advice

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand as Command
    from airflow.cli.cli_config import Arg

T = TypeVar("T")

__all__ = [
    "CENTURY_DAYS",
    "LAST_PORT",
    "actor",
    "exit_with_advice",
    "parse_listed",
    "parse_number",
    "positive_int",
    "print_rows",
    "refusing_empty",
    "since",
    "with_advice",
]


_LARGEST = 2**63 - 1  # of a whole number in either database
CENTURY_DAYS, LAST_PORT = 36_500, 65_535


def positive_int(*, allow_zero: bool, most: int = _LARGEST) -> Callable[[str], int]:
    """The type of an argument: a whole number that every use of it can hold, by default an id."""
    least = 0 if allow_zero else 1

    def read(text: str) -> int:
        if not (text.strip().isdecimal() and least <= int(text[:20]) <= most):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def refusing_empty(commands: Iterable[Command]) -> tuple[Command, ...]:
    """The commands, none of which takes an empty text: a variable that is not set must not become "all of them"."""
    return tuple(each._replace(args=tuple(map(_refusing, each.args))) for each in commands)


def _refusing(arg: Arg) -> Arg:
    keywords = arg.kwargs
    if keywords.get("action", "store") not in {"store", "append"}:
        return arg
    read = keywords.get("type", str)

    def given(text: str) -> Any:
        if not text.strip():
            raise ArgumentTypeError("it is empty — leave it out, or say what is meant")
        return read(text)

    given.__name__ = getattr(read, "__name__", "text")  # what argparse calls it where a value is none
    refusing = copy(arg)
    refusing.kwargs = {**keywords, "type": given}
    return refusing


def exit_with_advice(command: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """A command that runs by :func:`with_advice`."""

    @functools.wraps(command)
    def wrapped(args: Namespace) -> None:
        with_advice(lambda: command(args))

    return wrapped


def since(value: str | None) -> datetime | None:
    """``2h``, ``3d``, ``90m``, or ISO 8601 (without a zone: UTC)."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.core.times import read_time

    if value is None:
        return None
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if value[-1:] in units and value[:-1].isdigit():
            return datetime.now(UTC) - timedelta(**{units[value[-1]]: int(value[:-1])})
        moment = read_time(value)
    except (ValueError, OverflowError):  # more digits than an int reads, more days than there were
        moment = None
    if moment is None:
        raise ConfigurationError(f"--since is {value!r}", "write e.g. 2h, 3d or 2026-03-25T00:00:00Z")
    return moment


def print_rows(rows: list[dict[str, Any]], output: str) -> None:
    """Rows in the form ``-o`` names, as Airflow's own commands print them."""
    from airflow.cli.simple_table import AirflowConsole

    AirflowConsole().print_as(data=rows, output=output)


def actor() -> str:
    """Who the audit trail names: the operating system's user."""
    import getpass
    import os

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that no file knows
        name = str(os.getuid())
    return f"cli:{name}"


def parse_listed(text: str, region: str | None) -> tuple[str, ...]:
    """E.164 of the numbers that somebody who is not to be contacted is named by, read generously.

    :raises ConfigurationError: there is none.
    """
    from airflow_outreach_provider.core.phone_listed import read_listed
    from airflow_outreach_provider.core.phones import check_region

    return _advised(lambda: read_listed(text, check_region(region)))


def parse_number(text: str, region: str | None) -> str:
    """E.164 of a number given on the command line.

    :raises ConfigurationError: it is none.
    """
    from airflow_outreach_provider.core.phones import WRITTEN_DOWN, check_region, parse_phone

    return _advised(lambda: parse_phone(text, check_region(region), WRITTEN_DOWN).e164)


def _advised(read: Callable[[], T]) -> T:
    from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected

    try:
        return read()
    except LeadRejected as error:
        raise ConfigurationError(
            f"that is no phone number: {error}", "write it with country code, e.g. +14165550123"
        ) from error
