"""How fast a batch is submitted, against bare aiohttp, a ``requests`` loop and ``HttpOperator.expand``.

    python bench/submit.py            # quick sizes, about two minutes
    python bench/submit.py --full     # a million rows in the memory part

All on this machine, in this run, against the simulator in a process of its own. The batch does all it promises:
a SQLite ledger with ``synchronous=FULL`` (each claim committed before its request), every phone validated, one
POST a lead, 64 at once. Bare and ours take turns; what is shown are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import phonenumbers
import requests

from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.loop import run
from airflow_outreach_provider.services.reading import Row, open_rows
from airflow_outreach_provider.services.submit import SubmitOptions, SubmitRun
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.runs import Owner

WINDOW = 64
PATH = "/api/webhook/outreach"


def payload(sim: RunningSimulator, number: int) -> dict[str, str]:
    """The body every contender sends."""
    return {
        "configurationId": sim.configuration_id, "phoneNumber": f"+1416{2_000_000 + number}",
        "firstName": "Ann", "lastName": "Lee", "email": f"ann{number}@example.com", "company": "Acme",
    }  # fmt: skip


def write_csv(path: Path, count: int) -> None:
    """A file of as many leads, each another number."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "first_name", "last_name", "email", "company"])
        for number in range(count):
            area, line = divmod(number, 7_900_000)
            phone = f"+1{(416, 647, 437)[area]}{2_000_000 + line}"
            writer.writerow([phone, "Ann", "Lee", f"ann{number}@example.com", "Acme"])


async def _bare(sim: RunningSimulator, count: int) -> None:
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=WINDOW)
    async with aiohttp.ClientSession(
        connector=connector, headers={"Authorization": f"Bearer {sim.api_key}"}
    ) as session:

        async def worker() -> None:
            for number in numbers:
                async with session.post(sim.url + PATH, json=payload(sim, number)) as response:
                    assert (await response.json())["success"]

        await asyncio.gather(*[worker() for _ in range(WINDOW)])


def bare(sim: RunningSimulator, count: int) -> None:
    """Bare aiohttp: 64 workers, no ledger, no validation, the default loop."""
    asyncio.run(_bare(sim, count))


def loop(sim: RunningSimulator, count: int) -> None:
    """What most DAGs do: ``requests`` in a loop, with a session."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {sim.api_key}"
        for number in range(count):
            session.post(sim.url + PATH, json=payload(sim, number), timeout=30).raise_for_status()


def submit(sim: RunningSimulator, store: Store, file: Path) -> SubmitRun:
    """Ours: one file, everything on."""
    with file.open("rb") as stream:
        rows: Iterator[Row] = open_rows(stream, name=str(file))
        options = SubmitOptions(LeadRules(configuration_id=sim.configuration_id), window=WINDOW)
        client = OutreachClient(ApiSettings(sim.url, sim.api_key))
        batch = SubmitRun(store, client, rows, options, owner=Owner("bench", task_id=file.name))
        run(batch.run())
        return batch


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds, seconds of this process's own CPU time)."""
    cpu, started = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def new_store(folder: Path, name: str) -> Store:
    store = Store(f"sqlite:///{folder / name}.db")
    upgrade(store)
    return store


def sending(sim: RunningSimulator, folder: Path, count: int, rounds: int) -> float:
    """Bare, ours, bare, ours …; :return: leads a second of ours."""
    file = folder / "leads.csv"
    write_csv(file, count)
    took: dict[str, list[tuple[float, float]]] = {"bare": [], "ours": []}
    for number in range(rounds):
        sim.reset()
        took["bare"].append(timed(lambda: bare(sim, count)))
        sim.reset()
        store = new_store(folder, f"round{number}")
        took["ours"].append(timed(lambda store=store: check(submit(sim, store, file), "accepted", count)))  # type: ignore[misc]
        assert sim.report(full=False)["texted_twice_count"] == 0
        store.close()
    looped = count // 5
    sim.reset()
    loop_rate = looped / timed(lambda: loop(sim, looped))[0]
    rates = {name: count / statistics.median(wall for wall, _ in times) for name, times in took.items()}
    cpu = {name: statistics.median(cpu for _, cpu in times) / count * 1e6 for name, times in took.items()}
    pairs = [bare_[0] / ours[0] for bare_, ours in zip(took["bare"], took["ours"], strict=True)]
    say("bare aiohttp, 64 at once", f"{rates['bare']:,.0f}/s", f"{cpu['bare']:.0f} µs CPU a request")
    say("requests in a loop", f"{loop_rate:,.0f}/s", f"ours is {rates['ours'] / loop_rate:.1f} ×")
    say("ours, ledger and validation", f"{rates['ours']:,.0f}/s", f"{cpu['ours']:.0f} µs CPU a lead")
    aim("of bare aiohttp", statistics.median(pairs), 0.60, percent=True)
    return rates["ours"]


