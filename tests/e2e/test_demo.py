"""The two promises of the demo and of the chaos bench, kept in a real Airflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from figures import assert_measured

pytestmark = [pytest.mark.e2e, pytest.mark.lasts(100), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    """``make demo``: two syncs in a real Airflow, every row accounted for, nobody texted twice; webhooks fanned out."""
    shown = run("-m", "airflow_outreach_provider.demo", "run", "--home", str(tmp_path / "home"))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "every one of 5,000 rows is accounted for" in shown.stdout
    assert shown.stdout.count("  ok  ") == 9
    assert "0 texted twice" in shown.stdout
    assert "every acknowledged event reached the CRM, signed" in shown.stdout


def test_killed_at_random_nobody_is_texted_twice() -> None:
    """SIGKILLs of task, supervisor and scheduler while leads are sent, against an API that fails and drops."""
    shown = run("bench/chaos.py", "--leads", "3000", "--kills", "3")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert_measured(shown.stdout)


@pytest.mark.postgres
def test_killed_at_random_with_four_tasks_on_postgresql_nobody_is_lost(postgres_url: str) -> None:
    """At least once instead of at most once, by four mapped tasks that share one staged batch on PostgreSQL."""
    shown = run(
        "bench/chaos.py",
        "--leads",
        "3000",
        "--kills",
        "3",
        "--tasks",
        "4",
        "--resend",
        "--postgres",
        postgres_url,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
