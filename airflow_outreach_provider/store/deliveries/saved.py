"""What endpoints' answers told of contacts: their ids there, mostly. Goes with the contact's deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.store.deliveries.tables import saved_answers
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import insert_into

_C = saved_answers.c
_NOTED_EVERY = timedelta(hours=1)


def keep(store: Store, endpoint: str, lane: str, values: Mapping[str, Any]) -> None:
    """Remember these of a contact at an endpoint; what is known under the same names is replaced."""
    if not values:
        return

    def work(connection: sa.Connection) -> None:
        rows = [
            {
                "lane": lane, "endpoint": endpoint, "name": name, "value": json.dumps(value),
                "updated_at": store.now(connection),
            }
            for name, value in sorted(values.items())
        ]  # fmt: skip
        insert = insert_into(connection, saved_answers)
        new = {"value": insert.excluded.value, "updated_at": insert.excluded.updated_at}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["lane", "endpoint", "name"], set_=new), rows
        )

    store.retrying(work)


def of_contact(store: Store, endpoint: str, lane: str) -> dict[str, Any]:
    """What is known of a contact at an endpoint, by name."""
    return _read(store, endpoint, lane)[0]


def use(store: Store, endpoint: str, lane: str) -> dict[str, Any]:
    """The same for a request: what requests are made of is not old, or a contact would be made at the endpoint twice."""
    known, used_at = _read(store, endpoint, lane)
    if used_at is not None and used_at < (now := store.now()) - _NOTED_EVERY:
        mine = saved_answers.update().where(_C.lane == lane, _C.endpoint == endpoint)
        store.retrying(lambda connection: connection.execute(mine.values(updated_at=now)))
    return known


def _read(store: Store, endpoint: str, lane: str) -> tuple[dict[str, Any], datetime | None]:
    """:return: by name, and when the oldest of it was saved or used."""
    query = sa.select(_C.name, _C.value, _C.updated_at).where(_C.lane == lane, _C.endpoint == endpoint)
    known, times = {}, []
    with store.read() as connection:
        for name, value, used_at in connection.execute(query):
            times.append(used_at)
            with suppress(
                ValueError
            ):  # somebody who was named in it is forgotten, and it is no JSON any more
                known[name] = json.loads(value)
    return known, min(times, default=None)
