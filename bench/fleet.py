"""A fleet under fire: Airflow on Celery with three workers and two receivers, killed again and again while it works.

Leads go out through four low-code syncs of one campaign, events come in at both receivers and go out on two low-code
routes. Meanwhile workers, tasks, the scheduler, the triggerer, the DAG processor, the API server and receivers are ended
by SIGKILL at random moments, and the connections of both databases are cut; what was killed is started again.

What must hold: nobody is texted twice; every row is accounted for; every event that was acknowledged is delivered to both
endpoints, each contact's first in order; nothing is left open. PostgreSQL and Redis must answer on this machine: the bench
makes databases of its own in both, and drops them.

    python bench/fleet.py                                              # some minutes
    python bench/fleet.py --leads 100000 --events 20000 --kills 50     # the whole of it, about half an hour
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from shared import verdict
from shared.cluster import REDIS, Cluster, NotThere, cluster, receivers, workers
from shared.figures import Bench
from shared.kills import cut_connections, kill_component, kill_task
from shared.places import POSTGRES, new_store
from shared.traffic import Endpoint, Platform
from shared.watch import Watch

from airflow_outreach_provider.demo.airflow import (
    AirflowDidNotStart,
    RunningAirflow,
    running_airflow,
    wait_until,
)
from airflow_outreach_provider.demo.events import Sources, post, running_crm
from airflow_outreach_provider.demo.messy import Written, write_messy_csv
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store

PARTS = 4
LEADS = [f"part_{n}" for n in range(1, PARTS + 1)]
ENDPOINTS = ("crm", "warehouse")
WORKERS, TASKS, RECEIVERS = 3, 4, 2
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
SECONDS_A_KILL, SECONDS_BEFORE = 15.0, 30.0
PATIENCE = 1200  # longer than the plan of a task that Airflow has given up keeps its deliveries

bench = Bench(__doc__)
bench.size("leads", 10_000, 2_000, "rows of the lead list")
bench.size("events", 2_000, 500, "webhooks")
bench.size("kills", 12, 6, "SIGKILLs and cuts")
bench.size("seed", 1, 1, "of the random moments")
bench.parser.add_argument(
    "--postgres", default=POSTGRES, help=f"where databases may be created (default {POSTGRES})"
)
bench.parser.add_argument("--redis", default=REDIS, help=f"the broker (default {REDIS})")
bench.parser.add_argument("--keep", action="store_true", help="leave Airflow's folder with its logs behind")


@dataclass
class Fleet:
    """Everything that runs, and what has happened to it.

    :ivar killed: by what it was. :ivar fallen: components that ended without being killed, and were started again.
    """

    airflow: RunningAirflow
    own: Cluster
    store: Store
    simulator: RunningSimulator
    platform: Platform
    endpoints: Mapping[str, Endpoint]
    postgres: str
    dice: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    fallen: Counter[str] = field(default_factory=Counter)
    runs: dict[str, str] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    @property
    def workers(self) -> list[str]:
        """The components in which tasks run."""
        return [name for name in self.airflow.processes if name.startswith("worker")]

    def start(self, names: list[str]) -> None:
        """Start what was killed, and whatever else has ended by then."""
        for _ in range(5):
            with suppress(AirflowDidNotStart):
                self.airflow.start(names)
                return
            names = self._fallen()
        raise AirflowDidNotStart(f"does not stay up: {names}\n{self.airflow.log_tail(names[0])}")

    def revive(self) -> None:
        """Start again what ended by itself."""
        if names := self._fallen():
            self.start(names)

    def wait_for(self, runs: Mapping[str, str]) -> dict[str, str]:
        """Wait until these runs have ended. :return: their states by DAG."""
        deadline = time.monotonic() + PATIENCE
        states: dict[str, str] = {}
        while len(states) < len(runs):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still at work after {PATIENCE} s: {sorted(runs.keys() - states.keys())}")
            time.sleep(1)
            self.revive()
            states = self.ended(runs)
        return states

    def ended(self, runs: Mapping[str, str]) -> dict[str, str]:
        """Those of the runs that have ended, with their states."""
        found = {}
        for dag, run in runs.items():
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                found[dag] = str(self.airflow.api("GET", f"dags/{dag}/dagRuns/{run}")["state"])
        return {dag: state for dag, state in found.items() if state in ("success", "failed")}

    def kill(self, victim: str) -> bool:
        """:return: whether there was such a thing to kill."""
        airflow, dice = self.airflow, self.dice
        if victim in ("task", "supervisor"):
            return kill_task(airflow, victim, dice, self.workers)
        if victim == "connections":
            return cut_connections(self.postgres, self.own.databases) > 0
        name = dice.choice([each for each in airflow.processes if each.startswith(victim)])
        kill_component(airflow, name)
        time.sleep(dice.uniform(0, 2))
        self.start([name])
        return True

    def _fallen(self) -> list[str]:
        names = [name for name, process in self.airflow.processes.items() if process.poll() is not None]
        for name in names:
            self.fallen[name] += 1
            kill_component(self.airflow, name)
        return names


def measure(asked: argparse.Namespace) -> None:
    """:raises SystemExit: a promise was broken, or PostgreSQL or Redis is not there."""
    try:
        with cluster(asked.postgres, asked.redis) as own, place(keep=asked.keep) as home:
            held = trial(asked, own, home)
    except NotThere as error:
        raise SystemExit(f"fleet: {error}") from None
    if not held:
        raise SystemExit(1)


def trial(asked: argparse.Namespace, own: Cluster, home: Path) -> bool:
    """:return: whether everything held."""
    written, sources = write_workflows(home, asked), Sources.new()
    contacts = max(12, asked.events // 50)
    dice = random.Random(asked.seed)
    endpoints = {name: Endpoint(random.Random(asked.seed), contacts) for name in ENDPOINTS}
    store = new_store(own.store)
    receiving, urls = receivers(RECEIVERS)
    seconds = SECONDS_BEFORE + SECONDS_A_KILL * asked.kills  # as long as leads and events are to flow
    with ExitStack() as stack:
        stack.callback(store.close)
        simulator = stack.enter_context(running_simulator(faults=FAULTS, journal=str(home / "journal")))
        api = dict(simulator.connection)
        api["extra"] = {**api["extra"], "requests_per_second": asked.leads / seconds}
        crms = {name: stack.enter_context(running_crm(each.answer)) for name, each in endpoints.items()}
        given = {"outreach_default": api, **sources.connections} | {n: c.connection for n, c in crms.items()}
        commands = {**workers(WORKERS, TASKS, str(home)), **receiving}
        airflow = stack.enter_context(
            running_airflow(
                home / "airflow",
                home / "dags",
                connections=given,
                environment=own.settings(),
                commands=commands,
            )
        )
        for dag in (*map(sync, LEADS), *map(route, ENDPOINTS)):
            airflow.wait_for_dag(dag, 120)
        for url in urls:
            wait_until(partial(is_up, url), 120, "the receivers answer")
        bench.note(
            f"{len(airflow.processes)} components are up; {written.rows:,} rows, {asked.events:,} events"
        )
        watch = Watch(airflow, asked.postgres, own.databases, list(commands)[:WORKERS])
        platform = Platform(urls, sources, asked.events / seconds, contacts=contacts, most=asked.events)
        fleet = Fleet(airflow, own, store, simulator, platform, endpoints, asked.postgres, dice)
        early: BaseException | None = None
        try:
            work(fleet, asked.kills)
        except (
            TimeoutError,
            AirflowDidNotStart,
            SystemExit,
        ) as error:  # the table is worth printing in any case
            early = error
            print(f"  NO  {error}", flush=True)
        finally:
            watch.stop()
        held = verdict.judge(bench, fleet, watch, written, asked) and early is None
        if not held:
            verdict.tell(fleet)
        return held


def is_up(url: str) -> bool:
    """Whether a receiver answers there."""
    return post(url, "/outreach/in/nobody", b"{}", {}) == 404


def work(fleet: Fleet, kills: int) -> None:
    """Leads and events while kills fall; then without them, until nothing is left to do.

    :raises TimeoutError: something does not come to its end.
    """
    started = time.monotonic()
    fleet.runs = {sync(name): fleet.airflow.trigger(sync(name)) for name in LEADS}
    harass(fleet, kills)
    fleet.took["kills"] = time.monotonic() - started
    states = fleet.wait_for(fleet.runs)
    fleet.took["leads"] = time.monotonic() - started
    bench.note(f"the syncs ended: {dict(Counter(states.values()))}")
    fleet.simulator.set_faults()
    again = {sync(name): fleet.airflow.trigger(sync(name)) for name in LEADS}
    fleet.wait_for(again)
    deadline = time.monotonic() + PATIENCE
    while not is_delivered(fleet):
        if time.monotonic() > deadline:
            raise TimeoutError(f"events are not delivered after {PATIENCE} s without a kill")
        fleet.revive()
        time.sleep(1)
    fleet.took["events"] = time.monotonic() - started
    verdict.settle(fleet, 120)


def harass(fleet: Fleet, kills: int) -> None:
    """Kill one thing after another, as long as there is something to do, and something done between two kills."""
    done = (0, 0)
    while fleet.killed.total() < kills:
        done = go_on(fleet, done)
        time.sleep(fleet.dice.uniform(0, SECONDS_A_KILL / 2))
        fleet.revive()
        if is_delivered(fleet) and len(fleet.ended(fleet.runs)) == len(fleet.runs):
            bench.note(f"all was done after {fleet.killed.total()} kills; use more leads")
            return
        victim = fleet.dice.choice(VICTIMS)
        if fleet.kill(victim):
            fleet.killed[victim] += 1
            done = progress(fleet)
            bench.note(f"kill {fleet.killed.total()}: {victim} at {done[0]:,} texts, {done[1]:,} deliveries")


def progress(fleet: Fleet) -> tuple[int, int]:
    """Texts and deliveries by now."""
    deliveries = sum(len(each.taken) for each in fleet.endpoints.values())
    return fleet.simulator.report(full=False)["texts"], deliveries


def go_on(fleet: Fleet, before: tuple[int, int]) -> tuple[int, int]:
    """Wait until leads or events have gone on, or all of it is done.

    :raises TimeoutError: nothing goes on.
    """
    deadline = time.monotonic() + PATIENCE / 3
    while time.monotonic() < deadline:
        texts, deliveries = progress(fleet)
        if texts > before[0] or deliveries > before[1] or is_delivered(fleet):
            return texts, deliveries
        fleet.revive()
        time.sleep(0.5)
    raise TimeoutError(f"nothing goes on after {PATIENCE / 3:.0f} s: {before} texts and deliveries")


def is_delivered(fleet: Fleet) -> bool:
    """Whether both endpoints have all events."""
    wanted = fleet.platform.wanted
    return fleet.platform.is_done and all(wanted <= each.taken.keys() for each in fleet.endpoints.values())


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
    lines = ["defaults: {lead_syncs: {retries: 200, retry_delay: 2s}}", "lead_syncs:"]
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
