"""Deliveries at work: recorded, settled attempt by attempt, released; claiming is in :mod:`store.deliveries.claims`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.sent_requests import SentDigest
from airflow_outreach_provider.store.bulk import rows_param, rowset, values_param, valueset
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import to_ms


def is_open(table: sa.FromClause = deliveries) -> sa.ColumnElement[bool]:
    """The condition that a delivery is still to be done."""
    # Spelt as in the partial indexes: with bound parameters neither database would use them.
    return table.c.state.in_([sa.literal_column(f"'{state.value}'") for state in OPEN_STATES])


def is_in(*states: DeliveryState) -> sa.ColumnElement[bool]:
    """Whether a delivery that is found by something else is in one of these: no index of states is looked into."""
    return (deliveries.c.state + "").in_([state.value for state in states])


def unclaimed(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that no task is at a delivery at this moment."""
    return sa.or_(deliveries.c.claim_until.is_(None), deliveries.c.claim_until < now)


def listed(store: Store, kind: str, values: Iterable[int | str]) -> sa.Select[Any]:
    """Values as a subquery for ``IN``, however many, in one parameter. :param kind: ``int`` or ``text``."""
    # Its own parameter: a statement may hold several such lists.
    given: sa.BindParameter[str] = sa.bindparam("values", values_param(values), unique=True)
    table = sa.text(f"{valueset(store.dialect, kind)} AS listed").bindparams(given)
    return sa.select(sa.column("v")).select_from(table)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One event for one route, to be recorded.

    :param payload: the event as JSON when it is not in the inbox.
    """

    event_id: str
    route: str
    lane: str
    source: str
    kind: str
    label: str
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery. :param tries: attempts before this task try."""

    id: int
    event_id: str
    lane: str
    kind: str
    tries: int
    payload: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and the state it leaves the delivery in.

    :ivar headers: the answer's, as JSON.
    :ivar overtaken: failed ones of its contact that would come behind it, were they sent again: they are dead with it.
    """

    delivery_id: int
    state: DeliveryState
    at: datetime
    verdict: DeliveryVerdict
    status: int | None = None
    latency_ms: int = 0
    error: str = ""
    answer: str = ""
    retry_after: float | None = None
    sent: SentDigest | None = None
    headers: str = field(default="", repr=False)
    overtaken: frozenset[int] = frozenset()


def record(
    connection: sa.Connection,
    rows: Sequence[NewDelivery],
    now: datetime,
    *,
    state: DeliveryState = DeliveryState.PENDING,
    plan: str | None = None,
    plan_until: datetime | None = None,
) -> None:
    """Write deliveries down in the given order; those already there stay as they are."""
    if not rows:
        return
    common = {
        "state": state.value,
        "plan": plan,
        "now": to_ms(now),
        "until": plan_until and to_ms(plan_until),
    }
    connection.execute(
        _RECORD[connection.dialect.name], {"rows": rows_param(map(_NEW_VALUES, rows)), **common}
    )


_NEW_COLUMNS = tuple((name, "text") for name in NewDelivery.__slots__)
_NEW_NAMES = ", ".join(NewDelivery.__slots__)
_NEW_VALUES = attrgetter(*NewDelivery.__slots__)
# One statement whatever their number: on PostgreSQL each one of many costs as much as ten rows.
_RECORD = {
    dialect: sa.text(
        f"INSERT INTO deliveries ({_NEW_NAMES}, state, plan, plan_until, created_at, updated_at) "
        f"SELECT {_NEW_NAMES}, CAST(:state AS text), CAST(:plan AS text), CAST(:until AS bigint), CAST(:now AS bigint), "
        f"CAST(:now AS bigint) FROM {rowset(dialect, _NEW_COLUMNS)} AS r WHERE true ORDER BY r.ord "
        "ON CONFLICT (event_id, route) DO NOTHING"
    )
    for dialect in ("sqlite", "postgresql")
}


def missing(store: Store, route: str, event_ids: Sequence[str]) -> list[str]:
    """Those of ``event_ids`` that have no delivery to ``route`` yet."""
    with store.read() as connection:
        known = set(
            connection.execute(
                sa.select(deliveries.c.event_id).where(*of_batch(store, route, event_ids))
            ).scalars()
        )
    return [event_id for event_id in event_ids if event_id not in known]


def again(now: datetime) -> dict[str, object]:
    """The values of a delivery that is to be tried once more, with all its tries."""
    return {"state": DeliveryState.PENDING, "tries": 0, "due_at": None, "updated_at": now}


def in_hands(store: Store, owner: Owner) -> frozenset[int]:
    """The open deliveries that are this task instance's now."""
    query = sa.select(deliveries.c.id).where(deliveries.c.claim == owner.key, is_in(*OPEN_STATES))
    with store.read() as connection:
        return frozenset(connection.execute(query).scalars())


