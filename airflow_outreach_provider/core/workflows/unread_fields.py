"""Texts that name a field and have no braces around it: they are sent as they stand, the same for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.problems import Path
from airflow_outreach_provider.core.workflows.texts import texts_in

# With what stands below it, and perhaps a filter; or a name that means nothing else.
_FIELD = re.compile(
    r"(?:(?:contact|data|response|saved|event|row)(?:\.[A-Za-z_]\w*|\[(?:'[^']*'|\"[^\"]*\"|\d+)\])+"
    r"|occurred_at|received_at|campaign_id)(?:\s*\|\s*\w+(?:\([^()]*\))?)*"
)
_OF_A_PATH = re.compile(r"[/?&=]")
_SENT: tuple[Path, ...] = (
    ("query",), ("headers",), ("payload",), ("save",), ("trigger_dag", "conf"), ("notifier", "arguments"),
)  # fmt: skip


def unread_fields(model: DagSettings) -> Iterator[tuple[Path, str, str]]:
    """Where each stands, what becomes of it, and what to write."""
    if isinstance(model, EventRoute):
        deliver = model.deliver.model_dump()
        for path in _SENT:
            for at, text in texts_in(_below(deliver, path), ("deliver", *path)):
                yield from _told(at, text, "is sent as it stands, the same for every event")
        for part in _OF_A_PATH.split(model.deliver.path or ""):
            yield from _told(
                ("deliver", "path"), part, "stands in the path as it is, the same for every event"
            )
    elif isinstance(model, LeadSync):
        for at, text in texts_in(model.map, ("map",)):
            if text.startswith("row"):
                listed = any(isinstance(each, int) for each in at)
                says = (
                    "is sent as it stands, the same for everybody"
                    if listed
                    else "is read as the name of a column"
                )
                yield from _told(at, text, says)


def _told(at: Path, text: str, says: str) -> Iterator[tuple[Path, str, str]]:
    field = text.strip()
    if _FIELD.fullmatch(field):
        yield at, f"{field!r} {says}", f'write "{{{{ {field} }}}}" for what the field holds'


def _below(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
