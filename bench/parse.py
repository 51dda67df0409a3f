"""What workflow files cost the DAG processor, and ``lint`` a person: 200 workflows in 40 files, beyond importing Airflow.

::

    python bench/parse.py [--workflows 200]

Each step runs in this one process, as the DAG processor's child would do it. Beside it stand what every DAG file
costs, importing Airflow, and what Airflow costs for as many DAGs of as many tasks written in Python; beside ``lint``
the quickest of Airflow's own commands. All is processor time: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.figures import Bench

PARSE_LIMIT, LINT_LIMIT = 1.0, 1.5
"""What 200 workflows may cost beside importing Airflow, and ``lint`` beside ``airflow version``."""

bench = Bench(__doc__)
bench.size("workflows", 200, 5, "workflows, five to a file")

LEAD_SYNC = """\
  sync_{n}:
    description: Leads of partner {n}
    schedule: "*/15 * * * *"
    leads: {{csv: "s3://bucket/partner-{n}/*.csv"}}
    outreach: {{conn_id: outreach_default, configuration_id: config-{n}, format: fixed}}
    map:
      phoneNumber: phone
      firstName: first_name
      email: "{{{{ row.email | lower | trim }}}}"
      applications.jobTitle: "{{{{ row.title | default('none given') }}}}"
    rules: {{default_region: US, quiet_hours: "21:00-08:00", consent: opt_in, max_rejected: 5%{approve}}}
    tags: [bench]
    retries: 5
"""
EVENT_ROUTE = """\
  route_{n}:
    source: supersend
    where: kind == 'interested' and contact.email is defined and data.score | int > {n}
    deliver: {{endpoint: crm_{n}}}
"""


def write_files(folder: Path, count: int) -> None:
    """``count`` workflows, five to a file: three lead syncs (one with approval) and two event routes."""
    for first in range(0, count, 5):
        numbers = range(first, min(first + 5, count))
        syncs = [
            LEAD_SYNC.format(n=n, approve=", approve_above: 500" if n % 5 == 0 else "")
            for n in numbers
            if n % 5 < 3
        ]
        routes = [EVENT_ROUTE.format(n=n) for n in numbers if n % 5 >= 3]
        text = "lead_syncs:\n" + "".join(syncs) + ("event_routes:\n" + "".join(routes) if routes else "")
        (folder / f"file_{first:04}.yaml").write_text(text)


def steps(count: int) -> dict[str, float]:
    """Seconds by step, then ``plain``: as many DAGs of as many tasks in Python."""
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name:
        os.environ.setdefault("AIRFLOW_HOME", name)
        folder = Path(name) / "workflows"
        folder.mkdir()
        write_files(folder, count)
        mark = time.process_time()

        def took(step: str) -> None:
            nonlocal mark
            seconds[step] = time.process_time() - mark
            mark = time.process_time()

        # What a DAG file with an operator and a sensor of Airflow's own imports anyway.
        from airflow.sdk import DAG, BaseOperator, BaseSensorOperator  # noqa: F401

        took("importing Airflow")
        from airflow_outreach_provider.workflows.files import load_files

        took("importing the reader")
        loaded = load_files([folder])
        assert len(loaded.workflows) == count
        assert not loaded.problems
        took("reading and checking")
        import airflow_outreach_provider.workflows.event_route
        import airflow_outreach_provider.workflows.lead_sync  # noqa: F401

        took("importing the operators")
        from airflow_outreach_provider.workflows.build import build_dag

        built = [build_dag(workflow) for workflow in loaded.workflows]
        took("building the DAGs")
        for number, dag in enumerate(built):
            with DAG(f"plain_{number}", schedule=None):
                for task in range(len(dag.tasks)):
                    BaseOperator(task_id=f"task_{task}")
        took("plain")
    return seconds


def cpu_of(*arguments: str) -> float:
    """Processor time of one of Airflow's commands."""
    command = [str(Path(sys.executable).with_name("airflow")), *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def measure(asked: argparse.Namespace) -> None:
    """The steps, then the command."""
    count = asked.workflows
    seconds = steps(count)
    importing, plain = seconds.pop("importing Airflow"), seconds.pop("plain")
    for step, value in seconds.items():
        bench.note(f"{step:<26}{value:8.2f} s")
    bench.compare(
        f"parsing {count} workflows", sum(seconds.values()), importing, "importing Airflow",
        unit="s", at_most=PARSE_LIMIT,
    )  # fmt: skip
    bench.compare(
        f"building {count} workflows", 1e3 * seconds["building the DAGs"], 1e3 * plain,
        "as many plain DAGs", unit="ms",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as folder:
        os.environ["AIRFLOW_HOME"] = folder
        (Path(folder) / "a.yaml").write_text("lead_syncs:\n  a:\n    leads: {csv: a.csv}\n")
        version = cpu_of("version")
        lint = cpu_of("outreach", "lint", folder)
    bench.compare("airflow outreach lint", lint, version, "airflow version", unit="s", at_most=LINT_LIMIT)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
