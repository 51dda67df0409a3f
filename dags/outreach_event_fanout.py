"""Contact events of every platform, delivered as signed webhooks, each event a task instance to look at.

The sensor waits in the triggerer until there is something to do and hands it out in batches; a mapped task
instance delivers each batch and retries by itself. How soon an event arrives depends on how the DAG runs:

* ``@continuous`` (below): a run always waits. The sensor looks every ``poll_interval`` seconds; then come
  its own resumption and the mapped task: about 2 to 5 seconds on an idle Airflow with ``poll_interval=1``.
  Airflow allows one such run at a time: while one delivery waits for its retry, what arrives later waits for
  the run to end. Where one contact must never keep others waiting, use the third way.
* a cron schedule: up to the schedule's interval more; the cheapest, where minutes do not matter. Give the
  sensor a ``timeout`` below the interval and ``soft_fail=True``, so that a run without events is skipped.
* ``schedule=[Asset(…, watchers=[AssetWatcher(…, trigger=ContactEventTrigger(…))])]``: a run is made when an
  event arrives and none exists while nothing happens; about as quick as ``@continuous``, and several runs
  (``max_active_runs``) go on beside each other, each contact's events in order all the same. The asset event
  is only a doorbell: the sensor takes whatever is there, so a missed one loses nothing.

Set the connection ``outreach_endpoint_default`` (type ``outreach_endpoint``) to where events should go.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_outreach_provider.operators.outreach import DeliverEventsOperator
from airflow_outreach_provider.sensors.outreach import ContactEventSensor

with DAG(
    dag_id="outreach_event_fanout",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["outreach"],
    doc_md=__doc__,
) as dag:
    events = ContactEventSensor(
        task_id="wait_for_events",
        consumer="outreach_event_fanout",
        deferrable=True,
        poll_interval=1.0,
        # A waiting run is renewed once a day, so that a new version of this file takes effect.
        timeout=86_400,
        soft_fail=True,
    )
    DeliverEventsOperator.partial(
        task_id="deliver",
        route="outreach_event_fanout",
        endpoint_conn_id="outreach_endpoint_default",
    ).expand(batch=events.output)
