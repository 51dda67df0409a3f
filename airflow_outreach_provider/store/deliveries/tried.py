"""Deliveries by when they were tried: listed by their latest attempt in that time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.paging import Condition, Page, Scan
from airflow_outreach_provider.store.schema import UtcTime

_A = delivery_attempts.c
_SCAN = Scan(delivery_attempts, [_A.at, _A.id], [_A.at, _A.id, _A.delivery_id, _A.verdict])


def within(c: Any, since: datetime | None, until: datetime | None, failed: bool | None) -> list[Any]:
    """The conditions that an attempt is of that time and came out so. :param c: columns of ``delivery_attempts``."""
    return [
        *([c.at >= sa.literal(since, UtcTime)] if since is not None else []),
        *([c.at < sa.literal(until, UtcTime)] if until is not None else []),
        *([c.verdict == DeliveryVerdict.DELIVERED.value] if failed is False else []),
        # Spelt as in the partial index.
        *([c.verdict != sa.literal_column("'delivered'")] if failed else []),
    ]


def was_tried(since: datetime | None, until: datetime | None, failed: bool | None) -> Condition:
    """The condition that a delivery has such an attempt."""
    ids = sa.select(_A.delivery_id).where(*within(_A, since, until, failed))
    return lambda c: c.id.in_(ids)


def page_of_ids(
    connection: sa.Connection,
    since: datetime | None,
    until: datetime | None,
    failed: bool | None,
    conditions: Sequence[Condition],
    *,
    cursor: str | None,
    limit: int,
    oldest: bool = False,
) -> Page[int]:
    """The deliveries with such an attempt, by the latest of them: the latest tried first, or the oldest.

    :param conditions: what else is to hold of the delivery.
    """
    other = delivery_attempts.alias()
    whole = deliveries.alias()

    def is_latest(c: Any) -> sa.ColumnElement[bool]:
        later = (other.c.delivery_id == c.delivery_id, other.c.id > c.id)
        return ~sa.exists().where(*later, *within(other.c, since, until, failed))

    def is_meant(c: Any) -> sa.ColumnElement[bool]:
        return sa.exists().where(whole.c.id == c.delivery_id, *(each(whole.c) for each in conditions))

    residual = [is_latest, *([is_meant] if conditions else [])]
    branch = within(_A, since, until, failed)
    page = _SCAN.page(
        connection, branches=[branch], residual=residual, cursor=cursor, limit=limit, oldest=oldest
    )
    return Page([int(row.delivery_id) for row in page.rows], page.next, page.cut)
