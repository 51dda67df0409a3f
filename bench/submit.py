"""How fast a batch is submitted, against bare aiohttp, a ``requests`` loop and ``HttpOperator.expand``.

    python bench/submit.py                    # quick sizes, about two minutes
    python bench/submit.py --rows 1000000     # a million rows in the memory part

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
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import phonenumbers
import requests
from shared.figures import Bench, Spent, median, timed
from shared.places import Message, new_store, post_all, postgres_schema

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import open_rows
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime.loop import run
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.connections import SENDING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

WINDOW = 64
PATH = "/api/webhook/outreach"
SECONDS = 45

bench = Bench(__doc__)
bench.size("leads", 6_000, 300, "leads a round")
bench.size("rounds", 5, 1, "rounds of bare and ours")
bench.size("records", 40, 2, "records of HttpOperator.expand")
bench.size("again", 5_000, 500, "rows of the unchanged file")
bench.size("rows", 30_000, 2_000, "rows of the long file; the short one has a tenth")
bench.parser.add_argument(
    "--only", choices=["sending", "stores", "expanding", "again", "memory"], help="one part alone"
)


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


def bare(sim: RunningSimulator, messages: Sequence[Message]) -> None:
    """Bare aiohttp: 64 workers, no ledger, no validation, the default loop."""
    asyncio.run(post_all(sim.url + PATH, messages, WINDOW))


def messages_of(sim: RunningSimulator, count: int) -> list[Message]:
    """What the API is sent for as many leads."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {sim.api_key}"}
    return [(json.dumps(payload(sim, number)).encode(), headers) for number in range(count)]


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


def sending(sim: RunningSimulator, folder: Path, count: int, rounds: int) -> float:
    """Bare, ours, bare, ours …; :return: leads a second of ours."""
    file, messages = folder / "leads.csv", messages_of(sim, count)
    write_csv(file, count)
    bares, ours = [], []
    for number in bench.rounds(rounds, SECONDS):
        sim.reset()
        bares.append(timed(lambda: bare(sim, messages)))
        sim.reset()
        store = new_store(folder / f"round{number}")
        ours.append(timed(lambda store=store: check(submit(sim, store, file), "accepted", count)))  # type: ignore[misc]
        assert sim.report(full=False)["texted_twice_count"] == 0
        store.close()
    looped = max(1, count // 5)
    sim.reset()
    loop_rate = looped / timed(lambda: loop(sim, looped)).seconds
    floor, spent = median(bares), median(ours)
    rate, beside = count / spent.seconds, f"bare aiohttp, {WINDOW} at once"
    bench.compare("leads submitted", rate, count / floor.seconds, beside, unit="/s", at_least=0.6)
    bench.compare("CPU of a lead", spent.cpu / count * 1e6, floor.cpu / count * 1e6, beside, unit="µs")
    bench.compare("leads submitted", rate, loop_rate, "requests in a loop", unit="/s")
    return rate


def over_stores(sim: RunningSimulator, folder: Path, count: int, rounds: int) -> None:
    """Bare, SQLite, PostgreSQL, bare …: the same file over either store."""
    file, messages = folder / "stores.csv", messages_of(sim, count)
    write_csv(file, count)
    spent: dict[str, list[Spent]] = {"bare": [], "SQLite": [], "PostgreSQL": []}
    for number in bench.rounds(rounds, SECONDS):
        sim.reset()
        spent["bare"].append(timed(lambda: bare(sim, messages)))
        with postgres_schema() as postgres:
            if postgres is None:
                bench.note("no PostgreSQL on 127.0.0.1:5432: left out")
                return
            for name, url in (
                ("SQLite", f"sqlite:///{folder / f'stores{number}'}.db"),
                ("PostgreSQL", postgres),
            ):
                sim.reset()
                store = Store(url, pool=SENDING)
                upgrade(store)
                sent = timed(lambda store=store: check(submit(sim, store, file), "accepted", count))  # type: ignore[misc]
                spent[name].append(sent)
                store.close()
    floor, sqlite, postgresql = (median(spent[name]) for name in ("bare", "SQLite", "PostgreSQL"))
    bench.compare(
        "leads submitted over PostgreSQL", count / postgresql.seconds, count / sqlite.seconds, "over SQLite",
        unit="/s", at_least=0.8,
    )  # fmt: skip
    bench.compare(
        "CPU of a lead over PostgreSQL", postgresql.cpu / count * 1e6, sqlite.cpu / count * 1e6, "over SQLite", unit="µs",
    )  # fmt: skip
    beside = f"bare aiohttp, {WINDOW} at once"
    bench.compare("leads over SQLite", count / sqlite.seconds, count / floor.seconds, beside, unit="/s")


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
    beside = f"HttpOperator.expand, {count} records"
    bench.compare("leads submitted", ours, rate, beside, unit="/s", at_least=500)


def syncing_again(sim: RunningSimulator, folder: Path, count: int, rounds: int) -> None:
    """A file that has not changed, against phonenumbers alone over the same file."""
    file, store = folder / "again.csv", new_store(folder / "again")
    write_csv(file, count)
    sim.reset()
    check(submit(sim, store, file), "accepted", count)
    plain, ours = [], []
    for _ in bench.rounds(rounds, SECONDS / 3):
        plain.append(timed(lambda: validate(file)))
        ours.append(timed(lambda: check(submit(sim, store, file), "unchanged", count)))
    store.close()
    bench.compare(
        "rows of an unchanged file", count / median(ours).seconds, count / median(plain).seconds,
        "phonenumbers alone", unit="/s", at_least=2.5,
    )  # fmt: skip


def validate(file: Path) -> None:
    """phonenumbers' own parse and validate, over every row of a file."""
    with file.open(newline="") as stream:
        for row in csv.DictReader(stream):
            assert phonenumbers.is_valid_number(phonenumbers.parse(row["phone"], None))


def remembering(sim: RunningSimulator, folder: Path, large: int) -> None:
    """Peak memory of a long file over that of a short one, each in a process of its own."""
    small = large // 10
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
    bench.compare(
        f"peak memory, {large:,} rows", peaks[large], peaks[small], f"{small:,} rows", unit="MB", at_most=1.5
    )


def child(file: str, url: str, api_key: str, configuration_id: str) -> None:
    """One batch, then this process's peak memory."""

    class Sim:
        pass

    sim = Sim()
    sim.url, sim.api_key, sim.configuration_id = url, api_key, configuration_id  # type: ignore[attr-defined]
    path = Path(file)
    store = new_store(path.parent / f"memory-{path.stem}")
    submit(sim, store, path)  # type: ignore[arg-type]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024)}))


def measure(asked: argparse.Namespace) -> None:
    """Every part, or the one that was asked for."""
    only = asked.only
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name, running_simulator() as sim:
        folder, ours = Path(name), 0.0
        if only in (None, "sending", "expanding"):
            ours = sending(sim, folder, asked.leads, asked.rounds)
        if only in (None, "stores"):
            over_stores(sim, folder, asked.leads, asked.rounds)
        if only in (None, "expanding"):
            expanding(sim, folder, asked.records, ours)
        if only in (None, "again"):
            syncing_again(sim, folder, asked.again, 7)
        if only in (None, "memory"):
            remembering(sim, folder, asked.rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(bench.run(measure))
