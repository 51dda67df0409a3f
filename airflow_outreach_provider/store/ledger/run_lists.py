"""Runs as people look at them: progress, what became of the rows, why a try ended and when the next is due."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import RunState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import runs
from airflow_outreach_provider.store.paging import PAGE_SIZE, Condition, Page, Scan
from airflow_outreach_provider.store.schema import UtcTime, to_ms

# A run beats every two seconds at the latest; a store that is waited for is back, or given up, within this.
SILENT_AFTER = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One try of one task instance.

    :ivar state: a RunState, as it is now: a running one that has not been heard of for ``SILENT_AFTER`` is *expired*,
        also before another run comes along and writes so. Should it be heard of again, it is running again.
    :ivar counts: rows by state; they add up to ``rows_read`` once it has finished.
    :ivar fraction: how much of the source was read, 0 to 1, where that is known.
    :ivar reasons: rows by ``state:reason``.
    :ivar error: why it ended. :ivar retry_at: when the next try is due, where this one knew.
    """

    id: int
    campaign: str
    owner: str
    dag_id: str
    task_id: str
    airflow_run_id: str
    map_index: int
    try_number: int
    state: str
    source: str
    dry_run: bool
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    rows_read: int
    fraction: float | None
    counts: Mapping[str, int]
    reasons: Mapping[str, Any]
    error: str | None
    retry_at: datetime | None

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return max(0.0, ((self.finished_at or self.heartbeat_at) - self.started_at).total_seconds())


_COLUMNS = [runs.c[name] for name in RunRow.__slots__]
_SCAN = Scan(runs, [runs.c.id], _COLUMNS)


def list_runs(
    store: Store,
    *,
    campaign: str | None = None,
    state: RunState | None = None,
    dags: frozenset[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    oldest: bool = False,
) -> Page[RunRow]:
    """Runs, newest first, or the oldest. :param dags: of these alone. :param since, until: at work between these times."""
    residual: list[Condition] = [] if dags is None else [lambda c: c.dag_id.in_(sorted(dags))]
    if campaign:
        residual.append(lambda c: c.campaign == campaign)
    if since:
        residual.append(lambda c: sa.func.coalesce(c.finished_at, c.heartbeat_at) >= to_ms(since))
    if until:
        residual.append(lambda c: c.started_at < until)
    with store.read() as connection:
        now = store.now(connection)
        if state:
            residual.append(lambda c: _is_now(c, state, now))
        page = _SCAN.page(connection, residual=residual, cursor=cursor, limit=limit, oldest=oldest)
    return Page([_run(row, now) for row in page.rows], page.next, page.cut)


def find_run(store: Store, run_id: int, *, dags: frozenset[str] | None = None) -> RunRow | None:
    """One run, or None. :param dags: of one of these."""
    mine = [] if dags is None else [runs.c.dag_id.in_(sorted(dags))]
    with store.read() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(runs.c.id == run_id, *mine)).first()
        return _run(row, store.now(connection)) if row else None


def tries_of(store: Store, owner: Owner, *, limit: int = 100) -> list[RunRow]:
    """The runs of one task instance, oldest first: its tries."""
    query = sa.select(*_COLUMNS).where(runs.c.owner == owner.key).order_by(runs.c.id.desc()).limit(limit)
    with store.read() as connection:
        now = store.now(connection)
        return [_run(row, now) for row in connection.execute(query)][::-1]


def running(store: Store, most: int) -> list[RunRow]:
    """Runs that are at work now, the latest first."""
    # By the index of states, and not by all that ever ran: few are at work.
    return _some(store, lambda now: [_is_now(runs.c, RunState.RUNNING, now)], runs.c.id + 0, most)


