"""Fields of connections, read and checked; every message names the connection and the field."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_outreach_provider.core.errors import ConfigurationError


def read_base_url(connection: Any) -> str:
    """:raises ConfigurationError: the host is missing or no http URL."""
    host = (connection.host or "").strip().rstrip("/")
    where = f"connection {connection.conn_id!r}"
    if not host:
        raise ConfigurationError(
            f"{where} has no host", "set its host to the base URL, e.g. https://app.tetherai.ca"
        )
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"{where}: its host is not a URL", "write e.g. https://app.tetherai.ca"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{where}: its host is not an http URL", "write e.g. https://app.tetherai.ca"
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            f"{where}: its host holds a user or password", "put the API key into the password field"
        )
    if connection.port and port is None:
        url = f"{parts.scheme}://{parts.netloc}:{connection.port}{parts.path}"
    # People paste the whole endpoint from the platform's documentation.
    return url.removesuffix("/api/webhook/outreach").rstrip("/")


def read_extra(connection: Any) -> Mapping[str, Any]:
    """:raises ConfigurationError: the connection's extra is text that is no JSON object."""
    try:
        extra = json.loads(connection.extra) if connection.extra else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: its extra is not a JSON object",
            'write {"name": "value"}, or leave it empty',
        )
    return connection.extra_dejson  # which masks what is secret in it


def read_headers(extra: Mapping[str, Any], where: str) -> dict[str, str]:
    """:raises ConfigurationError: they are no object."""
    headers = extra.get("headers") or {}
    if isinstance(headers, str):  # as the form of a connection hands it over
        with contextlib.suppress(ValueError):
            headers = json.loads(headers)
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"{where}: extra 'headers' is not an object", 'write {"X-Name": "value"}')
    return {str(name): str(value) for name, value in headers.items()}


def read_text(extra: Mapping[str, Any], name: str) -> str | None:
    """Without white space around it; None where it is missing or empty."""
    value = extra.get(name)
    return str(value).strip() or None if value is not None else None


def read_number(extra: Mapping[str, Any], name: str, default: Any, where: str) -> Any:
    """:raises ConfigurationError: it is no number greater than 0."""
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not number > 0 or number == float("inf"):
        raise ConfigurationError(f"{where}: extra {name!r} is {value!r}", "write a number greater than 0")
    return number
