"""Runs: one try of one task instance each, alive by its lease, and what becomes of a dead one's claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.outcomes import SubmitOutcome
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import trials
from airflow_outreach_provider.store.ledger.tables import attempts, leads, runs
from airflow_outreach_provider.store.schema import from_ms, to_ms

IN_LEDGER = "what is planned in the ledger"
"""The source of a run that has none of its own."""


@dataclass(frozen=True, slots=True)
class Started:
    """:param held: leads left in flight by dead runs, now held. :param resent: held leads planned again."""

    run_id: int
    held: int
    resent: int


# The claims of a dead run: sent or not, nobody knows. What may have been a text counts as one, whatever comes after it.
_SWEEP = sa.text(
    "UPDATE leads SET state = 'held', reason = 'worker_died', updated_at = :now, rev = rev + 1, "
    "detail = 'the task died while this lead was in flight; it may or may not have been texted' "
    "WHERE state = 'sending' AND state <> 'accepted' "  # the latter so that SQLite asks the index, not every lead
    "AND EXISTS (SELECT 1 FROM runs WHERE runs.id = leads.run_id AND runs.state <> 'running') "
    "RETURNING id, run_id, sent_at, detail"
)

# A sign of life from a time that is still to come: the clock was ahead. Whoever is alive gives another within seconds.
_LEASE_ANEW = sa.text(
    "UPDATE runs SET lease_until = CAST(:now AS bigint) + lease_until - heartbeat_at, heartbeat_at = :now "
    "WHERE state = 'running' AND heartbeat_at > CAST(:now AS bigint) + 60000"
)

# What was planned from a source that nobody judged, or that was refused, is nobody's to send. Who was texted before
# stays so, with what they were texted; their row is compared anew.
_UNPLAN = sa.text(
    "UPDATE leads SET state = CASE WHEN accepted_at IS NULL THEN 'suppressed' ELSE 'accepted' END, "
    "reason = CASE WHEN accepted_at IS NULL THEN 'batch_refused' ELSE '' END, "
    "detail = CASE WHEN accepted_at IS NULL THEN 'its run ended before anybody of it was texted; planned again when a "
    "run lists it' ELSE '' END, row_hash = CASE WHEN accepted_at IS NULL THEN row_hash END, "
    "content_hash = CASE WHEN accepted_at IS NULL THEN content_hash ELSE COALESCE(texted_hash, '') END, "
    "payload = NULL, time_zone = NULL, not_before = NULL, updated_at = :now, rev = rev + 1 "
    "WHERE state IN ('planned', 'deferred') AND run_id = :run"
)


def start(
    store: Store,
    owner: Owner,
    *,
    campaign: str,
    source: str,
    lease: timedelta,
    resend: Iterable[str] = (),
    dry_run: bool = False,
    conn_id: str = "",
    withheld: bool = False,
    partial: bool = False,
) -> Started:
    """Begin a run: supersede earlier tries of the same task instance, expire runs whose lease ran out.

    :param resend: campaigns whose held leads of unknown outcome are to be sent again (at least once).
    :param conn_id: the connection the run submits through; its contact list may judge what the run leaves held.
    :param withheld: nothing it plans may be sent before :func:`release`. :param partial: it wants its first rows only.
    :raises OutreachUnavailable: a later try is at work; this one was left behind by its supervisor.
    """

    def work(connection: sa.Connection) -> Started:
        now = store.now(connection)
        if not dry_run:
            _supersede(store, connection, owner, now)
        held = expire(store, connection, now)
        trials.expire(connection, now)
        resent = 0
        for name in resend:
            resent += connection.execute(
                sa.text(
                    "UPDATE leads SET state = 'planned', updated_at = :now, rev = rev + 1 "
                    "WHERE state = 'held' AND state <> 'accepted' AND campaign = :campaign AND payload IS NOT NULL"
                ),
                {"now": to_ms(now), "campaign": name},
            ).rowcount
        run_id = connection.execute(
            runs.insert().returning(runs.c.id),
            {
                "campaign": campaign, "owner": owner.key, "dag_id": owner.dag_id, "task_id": owner.task_id,
                "airflow_run_id": owner.run_id, "map_index": owner.map_index, "try_number": owner.try_number,
                "state": RunState.RUNNING, "source": source, "conn_id": conn_id, "dry_run": dry_run, "started_at": now,
                "withheld": withheld, "partial": partial,
                "heartbeat_at": now, "lease_until": now + lease, "counts": {}, "reasons": {},
            },
        ).scalar_one()  # fmt: skip
        return Started(run_id, held, resent)

    return store.retrying(work)


def _supersede(store: Store, connection: sa.Connection, owner: Owner, now: datetime) -> None:
    """End the earlier tries of a task instance. A later one that lives is left alone."""
    tries = (runs.c.owner == owner.key, runs.c.state == RunState.RUNNING)
    later = sa.select(runs.c.id).where(*tries, runs.c.try_number > owner.try_number, ~runs.c.dry_run)
    if connection.execute(later.limit(1)).first() is not None:
        expire(store, connection, now)
        if connection.execute(later.limit(1)).first() is not None:
            raise OutreachUnavailable("a later try of this task is at work; this one sends nothing")
    ended = {"state": RunState.SUPERSEDED, "error": "a later try took over", "finished_at": now}
    connection.execute(runs.update().where(*tries).values(ended))


def texted_since(store: Store, owner: Owner, plan_task_id: str) -> int:
    """How many people a task instance has texted, or may have, since another task of its DAG run last planned."""
    with store.read() as connection:
        planned_at = connection.execute(
            sa.select(sa.func.max(runs.c.started_at)).where(
                runs.c.dag_id == owner.dag_id,
                runs.c.task_id == plan_task_id,
                runs.c.airflow_run_id == owner.run_id,
            )
        ).scalar()
        mine = sa.select(runs.c.id).where(runs.c.owner == owner.key, runs.c.dry_run.is_(False))
        sent = sa.select(sa.func.count()).where(
            leads.c.run_id.in_(mine),
            leads.c.state.in_([LeadState.ACCEPTED, LeadState.HELD, LeadState.SENDING]),
        )
        if planned_at is not None:
            sent = sent.where(leads.c.sent_at >= planned_at)
        return int(connection.execute(sent).scalar_one())


def expire(store: Store, connection: sa.Connection, now: datetime) -> int:
    """End runs whose lease ran out and hold the claims of every run that is no longer running.

    :return: how many leads were held.
    """
    connection.execute(_LEASE_ANEW, {"now": to_ms(now)})
    connection.execute(
        runs.update()
        .where(runs.c.state == RunState.RUNNING, runs.c.lease_until < now)
        .values(state=RunState.EXPIRED, finished_at=now, error="no heartbeat: the worker died or hung")
    )
    return _sweep(connection, now)


def _sweep(connection: sa.Connection, now: datetime) -> int:
    """:return: how many leads were held."""
    dead = sa.select(runs.c.id).where(sa.text("runs.withheld"), runs.c.state != RunState.RUNNING)
    for run_id in list(connection.execute(dead).scalars()):
        connection.execute(_UNPLAN, {"now": to_ms(now), "run": run_id})
        connection.execute(runs.update().where(runs.c.id == run_id).values(withheld=False))
    held = connection.execute(_SWEEP, {"now": to_ms(now)}).all()
    if held:
        lost = {"outcome": SubmitOutcome.UNKNOWN.value, "reason": "worker_died"}
        connection.execute(attempts.insert(), [
            {"lead_id": each.id, "run_id": each.run_id, "at": from_ms(each.sent_at), "detail": each.detail, **lost}
            for each in held
        ])  # fmt: skip
    return len(held)


def release(store: Store, run_id: int) -> None:
    """What the run planned may be sent, by itself or by whoever comes after it."""
    store.retrying(
        lambda connection: connection.execute(
            runs.update().where(runs.c.id == run_id, runs.c.state == RunState.RUNNING).values(withheld=False)
        )
    )


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run that went well. :ivar rows: how many it read."""

    rows: int
    started_at: datetime


