"""What refusals cost a batch: leads a second while an API refuses a share of them, beside the same run without.

    python bench/refusals.py                  # about a minute
    python bench/refusals.py --share 0.1      # another share

The simulator answers so many requests at random with 503, with and without ``Retry-After: 1``. What it asks for is
waited for by the whole batch, so there the most that can be had is what goes out between two such answers; without
it only the lead that was refused waits. Every lead is accepted in the end, and none twice.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from shared.figures import Bench, timed
from shared.places import new_store
from submit import WINDOW, check, submit, write_csv

from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

SHARES = (0.003, 0.03, 0.3)

bench = Bench(__doc__)
bench.size("leads", 6_000, 200, "leads a run")
bench.size("asked", 600, 50, "leads a run where each refusal asks to wait a second")
bench.parser.add_argument("--share", type=float, help="of the requests that are refused, 0 to 1")


def sent(sim: RunningSimulator, folder: Path, name: str, count: int, fault: str = "") -> float:
    """:return: leads a second of a run against an API that is at fault so."""
    sim.reset()
    sim.set_faults(*([fault] if fault else []), seed=7)
    file, store = folder / f"{count}.csv", new_store(folder / name)
    write_csv(file, count)
    spent = timed(lambda: check(submit(sim, store, file), "accepted", count))
    assert sim.report(full=False)["texted_twice_count"] == 0
    store.close()
    return count / spent.seconds


def measure(asked: argparse.Namespace) -> None:
    """Each share without and with ``Retry-After``."""
    shares = SHARES if asked.share is None else (asked.share,)
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name, running_simulator() as sim:
        folder = Path(name)
        sent(sim, folder, "warm", asked.leads)
        for wait, count, aims in (("", asked.leads, (0.6, 0.4, 0.05)), (",retry_after=1", asked.asked, ())):
            for number, share in enumerate(shares):
                baseline = sent(sim, folder, f"without{wait}{number}", count)
                fault = f"status=503,p={share}{wait}"
                ours = sent(sim, folder, f"with{wait}{number}", count, fault)
                said = "Retry-After: 1" if wait else "no Retry-After"
                aim = aims[number] if aims and asked.share is None else None
                bench.compare(
                    f"leads, {share:.1%} refused, {said}", ours, baseline, f"none refused, {WINDOW} at once",
                    unit="/s", at_least=aim,
                )  # fmt: skip


if __name__ == "__main__":
    sys.exit(bench.run(measure))
