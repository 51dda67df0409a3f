"""The tasks of an event route: a sensor that hands out batches, and a mapped task that works on each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_outreach_provider.core.workflows.models import EventOutreach, EventRoute
from airflow_outreach_provider.operators.events import DeliverEventsOperator, HandleEventsOperator
from airflow_outreach_provider.sensors.outreach import ContactEventSensor

_A_DAY = timedelta(days=1)


def build_event_route(name: str, model: EventRoute) -> None:
    """Make the tasks, in the DAG that is being built. The route's name is its consumer's too."""
    wait = model.wait or _A_DAY
    batches = ContactEventSensor(
        task_id="wait_for_events",
        consumer=name,
        source=model.source,
        kinds=model.kinds,
        where=model.where,
        max_events=model.max_events,
        poll_interval=model.poll_interval.total_seconds(),
        timeout=wait.total_seconds(),
        deferrable=True,
        # A day without an event is no failure; the next run waits on.
        soft_fail=True,
    ).output
    deliver = model.deliver
    if deliver.endpoint is not None:
        DeliverEventsOperator.partial(
            task_id="deliver",
            route=name,
            endpoint_conn_id=deliver.endpoint,
            payload=deliver.payload,
        ).expand(batch=batches)
        return
    task_id, arguments = _handling(model)
    HandleEventsOperator.partial(task_id=task_id, route=name, **arguments).expand(batch=batches)


def _handling(model: EventRoute) -> tuple[str, dict[str, Any]]:
    from airflow_outreach_provider.workflows.actions import CallFunction, SubmitEvent, suppress_event_contact

    deliver = model.deliver
    if deliver.python is not None:
        return "call", {"python_callable": CallFunction(deliver.python)}
    if deliver.outreach is not None:
        action = SubmitEvent(deliver.outreach.map, _arguments(deliver.outreach))
        templated = {
            "configuration_id": deliver.outreach.configuration_id,
            "campaign": deliver.outreach.campaign,
        }
        return "submit", {"python_callable": action, "op_kwargs": templated}
    return "suppress", {"python_callable": suppress_event_contact}


def _arguments(outreach: EventOutreach) -> dict[str, Any]:
    rules = outreach.rules
    return {
        "outreach_conn_id": outreach.conn_id,
        "payload_format": outreach.format,
        "default_region": rules.default_region,
        "quiet_hours": rules.quiet_hours,
        "line_types": rules.line_types,
        "on_unknown": rules.on_unknown,
        "resubmit": rules.resubmit,
        "requests_per_second": rules.requests_per_second,
    }
