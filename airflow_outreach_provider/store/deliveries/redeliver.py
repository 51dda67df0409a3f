"""Deliveries put right by people: made pending again, purged, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.by_index import in_passing
from airflow_outreach_provider.store.deliveries import forms
from airflow_outreach_provider.store.deliveries.attempts import again, is_open, listed, unclaimed
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, conditions
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts, saved_answers
from airflow_outreach_provider.store.engine import Store

_AT_ONCE = 1000


def redeliver(store: Store, wanted: DeliveryFilter, resend: int | None = None) -> int:
    """Make deliveries pending again, with all their tries; how many.

    :param resend: the audit row of the action: who asked for it can follow it, and take it back.

    The next run of the route takes them, at the endpoint's rate. What is held stays held: enable the
    endpoint. What is open is on its way already.
    """
    ended = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)

    def work(connection: sa.Connection) -> int:
        return connection.execute(
            deliveries.update()
            .where(*conditions(wanted), deliveries.c.state.in_(ended))
            .values(
                **again(store.now(connection)), plan=None, plan_until=None, claim=None, claim_until=None,
                resend=resend, resent_from=deliveries.c.state,
            )
        ).rowcount  # fmt: skip

    return store.retrying(work)


def cancel(store: Store, resend: int) -> int:
    """Take back what was sent again and is still to be done, and at which no task is now; how many.

    It is as before: dead, or delivered.
    """

    def work(connection: sa.Connection) -> int:
        now = store.now(connection)
        mine = (deliveries.c.resend == resend, is_open(), unclaimed(now))
        back = sa.func.coalesce(deliveries.c.resent_from, DeliveryState.DEAD.value)
        values = {"due_at": None, "plan": None, "plan_until": None, "updated_at": now}
        return connection.execute(deliveries.update().where(*mine).values(state=back, **values)).rowcount

    return store.retrying(work)


def cancellable(store: Store, resend: int) -> int:
    """How many :func:`cancel` would take back."""
    query = sa.select(sa.func.count()).select_from(deliveries)
    with store.read() as connection:
        mine = (deliveries.c.resend == resend, is_open(), unclaimed(store.now(connection)))
        return int(connection.execute(query.where(*mine)).scalar_one())


def purge(store: Store, before: datetime) -> int:
    """Delete deliveries that ended before this time, with their attempts and what was saved then; open and held ones stay."""
    old = saved_answers.delete().where(saved_answers.c.updated_at < before)
    store.retrying(lambda connection: connection.execute(old))
    forms.purge(store, before)
    ended = [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.IGNORED, DeliveryState.HANDED]
    return _delete(store, [deliveries.c.state.in_(ended), deliveries.c.updated_at < before])


def forget(store: Store, ids: Sequence[int]) -> int:
    """Delete these deliveries, with their attempts and all that was saved of their contacts; how many."""
    lanes = sa.select(deliveries.c.lane).where(deliveries.c.id.in_(listed(store, "int", ids)))
    known = saved_answers.delete().where(saved_answers.c.lane.in_(lanes))
    store.retrying(lambda connection: connection.execute(known))
    return _delete(store, [deliveries.c.id.in_(listed(store, "int", ids))])


def _delete(store: Store, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
    c = deliveries.c

    def some(after: int) -> sa.Select[Any]:
        return sa.select(c.id).where(c.id > after, *conditions).order_by(c.id).limit(_AT_ONCE)

    def work(ids: Sequence[int], connection: sa.Connection) -> int:
        gone = deliveries.delete().where(c.id.in_(ids), *conditions).returning(c.id)
        removed = list(connection.execute(gone).scalars())
        connection.execute(delivery_attempts.delete().where(delivery_attempts.c.delivery_id.in_(removed)))
        return len(removed)

    return in_passing(store, some, work)
