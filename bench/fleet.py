"""A fleet under fire: Airflow on Celery with three workers and two receivers, killed again and again while it works.

Leads go out through four low-code syncs of one campaign, events come in at both receivers and go out on two low-code
routes. Meanwhile workers, tasks, the scheduler, the triggerer, the DAG processor, the API server and receivers are ended
by SIGKILL at random moments, and the connections of both databases are cut; what was killed is started again.

What must hold: nobody is texted twice; every row is accounted for; every event that was acknowledged is delivered to both
endpoints, each contact's first in order; nothing is left open. PostgreSQL and Redis must answer on this machine: the bench
makes databases of its own in both, and drops them. A line four times a minute says how far it is, no stage takes longer
than it may, and the table is printed in any case.

    python bench/fleet.py --small                                      # some minutes, as the tests run it
    python bench/fleet.py                                              # more of them
    python bench/fleet.py --leads 100000 --events 20000 --kills 50     # the whole of it, about half an hour
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from shared import verdict
from shared.cluster import REDIS, Cluster, NotThere, cluster, receivers, workers
from shared.figures import Bench
from shared.places import POSTGRES, new_store
from shared.plot import draw
from shared.running import PARTS, TASKS, Fleet
from shared.stages import StageOver, Stages
from shared.traffic import Endpoint, Platform
from shared.watch import Watch

from airflow_outreach_provider.demo.airflow import (
    AirflowDidNotStart,
    running_airflow,
    wait_until,
)
from airflow_outreach_provider.demo.events import Sources, post, running_crm
from airflow_outreach_provider.demo.messy import Written, write_messy_csv
from airflow_outreach_provider.simulator.process import running_simulator

LEADS = [f"part_{n}" for n in range(1, PARTS + 1)]
ENDPOINTS = ("crm", "warehouse")
WORKERS, RECEIVERS = 3, 2
LOADER = Path(__file__).parents[1] / "dags" / "outreach_workflows.py"
FAULTS = (
    "status=429,retry_after=1,every=1501", "status=503,every=1701", "status=500,when=after,every=1907",
    "status=500,when=before,every=2103", "drop,when=after,every=2301", "latency=0.01,jitter=0.01",
)  # fmt: skip
# As often as their processes are many: most of a fleet are workers and what they do.
VICTIMS = (
    *("worker", "worker", "worker", "task", "task", "task", "supervisor", "receiver", "receiver"),
    *("scheduler", "triggerer", "dag-processor", "api-server", "connections"),
)
# Longer than the plan of a task that Airflow has given up keeps its deliveries.
START, REST, SETTLE, VERDICT = 900, 1200, 180, 300

bench = Bench(__doc__)
bench.size("leads", 10_000, 2_000, "rows of the lead list")
bench.size("events", 2_000, 500, "webhooks")
bench.size("each", 10, 40, "of them from each contact; fewer contacts are fewer tasks")
bench.size("kills", 12, 6, "SIGKILLs and cuts")
bench.size("pace", 15.0, 8.0, "seconds from one kill to the next")
bench.size("noticed", 60, 25, "seconds until Airflow takes a silent process for dead")
bench.size("failing", 0.02, 0.02, "share of deliveries whose first try is answered 503")
bench.size("seed", 1, 1, "of the random moments")
bench.parser.add_argument("--minutes", type=float, help="all of it ends after so long (default by the kills)")
bench.parser.add_argument(
    "--postgres", default=POSTGRES, help=f"where databases may be created (default {POSTGRES})"
)
bench.parser.add_argument("--redis", default=REDIS, help=f"the broker (default {REDIS})")
bench.parser.add_argument("--plot", type=Path, help="write a picture of the run there, as SVG")
bench.parser.add_argument("--keep", action="store_true", help="leave Airflow's folder with its logs behind")


def measure(asked: argparse.Namespace) -> None:
    """:raises SystemExit: a promise was broken, or PostgreSQL or Redis is not there."""
    seconds = asked.pace * (2 + asked.kills)
    most = asked.minutes * 60 if asked.minutes else 1500 + 3 * seconds
    try:
        with (
            cluster(asked.postgres, asked.redis) as own,
            place(keep=asked.keep) as home,
            Stages(bench.note, most) as stages,
        ):
            held = trial(asked, own, home, stages, seconds)
    except NotThere as error:
        raise SystemExit(f"fleet: {error}") from None
    if not held:
        raise SystemExit(1)


def trial(asked: argparse.Namespace, own: Cluster, home: Path, stages: Stages, seconds: float) -> bool:
    """:param seconds: as long as leads and events are to flow. :return: whether everything held."""
    written = write_workflows(home, asked)
    with ExitStack() as stack:
        try:
            with stages.stage("start", START):
                fleet = begin(stack, asked, own, home, seconds)
        except (AirflowDidNotStart, StageOver, TimeoutError) as error:
            raise SystemExit(f"fleet: it did not start: {error}") from None
        bench.note(
            f"{len(fleet.airflow.processes)} components are up; {written.rows:,} rows, {asked.events:,} events"
        )
        watch = Watch(fleet.airflow, asked.postgres, own.databases, fleet.workers, fleet.counts)
        stages.tell = fleet.told
        early: BaseException | None = None
        try:
            work(fleet, stages, asked, seconds)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the table is worth printing in any case
            early = error
            print(f"  NO  {error}", flush=True)
            if not isinstance(error, StageOver | TimeoutError | AirflowDidNotStart | SystemExit):
                traceback.print_exception(error)
        finally:
            fleet.platform.stop(10)
            watch.stop()
        try:
            with stages.stage("verdict", VERDICT, extra=True):
                held = verdict.judge(bench, fleet, watch, written, asked) and early is None
                if asked.plot:
                    asked.plot.write_text(picture(fleet, watch, written, asked), "utf-8")
                if not held:
                    verdict.tell(fleet)
        except StageOver as error:
            raise SystemExit(f"fleet: {error}") from None
        return held


def begin(stack: ExitStack, asked: argparse.Namespace, own: Cluster, home: Path, seconds: float) -> Fleet:
    """Start everything.

    :raises AirflowDidNotStart, TimeoutError: it does not come up; says what.
    """
    sources, contacts = Sources.new(), max(12, asked.events // asked.each)
    endpoints = {name: Endpoint(random.Random(asked.seed), contacts, asked.failing) for name in ENDPOINTS}
    store = new_store(own.store)
    stack.callback(store.close)
    metadata = sa.create_engine(own.metadata, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    stack.callback(metadata.dispose)
    simulator = stack.enter_context(running_simulator(faults=FAULTS, journal=str(home / "journal")))
    api = dict(simulator.connection)
    api["extra"] = {**api["extra"], "requests_per_second": asked.leads / seconds}
    crms = {name: stack.enter_context(running_crm(each.answer)) for name, each in endpoints.items()}
    given = {"outreach_default": api, **sources.connections} | {n: c.connection for n, c in crms.items()}
    receiving, urls = receivers(RECEIVERS)
    commands = {**workers(WORKERS, TASKS, str(home)), **receiving}
    airflow = stack.enter_context(
        running_airflow(
            home / "airflow",
            home / "dags",
            connections=given,
            environment=own.settings(asked.noticed),
            commands=commands,
        )
    )
    for dag in (*map(sync, LEADS), *map(route, ENDPOINTS)):
        airflow.wait_for_dag(dag, 300)
    for url in urls:
        wait_until(partial(is_up, url), 300, "the receivers answer")
    platform = Platform(urls, sources, asked.events / seconds, contacts=contacts, most=asked.events)
    dice = random.Random(asked.seed)
    return Fleet(airflow, own, store, metadata, simulator, platform, endpoints, asked.postgres, dice)


def is_up(url: str) -> bool:
    """Whether a receiver answers there."""
    return post(url, "/outreach/in/nobody", b"{}", {}) == 404


def work(fleet: Fleet, stages: Stages, asked: argparse.Namespace, seconds: float) -> None:
    """Leads and events while kills fall; then without them, until nothing is left to do.

    :raises StageOver: something does not come to its end.
    """
    syncs = [sync(name) for name in LEADS]
    with stages.stage("kills", 600 + 2 * seconds):
        fleet.runs = fleet.trigger(syncs)
        harass(fleet, asked.kills, asked.pace, seconds)
    fleet.took["kills"] = time.monotonic() - fleet.began
    with stages.stage("leads", REST):
        states = fleet.wait_for(fleet.runs)
    fleet.took["leads"] = time.monotonic() - fleet.began
    bench.note(f"the syncs ended: {dict(Counter(states.values()))}")
    fleet.simulator.set_faults()
    with stages.stage("leads once more", REST / 2):
        fleet.wait_for(fleet.trigger(syncs))
    with stages.stage("events", REST):
        while not is_delivered(fleet):
            fleet.revive()
            time.sleep(1)
    last = max(at for each in fleet.endpoints.values() for at in each.taken.values())
    fleet.took["events"] = last - fleet.began_at
    with stages.stage("settle", SETTLE):
        verdict.settle(fleet)


def harass(fleet: Fleet, kills: int, pace: float, seconds: float) -> None:
    """Kill one thing after another at random moments, something done between two kills, while there is something to do."""
    done, earliest = (0, 0), 0.0
    for moment in sorted(fleet.dice.uniform(pace, seconds) for _ in range(kills)):
        while time.monotonic() - fleet.began < max(moment, earliest):
            fleet.revive()
            time.sleep(0.5)
        done = go_on(fleet, done)
        if is_delivered(fleet) and len(fleet.ended(fleet.runs)) == len(fleet.runs):
            bench.note(f"all was done after {len(fleet.kills)} kills; use more leads")
            return
        while not fleet.kill(victim := fleet.dice.choice(VICTIMS)):
            time.sleep(1)
        earliest = time.monotonic() - fleet.began + pace / 3  # where work is late, kills are not all at once
        done = progress(fleet)
        bench.note(f"kill {len(fleet.kills)}: {victim} at {done[0]:,} texts, {done[1]:,} deliveries")


def progress(fleet: Fleet) -> tuple[int, int]:
    """Texts and deliveries by now."""
    deliveries = sum(len(each.taken) for each in fleet.endpoints.values())
    return fleet.simulator.report(full=False)["texts"], deliveries


def go_on(fleet: Fleet, before: tuple[int, int]) -> tuple[int, int]:
    """Wait until leads or events have gone on, or all of it is done."""
    while True:
        texts, deliveries = progress(fleet)
        if texts > before[0] or deliveries > before[1] or is_delivered(fleet):
            return texts, deliveries
        fleet.revive()
        time.sleep(0.5)


def is_delivered(fleet: Fleet) -> bool:
    """Whether both endpoints have all events."""
    wanted = fleet.platform.wanted
    return fleet.platform.is_done and all(wanted <= each.taken.keys() for each in fleet.endpoints.values())


def picture(fleet: Fleet, watch: Watch, written: Written, asked: argparse.Namespace) -> str:
    """The run as an SVG."""
    totals = {"texted": written.people, "acknowledged": asked.events}
    totals |= {f"delivered to {name}": asked.events for name in ENDPOINTS}
    title = (
        f"A fleet under {len(fleet.kills)} kills: the share of {written.people:,} people texted, of {asked.events:,} events "
        "acknowledged and delivered to two endpoints, by minutes, and below it when each kind of process was killed"
    )
    kills = [(at + fleet.began - watch.started, what) for at, what in fleet.kills]
    return draw(watch.samples, totals, kills, title)


def sync(name: str) -> str:
    """The DAG of a lead sync."""
    return f"outreach_lead_sync__{name}"


def route(name: str) -> str:
    """The DAG of an event route."""
    return f"outreach_event_route__{name}"


def write_workflows(home: Path, asked: argparse.Namespace) -> Written:
    """The DAGs folder, and one lead list in as many files as there are syncs."""
    workflows = home / "dags" / "workflows"
    workflows.mkdir(parents=True)
    (workflows.parent / LOADER.name).write_text(LOADER.read_text("utf-8"))
    written = write_messy_csv(home / "leads.csv", asked.leads, asked.seed)
    with (home / "leads.csv").open(encoding="utf-8-sig", newline="") as file:
        heading, *rows = csv.reader(file, delimiter=";")
    # Each kill uses up a try, and lets the next one wait twice as long where nothing bounds that.
    lines = ["defaults: {lead_syncs: {retries: 200, retry_delay: 2s, max_retry_delay: 5s}}", "lead_syncs:"]
    for n, name in enumerate(LEADS):
        with (home / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([heading, *rows[n::PARTS]])
        rules = "{default_region: US, max_rejected: 20%}"
        lines.append(
            f"  {name}: {{leads: {{csv: {home / name}.csv}}, outreach: {{campaign: fleet}}, rules: {rules}}}"
        )
    lines.append("event_routes:")
    lines += [f"  {name}: {{deliver: {{endpoint: {name}}}, poll_interval: 1s}}" for name in ENDPOINTS]
    (workflows / "fleet.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return written


@contextmanager
def place(*, keep: bool) -> Iterator[Path]:
    """A folder that goes with the block, or stays."""
    if keep:
        home = Path(tempfile.mkdtemp(prefix="outreach-fleet-"))
        bench.note(f"kept: {home}")
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="outreach-fleet-", ignore_cleanup_errors=True) as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
