"""A run that is late: what is called then."""

from __future__ import annotations

import logging
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback, SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from airflow_outreach_provider.core.times import span_words
from airflow_outreach_provider.workflows.functions import import_function

_log = logging.getLogger(__name__)


def deadline_of(after: timedelta, path: str | None) -> DeadlineAlert:
    """An alert so long after a run was queued.

    :param path: of the function that is called; the log says so where None.
    :raises ConfigurationError: there is no such function.
    """
    callback: AsyncCallback | SyncCallback
    if path is None:
        callback = AsyncCallback(say_late, kwargs={"after": span_words(after.total_seconds())})
    elif iscoroutinefunction(import_function(path)):
        callback = AsyncCallback(path)
    else:
        callback = SyncCallback(path)
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, after, callback)


async def say_late(after: str, **context: Any) -> None:
    """The alert of a workflow that names nobody to tell."""
    run = (context.get("context") or {}).get("dag_run") or {}
    name = run.get("dag_id", "") if isinstance(run, dict) else getattr(run, "dag_id", "")
    _log.error("A run of %s is not done %s after it was queued", name or "a workflow", after)
