"""``trigger_dag``: what each answer of Airflow's execution API means for the event."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse, TriggerDagRun

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.compile import ExpressionError
from airflow_outreach_provider.operators.dag_trigger import TriggerDag

AT = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
EVENT = ContactEvent("evt_1", "s", "varda", "x", EventKind.REPLIED, AT, AT, Contact(email="ada@example.com"))


class Supervisor:
    """Answers as Airflow's supervisor does, and keeps what it was asked."""

    def __init__(self, answer: Any, paused: bool = False) -> None:
        self.answer, self.paused = answer, paused
        self.asked: list[Any] = []

    def send(self, msg: Any) -> Any:
        self.asked.append(msg)
        if not isinstance(msg, TriggerDagRun):
            return SimpleNamespace(is_paused=self.paused)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def failing(status: int, reason: str = "", message: str = "") -> AirflowRuntimeError:
    """As the supervisor passes on what the API server refused."""
    detail = {
        "status_code": status,
        "message": message,
        "detail": {"detail": {"reason": reason, "message": message}},
    }
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Any:
    def by(answer: Any, paused: bool = False) -> Supervisor:
        supervisor = Supervisor(answer, paused)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor

    return by


STARTED = {
    "a new run": (OKResponse(ok=True), False, "run outreach__r__evt_1 of DAG d"),
    "a second try": (
        ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS), False, "run outreach__r__evt_1 of DAG d was there before",
    ),
    "a paused DAG": (OKResponse(ok=True), True, "run outreach__r__evt_1 of DAG d; the DAG is paused, so it waits"),
}  # fmt: skip


@pytest.mark.parametrize("case", STARTED)
def test_a_run_is_there_once(case: str, supervised: Any) -> None:
    """New, of an earlier try, or waiting for its DAG to be unpaused: the event is done, and the delivery says which."""
    answer, paused, said = STARTED[case]
    supervisor = supervised(answer, paused)
    trigger = TriggerDag("d", "r")
    assert [trigger(EVENT), trigger(EVENT)] == [said, said]
    first, _, second = supervisor.asked  # whether it is paused is asked once
    assert first.run_id == second.run_id == "outreach__r__evt_1" and first.logical_date is None
    assert not first.reset_dag_run and "ada@" not in str(first)


FAILING = {
    "no such DAG": (failing(404, "not_found"), ConfigurationError, "there is no DAG 'd'"),
    "import errors": (failing(400, "import_errors"), ConfigurationError, "has import errors"),
    "not by tasks": (failing(400, "denied_run_type"), ConfigurationError, "allowed_run_types"),
    "a conf it does not take": (failing(400, "value_error", "ada@example.com"), LeadRejected, "does not take this run"),
    "a server in trouble": (failing(500), OutreachUnavailable, "could not start"),
    "nobody there": (AirflowRuntimeError(ErrorResponse(detail=None)), OutreachUnavailable, "no answer"),
    "an error as the answer": (ErrorResponse(detail={"status_code": 503}), OutreachUnavailable, "503"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_what_cannot_be_started_says_why(case: str, supervised: Any) -> None:
    """The same for all events stops the batch, one event's fault is its own, the rest is tried again; nobody is named."""
    answer, kind, said = FAILING[case]
    supervised(answer)
    with pytest.raises(kind, match=said) as caught:
        TriggerDag("d", "r")(EVENT)
    assert "ada@" not in str(caught.value)


def test_a_mistake_shows_before_the_first_run() -> None:
    """A DAG id and a template that cannot be."""
    with pytest.raises(ConfigurationError, match="no DAG id"):
        TriggerDag("a b", "r")
    with pytest.raises(ExpressionError, match="fone"):
        TriggerDag("d", "r", {"x": "{{ contact.fone }}"})
