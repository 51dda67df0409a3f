"""Who is approved is texted and nobody else, in a real scheduler: with leads of an earlier run among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflows import SharedAirflow
from stores import end_waits

from airflow_outreach_provider.demo.airflow import wait_until
from airflow_outreach_provider.store.engine import Store

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("patient"),
    pytest.mark.lasts(350),
    pytest.mark.timeout(600),
]

LOADER = """
from pathlib import Path
from airflow_outreach_provider.workflows import load_workflows

load_workflows(Path(__file__).parent / "workflows")  # a DAG file of Airflow
"""
WORKFLOWS = """
defaults:
  lead_syncs: {retries: 0, outreach: {campaign: spring}}
lead_syncs:
  early:
    leads: {csv: early.csv}
  late:
    leads: {csv: late.csv}
    rules: {approve_above: 4}
"""
EARLY, LATE = "outreach_lead_sync__early", "outreach_lead_sync__late"
PLAN, APPROVE = "approval.plan", "approval.approve"
BUSY = "status=503,retry_after=3000"


class People:
    """What the two syncs are given, run and asked, as a person would by Airflow's API."""

    def __init__(self, shared: SharedAirflow, dags: Path) -> None:
        self.airflow, self.simulator, self.dags = shared.airflow, shared.simulator, dags

    def list(self, name: str, numbers: range) -> None:
        text = "phone\n" + "".join(f"+1416{2_000_000 + n}\n" for n in numbers)
        (self.dags / "workflows" / f"{name}.csv").write_text(text)

    def leave(self, numbers: range) -> str:
        """A run that gets through to nobody, for the API is busy. :return: its id."""
        self.list("early", numbers)
        self.simulator.set_faults(BUSY)
        run = self.start(EARLY)
        assert self.airflow.wait_for_run(EARLY, run, 120) == "failed"
        self.simulator.set_faults()
        store = Store(f"sqlite:///{self.airflow.home / 'outreach.db'}")
        end_waits(store)
        store.close()
        return run

    def start(self, dag: str) -> str:
        # A database file that everybody writes to may be locked for a moment.
        return wait_until(lambda: self.airflow.trigger(dag), 30, f"{dag} is started")

    def asked(self, run: str) -> dict[str, Any]:
        """What a person is shown, once the run waits for an answer."""
        # Airflow fails a task that is answered before its executor has told that it waits, which takes some seconds.
        parked = f"Received executor event .*task_id='{APPROVE}', run_id='{re.escape(run)}'"
        log = self.airflow.home / "components" / "scheduler.log"
        wait_until(lambda: re.search(parked, log.read_text()), 120, f"{run} asks")
        assert self._state(run, APPROVE) == "awaiting_input"
        shown: dict[str, Any] = self.airflow.api("GET", self._detail(run))
        return shown

    def approve(self, run: str) -> None:
        self.airflow.api("PATCH", self._detail(run), {"chosen_options": ["Approve"]})

    def plan_again(self, run: str) -> None:
        """Clear the plan and what comes after it."""
        tasks = {"dry_run": False, "dag_run_id": run, "task_ids": [PLAN], "include_downstream": True,
                 "only_failed": False}  # fmt: skip
        self.airflow.api("POST", f"dags/{LATE}/clearTaskInstances", tasks)

    def ends(self, run: str, state: str, task: str = "submit", try_number: int = 1) -> str:
        """A run of the sync comes to its end, and to this one. :return: what a task of it said."""
        ended = self.airflow.wait_for_run(LATE, run, 120)
        path = (
            f"dags/{LATE}/dagRuns/{run}/taskInstances/{task}/logs/{try_number}?full_content=true&map_index=-1"
        )
        said = json.dumps(self.airflow.api("GET", path))
        assert ended == state, said
        return said

    def _state(self, run: str, task: str) -> str:
        [found] = self.airflow.task_instances(LATE, run, task)
        return str(found["state"])

    def texted(self) -> int:
        """How many people; nobody was twice."""
        assert self.simulator.report()["texted_twice_count"] == 0
        return len(self.simulator.texts())

    def _detail(self, run: str) -> str:
        return f"dags/{LATE}/dagRuns/{run}/taskInstances/{APPROVE}/-1/hitlDetails"


@pytest.fixture(scope="module")
def people(patient: SharedAirflow) -> Iterator[People]:
    with patient.dags("approvals", {"syncs.py": LOADER, "workflows/all.yaml": WORKFLOWS}) as dags:
        patient.airflow.wait_for_dag(EARLY)
        patient.airflow.wait_for_dag(LATE)
        yield People(patient, dags)


def left(shown: dict[str, Any], run: str) -> int:
    """How many people the question says that an earlier run left."""
    found = re.search(rf"^\| `{EARLY} {re.escape(run)}` +\| +(\d+) \|$", shown["body"], re.MULTILINE)
    assert found, shown["body"]
    return int(found[1])


def test_leftovers_are_asked_for_by_number_and_run_and_only_who_was_counted_is_texted(people: People) -> None:
    """Two are listed and ten left: a person is asked for twelve and told whose they are, and twelve are texted. The
    second run asks nobody. In the third more are left while a person thinks: nobody is texted; nor when it is planned
    again, for Airflow goes on showing the number of the first plan. A new run asks for all of them.
    """
    people.list("late", range(100, 102))
    left_by = people.leave(range(10))
    run = people.start(LATE)
    shown = people.asked(run)
    assert "Text 12 people?" in shown["subject"]
    assert left(shown, left_by) == 10
    assert people.texted() == 0
    people.approve(run)
    people.ends(run, "success")
    assert people.texted() == 12

    second = people.start(LATE)
    people.ends(second, "success")
    assert people.texted() == 12

    some, run = people.leave(range(10, 15)), people.start(LATE)
    shown = people.asked(run)
    assert "Text 5 people?" in shown["subject"] and left(shown, some) == 5
    more = people.leave(range(15, 45))
    people.approve(run)
    said = people.ends(run, "failed")
    assert "35 people would be texted now, and 5 are approved" in said and "start a new run" in said
    assert people.texted() == 12

    people.plan_again(run)
    said = people.ends(run, "failed", APPROVE, try_number=2)
    assert "still shows the question of an earlier plan" in said and "start a new run" in said
    assert people.texted() == 12

    run = people.start(LATE)
    shown = people.asked(run)
    assert "Text 35 people?" in shown["subject"]
    assert (left(shown, some), left(shown, more)) == (5, 30)
    assert people.texted() == 12
    people.approve(run)
    people.ends(run, "success")
    assert people.texted() == 47
