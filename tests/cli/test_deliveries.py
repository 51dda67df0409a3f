"""``airflow outreach deliveries``: what people see, and that nothing is sent by a count."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_outreach_provider.cli.deliveries import DELIVERIES_COMMANDS
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.services.deliveries.callables import handle
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.deliveries.tables import deliveries as deliveries_table
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append


@pytest.fixture(autouse=True)
def store(tasks_store: Store) -> Store:
    """A store with one delivered and one dead delivery."""
    store = tasks_store
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    events = [
        ContactEvent(
            f"evt_{n}", "s", "varda", "x", EventKind.REPLIED, at, at, Contact(phone=f"+1416555012{n}")
        )
        for n in (1, 2)
    ]
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    (first, second) = fan_out(store, Reading("c", ("crm",)), "k") or []

    def push(event: ContactEvent) -> None:
        if event.id == "evt_2":
            raise LeadRejected("no", "not with +14165550122")

    for batch in (first, second):
        handle(store, Batch("crm", batch["events"], batch["plan"]), TaskTry(Owner("dag", "task")), push)
    return store


def run(command: str, *arguments: str) -> None:
    """The command as Airflow's parser would call it."""
    found = next(each for each in DELIVERIES_COMMANDS if each.name == command)
    parser = argparse.ArgumentParser()
    for argument in found.args:
        argument.add_to_parser(parser)
    found.func(parser.parse_args(arguments))


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_list_shows_states_and_masked_contacts(capsys: pytest.CaptureFixture[str]) -> None:
    """Every delivery with its state and reason; filters narrow; no whole number is shown."""
    run("list", "-o", "json")
    out = capsys.readouterr().out
    assert "0121" in out
    assert "+14165550121" not in out
    assert "+14165550122" not in out
    assert [(row["event"], row["state"]) for row in json.loads(out)] == [
        ("evt_2", "failed"),
        ("evt_1", "delivered"),
    ]
    run("list", "-o", "json", "--state", "failed", "--route", "crm", "--since", "1h")
    assert [row["event"] for row in printed(capsys)] == ["evt_2"]
    run("list", "-o", "json", "--state", "dead")  # as it was said before
    assert [row["event"] for row in printed(capsys)] == ["evt_2"]
    run("list", "-o", "json", "--state", "retrying")
    assert printed(capsys) == []


def test_attempts_show_the_task(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    """Each attempt names the task instance and the try."""
    (row,) = deliveries_lists.list_deliveries(store, DeliveryFilter(event_ids=["evt_2"])).rows
    run("attempts", str(row.id), "-o", "json")
    (attempt,) = printed(capsys)
    assert (attempt["verdict"], attempt["task"]) == ("refused", "dag.task[-1] try 1")


def test_redeliver_counts_first_and_then_does_it(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    """Without --yes nothing changes; with it the dead are pending; without any filter it refuses."""
    run("redeliver", "--route", "crm")
    assert "1 deliveries would be sent again" in capsys.readouterr().out
    assert deliveries_lists.count(store, DeliveryFilter()) == {"dead": 1, "delivered": 1}
    run("redeliver", "--route", "crm", "--yes")
    assert deliveries_lists.count(store, DeliveryFilter()) == {"pending": 1, "delivered": 1}
    run("redeliver", "--event", "evt_1", "--state", "delivered", "--yes")
    assert deliveries_lists.count(store, DeliveryFilter()) == {"pending": 2}
    with pytest.raises(SystemExit, match="nothing says which"):
        run("redeliver", "--yes")


def test_redeliver_tells_of_an_endpoint_that_is_disabled(
    capsys: pytest.CaptureFixture[str], store: Store
) -> None:
    """What goes there is held, whatever was asked for; of another endpoint nothing is said."""
    with store.write() as connection:
        connection.execute(deliveries_table.update().values(endpoint="crm_conn"))
    for conn_id in ("crm_conn", "another"):
        endpoints.disable(store, conn_id, reason="maintenance", by="ada")
    for chosen in (("--route", "crm"), ("--endpoint", "crm_conn"), ("--event", "evt_2", "--yes")):
        run("redeliver", *chosen)
        said = "Disabled now: crm_conn; what goes there is held until somebody enables it.\n"
        assert capsys.readouterr().out.startswith(said)
    run("redeliver", "--endpoint", "another")
    assert "Disabled" not in capsys.readouterr().out


@pytest.mark.parametrize("command", [("disable",), ("enable", "--release", "all")])
def test_an_endpoint_nobody_knows_is_not_switched(
    command: tuple[str, ...], store: Store, airflow_db: None
) -> None:
    """A mistyped name is an error, not a new row."""
    with pytest.raises(SystemExit, match="there is no endpoint 'cmr_conn'"):
        run(command[0], "cmr_conn", *command[1:])
    assert endpoints.statuses(store) == []


def test_endpoints_are_switched_and_listed(
    capsys: pytest.CaptureFixture[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disable, list and enable by connection id; enabling must say what becomes of held deliveries."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM_CONN", '{"conn_type": "outreach_endpoint", "host": "https://example.com/"}'
    )
    run("disable", "crm_conn", "--reason", "maintenance")
    run("endpoints", "-o", "json")
    out = capsys.readouterr().out
    assert json.loads(out[out.index("[") :])[0]["enabled"] == "no: maintenance"
    with pytest.raises(SystemExit):
        run("enable", "crm_conn")
    run("enable", "crm_conn", "--release", "all")
    assert endpoints.status(store, "crm_conn").disabled_at is None
    monkeypatch.delenv("AIRFLOW_CONN_CRM_CONN")
    run("disable", "crm_conn")
    assert endpoints.status(store, "crm_conn").disabled_at is not None, "what was delivered to stays known"


def test_the_test_command_fails_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint that cannot be called exits with 1 and the reason."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_BAD", json.dumps({"conn_type": "outreach_endpoint", "host": "https://127.0.0.1/"})
    )
    with pytest.raises(SystemExit) as exited:
        run("test", "bad")
    assert exited.value.code == 1
    assert "RFC 1122" in capsys.readouterr().out
