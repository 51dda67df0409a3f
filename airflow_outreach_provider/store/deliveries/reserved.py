"""Plans that keep deliveries for tasks which have not begun or wait for a retry; and the end of such a plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import OPEN_STATES
from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.deliveries.attempts import is_in, unclaimed
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.deliveries.waiting import open_routes
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import to_ms

_MOMENT = timedelta(milliseconds=1)
# Of a route so many are looked at, first those that run out first.
_MOST = 300
_OPEN = "route = :route AND state IN ('pending', 'failed') AND plan_until IS NOT NULL"
# Not MIN: of few rows, as it believes, PostgreSQL would read all.
_NEXT = f"SELECT plan_until FROM deliveries WHERE {_OPEN} AND plan_until {{}} ORDER BY plan_until LIMIT 1"
# Whatever got its time together is of one plan and in the same hands, so one of them is looked at, however many they are.
_RESERVING = sa.text(
    f"WITH RECURSIVE hop(until) AS (SELECT ({_NEXT.format('>= :now')}) "
    f"UNION ALL SELECT ({_NEXT.format('> hop.until')}) FROM hop WHERE hop.until IS NOT NULL), "
    "step AS (SELECT until FROM hop WHERE until IS NOT NULL LIMIT :most) "
    "SELECT (SELECT CASE WHEN claim_until IS NULL OR claim_until < :now THEN plan END FROM deliveries "
    # The first from there on has that time. In its order, or any index of the route would do, for one row.
    f"WHERE {_OPEN} AND plan_until >= step.until ORDER BY plan_until LIMIT 1) FROM step WHERE NOT until BETWEEN :since AND :upto"
)


def reserving(store: Store, routes: Collection[str] | None, *, lease: timedelta, age: timedelta) -> list[str]:
    """Keys of plans that keep open deliveries which no task is at; what it costs depends on how many those are.

    :param routes: of these routes; None for all.
    :param lease, age: not those that were made, for so long a ``lease``, within the last ``age``: tasks are on their way.
    """
    with store.read() as connection:
        walk(connection)
        now = store.now(connection)
        times = {"now": to_ms(now), "since": to_ms(now + lease - age), "upto": to_ms(now + lease)}
        found: set[str | None] = set()
        for route in open_routes(connection) if routes is None else routes:
            asked = {"route": route, "most": _MOST, **times}
            found.update(connection.execute(_RESERVING, asked).scalars())
        return sorted(each for each in found if each is not None)


def end(store: Store, keys: Sequence[str]) -> int:
    """These plans keep nothing more that no task is at, as if they had run out now: their own tasks, cleared, may still
    take what nobody has taken by then.

    What a task is at keeps its lease.

    :return: how many deliveries are free by that.
    """

    def work(connection: sa.Connection) -> int:
        now = store.now(connection)
        idle = (is_in(*OPEN_STATES), deliveries.c.plan_until >= now, unclaimed(now))
        freed = deliveries.update().where(*idle).values(plan_until=now - _MOMENT, due_at=None)
        # One by one: of a list it would be believed that it holds most of the table.
        return sum(connection.execute(freed.where(deliveries.c.plan == key)).rowcount for key in keys)

    return store.retrying(work) if keys else 0
