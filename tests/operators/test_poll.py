"""The polling operator against a contact list in another process: the simulator's."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from stored import stored_events

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.hooks.sources import OutreachSourceHook
from airflow_outreach_provider.operators.poll import PollContactsOperator
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers

LOGIN = {"contacts_email": "me@example.com", "contacts_password": "a-password"}


@pytest.fixture
def store(tasks_store: Store) -> Store:
    return tasks_store


@pytest.fixture
def platform(usual_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """A simulator with three contacts, and connections to its two contact lists."""
    simulator = usual_simulator
    for number in range(3):
        lead = {"configurationId": simulator.configuration_id, "phoneNumber": f"+1416555012{number}"}
        request = urllib.request.Request(
            f"{simulator.url}/api/webhook/outreach",
            json.dumps(lead).encode(),
            {"Authorization": f"Bearer {simulator.api_key}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
    for name, extra in (
        ("tether_list", {"platform": "tether", **LOGIN}),
        ("supersend_list", {"platform": "supersend", "api_key": simulator.api_key}),
        ("no_login", {"platform": "tether"}),
    ):
        fields = {"conn_type": "outreach_source", "host": simulator.url, "password": "x" * 16, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
    return simulator


@pytest.mark.parametrize("source", ["tether_list", "supersend_list"])
def test_polls_once_each(store: Store, platform: Any, source: str) -> None:
    """Each contact of the list becomes one event, however often the task runs, and the counts say so."""
    task = PollContactsOperator(task_id="poll", source=source)
    first = task.execute({})
    assert (first["contacts"], first["events"], first["complete"]) == (3, 3, True)
    again = task.execute({})
    assert (again["contacts"], again["events"], again["duplicates"]) == (3, 0, 3)
    kinds = {(event.kind.value, event.source) for event in consumers.read_new(store, "c")}
    assert kinds == {("contact_created", source)}
    json.dumps(again)
    assert "4165550" not in str(again)


def test_retries_unless_told_otherwise(store: Store) -> None:
    """The operator has retries of its own, and a mistake in the connection is an error no retry is spent on."""
    task = PollContactsOperator(task_id="poll", source="nowhere")
    assert task.retries == 3
    assert PollContactsOperator(task_id="poll2", source="s", retries=0).retries == 0
    with pytest.raises(ConfigurationError, match="there is no connection 'nowhere'"):
        task.execute({})
    for nothing in (None, " "):
        with pytest.raises(ConfigurationError, match=r'source is .* — name a connection, e\.g\. "tether"'):
            PollContactsOperator(task_id="poll4", source=nothing)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="ISO 8601"):
        PollContactsOperator(task_id="poll3", source="no_login", start="yesterday").execute({})


def test_the_connections_test_button(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test button tells the URL to paste, reads a page of the list, and names what is missing."""
    good, said = OutreachSourceHook("tether_list").test_connection()
    assert good
    assert "/outreach/in/tether_list into Tether" in said
    assert "3 contacts on the first page" in said
    monkeypatch.setenv(
        "AIRFLOW_CONN_BARE", json.dumps({"conn_type": "outreach_source", "extra": {"platform": "varda"}})
    )
    assert OutreachSourceHook("bare").test_connection()[0] is False
    assert "there is no connection 'nowhere'" in OutreachSourceHook("nowhere").test_connection()[1]
    assert platform.report()["texted_twice_count"] == 0


def test_a_source_that_is_switched_off_is_not_polled(store: Store, platform: Any) -> None:
    """The task is skipped, and nothing is read or stored."""
    from airflow.sdk.exceptions import AirflowSkipException

    from airflow_outreach_provider.store.inbox import sources

    sources.disable(store, "tether_list", reason="moving", by="ada")
    with pytest.raises(AirflowSkipException, match="switched off"):
        PollContactsOperator(task_id="poll", source="tether_list").execute({})
    assert stored_events(store) == []
