"""``init`` and ``schema``: what a person starts with."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.schema import workflow_schema

SCHEMA_FILE = "outreach-workflows.schema.json"
LOADER = "outreach_workflows.py"
_STARTER = Path(__file__).parent / "starter"
_DAGS = ("outreach_lead_sync.py", "outreach_event_fanout.py", "outreach_maintenance.py")
_WORKFLOWS = ("starter.yaml", "leads.csv")


def schema_text() -> str:
    """The JSON Schema of workflow files, as text."""
    return json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"


def write_starter(folder: Path, loader: str = LOADER) -> list[tuple[Path, bool]]:
    """Write the starter into a DAGs folder, or any folder below it: the DAGs in Python, the loader of workflow files, a
    workflow file, sample rows, the schema.

    :param loader: the name of the loader's file.
    :return: each file and whether it was written; what is there already is left as it is.
    :raises ConfigurationError: the loader cannot be called so.
    """
    if Path(loader).name != loader or not loader.endswith(".py") or loader in _DAGS or loader == ".py":
        raise ConfigurationError(
            f"the loader cannot be called {loader!r}",
            f"give a name of its own that ends in .py, without a folder, e.g. {LOADER}",
        )
    contents = {loader: _shipped(LOADER)} | {name: _shipped(name) for name in _DAGS}
    contents |= {f"workflows/{name}": _shipped(name) for name in _WORKFLOWS}
    contents[f"workflows/{SCHEMA_FILE}"] = schema_text()
    results = []
    for place, content in contents.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(content)
        except FileExistsError:
            results.append((target, False))
        else:
            results.append((target, True))
    return results


def passed_over(loader: Path) -> str | None:
    """Why Airflow will not make DAGs of a loader that was there before; None where nothing is known against it."""
    from airflow.configuration import conf
    from airflow.utils.file import might_contain_dag

    if not might_contain_dag(str(loader), conf.getboolean("core", "dag_discovery_safe_mode", fallback=True)):
        return (
            f"{loader} was there before, and Airflow passes over it: its safe mode reads only files with the words "
            "'dag' and 'airflow' in them — write both into a comment, or choose another name with --loader"
        )
    if b"load_workflows" not in loader.read_bytes():
        return (
            f"{loader} was there before and loads no workflows — choose another name with --loader, or add "
            "load_workflows() to it"
        )
    return None


def _shipped(name: str) -> str:
    return (_STARTER / name).read_text("utf-8")
