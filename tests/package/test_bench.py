"""Every bench in bench/ measures, and says what it found beside a baseline of the same run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from figures import assert_measured, figures

ROOT = Path(__file__).parents[2]
BENCHES = sorted((ROOT / "bench").glob("*.py"))
# About how long they take at their smallest; the others some fifteen.
SECONDS = {"fanout_real": 170, "fanout_chaos": 110, "web": 40}
# Redis or PostgreSQL, without which a fleet cannot be.
NOT_THERE = re.compile(r"^fleet: no \w+ answers at ", re.MULTILINE)


def python(*arguments: str, seconds: float = 560) -> subprocess.CompletedProcess[str]:
    """Run Python; what takes too long is asked to end, so that it ends what it started."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            out, err = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            running.terminate()
            out, err = running.communicate(timeout=30)
    return subprocess.CompletedProcess(command, running.returncode, out, err)


# A fleet has a test of its own; the chaos is run at its usual size by tests/e2e/test_demo.py.
@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "bench",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.lasts(SECONDS.get(path.stem, 15)))
        for path in BENCHES
        if path.stem not in ("fleet", "chaos")
    ],
)
def test_a_bench_measures_something_beside_a_baseline(bench: Path) -> None:
    """At its smallest size each bench succeeds and prints a figure, a baseline and how the two compare."""
    shown = python(str(bench.relative_to(ROOT)), "--small")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert_measured(shown.stdout)


# What a small fleet promises, whatever is killed; how many times a delivery came again, or a lead is held, is bounded.
PROMISES = (
    "kills", "texted twice", "people unaccounted for", "rows unaccounted for", "texted, and neither accepted nor held",
    "people neither texted nor held", "held (at most ", "events acknowledged", "events acknowledged and not delivered",
    "events stored more than once", "deliveries repeated under their id (at most ", "contacts out of order",
    "deliveries dead", "stranded leads", "stranded deliveries", "connections of a task process (at most ",
)  # fmt: skip


# Six minutes on two cores that others were at work on, too; how long on idle ones nobody has measured.
@pytest.mark.e2e
@pytest.mark.xdist_group("fleet")
@pytest.mark.lasts(150)
@pytest.mark.timeout(900)
def test_a_small_fleet_under_kills_keeps_its_promises() -> None:
    """2,000 leads, 500 events for two endpoints, six SIGKILLs: nobody texted twice, nothing lost, stranded, doubled or out of order."""
    shown = python("bench/fleet.py", "--small", "--minutes=12", seconds=840)
    if missing := NOT_THERE.search(shown.stderr):
        pytest.skip(shown.stderr[missing.start() :].strip())
    assert shown.returncode == 0, shown.stdout + shown.stderr
    held = re.findall(r"^  ok  (.*?) {2,}[\d,]+$", shown.stdout, re.MULTILINE)
    assert len(held) == len(PROMISES)
    assert all(said.startswith(promise) for said, promise in zip(held, PROMISES, strict=True))
    assert_measured(shown.stdout)


def test_the_two_figures_of_the_product_are_among_them() -> None:
    """There is a bench of deliveries a second, one of the time from webhook to webhook in a real Airflow, and no helper beside them."""
    assert {"fanout", "fanout_real", "receive", "submit"} <= {path.stem for path in BENCHES}
    for path in BENCHES:
        assert "bench.run(measure)" in path.read_text("utf-8"), (
            f"{path.name} is no bench: move it to bench/shared"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ("--redis=redis://127.0.0.1:1", "apt-get install redis-server"),
        ("--postgres=postgresql+psycopg://postgres@127.0.0.1:1/postgres", "docker run --rm -p 5432:5432"),
    ],
)
def test_a_fleet_without_redis_or_postgresql_says_how_to_get_it(place: str, advice: str) -> None:
    """No traceback: what is missing, where it was looked for, and the command that brings it."""
    shown = python("bench/fleet.py", "--small", place)
    assert shown.returncode == 1
    if NOT_THERE.search(shown.stderr) and "127.0.0.1:1" not in shown.stderr:
        pytest.skip(shown.stderr)  # the other one is missing too
    assert NOT_THERE.search(shown.stderr), shown.stderr
    assert advice in shown.stderr
    assert "Traceback" not in shown.stderr


