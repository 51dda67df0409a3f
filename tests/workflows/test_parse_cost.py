"""Parsing many workflows must not burden the DAG processor."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_200_workflows_cost_less_than_two_seconds() -> None:
    """Read, checked and built, our imports included, beyond importing Airflow itself."""
    bench = Path(__file__).parents[2] / "bench" / "parse.py"
    done = subprocess.run(
        [sys.executable, str(bench), "200"], capture_output=True, text=True, timeout=120, check=True
    )
    [seconds] = re.findall(r"200 workflows cost +([\d.]+) s", done.stdout)
    assert float(seconds) < 2
