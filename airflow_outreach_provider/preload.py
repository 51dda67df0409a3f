"""All that a task of ours, or the reading of a DAG file with one, imports: for a process that forks them, once.

What it forks finds it loaded then. The plugin imports this where Airflow's scheduler runs tasks itself, and where DAG files are
read; a Celery worker does by its setting ``imports`` (see the page *Scale*).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import airflow_outreach_provider

_ROOMS = (
    "core",
    "net",
    "store",
    "services",
    "hooks",
    "operators",
    "sensors",
    "triggers",
    "workflows",
    "assets",
)
"""What tasks import; the others are for people, platforms and the API server."""


def modules() -> Iterator[str]:
    """The names of all modules of these rooms, but of migrations: whoever upgrades the store imports them."""
    for room in _ROOMS:
        name = f"{airflow_outreach_provider.__name__}.{room}"
        yield name
        for module in pkgutil.walk_packages(
            getattr(importlib.import_module(name), "__path__", ()), f"{name}."
        ):
            if ".migrations" not in module.name:
                yield module.name


for _name in modules():
    importlib.import_module(_name)
