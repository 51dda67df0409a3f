"""Files that a workflow file names: a relative path starts in its folder. Without Airflow, for lint."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, LeadSync, SqlSection
from airflow_outreach_provider.core.workflows.param_names import unknown_param
from airflow_outreach_provider.core.workflows.param_specs import RESERVED_PARAMS
from airflow_outreach_provider.core.workflows.problems import Problem


def query_of(sql: SqlSection, file: str) -> str:
    """The query of a source; a file's is read when the DAG is built, so that a run has the version of its bundle.

    :raises ConfigurationError: the file cannot be read.
    """
    if sql.file is None:
        return sql.query or ""
    path = beside(sql.file, file)
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"the query in {sql.file} cannot be read: {why}",
            f"put it at {path}, or write query: in its place",
        ) from None


def beside(uri: str, file: str) -> str:
    """A path as a worker finds it."""
    if "://" in uri or os.path.isabs(uri) or uri.lstrip().startswith("{{"):
        return uri
    # Where a worker starts is nobody's knowledge; where the file that says so stands is.
    return os.path.join(os.path.dirname(os.path.abspath(file)), uri)


def check_query_files(workflows: Iterable[Loaded[DagSettings]]) -> list[Problem]:
    """The files with queries that cannot be read, or name a param that is not there."""
    problems = []
    for workflow in workflows:
        leads = workflow.model.leads if isinstance(workflow.model, LeadSync) else []
        known = dict.fromkeys([*RESERVED_PARAMS, *workflow.model.params])
        for at, source in enumerate(leads):
            if source.sql is None:
                continue
            path = (*(("leads", at) if len(leads) > 1 else ("leads",)), "sql", "file")
            try:
                query = query_of(source.sql, workflow.file)
                if source.sql.file is not None and (found := unknown_param(query, known)) is not None:
                    raise ConfigurationError(f"in {source.sql.file}: {found[0]}", found[1])
            except ConfigurationError as error:
                message = str(error).removesuffix(f" — {error.remedy}")
                whole = (workflow.section, workflow.name, *path)
                problems.append(Problem.at(workflow.spot(*path), message, error.remedy or "", whole))
    return problems