def renew(store: Store, owner: Owner, lease: timedelta) -> None:
    """Keep this task instance's claims and their plans while it is at work."""

    def work(connection: sa.Connection) -> None:
        until = store.now(connection) + lease
        connection.execute(
            deliveries.update()
            .where(deliveries.c.claim == owner.key)
            .values(claim_until=until, plan_until=until)
        )

    store.retrying(work)


_STAYS = f"r.state IN ({', '.join(repr(each.value) for each in OPEN_STATES)})"
_ATTEMPT_COLUMNS = (
    ("delivery_id", "int"), ("state", "text"), ("at", "int"), ("verdict", "text"), ("status", "int"),
    ("latency_ms", "int"), ("error", "text"), ("answer", "text"), ("retry_after", "text"),
    ("form", "text"), ("digest", "text"), ("size", "int"), ("headers", "text"),
)  # fmt: skip


def settle(store: Store, attempts: Sequence[Attempt], owner: Owner) -> None:
    """Write a group of attempts and the states they lead to, in one transaction. What is done is in nobody's hands.

    Two statements whatever the size of the group; the rows are taken apart by the database, so that this
    process can go on sending meanwhile.
    """
    if not attempts:
        return
    rows = [
        (
            each.delivery_id, each.state.value, to_ms(each.at), each.verdict.value, each.status, each.latency_ms,
            storable(each.error), storable(each.answer), each.retry_after, *_told(each),
        )
        for each in attempts
    ]  # fmt: skip
    settled = rowset(store.dialect, _ATTEMPT_COLUMNS)
    # A commit that was not acknowledged is written again: SQLite has none, and a request takes longer than its clock's tick.
    new = "" if store.dialect == "sqlite" else (
        " AND (SELECT COUNT(*) FROM delivery_attempts a WHERE a.delivery_id = r.delivery_id AND a.at = r.at "
        "AND a.verdict = r.verdict AND a.latency_ms = r.latency_ms) = 0"
    )  # fmt: skip
    task = {
        "dag_id": owner.dag_id, "task_id": owner.task_id, "airflow_run_id": owner.run_id,
        "map_index": owner.map_index, "try_number": owner.try_number,
    }  # fmt: skip
    update = sa.text(
        "UPDATE deliveries SET state = r.state, due_at = NULL, "
        "tries = tries + CASE r.verdict WHEN 'endpoint' THEN 0 ELSE 1 END, last_status = r.status, "
        "last_error = r.error, updated_at = r.at, "
        "delivered_at = CASE WHEN r.state = 'delivered' THEN r.at END, "
        f"claim = CASE WHEN {_STAYS} THEN deliveries.claim END, "
        f"claim_until = CASE WHEN {_STAYS} THEN deliveries.claim_until END "
        f"FROM {settled} AS r WHERE deliveries.id = r.delivery_id "
        # Who stood still for longer than its lease tells no more than that it was delivered.
        "AND ((deliveries.state IN ('pending', 'failed') AND COALESCE(deliveries.claim, :claim) = :claim) "
        f"OR (r.state = 'delivered' AND deliveries.state <> 'delivered')){new}"
    )
    insert = sa.text(
        "INSERT INTO delivery_attempts (delivery_id, at, verdict, status, latency_ms, error, answer, "
        "retry_after, form, digest, size, headers, dag_id, task_id, airflow_run_id, map_index, try_number) "
        "SELECT r.delivery_id, r.at, r.verdict, r.status, r.latency_ms, r.error, r.answer, "
        "CAST(r.retry_after AS double precision), r.form, r.digest, r.size, r.headers, :dag_id, :task_id, :airflow_run_id, "
        f"CAST(:map_index AS integer), CAST(:try_number AS integer) FROM {settled} AS r "
        # Whose contact was forgotten meanwhile stays so.
        f"WHERE (SELECT COUNT(*) FROM deliveries d WHERE d.id = r.delivery_id) = 1{new} ORDER BY r.ord"
    )
    parameter = rows_param(rows)
    overtaken = {earlier for each in attempts for earlier in each.overtaken}

    def work(connection: sa.Connection) -> None:
        connection.execute(update, {"rows": parameter, "claim": owner.key})
        connection.execute(insert, {"rows": parameter, **task})
        if (
            overtaken
        ):  # in this transaction: a task that dies behind it leaves nobody who would send them again
            _give_up(store, connection, overtaken, owner)

    store.retrying(work)


