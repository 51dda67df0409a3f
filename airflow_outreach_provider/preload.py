"""All that a task of ours, or the reading of a DAG file with one, imports: for a process that forks them, once.

What it forks finds it loaded then. The plugin imports this where Airflow's scheduler runs tasks itself, and where DAG files are
read; a Celery worker does by its setting ``imports`` (see the page *Scale*).
"""

from __future__ import annotations

import importlib
import pkgutil

# What tasks import; the other rooms are for people, platforms and the API server.
_ROOMS = [
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
]

for _room in _ROOMS:
    _package = importlib.import_module(f"{__package__}.{_room}")
    for _module in pkgutil.walk_packages(getattr(_package, "__path__", ()), f"{_package.__name__}."):
        if ".migrations" not in _module.name:  # whoever upgrades the store imports them
            importlib.import_module(_module.name)
