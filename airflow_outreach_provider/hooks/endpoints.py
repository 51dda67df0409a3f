"""``outreach_endpoint`` connections: where deliveries go, how they are signed, and what is allowed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseHook

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, SignatureError
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.request_form import (
    HEADER_NAME,
    HEADER_VALUE,
    OUR_HEADERS,
    check_method,
    read_content_type,
)
from airflow_outreach_provider.core.signing import Scheme, check_secrets
from airflow_outreach_provider.hooks import http_endpoint
from airflow_outreach_provider.hooks.connection_fields import existing, read_extra, read_flag, read_text
from airflow_outreach_provider.hooks.endpoint_oauth2 import read_authorization
from airflow_outreach_provider.hooks.settings import endpoint_disabled_after
from airflow_outreach_provider.hooks.tested import as_known, with_unread
from airflow_outreach_provider.net.webhook import (
    DEFAULT_TIMEOUT_SECONDS,
    Target,
    environment_proxy,
    parse_url,
)
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.sender import send_test

_TIMEOUTS = (0.1, 300.0)


class OutreachEndpointHook(BaseHook):
    """An endpoint that wants contact events.

    :param endpoint_conn_id: a connection of type ``outreach_endpoint``: the full URL as host, signing secrets
        as password, separated by spaces, newest first; or one of Airflow's type ``http``, which signs nothing.
    """

    conn_name_attr = "endpoint_conn_id"
    default_conn_name = "outreach_endpoint_default"
    conn_type = "outreach_endpoint"
    hook_name = "Outreach endpoint (signed webhook)"

    def __init__(self, endpoint_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.endpoint_conn_id = endpoint_conn_id

    def endpoint(self) -> Endpoint:
        """The connection, read and checked.

        :raises ConfigurationError: what is wrong with which field.
        """
        remedy = "create it with type outreach_endpoint and the full URL as host"
        return read_endpoint(existing(self.get_connection, self.endpoint_conn_id, remedy))

    def test_connection(self) -> tuple[bool, str]:
        """Send a signed test event, which names no person, and show the answer."""
        try:
            answer = send_test(self.endpoint(), datetime.now(UTC))
            answer = with_unread(answer, self.get_connection(self.endpoint_conn_id))
        except OutreachError as error:
            answer = False, str(error)
        return as_known(answer, self.endpoint_conn_id)


ENDPOINT_TYPES = (OutreachEndpointHook.conn_type, http_endpoint.CONN_TYPE)
"""Types of connection that deliveries can go to."""


def read_endpoint(connection: Any) -> Endpoint:
    """The endpoint that an Airflow connection describes.

    :raises ConfigurationError: a field that cannot be used; the message names connection and field.
    """
    where = f"connection {connection.conn_id!r}"
    extra = read_extra(connection)
    disabled_after = endpoint_disabled_after()  # of all endpoints: its mistake is no connection's
    is_http = connection.conn_type == http_endpoint.CONN_TYPE
    try:
        extra = http_endpoint.http_extra(connection, extra) if is_http else extra
        url = parse_url(http_endpoint.http_url(connection) if is_http else _url(connection))
        secrets = () if is_http else tuple((connection.password or "").split())
        scheme = _scheme(extra.get("signature"), secrets)
        check_secrets(scheme, secrets)
        target = Target(
            url=url,
            headers=_headers(extra.get("headers")),
            timeout=_number(extra, "timeout", DEFAULT_TIMEOUT_SECONDS, *_TIMEOUTS) or DEFAULT_TIMEOUT_SECONDS,
            allow_networks=parse_networks(extra.get("allow_networks")),
            allow_http=read_flag(extra, "allow_http", default=False),
            proxy=environment_proxy(url),
        )
        return Endpoint(
            conn_id=connection.conn_id,
            target=target,
            scheme=scheme,
            secrets=secrets,
            kinds=_kinds(extra.get("event_kinds")),
            enabled=read_flag(extra, "enabled", default=True),
            requests_per_second=_number(extra, "requests_per_second", None, 0.01, 10_000.0),
            disabled_after=disabled_after,
            authorization=read_authorization(extra, target),
            method=_word(extra, "method", lambda said: check_method(said.upper())),
            content_type=_word(extra, "content_type", _checked_type),
        )
    except (ConfigurationError, SignatureError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _url(connection: Any) -> str:
    host = (connection.host or "").strip()
    if "://" in host or not host:
        return str(host)
    port = f":{connection.port}" if connection.port else ""
    name, slash, path = host.partition("/")
    return f"{connection.schema or 'https'}://{name}{port}{slash}{path}"


def _scheme(value: object, secrets: tuple[str, ...]) -> Scheme:
    if value in (None, ""):
        return Scheme.STANDARD_WEBHOOKS if secrets else Scheme.NONE
    try:
        return Scheme(str(value))
    except ValueError:
        known = ", ".join(scheme.value for scheme in Scheme)
        raise ConfigurationError(
            f"extra 'signature' is {shown_value(value)}", f"use one of {known}"
        ) from None


def _word(extra: Mapping[str, Any], name: str, read: Callable[[str], str]) -> str | None:
    said = read_text(extra, name)
    return None if said is None else read(said)


def _checked_type(said: str) -> str:
    read_content_type(said)
    return said


def _headers(value: object) -> dict[str, str]:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            raise ConfigurationError("extra 'headers' is not JSON", 'write {"X-Name": "value"}') from None
    if not value:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError("extra 'headers' is not an object", 'write {"X-Name": "value"}')
    headers = {str(name): str(each) for name, each in value.items()}
    for name, each in headers.items():
        if name.lower() in OUR_HEADERS:
            raise ConfigurationError(
                f"extra 'headers' sets {name}", "leave it out: the delivery sets it itself"
            )
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(each):
            raise ConfigurationError(f"extra 'headers' holds {shown_value(name)}, which is no HTTP header")
    return headers


def _kinds(value: object) -> frozenset[str] | None:
    names = value.replace(",", " ").split() or None if isinstance(value, str) else value
    if names is None:
        return None
    if not names:
        raise ConfigurationError(
            "extra 'event_kinds' is empty, so no event would ever be delivered", "name kinds, or leave it out"
        )
    known = {kind.value for kind in EventKind}
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            "extra 'event_kinds' is no list of kinds", 'write e.g. ["replied", "interested"]'
        )
    if unknown := [shown_value(name) for name in sorted(set(names) - known)]:
        raise ConfigurationError(
            f"extra 'event_kinds' holds {', '.join(unknown)}", f"known kinds are {', '.join(sorted(known))}"
        )
    return frozenset(names)


def _number(
    extra: Mapping[str, Any], name: str, default: float | None, least: float, most: float
) -> float | None:
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not least <= number <= most:
        raise ConfigurationError(
            f"extra {name!r} is {shown_value(value)}", f"write a number from {least:g} to {most:g}"
        )
    return number
