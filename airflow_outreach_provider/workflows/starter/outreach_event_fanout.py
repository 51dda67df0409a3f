"""Contact events of every platform, delivered as signed webhooks, each event a task instance to look at.

A run begins whenever there is something to deliver: a new event, or a delivery that was redelivered, released, or
waited for an earlier event of its contact. Its first task takes what is there and hands it out in batches; a mapped
task instance delivers each batch and retries by itself. Runs go on beside each other, up to ``max_active_runs``, so a
contact whose endpoint asks to wait keeps no other contact waiting; each contact's events stay in order all the same.
The asset event is only a doorbell: a missed one loses nothing, and it rings again while something waits.

How else such a DAG may run:

* ``schedule="@continuous"`` with ``max_active_runs=1`` and a ``start_date``: one run always waits in the triggerer
  (``deferrable=True``). Airflow allows one such run at a time: while one delivery waits for its retry, what arrives
  later waits for the run to end.
* a cron schedule: up to the schedule's interval more; the cheapest, where minutes do not matter. Give the sensor
  ``wait=False``.

Set the connection ``outreach_endpoint_default`` (type ``outreach_endpoint``) to where events should go.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_outreach_provider.assets import contact_events
from airflow_outreach_provider.operators.outreach import DeliverEventsOperator
from airflow_outreach_provider.sensors.outreach import ContactEventSensor

with DAG(
    dag_id="outreach_event_fanout",
    schedule=[contact_events("outreach_event_fanout", poll_interval=1.0)],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=16,
    tags=["outreach"],
    doc_md=__doc__,
) as dag:
    # Takes what is there; in a run that a doorbell began there is nothing to wait for.
    events = ContactEventSensor(task_id="wait_for_events", consumer="outreach_event_fanout")
    DeliverEventsOperator.partial(
        task_id="deliver",
        route="outreach_event_fanout",
        endpoint_conn_id="outreach_endpoint_default",
    ).expand(batch=events.output)
