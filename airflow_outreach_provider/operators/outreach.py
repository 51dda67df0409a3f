"""The operators, under the name users import them by."""

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
