"""What deliveries taught us about an endpoint: its last answer, its failures in a row, whether it is disabled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.deliveries.attempts import again, listed
from airflow_outreach_provider.store.deliveries.tables import deliveries, endpoints
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import UtcTime, to_ms

BY_CONNECTION = "connection"
"""Who disabled an endpoint whose connection says ``enabled: false``."""
AWAKE: dict[str, object] = {
    "resting_since": None, "rest_until": None, "rest_reason": "", "rests": 0, "asked_until": None
}  # fmt: skip
_ENABLED = {
    "disabled_at": None, "disabled_reason": "", "disabled_by": "", "failures": 0, "failing_since": None, **AWAKE
}  # fmt: skip


class Release(StrEnum):
    """What happens with held deliveries when an endpoint is enabled."""

    ALL = "all"
    LATEST = "latest"
    """The last of each contact on each route; the others are dead, and can still be redelivered."""
    NONE = "none"


class Released(NamedTuple):
    """What became of held deliveries: so many are ``sent`` by the next run, so many are dead (``dropped``)."""

    sent: int
    dropped: int


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """The row of one endpoint; times are UTC."""

    conn_id: str
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    disabled_by: str = ""
    failures: int = 0
    failing_since: datetime | None = None
    last_at: datetime | None = None
    last_status: int | None = None
    last_error: str = ""
    last_success_at: datetime | None = None
    resting_since: datetime | None = None
    rest_until: datetime | None = None
    rest_reason: str = ""
    rests: int = 0
    asked_until: datetime | None = None
    recovered_at: datetime | None = None


def status(store: Store, conn_id: str) -> EndpointStatus:
    """What is known of an endpoint; one never delivered to has an empty status."""
    with store.read() as connection:
        row = connection.execute(sa.select(endpoints).where(endpoints.c.conn_id == conn_id)).first()
    return EndpointStatus(*row) if row else EndpointStatus(conn_id)


def statuses(store: Store) -> list[EndpointStatus]:
    """Every endpoint that was ever delivered to or disabled, by name."""
    with store.read() as connection:
        rows = connection.execute(sa.select(endpoints).order_by(endpoints.c.conn_id))
        return [EndpointStatus(*row) for row in rows]


def note(
    store: Store,
    conn_id: str,
    *,
    at: datetime,
    status: int | None,
    error: str,
    failed_in_a_row: int,
    failing_from: datetime | None,
    succeeded: bool,
) -> EndpointStatus:
    """Add a group of attempts to what is known.

    :param at: the last attempt; :param status: its HTTP status; :param error: empty when it was delivered.
    :param failed_in_a_row: failures at the end of the group; :param failing_from: the first of them.
    :param succeeded: whether any attempt of the group was delivered.
    """

    def work(connection: sa.Connection) -> EndpointStatus:
        ensure(connection, conn_id)
        values: dict[str, object] = {"last_at": at, "last_status": status, "last_error": error}
        if succeeded:
            values |= {"last_success_at": at, "failures": failed_in_a_row}
            # An answer to what was under way when a rest began does not end the outage: the asking does.
            first = sa.literal(failing_from, UtcTime)
            values |= {
                "failing_since": sa.case(
                    (endpoints.c.resting_since.is_(None), first), else_=endpoints.c.failing_since
                )
            }
        elif failed_in_a_row:
            values |= {"failures": endpoints.c.failures + failed_in_a_row}
            first = sa.literal(failing_from, UtcTime)
            values |= {"failing_since": sa.func.coalesce(endpoints.c.failing_since, first)}
        row = connection.execute(
            endpoints.update().where(endpoints.c.conn_id == conn_id).values(values).returning(*endpoints.c)
        ).one()
        return EndpointStatus(*row)

    return store.retrying(work)


def disable(store: Store, conn_id: str, *, reason: str, by: str) -> bool:
    """Stop deliveries to an endpoint and hold what is open; whether it was enabled before.

    :param by: who did it: a user, ``deliveries``, or ``connection`` where it says ``enabled: false``.
    """

    def work(connection: sa.Connection) -> bool:
        ensure(connection, conn_id)
        now = store.now(connection)
        changed = connection.execute(
            endpoints.update()
            .where(endpoints.c.conn_id == conn_id, endpoints.c.disabled_at.is_(None))
            .values(disabled_at=now, disabled_reason=reason, disabled_by=by, **AWAKE)
        ).rowcount
        if changed:
            notices.note(
                store, NoticeKind.ENDPOINT_DISABLED, conn_id, f"{reason} (by {by}); its deliveries are held",
                once=str(to_ms(now)), connection=connection,
            )  # fmt: skip
        connection.execute(
            deliveries.update()
            .where(deliveries.c.endpoint == conn_id, deliveries.c.state.in_(OPEN_STATES))
            .values(
                state=DeliveryState.HELD, plan=None, plan_until=None, due_at=None, updated_at=now,
                last_error=f"held: {_disabled_because(connection, conn_id)}",
            )
        )  # fmt: skip
        return changed == 1

    return store.retrying(work)


def hold_if_disabled(store: Store, conn_id: str, ids: Iterable[int]) -> bool:
    """Hold these deliveries if their endpoint is disabled still; whether it is.

    One transaction: nothing becomes held behind the back of somebody who enables the endpoint just now.
    """
    chosen = deliveries.c.id.in_(listed(store, "int", ids))

    def work(connection: sa.Connection) -> bool:
        reason = _disabled_because(connection, conn_id)
        if reason is not None:
            connection.execute(
                deliveries.update()
                .where(chosen)
                .values(
                    state=DeliveryState.HELD, last_error=f"held: {reason}", updated_at=store.now(connection)
                )
            )
        return reason is not None

    return store.retrying(work)


def enable_unless_held(store: Store, conn_id: str) -> None:
    """Its connection says enabled again. With deliveries that were held meanwhile a person has to choose first."""
    held = sa.exists().where(deliveries.c.endpoint == conn_id, deliveries.c.state == DeliveryState.HELD)

    def work(connection: sa.Connection) -> None:
        by_it = sa.and_(endpoints.c.conn_id == conn_id, endpoints.c.disabled_by == BY_CONNECTION)
        connection.execute(endpoints.update().where(by_it, ~held).values(_ENABLED))

    store.retrying(work)


def _disabled_because(connection: sa.Connection, conn_id: str) -> str | None:
    """Why an endpoint is disabled, which nobody changes before this transaction ends; None when it is not."""
    query = sa.select(endpoints).where(endpoints.c.conn_id == conn_id, endpoints.c.disabled_at.is_not(None))
    row = connection.execute(query.with_for_update()).first()
    return str(row.disabled_reason) if row else None


def enable(store: Store, conn_id: str, release: Release) -> Released:
    """Let deliveries to an endpoint go on, and with them those that were held, as chosen.

    What is released waits as pending until the route's next run takes it.
    """

    def work(connection: sa.Connection) -> Released:
        gone = 0
        ensure(connection, conn_id)
        now = store.now(connection)
        connection.execute(endpoints.update().where(endpoints.c.conn_id == conn_id).values(_ENABLED))
        held = sa.and_(deliveries.c.endpoint == conn_id, deliveries.c.state == DeliveryState.HELD)
        if release is not Release.ALL:
            unwanted = held
            if release is Release.LATEST:
                newest = sa.select(sa.func.max(deliveries.c.id)).where(held)
                unwanted &= deliveries.c.id.not_in(newest.group_by(deliveries.c.route, deliveries.c.lane))
            gone = connection.execute(
                deliveries.update()
                .where(unwanted)
                .values(
                    state=DeliveryState.DEAD,
                    last_error=f"held while the endpoint was disabled; not sent on enabling ({release.value})",
                    updated_at=now,
                )
            ).rowcount
        sent = connection.execute(
            deliveries.update()
            .where(held)
            .values(**again(now), plan=None, plan_until=None, claim=None, claim_until=None)
        ).rowcount
        return Released(sent, gone)

    return store.retrying(work)


def ensure(connection: sa.Connection, conn_id: str) -> None:
    connection.execute(
        sa.text("INSERT INTO endpoints (conn_id) VALUES (:conn_id) ON CONFLICT (conn_id) DO NOTHING"),
        {"conn_id": conn_id},
    )