def last_of(store: Store, owner: Owner, campaign: str, *, of_task: bool = False) -> LastRun | None:
    """The last run of a DAG for a campaign that read a whole source, sent or staged, and went well.

    :param of_task: of this task alone, and of a mapped one with this index.
    """
    mine = (runs.c.task_id == owner.task_id, runs.c.map_index == owner.map_index) if of_task else ()
    query = (
        sa.select(runs.c.rows_read, runs.c.started_at)
        .where(
            runs.c.dag_id == owner.dag_id,
            runs.c.campaign == campaign,
            runs.c.state == RunState.SUCCEEDED,
            *mine,
        )
        .where(runs.c.dry_run.is_(False), runs.c.partial.is_(False), runs.c.source != IN_LEDGER)
        .order_by(runs.c.id.desc())
        .limit(1)
    )
    with store.read() as connection:
        walk(connection)
        row = connection.execute(query).first()
    return LastRun(row[0], row[1]) if row else None


def heartbeat(
    store: Store,
    run_id: int,
    *,
    lease: timedelta,
    read: int,
    counts: Mapping[str, int],
    reasons: Mapping[str, int],
    fraction: float | None = None,
) -> bool:
    """Renew the lease and show progress.

    :param fraction: how much of the source was read, 0 to 1; None where nobody can know.
    :return: False when the run is no longer the running one: it must claim nothing more.
    """

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        result = connection.execute(
            runs.update()
            .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING)
            .values(
                heartbeat_at=now,
                lease_until=now + lease,
                rows_read=read,
                fraction=fraction,
                counts=dict(counts),
                reasons=dict(reasons),
            )
        )
        return result.rowcount == 1

    return store.retrying(work)


def finish(
    store: Store,
    run_id: int,
    *,
    state: RunState,
    read: int,
    counts: Mapping[str, int],
    reasons: Mapping[str, int],
    error: str | None = None,
    retry_after: float | None = None,
) -> None:
    """End a run; what it still has in flight is held by whoever comes next."""

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        connection.execute(
            runs.update()
            .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING)
            .values(
                state=state, finished_at=now, heartbeat_at=now, rows_read=read, counts=dict(counts),
                reasons=dict(reasons), error=error and storable(error),
                retry_at=now + timedelta(seconds=retry_after) if retry_after is not None else None,
            )
        )  # fmt: skip
        _sweep(connection, now)

    store.retrying(work)
