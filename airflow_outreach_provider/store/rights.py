"""What the store's user may do there, asked of the database itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.faults import STANDBY
from airflow_outreach_provider.store.tables import metadata

_NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Rights:
    """:ivar missing: what is needed every day and is not there, e.g. ``INSERT on leads``.

    :ivar may_upgrade: whether its tables can be created and changed.
    """

    missing: list[str]
    may_upgrade: bool


def file_of(store: Store) -> Path | None:
    """The SQLite file, there or not; None on a server."""
    return Path(str(store.url.database)) if store.dialect == "sqlite" else None


def rights(store: Store) -> Rights:
    """Read the rights, and try a write that is taken back.

    :raises StoreError: not even that can be asked, or nobody may write there.
    """
    file = file_of(store)
    if file is not None:
        places = [file, file.resolve().parent]
        missing = [f"writing to {place}" for place in places if not os.access(place, os.R_OK | os.W_OK)]
        if not missing:
            _write_nothing(store)
        return Rights(missing, not missing)
    with store.read() as connection:
        if connection.execute(sa.text("SELECT current_setting('transaction_read_only')")).scalar() == "on":
            raise StoreError(f"{store} may only be read — {STANDBY}")
        tables = [name for name in metadata.tables if sa.inspect(connection).has_table(name)]
        missing = [
            f"{right} on {name}"
            for name in tables
            for right in _NEEDED
            if not _may(connection, "has_table_privilege(:name, :right)", name=name, right=right)
        ]
        creates = _may(connection, "has_schema_privilege(current_schema(), 'CREATE')")
        owns = all(
            _may(
                connection,
                "pg_has_role((SELECT relowner FROM pg_class WHERE oid = CAST(:name AS regclass)), 'USAGE')",
                name=name,
            )
            for name in tables
        )
    return Rights(missing, creates and owns)


def may_upgrade(store: Store) -> bool:
    """Whether its user may create it, or create and change its tables.

    :raises StoreError: not even that can be asked.
    """
    file = file_of(store)
    if file is None or file.exists():
        return rights(store).may_upgrade
    return os.access(Path(os.path.realpath(file)).parent, os.R_OK | os.W_OK | os.X_OK)


def _may(connection: sa.Connection, question: str, **names: str) -> bool:
    return bool(connection.execute(sa.text(f"SELECT {question}"), names).scalar())


def _write_nothing(store: Store) -> None:
    with store.write():  # takes the lock that every writing takes
        pass
