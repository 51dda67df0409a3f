"""How far each export has come, moved only once what it stands for is written; and whose the plain names of a folder are."""

from __future__ import annotations

from datetime import datetime

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

export_places = sa.Table(
    "export_places",
    metadata,
    sa.Column("place", sa.Text, primary_key=True, comment="folder and ending of the files"),
    sa.Column("data", sa.Text, primary_key=True, comment="leads, events, deliveries, outcomes"),
    sa.Column("export", sa.Text, nullable=False, comment="the first that wrote there"),
    sa.Column("used_at", UtcTime, nullable=False),
)
_P = export_places.c


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


def first_there(store: Store, place: str, data: str, export: str) -> bool:
    """Whether this export is the first that writes a data set to a place: it becomes it where there is none."""

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        row = {"place": place, "data": data, "export": export, "used_at": now}
        connection.execute(insert_into(connection, export_places).values(row).on_conflict_do_nothing())
        mine = (_P.place == place, _P.data == data, _P.export == export)
        return connection.execute(sa.update(export_places).where(*mine).values(used_at=now)).rowcount == 1

    return store.retrying(work)


def purge_places(connection: sa.Connection, before: datetime) -> None:
    """Forget the places that nobody has written to since, as of a folder a day."""
    connection.execute(sa.delete(export_places).where(_P.used_at < before))
