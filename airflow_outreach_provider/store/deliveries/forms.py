"""How events became requests: the forms that attempts were made by, each once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.deliveries.tables import request_forms
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import insert_into

_C = request_forms.c
# Written no more often than this: every task of a route says it.
_SEEN_AGAIN = timedelta(days=1)


def keep(store: Store, key: str, form: str) -> None:
    """Remember a form that requests are about to be made by."""

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        insert = insert_into(connection, request_forms)
        connection.execute(
            insert.on_conflict_do_update(index_elements=["key"], set_={"seen_at": now}),
            [{"key": key, "form": form, "seen_at": now}],
        )

    with store.read() as connection:
        seen_at = connection.execute(sa.select(_C.seen_at).where(_C.key == key)).scalar()
    if seen_at is None or store.now() - seen_at > _SEEN_AGAIN:
        store.retrying(work)


def find(store: Store, keys: Collection[str]) -> dict[str, str]:
    """Those of these forms that are known."""
    with store.read() as connection:
        rows = connection.execute(sa.select(_C.key, _C.form).where(_C.key.in_(sorted(keys))))
        return {str(row.key): str(row.form) for row in rows}


def purge(store: Store, before: datetime) -> None:
    """Forget the forms by which nothing was made since this time."""
    old = request_forms.delete().where(_C.seen_at < before - _SEEN_AGAIN)
    store.retrying(lambda connection: connection.execute(old))
