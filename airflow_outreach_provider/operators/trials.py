"""A task that tries rows of a sync: what it finds is kept for the pages, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from airflow.sdk.exceptions import AirflowFailException

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.row_trials import Tried, would_send
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.runner import run_to_the_end
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.ledger import trials

_LONGEST = 2000


class TryingTask(Protocol):
    """A task with ``leads``; None for what is planned in the ledger."""

    leads: Any

    @property
    def log(self) -> Any: ...


def try_rows(begin: Callable[[], SubmitRun], task: TryingTask, owner: Owner) -> dict[str, int]:
    """What would become of the first rows; kept for a day. What is planned in the ledger is none of it.

    It is not tried again where it fails: somebody waits for its answer.

    :param begin: a run that is called a try, ready to begin. :return: rows by state.
    :raises AirflowFailException: the rows cannot be read; the pages show why.
    """
    if task.leads is None:
        task.log.info("This run only tries rows of a source, and this task has none: nothing is done")
        return Tally().by_state()
    run: SubmitRun | None = None
    error: Exception | None = None
    try:
        run = begin()
        run_to_the_end(run)
    except Exception as caught:  # noqa: BLE001 - whatever it is, the page says it
        error = caught
    found = _findings(run, error)
    trials.put(open_store(), owner, found)
    for row in found.rows:  # in the log too, without any value of theirs
        task.log.info("line %d: %s %s", row.line, row.state, row.reason)
    task.log.info("%d of %d rows would be sent; nothing was", would_send(found.rows), len(found.rows))
    if error is not None or run is None:
        raise AirflowFailException(found.error) from error
    return run.tally.by_state()


def _findings(run: SubmitRun | None, error: Exception | None) -> Tried:
    said = ""
    if error is not None:
        text = str(error) if isinstance(error, OutreachError) else f"{type(error).__name__}: {error}"
        said = mask_text(text or type(error).__name__, _LONGEST)
    if run is None or run.watch is None:
        return Tried(error=said)
    left = run.tally.carried[RowState.PLANNED.value]
    return Tried(mask_text(run.source), tuple(run.watch.rows), left, tuple(run.tally.notes), said)
