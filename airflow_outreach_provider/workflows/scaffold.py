"""``init`` and ``schema``: what a person starts with."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_outreach_provider.core.workflows.schema import workflow_schema

SCHEMA_FILE = "outreach-workflows.schema.json"
_STARTER = Path(__file__).parent / "starter"
_PLACES = {
    "outreach_workflows.py": "outreach_workflows.py",
    "starter.yaml": "workflows/starter.yaml",
    "leads.csv": "workflows/leads.csv",
}


def schema_text() -> str:
    """The JSON Schema of workflow files, as text."""
    return json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"


def write_starter(folder: Path) -> list[tuple[Path, bool]]:
    """Write the starter into a DAGs folder: the loader, a workflow file, sample rows, the schema.

    :return: each file and whether it was written; what is there already is left as it is.
    """
    contents = {place: (_STARTER / name).read_text("utf-8") for name, place in _PLACES.items()}
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
