"""The simulator's command line: one table for ``airflow outreach simulate`` and ``python -m …simulator``."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_outreach_provider.core.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_outreach_provider.simulator.server import Simulator


CONFIGURATION_ID = "68d6d7de324658b8a1760d5e"
"""The outreach configuration of a simulator that is given none."""
API_KEY = "user_simulator"
EMAIL = "simulator@example.com"
# No part of the address: Airflow's pages mask a secret wherever they show it, and an edit there would save the masks.
PASSWORD = "listed-and-found"  # noqa: S105 - a stand-in's


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text[:6]) <= 65_535):
        raise ArgumentTypeError(f"{text!r} is not a port: write a whole number from 0 to 65535")
    return int(text)


# flags, then the keywords argparse's add_argument and Airflow's Arg share
ARGUMENTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--host",), {"default": "127.0.0.1", "help": "address to listen on"}),
    (("--port",), {"type": _port, "default": 8099, "help": "port to listen on; 0 takes a free one"}),
    (("--api-key",), {"default": API_KEY, "help": "the API Integration Key that is let in"}),
    (
        ("--configuration",),
        {
            "action": "append",
            "metavar": "ID[:STATE]",
            "type": str,
            "help": "an outreach configuration; STATE is active (default), inactive or unprompted; repeatable",
        },
    ),
    (
        ("--fault",),
        {
            "action": "append",
            "metavar": "SPEC",
            "type": str,
            "help": "what goes wrong, e.g. status=503,p=0.05,retry_after=2 or drop,every=100 or latency=0.05; "
            "repeatable",
        },
    ),
    (("--seed",), {"type": int, "default": 0, "help": "the same seed gives the same faults"}),
    (("--journal",), {"type": str, "help": "file that keeps the counts when the simulator is killed"}),
    (("--contacts-email",), {"default": EMAIL, "help": "login for the contact list"}),
    (("--contacts-password",), {"default": PASSWORD, "help": "password of that login"}),
    (
        ("--foreign-contacts",),
        {
            "action": "store_true",
            "default": False,
            "help": "contacts belong to a colleague of the login, so that ownerFilter=my hides them",
        },
    ),
)


_NEEDED = {"httptools": "httptools", "jwt": "PyJWT"}


def check_installed() -> None:
    """:raises ConfigurationError: a package that only the simulator needs is missing."""
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"the simulator needs {' and '.join(missing)}", "pip install 'airflow-provider-outreach[demo]'"
        )


def simulator_from(args: Namespace) -> Simulator:
    """The simulator these arguments describe.

    :raises ConfigurationError: one of them cannot be read, or a package is missing.
    """
    check_installed()
    from airflow_outreach_provider.simulator.faults import Faults
    from airflow_outreach_provider.simulator.server import Simulator

    return Simulator(
        args.api_key,
        dict(_configuration(text) for text in args.configuration or ()),
        Faults.of(*args.fault or ()),
        args.seed,
        args.journal,
        contacts_email=args.contacts_email,
        contacts_password=args.contacts_password,
        owns_contacts=not args.foreign_contacts,
    )


def connection_json(simulator: Simulator, url: str) -> str:
    """The Airflow connection (type ``outreach``) that leads to this simulator, as JSON."""
    account = simulator.account
    return _connection(
        url, account.api_key, next(iter(account.configurations)), account.email, account.password
    )


def usual_connection() -> str:
    """The same for a simulator that is started without arguments."""
    usual = {flags[0].removeprefix("--"): keywords.get("default") for flags, keywords in ARGUMENTS}
    url = f"http://{usual['host']}:{usual['port']}"
    return _connection(
        url, usual["api-key"], CONFIGURATION_ID, usual["contacts-email"], usual["contacts-password"]
    )


def _connection(url: str, api_key: Any, configuration_id: str, email: Any, password: Any) -> str:
    extra = {"configuration_id": configuration_id, "contacts_email": email, "contacts_password": password}
    return json.dumps({"conn_type": "outreach", "host": url, "password": api_key, "extra": extra})


def _configuration(text: str) -> tuple[str, str]:
    key, _, state = text.partition(":")
    return key, state or "active"
