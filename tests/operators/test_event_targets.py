"""Events as leads and as entries of the do-not-contact list, run as a worker runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from servers import as_json, scripted

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.compile import ExpressionError
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.operators.outreach import SubmitEventLeadsOperator, SuppressContactsOperator
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.suppressions_write import suppressions


def arrive(*events: tuple[EventKind, str | None, dict[str, Any]]) -> list[str]:
    """Events of these kinds, phones and data; their ids."""
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    made = [
        ContactEvent(f"evt_{n}", "varda", "varda", "x", kind, at, at, Contact(phone=phone, first_name="Ann"))
        for n, (kind, phone, _) in enumerate(events)
    ]
    bodies = [
        json.dumps(
            {"event": "call.outcome_tagged", "timestamp": "2026-03-25T18:00:00Z", "data": data}
        ).encode()
        for _, _, data in events
    ]
    incoming = [Incoming(event, body, "[]") for event, body in zip(made, bodies, strict=True)]
    inbox_append.append(open_store(), incoming)
    return [event.id for event in made]


def on_the_list() -> set[str]:
    with open_store().read() as connection:
        return set(connection.execute(sa.select(suppressions.c.phone)).scalars())


def test_only_opt_outs_are_suppressed(run_task: Callable[..., Any]) -> None:
    """Bounce, unsubscribe, no interest, spam and wrong number go on the list; a reply or a booking does not."""
    ids = arrive(
        (EventKind.UNSUBSCRIBED, "+14165550100", {}),
        (EventKind.BOUNCED, "+14165550101", {}),
        (EventKind.NOT_INTERESTED, "+14165550102", {}),
        (EventKind.CALL_OUTCOME, "+14165550103", {"outcome_type": "spam"}),
        (EventKind.CALL_OUTCOME, "+14165550104", {"outcome_type": "wrong_number"}),
        (EventKind.CALL_OUTCOME, "+14165550105", {"outcome_type": "booked"}),
        (EventKind.REPLIED, "+14165550106", {}),
        (EventKind.UNSUBSCRIBED, None, {}),
    )
    ran = run_task(SuppressContactsOperator(task_id="suppress", batch=ids, route="opt_outs"))
    assert (ran.state, ran.xcom) == ("success", {"delivered": 8})
    assert on_the_list() == {f"+1416555010{n}" for n in range(5)}
    run_task(SuppressContactsOperator(task_id="all", batch=ids, route="all", any_event=True))
    assert len(on_the_list()) == 7


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """An outreach API that accepts every lead; what it was sent."""
    sent: list[dict[str, Any]] = []

    def accept(_method: str, _path: str, _headers: Mapping[str, str], body: bytes) -> Any:
        sent.append(json.loads(body))
        return (
            200,
            as_json({"success": True, "data": {"contactId": "c1"}}),
            {"Content-Type": "application/json"},
        )

    with scripted(accept) as url:
        connection = {
            "conn_type": "outreach", "host": url, "password": "user_key", "extra": {"configuration_id": "cfg"},
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection))
        yield sent


def test_an_event_becomes_a_lead_once(run_task: Callable[..., Any], api: list[dict[str, Any]]) -> None:
    """Two events of one person text that person once; an event without a number is dead with the reason."""
    ids = arrive(
        (EventKind.INTERESTED, "+14165550123", {}),
        (EventKind.INTERESTED, "+14165550123", {}),
        (EventKind.INTERESTED, None, {}),
    )
    mapping = {"phoneNumber": "contact.phone", "firstName": "{{ contact.first_name | upper }}"}
    operator = SubmitEventLeadsOperator(task_id="lead", batch=ids, route="leads", mapping=mapping)
    ran = run_task(operator)
    assert ran.state == "failed"
    assert "1 of 3 deliveries failed" in str(ran.error)
    assert "phone" in str(ran.error)
    assert api == [{"configurationId": "cfg", "phoneNumber": "+14165550123", "firstName": "ANN"}]


def test_a_mistake_in_the_mapping_shows_when_the_dag_is_read() -> None:
    """A field that events do not have is an error in the DAG list."""
    with pytest.raises(ExpressionError):
        SubmitEventLeadsOperator(task_id="x", batch=[], route="r", mapping={"phoneNumber": "contact.fone"})


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (None, "mapping is None"),
        (5, "mapping is int"),
        ({1: "contact.phone"}, "mapping has the key 1"),
        ({"phoneNumber": None}, "mapping['phoneNumber'] is None"),
        ({"contacts": {1: "p"}}, "mapping['contacts'] is a dict"),
    ],
)
def test_a_mapping_that_cannot_be_is_named(mapping: Any, said: str) -> None:
    """Whatever it is, the error says what is wrong with it and what to write."""
    with pytest.raises(ConfigurationError) as raised:
        SubmitEventLeadsOperator(task_id="x", batch=[], route="r", mapping=mapping)
    assert said in str(raised.value) and " — " in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("dry_run", True), ("max_rows", 0), ("shards", 2)])
def test_what_is_of_a_list_is_refused_where_an_event_is_a_lead(name: str, value: object) -> None:
    """Each event would have been tried again and again for a lead that is not to be sent, or ended in a ValueError."""
    with pytest.raises(ConfigurationError, match=f"lead_arguments: {name} is of a list"):
        SubmitEventLeadsOperator(task_id="x", batch=[], route="r", lead_arguments={name: value})
