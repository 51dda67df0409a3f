"""Deliveries put right by people: made pending again, purged, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.deliveries.attempts import again, listed
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, conditions
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts, saved_answers
from airflow_outreach_provider.store.engine import Store

_AT_ONCE = 1000


def redeliver(store: Store, wanted: DeliveryFilter) -> int:
    """Make deliveries pending again, with all their tries; how many.

    The next run of the route takes them, at the endpoint's rate. What is held stays held: enable the
    endpoint. What is open is on its way already.
    """
    ended = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)

    def work(connection: sa.Connection) -> int:
        return connection.execute(
            deliveries.update()
            .where(*conditions(wanted), deliveries.c.state.in_(ended))
            .values(**again(store.now(connection)), plan=None, plan_until=None, claim=None, claim_until=None)
        ).rowcount

    return store.retrying(work)


def purge(store: Store, before: datetime) -> int:
    """Delete deliveries that ended before this time, with their attempts and what was saved then; open and held ones stay."""
    old = saved_answers.delete().where(saved_answers.c.updated_at < before)
    store.retrying(lambda connection: connection.execute(old))
    ended = [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.IGNORED, DeliveryState.HANDED]
    return _delete(store, [deliveries.c.state.in_(ended), deliveries.c.updated_at < before])


def forget(store: Store, ids: Sequence[int]) -> int:
    """Delete these deliveries, with their attempts and all that was saved of their contacts; how many."""
    lanes = sa.select(deliveries.c.lane).where(deliveries.c.id.in_(listed(store, "int", ids)))
    known = saved_answers.delete().where(saved_answers.c.lane.in_(lanes))
    store.retrying(lambda connection: connection.execute(known))
    return _delete(store, [deliveries.c.id.in_(listed(store, "int", ids))])


def _delete(store: Store, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
    some = sa.select(deliveries.c.id).where(*conditions).limit(_AT_ONCE)

    def work(connection: sa.Connection) -> int:
        ids = list(connection.execute(some).scalars())
        connection.execute(delivery_attempts.delete().where(delivery_attempts.c.delivery_id.in_(ids)))
        connection.execute(deliveries.delete().where(deliveries.c.id.in_(ids)))
        return len(ids)

    return store.in_groups(work)
