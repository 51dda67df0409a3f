"""What a test finds in the store."""

from __future__ import annotations

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import EventFilter, every_event, show


def stored_events(store: Store) -> list[ContactEvent]:
    """Every event of the inbox, the latest received first."""
    found = (show(store, row.event_id) for row in every_event(store, EventFilter()))
    return [each.event for each in found if each is not None]
