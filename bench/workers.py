"""Whether more workers send a staged batch faster: 1, 2 and 4 processes over one ledger, against a slow API.

    python bench/workers.py [--postgres URL] [--leads 2000]

The API takes 50 ms a lead and each worker has 16 requests in flight, so one worker alone cannot send more than
320 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing import get_context

from shared.figures import Bench
from shared.places import new_store

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.simulator.process import running_simulator
from airflow_outreach_provider.store.engine import Store

bench = Bench(__doc__)
bench.parser.add_argument("--postgres", help="URL of an empty PostgreSQL schema; SQLite where left out")
bench.size("leads", 2_000, 100, "leads each number of workers sends")


def run(
    url: str, api: str, key: str, campaign: str, rows: Iterator[Row] | None, shard: int, shards: int
) -> tuple[int, int]:
    """:return: (accepted, texted by somebody else)."""
    rules = LeadRules(configuration_id="68d6d7de324658b8a1760d5e", campaign=campaign)
    options = SubmitOptions(rules, window=16, shard=shard, shards=shards, stage_only=rows is not None)
    client = OutreachClient(ApiSettings(api, key, trust_env=False))
    batch = SubmitRun(Store(url), client, rows, options, owner=Owner(campaign, map_index=shard))
    tally = asyncio.run(batch.run()).by_state()
    return tally["accepted"], tally["elsewhere"] + tally["unchanged"]


def _worker(arguments: tuple[str, str, str, str, int, int]) -> tuple[int, int]:
    url, api, key, campaign, shard, shards = arguments
    return run(url, api, key, campaign, None, shard, shards)


def measure(asked: argparse.Namespace) -> None:
    """The same number of leads by 1, 2 and (not when small) 4 workers."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-bench-"))
        sim = stack.enter_context(running_simulator(faults=["latency=0.05"]))
        url = asked.postgres or f"sqlite:///{folder}/outreach.db"
        new_store(url).close()
        alone = 0.0
        for workers in (1, 2) if bench.small else (1, 2, 4):
            campaign = f"workers-{workers}"
            people = [{"phone": f"+1416{2_000_000 + n}"} for n in range(asked.leads)]
            run(url, sim.url, sim.api_key, campaign, read_list(people), 0, 1)
            with get_context("spawn").Pool(workers) as pool:
                pool.map(len, [""] * workers)  # started before the clock is
                began = time.perf_counter()
                jobs = [(url, sim.url, sim.api_key, campaign, n, workers) for n in range(workers)]
                done = pool.map(_worker, jobs, chunksize=1)
                rate = asked.leads / (time.perf_counter() - began)
            sent = sum(accepted for accepted, _ in done)
            assert sent == asked.leads, f"{workers} workers sent {sent:,} of {asked.leads:,} leads"
            alone = alone or rate
            if workers > 1:
                aim = 1.3 if workers == 2 else None
                bench.compare(
                    f"leads of {workers} workers", rate, alone, "one worker", unit="/s", at_least=aim
                )


if __name__ == "__main__":
    sys.exit(bench.run(measure))
