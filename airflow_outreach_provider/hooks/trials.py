"""What our tasks do in a run that only tries (:mod:`~core.row_trials`): syncs find out, all others do nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_outreach_provider.core.row_trials import RowTrial, trial_of

if TYPE_CHECKING:
    from airflow.sdk import Context


def trial_in(context: Context) -> RowTrial | None:
    """Whether the run only tries. Then its task announces nothing either: no asset event, and nobody who follows it.

    :raises ConfigurationError: the run is called like a try and cannot be read as one: nothing is done.
    """
    ti: Any = context.get("ti")
    trial = None if ti is None else trial_of(ti.run_id)
    if trial is not None:
        ti.task.outlets = []
    return trial


def stays_out(context: Context, log: Any) -> bool:
    """The same for a task that has no rows to try, and so nothing to do in such a run; says so in the log."""
    if trial_in(context) is None:
        return False
    log.info("This run only tries rows of a sync (%s): nothing is done", context["ti"].run_id)
    return True
