"""How far a sync has read its source, by DAG (of a mapped task: by task, index and the hash of its source) and campaign."""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store

_FIND = sa.text(
    'SELECT value FROM watermarks WHERE dag_id = :dag_id AND campaign = :campaign AND "column" = :column'
)
_PUT = sa.text(
    'INSERT INTO watermarks (dag_id, campaign, "column", value, updated_at) '
    "VALUES (:dag_id, :campaign, :column, :value, :now) "
    'ON CONFLICT (dag_id, campaign, "column") DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at'
)


def find(store: Store, dag_id: str, campaign: str, column: str) -> str | None:
    """Where the last run came to; None where none ended well."""
    with store.read() as connection:
        found = connection.execute(_FIND, {"dag_id": dag_id, "campaign": campaign, "column": column}).scalar()
        return None if found is None else str(found)


def put(store: Store, dag_id: str, campaign: str, column: str, value: str) -> None:
    """Where this one came to."""
    named = {"dag_id": dag_id, "campaign": campaign, "column": column, "value": value}
    store.retrying(
        lambda connection: connection.execute(_PUT, {**named, "now": store.now_ms_value(connection)})
    )
