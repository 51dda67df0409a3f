"""The command lines of the workflow commands: one table for ``airflow outreach`` and ``python -m …workflows``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Flags, then the keywords argparse's add_argument and Airflow's Arg share."""


def _at_least_one(text: str) -> int:
    if not (text.isdecimal() and int(text[:20]) > 0):
        raise ArgumentTypeError(f"{text!r} is not a whole number greater than 0")
    return int(text)


_OUTPUT: Argument = (
    ("-o", "--output"),
    {"choices": ("text", "json"), "default": "text", "help": "how to print"},
)
_NAME: Argument = (
    ("name",),
    {"type": str, "help": "name of a workflow, or its DAG id"},
)
_PATH: Argument = (
    ("--path",),
    {"type": str, "default": None, "help": "workflow file or folder; otherwise the DAGs folder"},
)

LINT_ARGUMENTS: tuple[Argument, ...] = (
    (("path",), {"nargs": "+", "type": str, "help": "workflow files or folders of them"}),
    (
        ("--connections",),
        {
            "action": "store_true",
            "default": False,
            "help": "also check that the connections and functions exist",
        },
    ),
    (
        ("--data",),
        {"action": "store_true", "default": False, "help": "also open the sources and check their columns"},
    ),
    _OUTPUT,
)
INIT_ARGUMENTS: tuple[Argument, ...] = (
    (("folder",), {"nargs": "?", "type": str, "default": None, "help": "otherwise the DAGs folder"}),
    (
        ("--loader",),
        {
            "type": str,
            "default": "outreach_workflows.py",
            "help": "name of the file that loads the workflows (default: outreach_workflows.py)",
        },
    ),
)
PLAN_ARGUMENTS: tuple[Argument, ...] = (
    _NAME,
    _PATH,
    (("--limit",), {"type": _at_least_one, "default": None, "help": "read no more rows than this"}),
    _OUTPUT,
)
EXPLAIN_ARGUMENTS: tuple[Argument, ...] = (_NAME, _PATH, _OUTPUT)


def _text(flag: str, words: str, **more: Any) -> Argument:
    return ((flag,), {"type": str, "default": None, "help": words, **more})


_NEW_NAME = _text("--name", "name of the workflow; its DAG is named after it")
_NEW_TO = _text(
    "--to", "the workflow file (.yaml), new or one that is there, which only gets longer", metavar="FILE"
)
_NEW_SCHEDULE = _text(
    "--schedule", 'cron, a preset such as "@daily", or a span such as 15m; otherwise by hand'
)
_NEW_YES: Argument = (
    ("--yes",),
    {"action": "store_true", "default": False, "help": "Do not ask: what can be left out is left out"},
)
NEW_LEAD_SYNC_ARGUMENTS: tuple[Argument, ...] = (
    _NEW_NAME,
    _text(
        "--from", "where the rows come from: a path or URI, a query, a .sql file or a table", dest="rows_from"
    ),
    _text("--sql-conn-id", "connection of the database, for a query or a table"),
    _text("--phone", "column with the phone number, where its name does not tell"),
    _text("--conn-id", "connection of the outreach API; outreach_default otherwise"),
    _text("--configuration-id", "the campaign's configuration; the connection's own otherwise"),
    _text("--default-region", "country of numbers without country code, e.g. US"),
    _NEW_SCHEDULE,
    _NEW_TO,
    _NEW_YES,
)
NEW_EVENT_ROUTE_ARGUMENTS: tuple[Argument, ...] = (
    _NEW_NAME,
    _text("--source", "connection the events come through; all otherwise"),
    (
        ("--kinds",),
        {"nargs": "+", "default": None, "help": "kinds of event, e.g. replied interested; all otherwise"},
    ),
    _text("--where", 'only events for which this is true, e.g. "data.score > 50"'),
    _text("--endpoint", "where they go: a connection of type outreach_endpoint or http"),
    _text("--python", "or a function: package.module.function"),
    _text("--outreach", "or a campaign: a connection of type outreach"),
    (("--suppress",), {"action": "store_true", "default": False, "help": "or the do-not-contact list"}),
    _NEW_TO,
    _NEW_YES,
)
