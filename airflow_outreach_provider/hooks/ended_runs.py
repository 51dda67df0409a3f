"""Ask Airflow now and then which runs have ended, so that what they reserved waits for nobody.

A task and a trigger reach no metadata database: they ask their supervisor, as ``ExternalTaskSensor`` does.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Collection, Sequence

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.services.deliveries.ended_runs import free_ended
from airflow_outreach_provider.store.engine import Store

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 15.0


class EndedRuns:
    """Asks no more often than every quarter of a minute, however often it is told to."""

    def __init__(self) -> None:
        self._next = 0.0

    def free(self, store: Store, routes: Collection[str] | None = None) -> None:
        """Free what ended runs had reserved. Where Airflow cannot be asked, it comes back when its plan runs out.

        :param routes: of these routes; None for all. :raises StoreError: the store is away.
        """
        if time.monotonic() < self._next or not _can_ask():
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        try:
            freed = free_ended(store, count_runs, routes)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever Airflow answers, work goes on without it
            _log.warning("Airflow does not say which runs have ended: %s: %s", type(error).__name__, error)
            return
        if freed:
            _log.info("%d deliveries that ended runs had reserved are free", freed)


def count_runs(dag_id: str, run_ids: Sequence[str], states: Sequence[str]) -> int:
    """How many of these runs there are in these states, or in any. To be called in a thread where an event loop runs."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id, run_ids=list(run_ids), states=list(states) or None)


def _can_ask() -> bool:
    """Whether this process has a supervisor: a task and a trigger do."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None) is not None
