"""What a dry run makes of each row, in the order in which they were read: for *Try it*."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_outreach_provider.core.row_trials import TriedRow
from airflow_outreach_provider.core.rules import Draft
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.rows.row import Row


class RowWatch:
    """Told of the rows of a chunk as they are decided on. :ivar rows: all of the chunks that were settled."""

    def __init__(self) -> None:
        self.rows: list[TriedRow] = []
        self._told: list[tuple[Row, TriedRow]] = []

    def tell(
        self, row: Row, state: RowState, reason: str, draft: Draft | None = None, detail: str = ""
    ) -> None:
        """A row is decided on. :param draft: what was made of it; None where nothing was."""
        if draft is None:
            tried = TriedRow(row.number, state, reason, detail, row.values)
        else:
            waits = draft.not_before if state is RowState.DEFERRED else None
            sent_some_time = state in (RowState.PLANNED, RowState.DEFERRED)
            tried = TriedRow(
                row.number, state, reason, detail or (draft.detail if reason == draft.reason else ""), row.values,
                draft.phone, draft.payload if sent_some_time else "",
                waits.isoformat(timespec="minutes") if waits is not None else "",
            )  # fmt: skip
        self._told.append((row, tried))

    def settle(self, chunk: Sequence[Row]) -> None:
        """All rows of a chunk are decided on."""
        places = {id(row): place for place, row in enumerate(chunk)}
        self.rows += [tried for _, tried in sorted(self._told, key=lambda told: places[id(told[0])])]
        self._told.clear()
