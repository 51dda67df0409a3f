"""The operators, under the name users import them by.

Each is loaded when it is asked for: Airflow parses a DAG's file again in every task, and a task of one operator need
not wait for what the others stand on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_outreach_provider.operators.event_handler import handle_events
    from airflow_outreach_provider.operators.event_targets import (
        SubmitEventLeadsOperator,
        SuppressContactsOperator,
    )
    from airflow_outreach_provider.operators.events import DeliverEventsOperator, HandleEventsOperator
    from airflow_outreach_provider.operators.export import ExportOutcomesOperator
    from airflow_outreach_provider.operators.file_source import FileLeads
    from airflow_outreach_provider.operators.poll import PollContactsOperator
    from airflow_outreach_provider.operators.sql_source import SqlLeads
    from airflow_outreach_provider.operators.submit import StageLeadsOperator, SubmitLeadsOperator
    from airflow_outreach_provider.operators.taken_events import take_events

_HOMES = {
    "DeliverEventsOperator": "events",
    "ExportOutcomesOperator": "export",
    "FileLeads": "file_source",
    "HandleEventsOperator": "events",
    "PollContactsOperator": "poll",
    "SqlLeads": "sql_source",
    "StageLeadsOperator": "submit",
    "SubmitEventLeadsOperator": "event_targets",
    "SubmitLeadsOperator": "submit",
    "SuppressContactsOperator": "event_targets",
    "handle_events": "event_handler",
    "take_events": "taken_events",
}

__all__ = [
    "DeliverEventsOperator",
    "ExportOutcomesOperator",
    "FileLeads",
    "HandleEventsOperator",
    "PollContactsOperator",
    "SqlLeads",
    "StageLeadsOperator",
    "SubmitEventLeadsOperator",
    "SubmitLeadsOperator",
    "SuppressContactsOperator",
    "handle_events",
    "take_events",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"airflow_outreach_provider.operators.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
