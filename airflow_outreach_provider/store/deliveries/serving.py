"""Which task goes on serving a route with what comes in: at most one, and only while it says so again and again."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries.tables import deliveries, served_routes
from airflow_outreach_provider.store.deliveries.waiting import free_and_untried, is_overdue, is_serving, look
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import insert_into

_LOOKED_THROUGH = 32


def serve(store: Store, route: str, owner: Owner, stay: timedelta) -> bool:
    """Serve the route for so long, or longer; False while another task does."""

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        mine = {"owner": owner.key, "until": now + stay}
        insert = insert_into(connection, served_routes).values(route=route, **mine)
        nobody = sa.or_(served_routes.c.owner == owner.key, ~is_serving(now))
        taken = insert.on_conflict_do_update(index_elements=["route"], set_=mine, where=nobody)
        # Not by rowcount: of an insertion PostgreSQL's driver tells none.
        return connection.execute(taken.returning(served_routes.c.route)).first() is not None

    return store.retrying(work)


def by_another(store: Store, route: str, owner: Owner) -> bool:
    """Whether another task serves it now, or did so last and has not left: it handed over, or is dead."""
    with store.read() as connection:
        query = sa.select(served_routes.c.owner).where(served_routes.c.route == route)
        return connection.execute(query).scalar() not in {None, owner.key}


def leave(store: Store, route: str, owner: Owner) -> None:
    """No longer serve it."""
    mine = served_routes.c.route == route, served_routes.c.owner == owner.key
    store.retrying(lambda connection: connection.execute(sa.delete(served_routes).where(*mine)))


def free_contacts(store: Store, route: str, most: int) -> int:
    """How many contacts' deliveries wait that nobody has and that never failed, counted up to ``most``.

    Looked for among the oldest: where a few contacts have all of these, it is no stream.
    """
    with store.read() as connection:
        oldest = free_and_untried(
            look(store, connection), route, deliveries.c.lane, limit=_LOOKED_THROUGH * most
        )
        return min(most, len(set(connection.execute(oldest).scalars())))


def is_left_lying(store: Store, route: str, left: timedelta) -> bool:
    """Whether tasks that were handed something do not begin: less than ``left`` of the plan is left, and nobody is at it."""
    with store.read() as connection:
        return is_overdue(look(store, connection), connection, route, left)
