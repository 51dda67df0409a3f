"""Which stored event a body stands for that nothing but itself identifies, or a signature under an id nobody signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json

from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.schema import to_ms


def claim(connection: sa.Connection, incoming: Sequence[Incoming]) -> dict[str, str]:
    """Fingerprint → the id of the event it stands for: the new one, or one stored within the window, either way: the
    clock may have been ahead.

    A row's own lock decides between processes that got the same body at the same moment.
    """
    claims: dict[str, dict[str, Any]] = {}
    for each in incoming:
        for name, seconds in each.fingerprints.items():
            claim = {
                "fingerprint": name, "event_id": each.event.id,
                "seen_at": to_ms(each.event.received_at), "window_ms": seconds * 1000,
            }  # fmt: skip
            claims.setdefault(name, claim)
    if not claims:
        return {}
    # Always in the same order, so that two processes cannot wait for each other.
    rows = [claims[name] for name in sorted(claims)]
    postgres = connection.dialect.name == "postgresql"
    connection.execute(_POSTGRES_CLAIM if postgres else _SQLITE_CLAIM, {"rows": to_json(rows).decode()})
    found = connection.execute(_CLAIMED, {"fingerprints": list(claims)})
    return {row.fingerprint: row.event_id for row in found}


def move(connection: sa.Connection, moved: Mapping[str, str]) -> None:
    """These stand for another event from now on: fingerprint → its id."""
    if moved:
        connection.execute(_MOVE, [{"name": name, "to": event_id} for name, event_id in moved.items()])


def _field(name: str) -> str:
    return f"json_extract(value, '$.{name}')"


_CLAIM = """
INSERT INTO inbox_fingerprints (fingerprint, event_id, seen_at, window_ms)
SELECT {columns} WHERE true
ON CONFLICT (fingerprint) DO UPDATE
SET event_id = excluded.event_id, seen_at = excluded.seen_at, window_ms = excluded.window_ms
WHERE abs(excluded.seen_at - inbox_fingerprints.seen_at) >= excluded.window_ms
"""
_POSTGRES_CLAIM = sa.text(
    _CLAIM.format(
        columns="fingerprint, event_id, seen_at, window_ms FROM json_to_recordset(CAST(:rows AS json)) "
        "AS r(fingerprint text, event_id text, seen_at bigint, window_ms bigint)"
    )
)
_SQLITE_CLAIM = sa.text(
    _CLAIM.format(
        columns=", ".join(map(_field, ("fingerprint", "event_id", "seen_at", "window_ms")))
        + " FROM json_each(:rows)"
    )
)
_CLAIMED = sa.text(
    "SELECT fingerprint, event_id FROM inbox_fingerprints WHERE fingerprint IN :fingerprints"
).bindparams(sa.bindparam("fingerprints", expanding=True))
_MOVE = sa.text("UPDATE inbox_fingerprints SET event_id = :to WHERE fingerprint = :name")
