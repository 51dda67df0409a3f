"""How far each export has come: moved only once what it stands for is written."""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.core.exports import Mark
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import UtcTime, insert_into, metadata

export_marks = sa.Table(
    "export_marks",
    metadata,
    sa.Column("export", sa.Text, primary_key=True),
    sa.Column("data", sa.Text, primary_key=True, comment="leads, events, deliveries, outcomes"),
    sa.Column("reached_ms", sa.BigInteger, nullable=False, comment="changes up to this time are written"),
    sa.Column("reached_id", sa.BigInteger, nullable=False, comment="and of this time up to this row"),
    sa.Column("moved_at", UtcTime, nullable=False),
)
_C = export_marks.c


def find(store: Store, export: str, data: str) -> Mark:
    """How far an export of a data set has come; the beginning for one that never ran."""
    query = sa.select(_C.reached_ms, _C.reached_id).where(_C.export == export, _C.data == data)
    with store.read() as connection:
        row = connection.execute(query).first()
    return Mark(*row) if row is not None else Mark()


def move(store: Store, export: str, data: str, before: Mark, after: Mark) -> bool:
    """From where it was to where it is; False when somebody else has moved it meanwhile."""

    def work(connection: sa.Connection) -> bool:
        start = {
            "export": export,
            "data": data,
            "reached_ms": 0,
            "reached_id": 0,
            "moved_at": store.now(connection),
        }
        connection.execute(insert_into(connection, export_marks).values(start).on_conflict_do_nothing())
        moved = connection.execute(
            sa.update(export_marks)
            .where(
                _C.export == export, _C.data == data, _C.reached_ms == before.ms, _C.reached_id == before.id
            )
            .values(reached_ms=after.ms, reached_id=after.id, moved_at=store.now(connection))
        )
        return moved.rowcount == 1

    return store.retrying(work)
