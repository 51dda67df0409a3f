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
