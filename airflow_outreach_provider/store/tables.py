"""Every table of the store, gathered: importing this module fills ``schema.metadata``."""

from airflow_outreach_provider.store import deliveries_schema, inbox_schema, ledger_schema  # noqa: F401
from airflow_outreach_provider.store.schema import metadata

__all__ = ["metadata"]
