"""What our tasks do in a run that only tries (:mod:`~core.row_trials`): syncs find out, all others do nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_outreach_provider.core.row_trials import RowTrial, trial_of
from airflow_outreach_provider.core.workflows.following import is_followed

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


def rings_no_follower(context: Context) -> None:
    """A dry run texts nobody, and what depends on its workflow would text for real: that does not hear of it.

    Assets that somebody named themselves have news of a dry run too, and are told that it was one.
    """
    task: Any = context["ti"].task
    task.outlets = [each for each in task.outlets if not is_followed(str(getattr(each, "uri", "")))]


def stays_out(context: Context, log: Any) -> bool:
    """The same for a task that has no rows to try, and so nothing to do in such a run; says so in the log."""
    if trial_in(context) is None:
        return False
    log.info("This run only tries rows of a sync (%s): nothing is done", context["ti"].run_id)
    return True
