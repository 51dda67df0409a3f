"""What a task waits for before it begins: Airflow parses its DAG's file, and so imports what that imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "alembic",
    "aiohttp",
    "requests",
    "oauthlib",
    "mako",
    "pygments",
    "airflow.providers.http",
    "fastapi",
    "pyarrow",
)
"""A second of a processor together, and nothing of it is needed before something is sent."""

STEPS = {
    "the fan-out DAG": "from airflow_outreach_provider.operators.outreach import DeliverEventsOperator\n"
    "from airflow_outreach_provider.sensors.outreach import ContactEventSensor\n"
    "from airflow_outreach_provider.assets import contact_events",
    "the store": "from airflow_outreach_provider.hooks.settings import open_store",
    "leads": "from airflow_outreach_provider.operators.outreach import StageLeadsOperator, SubmitLeadsOperator, SqlLeads",
    "all operators": "from airflow_outreach_provider.operators.outreach import *",
    "workflows": "import airflow_outreach_provider.workflows.build, airflow_outreach_provider.workflows.event_route\n"
    "import airflow_outreach_provider.workflows.lead_sync, airflow_outreach_provider.workflows.export",
}
_SCRIPT = """
import sys
import airflow.sdk, airflow.sdk.execution_time.task_runner
from airflow.dag_processing.dagbag import BundleDagBag
before = set(sys.modules)
for name, step in {steps!r}.items():
    exec(step)
    heavy = sorted(each for each in {heavy!r} if each in sys.modules and each not in before)
    print(name, *heavy, sep="|")
"""


@pytest.mark.slow
def test_parsing_a_dag_imports_nothing_that_only_running_needs() -> None:
    """Each operator by itself, the sensor, the assets, the workflows."""
    script = _SCRIPT.format(steps=STEPS, heavy=HEAVY)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert [line for line in ran.stdout.splitlines() if line.partition("|")[0] in STEPS] == [*STEPS]
