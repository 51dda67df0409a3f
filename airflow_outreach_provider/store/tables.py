"""Every table of the store, gathered: importing this module fills ``schema.metadata``."""

from airflow_outreach_provider.store.deliveries import tables as _deliveries
from airflow_outreach_provider.store.inbox import tables as _inbox
from airflow_outreach_provider.store.ledger import tables as _ledger
from airflow_outreach_provider.store.schema import metadata

__all__ = ["_deliveries", "_inbox", "_ledger", "metadata"]
