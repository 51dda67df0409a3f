"""The operators, under the name users import them by."""

from airflow_outreach_provider.operators.events import (
    DeliverEventsOperator,
    HandleEventsOperator,
    handle_events,
)
from airflow_outreach_provider.operators.submit import SqlLeads, SubmitLeadsOperator

__all__ = [
    "DeliverEventsOperator",
    "HandleEventsOperator",
    "SqlLeads",
    "SubmitLeadsOperator",
    "handle_events",
]
