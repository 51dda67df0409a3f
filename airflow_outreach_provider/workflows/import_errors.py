"""A broken workflow, or a broken file of them, as an import error of its own.

Airflow lets a DAG file have one import error, and then it stops every DAG of that file: the healthy
workflows would stop with the broken one. But a DAG that cannot be serialised is an error under *its own*
path. So a broken file becomes such a DAG, under the path of the YAML file (Airflow 3.3,
``dag_processing/processor.py::_serialize_dags``, ``dag_processing/dagbag.py::process_file``).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from airflow.exceptions import SerializationError
from airflow.sdk import DAG

from airflow_outreach_provider.core.workflows.problems import WorkflowErrors


class BrokenWorkflowFile(SerializationError):
    """A workflow file that cannot be used; the message shows every mistake with its line and a caret."""


class _BrokenFile(DAG):
    """Stands for a broken file until Airflow asks for its contents; never runs, never reaches the database."""

    def use(self, file: str, errors: WorkflowErrors) -> None:
        self._file, self._errors = Path(file).resolve(), errors

    @property
    def relative_fileloc(self) -> str | None:
        """The YAML file relative to the bundle, which Airflow tells by the path of the Python file in it."""
        loader = getattr(self, "_relative_loader", None)
        if loader is None:
            return None
        bundle = Path(self.fileloc).resolve().as_posix().removesuffix(Path(loader).as_posix())
        return os.path.relpath(self._file, bundle) if bundle else str(self._file)

    @relative_fileloc.setter
    def relative_fileloc(self, value: str | None) -> None:
        self._relative_loader = value

    def validate(self) -> None:
        """Outside the DAG processor (``airflow dags list``, ``DagBag`` in a test) the error is the loader's."""
        if not _in_supervised_process():
            raise BrokenWorkflowFile(str(self._errors))

    def get_serialized_fields(self) -> NoReturn:
        error = BrokenWorkflowFile(str(self._errors))
        error.__suppress_context__ = True
        raise error


def report_broken_file(file: str, errors: WorkflowErrors) -> None:
    """Make the file an import error; registers itself with the module that is being imported."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", os.path.relpath(file)).strip("._")[-200:]
    with _BrokenFile(f"outreach_broken_file__{name}", schedule=None) as placeholder:
        placeholder.use(file, errors)


def _in_supervised_process() -> bool:
    """Whether this is Airflow's DAG processor or a task: both talk to a supervisor."""
    runner: Any = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None) is not None
