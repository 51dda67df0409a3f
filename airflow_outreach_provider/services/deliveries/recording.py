"""Deliveries of events that no sensor recorded: given to a task directly, or made by its DAG."""

from __future__ import annotations

from airflow_outreach_provider.services.deliveries.batch import Batch, TaskTry
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.fan_out import new_delivery
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists


def ensure_recorded(store: Store, batch: Batch, task: TaskTry) -> int:
    """Write down deliveries of the batch that no sensor recorded for this route.

    :return: how many events are in no table any more: purged, or forgotten by a person's wish.
    """
    absent = deliveries_attempts.missing(store, batch.route, batch.event_ids)
    if not absent:
        return 0
    made = {event.id: event for event in batch.made}
    rows = [
        new_delivery(event, batch.route, event.to_json().decode() if event.id in made else None)
        for event in [*inbox_lists.load(store, [each for each in absent if each not in made]), *batch.made]
        if event.id in set(absent)
    ]
    plan = batch.plan or task.owner.key

    with store.write() as connection:
        now = store.now(connection)
        deliveries_attempts.record(connection, rows, now, plan=plan, plan_until=now + task.lease)
    return len(absent) - len(rows)
