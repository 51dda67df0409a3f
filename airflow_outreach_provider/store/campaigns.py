"""How a campaign did: leads sent and taken, and what came of the people, by day and by source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger.lists import touched_last_by
from airflow_outreach_provider.store.ledger.tables import leads, runs

MOST_EVENTS = 5_000
"""Events of a kind that are looked through, the latest: more than these are not counted, and said to be so."""
_MOST_RUNS = 20_000
STEPS = ("sent", "delivered", "replied", "interested", "booked", "opted_out")
"""In the order in which they follow on each other."""
_KINDS = {
    "replied": EventKind.REPLIED,
    "interested": EventKind.INTERESTED,
    "booked": EventKind.APPOINTMENT_BOOKED,
    "opted_out": EventKind.UNSUBSCRIBED,
}


@dataclass
class CampaignResults:
    """People by step (of ``STEPS``), in all, by day and by source.

    :ivar runs: how many. :ivar cut: there were more events than were looked through.
    """

    total: dict[str, int] = field(default_factory=dict)
    by_day: dict[date, dict[str, int]] = field(default_factory=dict)
    by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    runs: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    cut: bool = False


def results(store: Store, campaign: str, *, dags: frozenset[str] | None = None) -> CampaignResults:
    """What became of a campaign's leads, as far as its runs and the events of the last time say.

    Somebody counts once a step, on the day it first happened; a person is known by the number.

    :param dags: of the runs of these alone, and of the leads that one of them touched last.
    """
    found = CampaignResults()
    days: dict[date, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STEPS, 0))
    sources: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STEPS, 0))
    of_run: dict[int, str] = {}
    for row in _runs(store, campaign, dags):
        counts = row.counts if isinstance(row.counts, Mapping) else {}
        taken = int(counts.get(RowState.ACCEPTED.value, 0))
        sent = taken + int(counts.get(RowState.HELD.value, 0))
        of_run[row.id] = row.source
        found.runs += 1
        found.first_at = min(found.first_at or row.started_at, row.started_at)
        found.last_at = max(found.last_at or row.started_at, row.started_at)
        for place in (days[row.started_at.astimezone(UTC).date()], sources[row.source]):
            place["sent"] += sent
            place["delivered"] += taken
    if found.first_at is not None:
        for step, kind in _KINDS.items():
            happened, cut = _people(store, campaign, kind, found.first_at, dags)
            found.cut = found.cut or cut
            for at, run_id in happened.values():
                days[at.astimezone(UTC).date()][step] += 1
                sources[of_run.get(run_id or 0, "")][step] += 1
    found.by_day = {day: counts for day, counts in sorted(days.items()) if any(counts.values())}
    found.by_source = {name: counts for name, counts in sorted(sources.items()) if any(counts.values())}
    found.total = {step: sum(counts[step] for counts in days.values()) for step in STEPS}
    return found


def _runs(store: Store, campaign: str, dags: frozenset[str] | None) -> list[Any]:
    some = sa.select(runs.c.id).order_by(runs.c.id.desc()).limit(_MOST_RUNS).subquery()
    columns = (runs.c.id, runs.c.source, runs.c.started_at, runs.c.counts)
    query = sa.select(*columns).join(some, some.c.id == runs.c.id)
    if dags is not None:
        query = query.where(runs.c.dag_id.in_(sorted(dags)))
    with store.read() as connection:
        return list(connection.execute(query.where(runs.c.campaign == campaign, runs.c.dry_run.is_(False))))


def _people(
    store: Store, campaign: str, kind: EventKind, since: datetime, dags: frozenset[str] | None
) -> tuple[dict[int, tuple[datetime, int | None]], bool]:
    """Leads of the campaign whose person has an event of the kind: when first, and the run of the lead."""
    e = inbox_events.c
    some = (
        sa.select(e.phone, e.occurred_at, e.received_at)
        .where(e.kind == kind.value, e.received_at >= since)
        .order_by(e.received_at.desc())
        .limit(MOST_EVENTS)
        .subquery()
    )
    query = sa.select(leads.c.id, leads.c.run_id, some.c.occurred_at, some.c.received_at).join(
        some, sa.and_(leads.c.phone == some.c.phone, leads.c.campaign == campaign)
    )
    if dags is not None:
        query = query.where(touched_last_by(dags)(leads.c))
    found: dict[int, tuple[datetime, int | None]] = {}
    with store.read() as connection:
        looked = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
        for row in connection.execute(query.where(leads.c.sent_at.is_not(None))):
            at = min(row.occurred_at, row.received_at)
            if row.id not in found or at < found[row.id][0]:
                found[row.id] = (at, row.run_id)
    return found, looked >= MOST_EVENTS
