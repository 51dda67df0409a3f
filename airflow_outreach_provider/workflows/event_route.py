"""The tasks of an event route: a sensor that hands out batches, and a mapped task that works on each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_outreach_provider.core.workflows.deliver import EventOutreach
from airflow_outreach_provider.core.workflows.models import EventRoute
from airflow_outreach_provider.operators import outreach as operators
from airflow_outreach_provider.operators.dag_trigger import TriggerDag
from airflow_outreach_provider.sensors.outreach import ContactEventSensor
from airflow_outreach_provider.workflows.functions import CallFunction, NotifyEvent, calling

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
        events_per_batch=model.deliver.batch.size if model.deliver.batch is not None else 1,
        poll_interval=model.poll_interval.total_seconds(),
        timeout=wait.total_seconds(),
        deferrable=True,
        # With schedule: events a run that finds nothing has nothing to wait for; any other waits, and a day
        # without an event is no failure.
        soft_fail=True,
    ).output
    task_id, operator, arguments = _target(name, model)
    if model.notify:
        arguments["on_outreach_event"] = [calling(path) for path in model.notify]
    if model.retry_schedule:
        arguments["retry_schedule"] = [pause.total_seconds() for pause in model.retry_schedule]
    operator.partial(task_id=task_id, route=name, **arguments).expand(batch=batches)


def _target(name: str, model: EventRoute) -> tuple[str, Any, dict[str, Any]]:
    """Task id, operator and its arguments for the one way to deliver that the route names."""
    deliver = model.deliver
    if deliver.endpoint is not None:
        return (
            "deliver",
            operators.DeliverEventsOperator,
            {"endpoint_conn_id": deliver.endpoint, **deliver.request()},
        )
    if deliver.python is not None:
        return "call", operators.HandleEventsOperator, {"python_callable": CallFunction(deliver.python)}
    if deliver.notifier is not None:
        tell = NotifyEvent(deliver.notifier.name, deliver.notifier.arguments or {})
        return "notify", operators.HandleEventsOperator, {"python_callable": tell}
    if deliver.trigger_dag is not None:
        start = TriggerDag(deliver.trigger_dag.dag_id, name, deliver.trigger_dag.conf)
        return "trigger", operators.HandleEventsOperator, {"python_callable": start}
    if deliver.outreach is not None:
        arguments = {"mapping": deliver.outreach.map, "lead_arguments": _arguments(deliver.outreach)}
        return "submit", operators.SubmitEventLeadsOperator, arguments
    # A route that chooses its events means them; one that chooses none must not suppress whoever opens a mail.
    return "suppress", operators.SuppressContactsOperator, {"any_event": bool(model.kinds or model.where)}


def _arguments(outreach: EventOutreach) -> dict[str, Any]:
    rules = outreach.rules
    return {
        "outreach_conn_id": outreach.conn_id,
        "configuration_id": outreach.configuration_id,
        "campaign": outreach.campaign,
        "payload_format": outreach.format,
        "default_region": rules.default_region,
        "quiet_hours": rules.quiet_hours,
        "line_types": rules.line_types,
        "on_unknown": rules.on_unknown,
        "resubmit": rules.resubmit,
        "per_person": rules.per_person,
        "requests_per_second": rules.requests_per_second,
    }
