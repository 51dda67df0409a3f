"""Whether more workers send a staged batch faster: 1, 2 and 4 processes over one ledger, against a slow API.

    python bench/workers.py [--postgres URL] [--leads 4000]

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
from multiprocessing import get_context

from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.reading import Row, read_list
from airflow_outreach_provider.services.submit import SubmitOptions, SubmitRun
from airflow_outreach_provider.simulator.process import running_simulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.runs import Owner


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgres", help="URL of an empty PostgreSQL schema; SQLite where left out")
    parser.add_argument("--leads", type=int, default=4_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_simulator(faults=["latency=0.05"]) as sim:
        url = asked.postgres or f"sqlite:///{folder}/outreach.db"
        upgrade(Store(url))
        rates = []
        for workers in (1, 2, 4):
            campaign = f"workers-{workers}"
            people = [{"phone": f"+1416{2_000_000 + n}"} for n in range(asked.leads)]
            run(url, sim.url, sim.api_key, campaign, read_list(people), 0, 1)
            with get_context("spawn").Pool(workers) as pool:
                pool.map(len, [""] * workers)  # started before the clock is
                began = time.perf_counter()
                jobs = [(url, sim.url, sim.api_key, campaign, n, workers) for n in range(workers)]
                done = pool.map(_worker, jobs, chunksize=1)
                rates.append(asked.leads / (time.perf_counter() - began))
            sent = sum(accepted for accepted, _ in done)
            print(
                f"{workers} workers  {rates[-1]:7.0f} leads/s  {rates[-1] / rates[0]:.1f} ×  {sent:,} sent",
                flush=True,
            )
            if sent != asked.leads:
                return 1
    return int(rates[1] < 1.3 * rates[0])


if __name__ == "__main__":
    sys.exit(main())