def _told(attempt: Attempt) -> tuple[str | None, str | None, int | None, str | None]:
    sent = attempt.sent
    known = (sent.form, sent.digest, sent.size) if sent is not None else (None, None, None)
    return (*known, attempt.headers or None)


def move(store: Store, ids: Iterable[int], state: DeliveryState, reason: str) -> None:
    """Put deliveries into ``state`` without an attempt: held, or ignored."""
    chosen = listed(store, "int", ids)

    def work(connection: sa.Connection) -> None:
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id.in_(chosen))
            .values(state=state, last_error=reason, due_at=None, updated_at=store.now(connection))
        )

    store.retrying(work)


def give_up(store: Store, ids: Iterable[int], owner: Owner) -> None:
    """What has used its tries is dead; its last error stays. :param owner: of what is in this one's hands alone."""
    chosen = list(ids)
    store.retrying(lambda connection: _give_up(store, connection, chosen, owner))


def _give_up(store: Store, connection: sa.Connection, ids: Iterable[int], owner: Owner) -> None:
    chosen = deliveries.c.id.in_(listed(store, "int", ids))
    failed = deliveries.update().where(
        chosen, deliveries.c.state == DeliveryState.FAILED, deliveries.c.claim == owner.key
    )
    connection.execute(failed.values(state=DeliveryState.DEAD, updated_at=store.now(connection)))


def release(
    store: Store,
    owner: Owner,
    plan_for: timedelta | None,
    batch: Sequence[str] | None = None,
    due: timedelta | None = None,
) -> None:
    """End this task instance's claims.

    :param plan_for: how long the open ones stay with this task, for its retry; None hands them back, so
        that the next run takes them.
    :param batch: its own events: what it took along besides and never tried is handed back in any case.
    :param due: when it is to try again what failed; known, so that others can tell that it is late with it.
    """

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        open_ones = sa.and_(deliveries.c.claim == owner.key, is_in(*OPEN_STATES))
        plan: dict[str, Any] = (
            {"plan": None, "plan_until": None} if plan_for is None else {"plan_until": now + plan_for}
        )
        connection.execute(deliveries.update().where(open_ones).values(**plan))
        if due is not None:
            failed = deliveries.update().where(open_ones, deliveries.c.tries > 0)
            connection.execute(failed.values(due_at=now + due))
        if batch is not None:
            untried = (
                deliveries.c.claim == owner.key,
                is_in(DeliveryState.PENDING),
                deliveries.c.event_id.not_in(listed(store, "text", batch)),
            )
            handed_back = deliveries.update().where(*untried)
            connection.execute(handed_back.values(plan=None, plan_until=None))
        connection.execute(
            deliveries.update().where(deliveries.c.claim == owner.key).values(claim=None, claim_until=None)
        )

    store.retrying(work)


def hand_on(store: Store, due: Mapping[int, timedelta | None], owner: Owner) -> None:
    """End the claims on these deliveries: what is still open is with nobody, until its time has come.

    :param due: how far off that is; None for at once. :param owner: of what is in this one's hands alone.
    """

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        asked = deliveries.c.id.in_(listed(store, "int", due))
        held = sa.select(deliveries.c.id).where(asked, deliveries.c.claim == owner.key)
        ids = list(connection.execute(held).scalars())
        chosen = deliveries.c.id.in_(listed(store, "int", ids))
        connection.execute(deliveries.update().where(chosen).values(claim=None, claim_until=None))
        nobody = deliveries.update().where(chosen, is_open())
        connection.execute(nobody.values(plan=None, plan_until=None, updated_at=now))
        for delivery_id in ids:
            wait = due[delivery_id]
            if wait is not None:
                later = deliveries.update().where(deliveries.c.id == delivery_id, is_open())
                connection.execute(later.values(due_at=now + wait))

    if due:
        store.retrying(work)


def states_of(store: Store, route: str, event_ids: Sequence[str]) -> dict[str, int]:
    """How many deliveries of a batch are in which state."""
    with store.read() as connection:
        rows = connection.execute(
            sa.select(deliveries.c.state, sa.func.count())
            .where(*of_batch(store, route, event_ids))
            .group_by(deliveries.c.state)
        )
        return {str(state): int(count) for state, count in rows}


def of_batch(store: Store, route: str, event_ids: Sequence[str]) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions that a delivery is of this batch."""
    return (deliveries.c.route == route, deliveries.c.event_id.in_(listed(store, "text", event_ids)))
