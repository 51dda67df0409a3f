"""``incremental: updated_at``: only rows from where the last run came to, and where this one comes to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from airflow_outreach_provider.core.marks import MarkKind, MarkValue, Odd, read_cell
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import watermarks

_LINES = 3
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_NOT_TOLD_APART = (
    "all rows are read, though incremental is set: nothing tells the lists of mapped tasks from one another from run to run, "
    "so a mark could pass over another list's people; map over files or queries"
)
_MEND = {
    Odd.NO_TIME: "write times in ISO 8601, or numbers",
    Odd.OTHER_KIND: "write all of them one way",
    Odd.TO_COME: "correct it, or wait until it has come",
}


class RunOfMark(Protocol):
    """What is needed of a run to find its mark, and to keep it.

    :ivar reader: whose it is, as :func:`reader_of` has it; None where it has none.
    """

    store: Store
    reader: str | None
    campaign: str
    options: SubmitOptions
    mark: Watermark
    tally: Tally


class Watermark:
    """The largest value of a column over the rows that were accounted for.

    A row with the very value of the mark is read again, because another may have come with it since; the ledger knows whom it
    texted. A row without a value is always read, and moves nothing. Nor does one whose value cannot be compared with the mark,
    or is a time that is still to come: it would stop all that come until then.

    :param column: None where every row is taken. :param since: where the last run that ended well came to; None for the first.
    :param now: timezone-aware. :param dropped: whether there is a mark that no row can be compared with, so that all are read.
    """

    def __init__(
        self,
        column: str | None = None,
        since: MarkValue | None = None,
        now: datetime = _BEFORE_ALL,
        *,
        dropped: bool = False,
    ) -> None:
        self.column, self.since, self._now, self._dropped = column, since, now, dropped
        self._reached: dict[MarkKind, MarkValue] = {}
        self._found = Counter[MarkKind]()
        self._odd: dict[Odd, list[int]] = {}
        self._odd_count = Counter[Odd]()
        self._older = self._taken = 0

    def takes(self, row: Row) -> bool:
        """Whether a row is not older than the mark; it then moves the mark of the run."""
        if self.column is None:
            return True
        taken = self._is_new(row, self.column)
        self._taken += taken
        self._older += not taken
        return taken

    def _is_new(self, row: Row, column: str) -> bool:
        mark, moves, odd = read_cell(row.values.get(column), self._now)
        since = self.since
        if mark is not None and since is not None:
            if mark.kind is not since.kind:
                moves, odd = False, Odd.OTHER_KIND
            elif mark < since:
                return False
        if odd is not None:
            self._note(odd, row)
        elif mark is not None and moves:
            self._move(mark)
        return True

    def _move(self, mark: MarkValue) -> None:
        kind = mark.kind
        self._found[kind] += 1
        if kind not in self._reached or self._reached[kind] < mark:
            self._reached[kind] = mark

    def _note(self, odd: Odd, row: Row) -> None:
        self._odd_count[odd] += 1
        lines = self._odd.setdefault(odd, [])
        if len(lines) < _LINES:
            lines.append(row.number)

    @property
    def reached(self) -> MarkValue | None:
        """Where the run came to: of a first one what most of its values are, times where that is a draw."""
        if not self._found:
            return self.since
        kind = max(self._found, key=lambda each: (self._found[each], each))
        return self._reached[kind]

    @property
    def notes(self) -> Iterator[str]:
        """What a person should know of it."""
        if self._dropped:
            yield (
                f"incremental: all rows were read, for the last run's mark of {self.column!r} is no time that has been, nor a number"
            )
        if self._older and not self._taken:  # a source that goes on still has the row that set the mark
            yield (
                f"incremental: all {self._older:,} rows are older than {self.since}, where the last run came to, and nobody of "
                "them was looked at; to read a source of its own for each date, as in a backfill, leave incremental out"
            )
        for odd, lines in self._odd.items():
            yield self._said(odd, self._odd_count[odd], lines)
        if (
            self.since is None and len(self._found) > 1
        ):  # those of the other kind are read by the next run too
            yield self._said(Odd.OTHER_KIND, min(self._found.values()), [])

    def _said(self, odd: Odd, count: int, lines: list[int]) -> str:
        where = f" (line {', '.join(map(str, lines))}{', …' if count > len(lines) else ''})" if lines else ""
        rows = f"{count:,} {'row' if count == 1 else 'rows'}"
        return (
            f"incremental: {self.column!r} {odd.value} in {rows}{where}; every run reads them, and no mark is set by them: "
            f"{_MEND[odd]}"
        )


def reader_of(owner: Owner, key: str, *, of_task: bool = False) -> str | None:
    """Whose mark it is: the DAG's, or of each of several tasks its own; of each of several mapped ones its own, and only of the
    source it reads.

    What is old in one source is news in another. Where the list of mapped ones changes, whoever reads another source now reads
    all of it; and so does each of mapped ones every time whose source nothing tells from others: None.

    :param key: of the source; it may hold anything, and is kept as its hash.
    :param of_task: other tasks of the DAG read other leads for the campaign.
    """
    if owner.map_index >= 0:
        told = [
            owner.dag_id,
            owner.task_id,
            owner.map_index,
            sha256(key.encode("utf-8", "replace")).hexdigest(),
        ]
        return json.dumps(told) if key else None
    return json.dumps([owner.dag_id, owner.task_id]) if of_task else owner.dag_id


def find_mark(run: RunOfMark, now: datetime) -> Watermark:
    """The mark as the store has it. Blocks on the store where the run is incremental."""
    column = run.options.incremental
    if column is None:
        return Watermark()
    if run.reader is None:
        run.tally.notes += (_NOT_TOLD_APART,)
        return Watermark()
    said = watermarks.find(run.store, run.reader, run.campaign, column)
    since = None if said is None else MarkValue.read(said, now)
    return Watermark(column, since, now, dropped=said is not None and since is None)


def keep_mark(run: RunOfMark) -> None:
    """Write down where a run came to that accounted for all of its rows, and what was odd about them.

    One that only looked, or was to read a part, has not: it moves nothing. Blocks on the store.
    """
    mark, options = run.mark, run.options
    run.tally.notes += mark.notes
    if mark.column is None or run.reader is None or options.dry_run or options.max_rows is not None:
        return
    reached = mark.reached
    if reached is not None and reached != mark.since:
        watermarks.put(run.store, run.reader, run.campaign, mark.column, str(reached))
