"""Every table of the store, gathered: importing this module fills ``schema.metadata``."""

from airflow_outreach_provider.store import audit as _audit
from airflow_outreach_provider.store import export_marks as _export_marks
from airflow_outreach_provider.store import notices as _notices
from airflow_outreach_provider.store import rates as _rates
from airflow_outreach_provider.store import suppressions_write as _suppressions
from airflow_outreach_provider.store.deliveries import tables as _deliveries
from airflow_outreach_provider.store.inbox import tables as _inbox
from airflow_outreach_provider.store.ledger import tables as _ledger
from airflow_outreach_provider.store.schema import metadata

__all__ = [
    "_audit",
    "_deliveries",
    "_export_marks",
    "_inbox",
    "_ledger",
    "_notices",
    "_rates",
    "_suppressions",
    "metadata",
]
