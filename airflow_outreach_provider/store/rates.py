"""A send rate shared by all tasks of a connection, and the wait that the other side asked for."""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.core.retry_after import LONGEST_WAIT_SECONDS
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.one_trip import one_trip
from airflow_outreach_provider.store.schema import UtcTime, metadata, moment, to_ms

rates = sa.Table(
    "rates",
    metadata,
    # One row a connection: how many requests are spoken for until when, shared by all tasks.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("next_free_at", UtcTime, nullable=False, comment="the first moment not yet given out"),
    sa.Column("held_until", UtcTime, comment="nobody sends before that: one of the tasks was asked to wait"),
)


# Nobody asks for longer waits than that, and a queue of so many tasks makes none.
_LONGEST_MS, _MOST_TASKS = round(LONGEST_WAIT_SECONDS * 1000), 1000


def reserve(store: Store, key: str, size: int, seconds: float) -> float:
    """Take the next free stretch of ``seconds`` for ``size`` requests.

    :return: seconds from now until the stretch begins, by the store's clock.
    """

    span = round(seconds * 1000)

    def work(connection: sa.Connection) -> float:
        now = to_ms(store.now(connection))
        free_at = connection.execute(
            sa.text(
                "INSERT INTO rates (key, next_free_at) VALUES (:key, CAST(:now AS bigint) + :span) "
                "ON CONFLICT (key) DO UPDATE SET next_free_at = CASE WHEN rates.next_free_at BETWEEN :now AND :longest "
                "THEN rates.next_free_at ELSE CAST(:now AS bigint) END + :span RETURNING next_free_at"
            ),
            {"key": key, "now": now, "span": span, "longest": now + _LONGEST_MS + _MOST_TASKS * span},
        ).scalar_one()
        return max(0.0, (int(free_at) - span - now) / 1000)

    return store.retrying(work)


def hold(store: Store, key: str, seconds: float) -> None:
    """All who share the key send nothing for so long, by the store's clock; a shorter wait ends no longer one."""

    def work(connection: sa.Connection) -> None:
        now = to_ms(store.now(connection))
        connection.execute(
            sa.text(
                "INSERT INTO rates (key, next_free_at, held_until) VALUES (:key, :until, :until) "
                "ON CONFLICT (key) DO UPDATE SET "
                "next_free_at = CASE WHEN rates.next_free_at > :until THEN rates.next_free_at ELSE :until END, "
                "held_until = CASE WHEN rates.held_until BETWEEN :until AND :longest THEN rates.held_until ELSE :until END"
            ),
            {"key": key, "until": now + round(seconds * 1000), "longest": now + _LONGEST_MS},
        )

    store.retrying(work)


def held(store: Store, key: str) -> float:
    """Seconds until those who share the key may send; 0 where nobody asks them to wait."""
    left = sa.text(
        f"SELECT held_until - {moment(store.dialect)} FROM rates WHERE key = :key AND held_until IS NOT NULL"
    )
    with store.read() as connection:
        [rows] = one_trip(store, connection, (left, {"key": key, "now": store.moment()}))
    wait = int(rows[0][0]) if rows else 0
    return wait / 1000 if 0 < wait <= _LONGEST_MS else 0.0
