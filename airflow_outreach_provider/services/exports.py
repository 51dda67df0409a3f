"""Exports: what changed since the last time is written, and only then the mark is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.exports import DataSet, Personal, as_shown, part_name
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
    place: str | None = None,
) -> int:
    """Write what changed since this export of this data set last did; how many rows.

    Whatever dies before the mark is moved, the same part is written again under the same name: a file is written over,
    a table may then hold rows twice, and the last of an ``id`` counts.

    :param name: of the export; each has marks of its own.
    :param settled: what changed later than this ago waits for the next time.
    :param retention: how long the store keeps leads and events; None for ever.
    :param place: where its parts are files, beside those of whichever export writes there too: of several each has names
        of its own, and the plain ones are of the first.
    :raises OutreachUnavailable: another run of this export was quicker.
    """
    before = after = export_marks.find(store, name, data)
    chunks = exports.changes(store, data, before, settled=settled, retention=retention)
    first = next(chunks, None)
    if first is None:
        return 0
    count = 0
    first_there = place is None or export_marks.first_there(store, place, data, name)
    with open_sink(data, part_name(data, before, "" if first_there else name)) as sink:
        part: tuple[list[dict[str, Any]], Any] | None = first
        while part is not None:
            rows, after = part
            sink.write([as_shown(data, row, personal) for row in rows])
            count += len(rows)
            part = next(chunks, None)
        if export_marks.find(store, name, data) != before:
            raise _overtaken(name, data)  # or its file would be written over with an older one
    if not export_marks.move(store, name, data, before, after):
        raise _overtaken(name, data)
    return count


def _overtaken(name: str, data: DataSet) -> OutreachUnavailable:
    return OutreachUnavailable(f"export {name!r}: another run has written the same {data} meanwhile")
