"""Exports: what changed since the last time is written, and only then the mark is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.exports import DataSet, Personal, as_shown
from airflow_outreach_provider.store import export_marks, exports
from airflow_outreach_provider.store.engine import Store


class RowSink(Protocol):
    """Where rows go, in groups. What it was given is kept when its context ends without an error."""

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None: ...


OpenSink = Callable[[DataSet, str], AbstractContextManager[RowSink]]
"""From the data set and the name of this part, the same whenever the same part is written again, to a place for rows."""


def export(
    store: Store,
    name: str,
    data: DataSet,
    open_sink: OpenSink,
    *,
    personal: Personal = Personal.MASKED,
    settled: timedelta = exports.SETTLED,
    retention: timedelta | None = None,
) -> int:
    """Write what changed since this export of this data set last did; how many rows.

    Whatever dies before the mark is moved, the same part is written again under the same name: a file is written over,
    a table may then hold rows twice, and the last of an ``id`` counts.

    :param name: of the export; each has marks of its own.
    :param settled: what changed later than this ago waits for the next time.
    :param retention: how long the store keeps leads and events; None for ever.
    :raises OutreachUnavailable: another run of this export was quicker.
    """
    before = after = export_marks.find(store, name, data)
    chunks = exports.changes(store, data, before, settled=settled, retention=retention)
    first = next(chunks, None)
    if first is None:
        return 0
    count = 0
    with open_sink(data, f"{data}-{before}") as sink:
        part: tuple[list[dict[str, Any]], Any] | None = first
        while part is not None:
            rows, after = part
            sink.write([as_shown(data, row, personal) for row in rows])
            count += len(rows)
            part = next(chunks, None)
    if not export_marks.move(store, name, data, before, after):
        raise OutreachUnavailable(f"export {name!r}: another run has written the same {data} meanwhile")
    return count
