"""What workflow files cost the DAG processor, and ``lint`` a person: 200 workflows in 40 files, beyond importing Airflow.

::

    python bench/parse.py [workflows]

Each step runs in this one process, as the DAG processor's child would do it. Prints one line a step,
and fails where a limit is passed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARSE_LIMIT, LINT_LIMIT = 2.0, 3.0
"""Seconds of processor time, for 200 workflows and for one file."""

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


def measure(count: int) -> dict[str, float]:
    """Seconds of processor time by step: other work on the machine does not count."""
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
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
        from airflow.sdk import DAG, BaseSensorOperator  # noqa: F401

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
        from airflow_outreach_provider.workflows.building import build_dag

        for workflow in loaded.workflows:
            build_dag(workflow)
        took("building the DAGs")
    return seconds


def lint_seconds() -> float:
    """Processor time of ``airflow outreach lint`` over one file, Airflow's own start included."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.yaml").write_text("lead_syncs:\n  a:\n    leads: {csv: a.csv}\n")
        command = [str(Path(sys.executable).with_name("airflow")), "outreach", "lint", folder]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> int:
    """:return: the exit code: 1 where a limit is passed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seconds = measure(count)
    for step, value in seconds.items():
        print(f"{step:<26}{value:8.2f} s")
    beyond = sum(seconds.values()) - seconds["importing Airflow"]
    print(f"{f'{count} workflows cost':<26}{beyond:8.2f} s beyond importing Airflow, limit {PARSE_LIMIT:.0f}")
    lint = lint_seconds()
    print(f"{'airflow outreach lint':<26}{lint:8.2f} s, limit {LINT_LIMIT:.0f}")
    return int(beyond > PARSE_LIMIT * count / 200 or lint > LINT_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