def failing(store: Store, since: datetime, most: int) -> list[RunRow]:
    """Runs begun since then that ended badly, after which no try of theirs and no run of their sync came, the latest first.

    Dry runs neither fail nor mend a sync, and one of its first rows alone mends none.
    """
    later, mine = runs.alias(), runs.c
    same_sync = sa.and_(
        mine.dag_id != "", later.c.dag_id == mine.dag_id, later.c.campaign == mine.campaign,
        later.c.task_id == mine.task_id, later.c.map_index == mine.map_index, later.c.partial.is_(sa.false()),
    )  # fmt: skip
    after = (later.c.id > mine.id, later.c.dry_run.is_(sa.false()))
    followed = sa.or_(
        sa.exists().where(later.c.owner == mine.owner, *after), sa.exists().where(same_sync, *after)
    )

    # By the index of times, and not by that of states: of all that ever failed most is long ago.
    told = SimpleNamespace(state=mine.state + "", heartbeat_at=mine.heartbeat_at)

    def such(now: datetime) -> list[sa.ColumnElement[bool]]:
        bad = sa.or_(_is_now(told, RunState.FAILED, now), _is_now(told, RunState.EXPIRED, now))
        return [mine.started_at >= since, mine.dry_run.is_(sa.false()), bad, sa.not_(followed)]

    return _some(store, such, mine.started_at, most)


def _some(
    store: Store,
    such: Callable[[datetime], list[sa.ColumnElement[bool]]],
    order: sa.ColumnElement[Any],
    most: int,
) -> list[RunRow]:
    with store.read() as connection:
        now = store.now(connection)
        query = sa.select(*_COLUMNS).where(*such(now)).order_by(order.desc(), runs.c.id.desc()).limit(most)
        return [_run(row, now) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class RunTask:
    """The task instance of a run."""

    dag_id: str
    task_id: str
    airflow_run_id: str
    map_index: int
    try_number: int


def tasks_of(store: Store, run_ids: Collection[int]) -> dict[int, RunTask]:
    """The task instances of these runs, by run; those that were purged are left out."""
    columns = [runs.c[name] for name in RunTask.__slots__]
    query = sa.select(runs.c.id, *columns).where(runs.c.id.in_(set(run_ids)))
    with store.read() as connection:
        return {row.id: RunTask(*row[1:]) for row in connection.execute(query)}


def campaigns(store: Store, dags: frozenset[str] | None = None, *, latest: int = 2000) -> list[str]:
    """The campaigns of the latest runs, by name: what a filter can offer. :param dags: of those of these alone."""
    some = sa.select(runs.c.campaign, runs.c.dag_id).order_by(runs.c.id.desc()).limit(latest).subquery()
    query = sa.select(some.c.campaign).distinct()
    if dags is not None:
        query = query.where(some.c.dag_id.in_(sorted(dags)))
    with store.read() as connection:
        return sorted({str(name) for name in connection.execute(query).scalars()})


def _is_now(columns: Any, state: RunState, now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a run is in this state now, see :class:`RunRow`."""
    is_silent: sa.ColumnElement[bool] = columns.heartbeat_at < sa.literal(now - SILENT_AFTER, UtcTime)
    is_running: sa.ColumnElement[bool] = columns.state == RunState.RUNNING.value
    written: sa.ColumnElement[bool] = columns.state == state.value
    match state:
        case RunState.RUNNING:
            return sa.and_(is_running, sa.not_(is_silent))
        case RunState.EXPIRED:
            return sa.or_(written, sa.and_(is_running, is_silent))
        case _:
            return written


def _run(row: sa.Row[Any], now: datetime) -> RunRow:
    named = dict(row._mapping)
    named["counts"], named["reasons"] = _mapping(named["counts"]), _mapping(named["reasons"])
    run = RunRow(**named)
    if run.state != RunState.RUNNING or now - run.heartbeat_at < SILENT_AFTER:
        return run
    error = (
        f"no heartbeat since {run.heartbeat_at:%H:%M:%S} UTC: the worker died or hangs; Airflow starts the next try when "
        "it notices, and what was in flight is held then"
    )
    return replace(run, state=RunState.EXPIRED.value, error=error)


def _mapping(value: Any) -> dict[str, Any]:
    value = json.loads(value) if isinstance(value, str) else value
    return dict(value) if isinstance(value, Mapping) else {}
