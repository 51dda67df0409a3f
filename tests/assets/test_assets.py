"""``contact_events``: an asset with its watcher, known by what it hears."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.sdk.exceptions import TaskDeferred
from airflow.serialization.serialized_objects import DagSerialization

from airflow_outreach_provider.assets import contact_events
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger


def trigger_of(asset: Asset) -> ContactEventTrigger:
    (watcher,) = asset.watchers
    assert isinstance(watcher.trigger, ContactEventTrigger)
    return watcher.trigger


def test_one_call_makes_the_asset_and_its_watcher() -> None:
    """Its trigger hears what was asked for, and serialises to plain JSON."""
    asset = contact_events(
        "crm", kinds=["replied", "clicked"], source="varda", where="contact.email is defined"
    )
    _, arguments = trigger_of(asset).serialize()
    assert json.loads(json.dumps(arguments)) == arguments
    assert (arguments["consumer"], arguments["source"], arguments["kinds"], arguments["where"]) == (
        "crm", "varda", ["clicked", "replied"], "contact.email is defined",
    )  # fmt: skip
    assert arguments["once"] is False


def test_the_same_arguments_are_the_same_asset_and_others_another() -> None:
    """Airflow gives an asset the watchers of one definition: two filters must not take turns on one name."""
    assert contact_events("crm").name == contact_events("crm").name
    assert contact_events("crm", kinds=["replied", "opened"]) == contact_events(
        "crm", kinds={"opened", "replied"}
    )
    made = [
        contact_events("crm"), contact_events("crm", kinds=["replied"]), contact_events("crm", source="a"),
        contact_events("crm", where="kind == 'replied'"), contact_events("other"), contact_events("crm", poll_interval=1),
    ]  # fmt: skip
    assert len({each.name for each in made}) == len({each.uri for each in made}) == len(made)


def test_a_mistake_shows_where_the_dag_is_written() -> None:
    """Not in the triggerer's log, where nobody looks."""
    for wrong in ({"kinds": ["replid"]}, {"kinds": []}, {"where": "kind = 1"}):
        with pytest.raises(ConfigurationError):
            contact_events("crm", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="cannot be called"):
        contact_events("")


def test_any_dag_can_be_scheduled_on_it() -> None:
    """Alone and joined with other assets; the serialised DAG has the watcher."""
    for schedule in ([contact_events("crm")], contact_events("crm") | Asset("s3://b/c.csv")):
        with DAG("d", schedule=schedule, start_date=datetime(2026, 1, 1)) as dag:
            ContactEventSensor(task_id="take", consumer="crm")
        assert "ContactEventTrigger" in json.dumps(DagSerialization.to_dict(dag))


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="take", run_id="run", map_index=-1, try_number=1)}


@pytest.mark.usefixtures("tasks_store")
@pytest.mark.parametrize("deferrable", [True, False])
def test_in_a_run_that_was_rung_for_nobody_waits(deferrable: bool) -> None:
    """With nothing left to take the sensor ends at once; below any other schedule it waits as ever."""
    own = Asset("own", watchers=[AssetWatcher(name="own", trigger=ContactEventTrigger("crm"))])
    for schedule in ([contact_events("crm")], [own], contact_events("crm") | Asset("s3://b/c.csv")):
        with DAG("d", schedule=schedule, start_date=datetime(2026, 1, 1)):
            sensor = ContactEventSensor(task_id="take", consumer="crm", deferrable=deferrable)
        assert sensor.execute(context()) == []
    for other in (None, "@daily", [Asset("s3://b/c.csv")]):
        with DAG("d", schedule=other, start_date=datetime(2026, 1, 1)):
            waits = ContactEventSensor(task_id="take", consumer="crm", deferrable=True)
            told = ContactEventSensor(task_id="told", consumer="crm", deferrable=True, wait=False)
        with pytest.raises(TaskDeferred):
            waits.execute(context())
        assert told.execute(context()) == []
