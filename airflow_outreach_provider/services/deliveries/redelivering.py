"""What is to be known before deliveries are sent again."""

from __future__ import annotations

from dataclasses import replace

from airflow_outreach_provider.services.actions import redeliverable
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store


def held_again(store: Store, wanted: DeliveryFilter) -> str:
    """What is to be told with a redelivery that goes to endpoints which are disabled; empty where none does."""
    off = [
        each.conn_id
        for each in endpoints.statuses(store)
        if each.disabled_at
        and wanted.endpoint in (None, each.conn_id)
        and redeliverable(store, replace(wanted, endpoint=each.conn_id))
    ]
    if not off:
        return ""
    return f"Disabled now: {', '.join(off)}; what goes there is held until somebody enables it."