def check(batch: SubmitRun, state: str, count: int) -> None:
    """Nothing is measured that did not do its work."""
    counts = batch.tally.by_state()
    assert batch.tally.read == count, batch.tally.table()
    assert counts[state] == count, batch.tally.table()


def expanding(sim: RunningSimulator, folder: Path, count: int, ours: float) -> None:
    """One task instance a lead, in a real Airflow with ``dag.test()``."""
    home = folder / "airflow"
    env = {
        **os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", "AIRFLOW_CONN_BENCH": sim.url,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "BENCH_KEY": sim.api_key,
        "BENCH_RECORDS": json.dumps([payload(sim, number) for number in range(count)]),
    }  # fmt: skip
    sim.reset()
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "in_airflow" / "expand.py")],
        env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"HttpOperator.expand did not run:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer["states"] == ["success"], answer
    assert sim.report(full=False)["texts"] == count
    rate = count / answer["seconds"]
    say("HttpOperator.expand", f"{rate:,.1f}/s", f"{count} records, dag.test()")
    aim("times HttpOperator.expand", ours / rate, 500)


def syncing_again(sim: RunningSimulator, folder: Path, count: int, rounds: int) -> None:
    """A file that has not changed, against phonenumbers alone over the same file."""
    file, store = folder / "again.csv", new_store(folder, "again")
    write_csv(file, count)
    sim.reset()
    check(submit(sim, store, file), "accepted", count)
    plain, ours = [], []
    for _ in range(rounds):
        plain.append(timed(lambda: validate(file))[0] / count)
        ours.append(timed(lambda: check(submit(sim, store, file), "unchanged", count))[0] / count)
    store.close()
    say("phonenumbers, parse and validate", f"{statistics.median(plain) * 1e6:.1f} µs/row", f"{count:,} rows")
    say("ours, unchanged file", f"{statistics.median(ours) * 1e6:.1f} µs/row", "nobody texted")
    aim("times as fast per row", statistics.median(plain) / statistics.median(ours), 2)


def validate(file: Path) -> None:
    """phonenumbers' own parse and validate, over every row of a file."""
    with file.open(newline="") as stream:
        for row in csv.DictReader(stream):
            assert phonenumbers.is_valid_number(phonenumbers.parse(row["phone"], None))


def remembering(sim: RunningSimulator, folder: Path, large: int) -> None:
    """Peak memory of a long file over that of a short one, each in a process of its own."""
    small = 10_000
    peaks = {}
    for count in (small, large):
        sim.reset()
        file = folder / f"{count}.csv"
        write_csv(file, count)
        command = [sys.executable, __file__, "--child", str(file), sim.url, sim.api_key, sim.configuration_id]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-4000:])
        peaks[count] = json.loads(done.stdout)["peak_mb"]
        file.unlink()
    say(f"peak memory, {small:,} rows", f"{peaks[small]:.0f} MB")
    say(f"peak memory, {large:,} rows", f"{peaks[large]:.0f} MB")
    aim("MB more", peaks[large] - peaks[small], 60, most=True)


def child(file: str, url: str, api_key: str, configuration_id: str) -> None:
    """One batch, then this process's peak memory."""

    class Sim:
        pass

    sim = Sim()
    sim.url, sim.api_key, sim.configuration_id = url, api_key, configuration_id  # type: ignore[attr-defined]
    path = Path(file)
    store = new_store(path.parent, f"memory-{path.stem}")
    submit(sim, store, path)  # type: ignore[arg-type]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024)}))


def say(what: str, value: str, note: str = "") -> None:
    print(f"{what:<36}{value:>14}   {note}", flush=True)


def aim(what: str, value: float, wanted: float, *, percent: bool = False, most: bool = False) -> None:
    shown, bound = (f"{value:.0%}", f"{wanted:.0%}") if percent else (f"{value:,.1f}", f"{wanted:,g}")
    met = value <= wanted if most else value >= wanted
    print(
        f"  → {shown} {what}   (aim: {'≤' if most else '≥'} {bound}; {'met' if met else 'MISSED'})\n",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=6_000, help="leads a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of bare and ours (%(default)s)")
    parser.add_argument(
        "--records", type=int, default=100, help="records of HttpOperator.expand (%(default)s)"
    )
    parser.add_argument("--again", type=int, default=20_000, help="rows of the unchanged file (%(default)s)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the long file (%(default)s)")
    parser.add_argument("--full", action="store_true", help="a million rows in the long file")
    parser.add_argument("--only", choices=["sending", "expanding", "again", "memory"], help="one part alone")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    only = options.only
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name, running_simulator() as sim:
        folder, ours = Path(name), 0.0
        if only in (None, "sending", "expanding"):
            ours = sending(sim, folder, options.leads, options.rounds)
        if only in (None, "expanding"):
            expanding(sim, folder, options.records, ours)
        if only in (None, "again"):
            syncing_again(sim, folder, options.again, 3)
        if only in (None, "memory"):
            remembering(sim, folder, 1_000_000 if options.full else options.rows)


if __name__ == "__main__":
    main()
