"""What the store forgets with age, over ledger, inbox and deliveries."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.store import audit, export_marks
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import housekeeping as inbox_housekeeping
from airflow_outreach_provider.store.inbox.order import number_events
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger import housekeeping as ledger_housekeeping
from airflow_outreach_provider.store.ledger import trials

_TO_BE_SENT = (*OPEN_STATES, DeliveryState.HELD, DeliveryState.DEAD)


ABANDONED_AFTER = timedelta(days=30)
"""A consumer that has not looked for so long is given up: it keeps nobody's data any more."""


def purge(store: Store, before: datetime, abandoned_after: timedelta = ABANDONED_AFTER) -> dict[str, int]:
    """Remove what is settled and older than a time; who was texted and the do-not-contact list stay known.

    :return: rows by where.
    """
    store.retrying(lambda connection: trials.expire(connection, store.now(connection)))
    store.retrying(lambda connection: export_marks.purge_places(connection, before))
    return {
        **ledger_housekeeping.purge_leads(store, before),
        "audit removed": audit.purge(store, before),
        "deliveries removed": deliveries_redeliver.purge(store, before),
        "events removed": purge_events(store, received_before=before, abandoned_after=abandoned_after),
    }


def purge_events(
    store: Store, *, received_before: datetime, abandoned_after: timedelta = ABANDONED_AFTER
) -> int:
    """Remove events received before a time that nobody needs any more, in small transactions; how many.

    Needed are those that a consumer can read and has not, or has not acknowledged, and those of a delivery that is
    open, held or dead: it may still be sent. A consumer that has not looked for ``abandoned_after`` needs nothing.
    """
    number_events(store)
    old, row_id = inbox_events.c.received_at < received_before, inbox_events.c.row_id
    with store.read() as connection:
        last = connection.execute(sa.select(sa.func.max(row_id)).where(old)).scalar() or 0
    total = inbox_housekeeping.remove_events(store, old, row_id <= last, ~_needed(store, abandoned_after))
    inbox_housekeeping.purge_fingerprints(store, received_before)
    return total


def needed_events(
    store: Store, *, received_before: datetime, abandoned_after: timedelta = ABANDONED_AFTER
) -> int:
    """How many events :func:`purge_events` leaves because somebody still needs them."""
    needed = _needed(store, abandoned_after)
    query = sa.select(sa.func.count()).where(inbox_events.c.received_at < received_before, needed)
    with store.read() as connection:
        return connection.execute(query).scalar_one()


def _needed(store: Store, abandoned_after: timedelta) -> sa.ColumnElement[bool]:
    unsent = sa.exists().where(
        deliveries.c.event_id == inbox_events.c.event_id, deliveries.c.state.in_(_TO_BE_SENT)
    )
    return sa.or_(inbox_housekeeping.unread_or_unacknowledged(store.now() - abandoned_after), unsent)
