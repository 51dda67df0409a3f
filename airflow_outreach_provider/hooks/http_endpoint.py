"""``http`` connections of Airflow as endpoints: what they say, in the words of an ``outreach_endpoint``.

Host, schema, port, login and password mean what they mean to Airflow's ``HttpHook``, and so do the names of the extra
that are headers. The guard is that of every endpoint: no plain HTTP and no internal address unless the extra says
``allow_http`` or ``allow_networks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.hooks.connection_fields import hide_headers

CONN_TYPE = "http"

_SETTINGS = frozenset(
    {"allow_http", "allow_networks", "enabled", "event_kinds", "requests_per_second", "timeout"}
)
# Of HttpHook's options: what never happens here anyway, and what would be another way than deliveries go.
_MEANINGLESS = frozenset(
    {"allow_redirects", "check_response", "content-type", "max_redirects", "stream", "trust_env"}
)
_NO_PROXY_OF_ITS_OWN = "leave it out: deliveries go through HTTPS_PROXY of the worker's environment"
_TRUSTED = (
    "leave it out; a CA of your own stands in the file that SSL_CERT_FILE of the worker's environment names"
)
_REFUSED = {
    "cert": "leave it out: deliveries show no certificate",
    "proxies": _NO_PROXY_OF_ITS_OWN,
    "proxy": _NO_PROXY_OF_ITS_OWN,
    "signature": "make a connection of type outreach_endpoint, which signs",
    "srv_lookup": "leave it out, and write host and port",
    "verify": _TRUSTED,
    "verify_ssl": _TRUSTED,
}
"""What deliveries do not do → what to do instead."""


def http_url(connection: Any) -> str:
    """As ``HttpHook`` puts it together: without a schema it is http."""
    host = (connection.host or "").strip()
    if "://" not in host:
        host = f"{connection.schema or 'http'}://{host}"
    if not connection.port:
        return str(host)
    scheme, _, rest = host.partition("://")
    name, slash, path = rest.partition("/")
    return f"{scheme}://{name}:{connection.port}{slash}{path}"


def http_extra(connection: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The extra of an ``outreach_endpoint`` that asks for the same.

    :raises ConfigurationError: it asks for what deliveries do not do.
    """
    settings, headers = {}, {}
    for name, value in extra.items():
        lowered = str(name).lower()
        if lowered in _SETTINGS or lowered.startswith("oauth2"):
            settings[lowered] = value
        elif lowered in _REFUSED:
            if value not in (None, "", lowered.startswith("verify")):
                raise ConfigurationError(f"extra {name!r} is not for endpoints", _REFUSED[lowered])
        elif lowered not in _MEANINGLESS:
            headers[str(name)] = str(value)
    if connection.login:
        if any(name.lower() == "authorization" for name in headers):
            raise ConfigurationError(
                "its login and its extra's Authorization say the same", "keep one of the two"
            )
        import aiohttp  # imported late: few endpoints have a login

        headers["Authorization"] = aiohttp.BasicAuth(
            connection.login, connection.password or "", "utf-8"
        ).encode()
    elif connection.password:
        raise ConfigurationError(
            "it has a password and no login", "write the login, or a header in the extra"
        )
    hide_headers(headers)
    return {**settings, "headers": headers}
