"""What has changed since a mark, read in one pass: for exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.exports import COLUMNS, DataSet, Mark
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.order import last_numbered, number_events
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger.tables import leads, runs
from airflow_outreach_provider.store.schema import to_ms

CHUNK = 5_000
SETTLED = timedelta(seconds=60)
"""What changed later than this ago is left for next time: a transaction of another host may still be open."""

_DAY_MS = 86_400_000
_SIGNALS: Mapping[str, EventKind] = {
    "replied": EventKind.REPLIED,
    "interested": EventKind.INTERESTED,
    "booked": EventKind.APPOINTMENT_BOOKED,
    "opted_out": EventKind.UNSUBSCRIBED,
}


def changes(
    store: Store,
    data: DataSet,
    mark: Mark,
    *,
    settled: timedelta = SETTLED,
    retention: timedelta | None = None,
    chunk: int = CHUNK,
) -> Iterator[tuple[list[dict[str, Any]], Mark]]:
    """Rows that changed since a mark, as they are now, in chunks, each with the mark behind it.

    A row that changed several times comes once. Of ``outcomes`` every day comes of which anything changed. Behind a mark
    that lies ahead of the time, as a clock that was put right leaves it, nobody knows what changed: all comes again.

    :param retention: older days of ``outcomes`` come no more: what is left of them would replace what they came to.
    """
    if data is DataSet.EVENTS:
        number_events(store)
    with store.read() as connection:
        now = store.now(connection)
        until = to_ms(now - settled)
        mark = Mark() if mark.ms > until else mark
        # A run may have begun on the day before the one on which a lead was taken, and goes with its own age.
        whole = 0 if retention is None else to_ms(now - retention) // _DAY_MS + 2
        query = _query(connection, data, mark, until, whole * _DAY_MS)
        latest = mark.ms
        streamed = connection.execution_options(stream_results=True, yield_per=chunk).execute(query)
        for part in streamed.partitions(chunk):
            rows = [dict(row._mapping) for row in part]
            if data is DataSet.OUTCOMES:
                for row in rows:
                    row["day"] = (date(1970, 1, 1) + timedelta(days=int(row["day"]))).isoformat()
                    latest = max(latest, to_ms(row["changed_at"]))
                # What changed after that comes once more: a day that never rests is not left out for it.
                yield rows, Mark(max(mark.ms, min(latest, until)))
            elif data is DataSet.EVENTS:
                yield rows, Mark(0, rows[-1]["seq"])
            else:
                yield rows, Mark(to_ms(rows[-1]["updated_at"]), rows[-1]["id"])


def _query(connection: sa.Connection, data: DataSet, mark: Mark, until: int, since: int) -> sa.Select[Any]:
    match data:
        case DataSet.LEADS:
            of_run = (runs.c.source, runs.c.dag_id, runs.c.airflow_run_id.label("run_id"))
            columns = [leads.c[name] for name in COLUMNS[data] if name not in {"source", "dag_id", "run_id"}]
            query = sa.select(*columns, *of_run).join_from(
                leads, runs, leads.c.run_id == runs.c.id, isouter=True
            )
            return _since(query, leads, mark, until)
        case DataSet.DELIVERIES:
            query = sa.select(*(deliveries.c[name] for name in COLUMNS[data]))
            return _since(query, deliveries, mark, until)
        case DataSet.EVENTS:
            seq = inbox_events.c.seq
            query = sa.select(*(inbox_events.c[name] for name in COLUMNS[data]))
            return query.where(seq > mark.id, seq <= last_numbered(connection)).order_by(seq)
        case DataSet.OUTCOMES:
            return _outcomes(mark, since)


def _since(query: sa.Select[Any], table: sa.Table, mark: Mark, until: int) -> sa.Select[Any]:
    at, row = table.c.updated_at, table.c.id
    after = sa.or_(at > mark.ms, sa.and_(at == mark.ms, row > mark.id))
    return query.where(after, at <= until).order_by(at, row)


def _outcomes(mark: Mark, since: int) -> sa.Select[Any]:
    """By campaign, source and day of acceptance: how many were taken, and of how many what came back since.

    :param since: of leads that were taken from then on, in milliseconds since 1970.
    """
    by_phone, by_contact = _signals(inbox_events.c.phone), _signals(inbox_events.c.external_id)
    accepted = leads.c.accepted_at
    day = (sa.type_coerce(accepted, sa.BigInteger) // _DAY_MS).label("day")
    source = sa.func.coalesce(runs.c.source, "").label("source")
    counts = [
        sa.func.sum(
            sa.case((sa.or_(by_phone.c[name] >= accepted, by_contact.c[name] >= accepted), 1), else_=0)
        ).label(name)
        for name in _SIGNALS
    ]
    latest = sa.func.max(_later(leads.c.updated_at, _later(by_phone.c.last_at, by_contact.c.last_at))).label(
        "changed_at"
    )
    return (
        sa.select(leads.c.campaign, source, day, sa.func.count().label("accepted"), *counts, latest)
        .join_from(leads, runs, leads.c.run_id == runs.c.id, isouter=True)
        .join(by_phone, by_phone.c.who == leads.c.phone, isouter=True)
        .join(by_contact, by_contact.c.who == leads.c.contact_id, isouter=True)
        .where(accepted.is_not(None), accepted >= since)
        .group_by(leads.c.campaign, source, day)
        .having(latest > mark.ms)
        .order_by(leads.c.campaign, source, day)
    )


def _signals(who: sa.ColumnElement[Any]) -> sa.Subquery:
    kind, at = inbox_events.c.kind, inbox_events.c.received_at
    columns = [sa.func.max(sa.case((kind == each.value, at))).label(name) for name, each in _SIGNALS.items()]
    query = sa.select(who.label("who"), *columns, sa.func.max(at).label("last_at")).where(who.is_not(None))
    return query.group_by(who).subquery()


def _later(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The later of two times, of which either may be missing."""
    return sa.case((other.is_(None), one), (one.is_(None), other), (one >= other, one), else_=other)
