"""What people give as leads that holds no rows, and what to give instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# By what it can be told that something is a frame or a table: of polars, of pyarrow, of pandas and those like it.
_FRAMES = {
    "to_dicts": "frame.to_dicts()",
    "to_pylist": "table.to_pylist()",
    "to_dict": 'frame.to_dict("records")',
}


def no_rows(leads: object) -> str | None:
    """What to give instead of something that holds no rows; None for what does. A frame holds columns."""
    for method, rows in _FRAMES.items():
        if hasattr(leads, method):
            return f"give its rows: {rows}"
    if isinstance(leads, Mapping):
        return "put brackets around it: a list of dicts"
    if isinstance(leads, Iterable) and not isinstance(leads, bytes | bytearray | memoryview):
        return None
    return "give a list of dicts, a path or URI of .csv or .jsonl files, or SqlLeads"
