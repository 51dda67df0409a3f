"""Files of ours that Airflow cannot import. The error of a workflow file stays while the file is broken.

Airflow takes away the errors of files that are no DAG files each time it looks through a folder, and they are only back
when the files were read again: half a minute later.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from airflow.models.errors import ParseImportError
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_outreach_provider.core.kept_errors import KeptErrors
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.web.workflow_dags import last_parses

_MOST_ERROR_LINES = 30
_WORKFLOWS = (".yaml", ".yml")
# What a traceback ends with before the text of workflows.import_errors.
_MISTAKES = ".BrokenWorkflowFile: "


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that Airflow cannot import. :ivar message: with line and caret where the file is a workflow's."""

    file: str
    message: str
    at: datetime | None


_kept: KeptErrors[BrokenFile] = KeptErrors()
_lock = threading.Lock()


def broken_files() -> list[BrokenFile]:
    """Workflow files and DAG files with something of ours that Airflow cannot import, by name."""
    with create_session() as session:
        rows = session.scalars(select(ParseImportError).order_by(ParseImportError.filename).limit(200)).all()
        ours = [
            BrokenFile(str(row.filename or ""), _message(str(row.stacktrace or "")), row.timestamp)
            for row in rows
            if str(row.filename or "").endswith(_WORKFLOWS) or "airflow_outreach_provider" in str(row.stacktrace)
        ]  # fmt: skip
    workflows = {each.file: each for each in ours if each.file.endswith(_WORKFLOWS)}
    with _lock:
        parses = last_parses()
        read_at = {file: parses[folder] for file in _kept.names() | workflows.keys() if (folder := PurePath(file).parent.name) in parses}  # fmt: skip
        kept = _kept.look(workflows, read_at, datetime.now(UTC))
    return sorted([*kept, *(each for each in ours if each.file not in workflows)], key=lambda each: each.file)


def _message(stacktrace: str) -> str:
    """What it says at its end; a workflow's mistakes without the lines of Airflow and ours that came upon them."""
    said = stacktrace.rpartition(_MISTAKES)[2]
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return "\n".join(mask_text(line, 400) for line in lines[-_MOST_ERROR_LINES:])
