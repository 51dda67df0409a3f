"""Which connections of a type there are: in the metadata database and the environment.

Those of secrets backends cannot be listed. Nothing is read but types, so that one connection that cannot be
read hides no other.
"""

from __future__ import annotations

import json
import os

ENV_PREFIX = "AIRFLOW_CONN_"


def connection_names(conn_type: str) -> list[str]:
    """The ids of the connections of a type, sorted."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(Connection.conn_id).where(Connection.conn_type == conn_type)
        names = {str(name) for name in session.scalars(query)}
    for variable, value in os.environ.items():
        if variable.startswith(ENV_PREFIX) and _declared_type(value) == conn_type:
            names.add(variable.removeprefix(ENV_PREFIX).lower())
    return sorted(names)


def editable_names() -> set[str]:
    """The ids of all connections that Airflow's own form changes: kept in its database, and not hidden by the environment."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        names = {str(name) for name in session.scalars(select(Connection.conn_id))}
    return {name for name in names if f"{ENV_PREFIX}{name.upper()}" not in os.environ}


def _declared_type(value: str) -> str | None:
    """The type that an environment variable declares, as far as that can be read."""
    if not value.startswith("{"):
        return value.partition("://")[0].replace("-", "_").lower()
    try:
        declared = json.loads(value).get("conn_type")
    except ValueError:
        return None
    return declared if isinstance(declared, str) else None