def test_make_bench_runs_them_all_without_arguments() -> None:
    """``make bench`` goes through bench/*.py, past one that fails, and says so at its end."""
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nbench:")[2].partition("\n\n")[0]
    recipe = recipe.partition("\n")[2].replace("\t@", "").replace("$$", "$")
    fake = recipe.replace("$(BIN)/python", "test bench/poll.py !=")
    ran = subprocess.run(["sh", "-c", fake], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == [*(f"== bench/{p.name}" for p in BENCHES), "failed: bench/poll.py"]
    assert ran.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measures", "code"),
    [
        ("None", 1),
        ("print('deliveries 1,000 /s')", 1),
        ("bench.compare('x', 2, 4, 'y', unit='/s')", 0),
        ("bench.compare('x', 2, 4, 'y', unit='/s', at_least=1)", 0),
        ("bench.compare('x', 2, 0, 'y', unit='/s')", 1),
        ("bench.compare('x', float('nan'), 4, 'y', unit='/s')", 1),
    ],
)
def test_a_bench_that_measures_nothing_fails(measures: str, code: int) -> None:
    """A help text, a figure alone and a baseline of nothing are no measurement: exit code 1 and no line of figures."""
    script = (
        "import sys; sys.path.insert(0, 'bench'); from shared.figures import Bench; bench = Bench('x')\n"
        f"sys.exit(bench.run(lambda asked: {measures}))"
    )
    shown = python("-c", script)
    assert shown.returncode == code, shown.stdout + shown.stderr
    assert bool(figures(shown.stdout)) is (code == 0)


def test_a_bench_that_is_ended_ends_what_it_started() -> None:
    """SIGTERM, as ``timeout`` sends it, leaves no simulator, server or Airflow behind."""
    script = (
        "import sys, time; sys.path.insert(0, 'bench'); from shared.figures import Bench\n"
        "def measure(asked):\n"
        "    try: print('begun', flush=True) or time.sleep(60)\n"
        "    finally: print('all is ended')\n"
        "sys.exit(Bench('x').run(measure))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        while "begun" not in (line := running.stdout.readline()):
            assert line, "it ended by itself"
        running.terminate()
        said, _ = running.communicate(timeout=30)
    assert running.returncode == 1, said
    assert "all is ended" in said


@pytest.mark.slow
def test_a_stage_that_hangs_ends_in_time_and_says_where_it_was() -> None:
    """Whatever it waits for, time-outs that are waited out included; and how far it is, is said meanwhile."""
    script = (
        "import sys, time; sys.path.insert(0, 'bench'); from shared import stages\n"
        "from airflow_outreach_provider.demo.airflow import wait_until\n"
        "stages._EVERY = 0.2\n"
        "with stages.Stages(print, 60) as mine:\n"
        "    mine.tell = lambda: '7 of 9'\n"
        "    try:\n"
        "        with mine.stage('leads', 1): wait_until(lambda: False, 60, 'never')\n"
        "    except stages.StageOver as error: print(error)\n"
        "    with mine.stage('events', 5): pass\n"
        "    time.sleep(0.1)\n"
        "with stages.Stages(print, 0.5) as short:\n"
        "    try:\n"
        "        with short.stage('all', 60): time.sleep(60)\n"
        "    except stages.StageOver as error: print(error)\n"
    )
    shown = python("-c", script, seconds=30)
    assert shown.returncode == 0, shown.stderr
    assert "leads: not done within 1 s; it was at: 7 of 9" in shown.stdout
    assert "0:00:00 leads (at most 0:00:01): 7 of 9" in shown.stdout
    assert "all: not done within 1 s" in shown.stdout, "all stages together may take no longer than was said"


@pytest.mark.slow
def test_a_missed_aim_is_said_and_is_an_error_where_that_was_asked_for() -> None:
    """MISSED beside the figure; ``--strict`` makes it the exit code; at the smallest size nothing is judged."""
    script = (
        "import sys; sys.path.insert(0, 'bench'); from shared.figures import Bench; bench = Bench('x')\n"
        "sys.exit(bench.run(lambda asked: bench.compare('x', 2, 4, 'y', unit='/s', at_least=1)))"
    )
    usual, strict, small = (
        python("-c", script, *choice) for choice in ([], ["--strict"], ["--strict", "--small"])
    )
    assert "(aim ≥ 1: MISSED)" in usual.stdout and usual.returncode == 0
    assert "(aim ≥ 1: MISSED)" in strict.stdout and strict.returncode == 1
    assert "MISSED" not in small.stdout and small.returncode == 0
