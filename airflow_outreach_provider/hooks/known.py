"""Whether an endpoint or a source is one, for those who switch it by hand: pages and commands ask here.

One whose connection cannot be read is known, so that it can be switched off; a mistyped name is not.
"""

from __future__ import annotations

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.hooks.endpoints import ENDPOINT_TYPES, OutreachEndpointHook
from airflow_outreach_provider.hooks.listing import connection_names
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.hooks.sources import CONN_TYPE, is_source
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import sources


def require_endpoint(store: Store, name: str) -> None:
    """:raises ConfigurationError: it is no connection that can be delivered to, and nothing ever was."""
    delivered_to = [status.conn_id for status in endpoints.statuses(store)]
    if name not in delivered_to and not _is_endpoint(name):
        raise ConfigurationError(
            f"there is no endpoint {name!r}",
            f"known are {', '.join(delivered_to) or 'none'}, and every connection of type "
            f"{OutreachEndpointHook.conn_type}",
        )


def require_source(store: Store, name: str) -> None:
    """:raises ConfigurationError: it is no connection of a source, and none was ever switched or refused."""
    if name not in sources.statuses(store) and not is_source(name):
        raise ConfigurationError(
            f"there is no source {name!r}",
            f"create a connection of type {CONN_TYPE}; airflow outreach sources lists them",
        )


def require_outreach_api(name: str) -> None:
    """:raises ConfigurationError: no connection that is listed sends leads by this name."""
    if name not in connection_names(OutreachHook.conn_type):
        raise ConfigurationError(
            f"there is no outreach API {name!r}", f"create a connection of type {OutreachHook.conn_type}"
        )


def _is_endpoint(name: str) -> bool:
    if any(name in connection_names(each) for each in ENDPOINT_TYPES):
        return True
    try:  # secrets backends cannot be listed
        return BaseHook.get_connection(name).conn_type in ENDPOINT_TYPES
    except AirflowNotFoundException:
        return False
