"""``incremental: updated_at``: only rows from where the last run came to, and where this one comes to."""

from __future__ import annotations

from typing import Protocol

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.row_order import Comparable, comparable
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import watermarks


class RunOfMark(Protocol):
    """What is needed of a run to keep its mark."""

    store: Store
    owner: Owner
    campaign: str
    options: SubmitOptions
    mark: Watermark


class Watermark:
    """The largest value of a column over the rows that were accounted for.

    A row with the very value of the mark is read again, because another may have come with it since; the ledger knows whom it
    texted. A row without a value is always read, and moves nothing.

    :param column: None where every row is taken. :param since: where the last run that ended well came to; None for the first.
    """

    def __init__(self, column: str | None = None, since: Comparable | None = None) -> None:
        self.column, self.since = column, since
        self.reached = since

    def takes(self, row: Row) -> bool:
        """Whether a row is not older than the mark; it then moves the mark of the run."""
        if self.column is None:
            return True
        found = comparable(row.values.get(self.column))
        if found.empty:
            return True
        if self.since is not None and found < self.since:
            return False
        if self.reached is None or self.reached < found:
            self.reached = found
        return True


def find_mark(store: Store, dag_id: str, campaign: str, options: SubmitOptions) -> Watermark:
    """The mark as the store has it. Blocks on the store where the run is incremental."""
    column = options.incremental
    if column is None:
        return Watermark()
    said = watermarks.find(store, dag_id, campaign, column)
    return Watermark(column, None if said is None else Comparable.read(said))


def keep_mark(run: RunOfMark) -> None:
    """Write down where a run came to that accounted for all of its rows.

    One that only looked, or was to read a part, has not: it moves nothing. Blocks on the store.
    """
    mark, options = run.mark, run.options
    if mark.column is None or options.dry_run or options.max_rows is not None:
        return
    if mark.reached is not None and mark.reached != mark.since:
        watermarks.put(run.store, run.owner.dag_id, run.campaign, mark.column, str(mark.reached))
