"""The recipes that start another DAG, with Airflow's own API server behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import airflow_outreach_provider
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

COOKBOOK = (Path(airflow_outreach_provider.__file__).parent / "docs" / "cookbook.md").read_text("utf-8")
YAML = dict(re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", COOKBOOK, re.DOTALL))
PYTHON = dict(re.findall(r"```python\n# dags/(\S+\.py)\n(.*?)```", COOKBOOK, re.DOTALL))
CALENDAR = """
class Calendar:
    def invite(self, email):
        print(email)  # of the page's reader; airflow dag
"""
SCORING = "from airflow.sdk import DAG\n\nwith DAG('score_contact', schedule=None):\n    pass\n"


def arrive(store: Store, *kinds: EventKind) -> None:
    at = datetime.now(UTC)
    for number, kind in enumerate(kinds, 1):
        who = Contact("Ada", email=f"ada{number}@example.com", phone="+12125550123", external_id=f"c{number}")
        event = ContactEvent(f"evt_{number}", "varda", "varda", kind.value, kind, at, at, who, "c-1", {})
        inbox_append.append(store, [Incoming(event, event.to_json(), "[]")])


def started(dag_id: str) -> dict[str, Any]:
    """The conf of each run of a DAG, by the run's id; they are gone then."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = list(session.scalars(select(DagRun).where(DagRun.dag_id == dag_id)))
        confs = {each.run_id: each.conf for each in found}
        for each in found:
            session.delete(each)
    return confs


def load(load_dags: Callable[..., Any]) -> Any:
    dags = load_dags(**{"trigger_dag.yaml": YAML["trigger_dag.yaml"]})
    (dags.folder / "prepare_appointment.py").write_text(CALENDAR + PYTHON["prepare_appointment.py"])
    (dags.folder / "appointments_to_dag.py").write_text(PYTHON["appointments_to_dag.py"])
    (dags.folder / "score_contact.py").write_text(SCORING)
    dags.load()
    assert dags.import_errors == {}
    return dags


@pytest.mark.slow
def test_events_start_runs_that_show_nobody(load_dags: Callable[..., Any], outreach_store: Store) -> None:
    """Masked without a conf, as named with one; the run's id is the event's."""
    arrive(outreach_store, EventKind.APPOINTMENT_BOOKED, EventKind.INTERESTED)
    dags = load(load_dags)
    for route in ("booked_to_follow_up", "interested_to_scoring"):
        assert dags.run(f"outreach_event_route__{route}")[("trigger", 0)] == "success"
    prepared = started("prepare_appointment")
    assert prepared.keys() == {"outreach__booked_to_follow_up__evt_1"}
    assert "ada1@" not in json.dumps(prepared) and "2125550123" not in json.dumps(prepared)
    assert started("score_contact") == {
        "outreach__interested_to_scoring__evt_2": {"event": "evt_2", "domain": "example.com"}
    }


def test_a_dag_behind_a_sync_waits_for_its_outlet(load_dags: Callable[..., Any]) -> None:
    """Both recipes mean the same asset."""
    dags = load_dags(**{"behind_assets.yaml": YAML["behind_assets.yaml"]})
    (dags.folder / "after_scored_leads.py").write_text(PYTHON["after_scored_leads.py"])
    dags.load()
    assert dags.import_errors == {}
    (outlet,) = dags["outreach_lead_sync__scored_leads"].get_task("submit").outlets
    assert dags["after_scored_leads"].schedule == [outlet]


@pytest.mark.slow
def test_the_same_with_airflows_own_operator(load_dags: Callable[..., Any], outreach_store: Store) -> None:
    """A run for each event of the batch; asked for again, there is nothing to do."""
    arrive(outreach_store, EventKind.APPOINTMENT_BOOKED, EventKind.INTERESTED, EventKind.APPOINTMENT_BOOKED)
    dags = load(load_dags)
    states = dags.run("appointments_to_dag")
    assert states == {("runs", -1): "success", ("trigger", 0): "success", ("trigger", 1): "success"}
    assert started("prepare_appointment") == {
        "outreach__evt_1": {"event_id": "evt_1"}, "outreach__evt_3": {"event_id": "evt_3"},
    }  # fmt: skip
    assert dags.run("appointments_to_dag")[("runs", -1)] == "skipped"
