"""What a fleet's promises came to: the table, and whether each of them held."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from airflow_outreach_provider.demo.messy import Written
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, count
from shared.figures import Bench, percentile
from shared.kills import UNKNOWN_ANSWERS
from shared.traffic import FIRST_CONTACT
from shared.watch import Sample, Watch

if TYPE_CHECKING:
    from shared.running import Fleet

WINDOW = 64
# Attempts of one task that a kill may lose: those in flight, and those that were not yet written down.
UNSETTLED = 216
CONNECTIONS_A_TASK = 2
# Fifty workers that run four tasks each, and the connections that they are to get along with; a second one is open for
# moments.
MANY_TASKS, MANY_CONNECTIONS, MOMENTS = 200, 200, 1.05
_OPEN_LEADS, _OPEN_DELIVERIES = ("planned", "sending"), ("pending", "failed")
_NOTICED = {
    "heartbeat timeout": "tries without a heartbeat",
    "stuck in queued reschedule": "queued anew",
    "state mismatch": "ended without a word",
}

# Of a contact and a route, as they were taken in: place, delivery, and each try with its task.
_TOLD = (
    "SELECT e.seq, e.received_at, d.id, d.created_at, d.route, a.at, a.verdict, a.error, a.airflow_run_id, a.map_index, "
    "a.try_number FROM inbox_events e JOIN deliveries d ON d.event_id = e.event_id "
    "LEFT JOIN delivery_attempts a ON a.delivery_id = d.id WHERE e.external_id = :who AND d.route LIKE :route "
    "ORDER BY e.row_id, a.at"
)

Checks = dict[str, tuple[int, bool]]


def settle(fleet: Fleet) -> None:
    """Wait until the store knows what the endpoints know, and nothing is open."""
    while set(count(fleet.store, DeliveryFilter())) - {"delivered"}:
        time.sleep(1)


def judge(bench: Bench, fleet: Fleet, watch: Watch, written: Written, asked: argparse.Namespace) -> bool:
    """Print the table. :return: whether every promise held."""
    report, leads = fleet.simulator.report(), _leads(fleet)
    deliveries = count(fleet.store, DeliveryFilter())
    checks: Checks = {
        "kills": (fleet.killed.total(), fleet.killed.total() >= asked.kills),
        **_of_leads(fleet, report, leads, written),
        **_of_events(fleet, deliveries, asked),
        "stranded leads": _none(sum(leads.get(each, 0) for each in _OPEN_LEADS)),
        "stranded deliveries": _none(sum(deliveries.get(each, 0) for each in _OPEN_DELIVERIES)),
        f"connections of a task process (at most {CONNECTIONS_A_TASK})": (
            watch.peak["task"], 0 < watch.peak["task"] <= CONNECTIONS_A_TASK,
        ),
    }  # fmt: skip
    print(f"\nkilled: {dict(fleet.killed)}   ended by itself: {dict(fleet.fallen) or 'nothing'}")
    print(f"leads: {leads}   deliveries: {deliveries}")
    for what, (value, holds) in checks.items():
        print(f"  {'ok' if holds else 'NO'}  {what:<60}{value:>12,}")
    _out_of_order(fleet)
    _rates(fleet, report)
    _spent(watch, fleet)
    _sizes(fleet)
    _compare(
        bench, fleet, watch, report, sum(n for state, n in leads.items() if state != "rejected"), written
    )
    return all(holds for _, holds in checks.values())


def _compare(bench: Bench, fleet: Fleet, watch: Watch, report: Any, known: int, written: Written) -> None:
    delivered = count(fleet.store, DeliveryFilter()).get("delivered", 0)
    bench.compare("people in the ledger", known, written.people, "people in the lists", unit="leads")
    bench.compare("texts", report["texts"], max(1, report["people"]), "people texted", unit="texts")
    bench.compare(
        "webhooks delivered twice over", delivered, 2 * len(fleet.platform.wanted) or 1,
        "acknowledged, for two endpoints", unit="events",
    )  # fmt: skip
    bench.compare(
        f"connections of {MANY_TASKS} tasks, as held here", watch.held * MANY_TASKS, MANY_CONNECTIONS,
        "for 50 workers × 4", unit="open", at_most=MOMENTS,
    )  # fmt: skip


def _of_leads(fleet: Fleet, report: Any, leads: dict[str, int], written: Written) -> Checks:
    known = sum(n for state, n in leads.items() if state != "rejected")
    unknown = _one(fleet, UNKNOWN_ANSWERS)
    windows = sum(n * fleet.ends(victim) for victim, n in fleet.killed.items())
    held, limit = leads.get("held", 0), windows * WINDOW + unknown
    counts = _last_counts(fleet)
    untold = max(0, report["texts"] - leads.get("accepted", 0) - held)
    return {
        "texted twice": _none(report["texted_twice_count"]),
        "people unaccounted for": _none(written.people - known),
        "rows unaccounted for": _none(written.rows - sum(counts.values())),
        "texted, and neither accepted nor held": _none(untold),
        "people neither texted nor held": _none(max(0, written.people - leads.get("accepted", 0) - held)),
        f"held (at most {limit:,}: {windows} windows killed, {unknown:,} unknown)": (held, held <= limit),
    }


def _of_events(fleet: Fleet, deliveries: dict[str, int], asked: argparse.Namespace) -> Checks:
    wanted, ends = fleet.platform.wanted, fleet.endpoints.values()
    lost = sum(len(wanted - each.taken.keys()) for each in ends)
    again, limit = sum(each.again.total() for each in ends), fleet.killed.total() * UNSETTLED
    stored = _one(fleet, "SELECT count(*) FROM inbox_events")
    return {
        "events acknowledged": (len(wanted), len(wanted) == asked.events),
        "events acknowledged and not delivered": _none(lost),
        "events stored more than once": _none(max(0, stored - len(wanted) - fleet.platform.under_way)),
        f"deliveries repeated under their id (at most {limit:,})": (again, again <= limit),
        "contacts out of order": _none(sum(len(each.mixed) for each in ends)),
        "deliveries dead": _none(deliveries.get("dead", 0)),
    }


def _out_of_order(fleet: Fleet) -> None:
    """What the store knows of contacts whose events were first sent in another order: when each was taken in, planned, tried."""
    for name, end in fleet.endpoints.items():
        for contact in end.mixed:
            print(f"\n  out of order to {name}: {end.first[contact]}")
            for row in _all(fleet, _TOLD, who=str(FIRST_CONTACT + contact), route=f"%{name}"):
                print("    " + "  ".join(map(str, row)))


def _none(value: int) -> tuple[int, bool]:
    return value, value == 0


def _leads(fleet: Fleet) -> dict[str, int]:
    return dict(_all(fleet, "SELECT state, count(*) FROM leads GROUP BY state"))


def _last_counts(fleet: Fleet) -> Counter[str]:
    """Rows by state of the last run of each sync."""
    total: Counter[str] = Counter()
    last = "SELECT counts FROM runs WHERE id IN (SELECT max(id) FROM runs WHERE source <> '' GROUP BY dag_id)"
    for (counts,) in _all(fleet, last):
        total.update(json.loads(counts) if isinstance(counts, str) else counts)
    return total


def _rates(fleet: Fleet, report: Any) -> None:
    platform, took = fleet.platform, fleet.took
    print("\n  rates, by the pace that was asked for, and latencies:")
    print(f"    leads      {report['texts'] / took.get('leads', float('inf')):>9.1f} /s")
    print(
        f"    events     {len(platform.wanted) / took.get('events', float('inf')):>9.1f} /s to two endpoints"
    )
    _spread("a webhook's acknowledgement", platform.latencies, f"{platform.refused:,} refused or unanswered")
    for name, each in fleet.endpoints.items():
        waits = [each.taken[n] - at for n, at in platform.taken_at.items() if n in each.taken]
        _spread(f"from there to {name}", waits)


def _spent(watch: Watch, fleet: Fleet) -> None:
    used = watch.processor_seconds()
    shown = ", ".join(f"{name} {seconds:,.0f}" for name, seconds in sorted(used.items(), key=lambda x: -x[1]))
    print(f"  processor seconds: {shown}; PostgreSQL and Redis aside")
    peak, fullest = watch.peak, max([Sample(0, {}), *watch.samples], key=lambda each: each.held)
    print(
        f"  connections to the store: {watch.held:.2f} of a task process that has any, {peak['task']} at most, "
        f"{fullest.held} of {fullest.tasks} tasks when they had the most; of everything {peak['store']} at most, "
        f"with Airflow's own {peak['process']} of one process and {peak['all']} in all"
    )
    print(f"  what Airflow noticed: {_noticed(fleet)}")


def _noticed(fleet: Fleet) -> str:
    query = "SELECT event, count(*) FROM log WHERE event = ANY(:events) GROUP BY event"
    with fleet.metadata.connect() as connection:
        counted = connection.execute(sa.text(query), {"events": list(_NOTICED)})
        seen: dict[str, int] = dict(counted.all())
        tries = sa.text(
            "SELECT dag_id, max(try_number) FROM task_instance WHERE task_id = 'submit' GROUP BY dag_id"
        )
        of_syncs = [tried for _, tried in sorted(connection.execute(tries).all())]
    shown = ", ".join(f"{seen.get(event, 0)} {words}" for event, words in _NOTICED.items())
    return f"{shown}; tries of the syncs {of_syncs}"


def _spread(what: str, seconds: Sequence[float], also: str = "") -> None:
    if seconds:
        half, most = percentile(seconds, 0.5), percentile(seconds, 0.95)
        print(
            f"    {what:<30}{half:>8.2f} s median, {most:.2f} s of 95 %, {max(seconds):.1f} s at most  {also}"
        )


def _sizes(fleet: Fleet) -> None:
    sizes = _all(
        fleet,
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 8",
    )
    print("  the store:")
    for name, size in sizes:
        rows = _one(fleet, f"SELECT count(*) FROM {name}")
        print(f"    {name:<24}{rows:>10,} rows{size / 1e6:>9.1f} MB{size / max(1, rows):>9,.0f} bytes a row")


def _all(fleet: Fleet, query: str, **given: str) -> Iterable[Any]:
    with fleet.store.read() as connection:
        return list(connection.execute(sa.text(query), given))


def _one(fleet: Fleet, query: str) -> int:
    with fleet.store.read() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def tell(fleet: Fleet) -> None:
    """What there is to see when a promise did not hold."""
    for component in fleet.airflow.processes:
        print(f"-- {component}\n{fleet.airflow.log_tail(component, 12)}")
    for row in _all(fleet, "SELECT id, route, state, tries, due_at, plan_until, claim FROM deliveries WHERE state <> 'delivered' LIMIT 20"):  # fmt: skip
        print(f"-- {row}")
    for row in fleet.task_instances():
        print(f"-- {row}")
