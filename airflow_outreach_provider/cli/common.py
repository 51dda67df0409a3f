"""What the commands share."""

from __future__ import annotations

import functools
from argparse import Namespace
from collections.abc import Callable
from typing import Any


def exit_with_advice(command: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """Our own errors end a command with their message, which says what to do; a traceback would hide it."""

    @functools.wraps(command)
    def wrapped(args: Namespace) -> None:
        from airflow_outreach_provider.core.errors import OutreachError

        try:
            command(args)
        except OutreachError as error:
            raise SystemExit(str(error)) from error

    return wrapped


def print_rows(rows: list[dict[str, Any]], output: str) -> None:
    """Rows in the form ``-o`` names, as Airflow's own commands print them."""
    from airflow.cli.simple_table import AirflowConsole

    AirflowConsole().print_as(data=rows, output=output)


def actor() -> str:
    """Who the audit trail names: the operating system's user."""
    import getpass

    return f"cli:{getpass.getuser()}"


def parse_number(text: str, region: str | None) -> str:
    """E.164 of a number given on the command line.

    :raises ConfigurationError: it is none.
    """
    from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
    from airflow_outreach_provider.core.phones import check_region, parse_phone

    try:
        return parse_phone(text, check_region(region)).e164
    except LeadRejected as error:
        raise ConfigurationError(
            f"that is no phone number: {error}", "write it with country code, e.g. +14165550123"
        ) from error
