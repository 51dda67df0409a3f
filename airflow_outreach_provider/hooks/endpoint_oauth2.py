"""The OAuth 2.0 fields of an endpoint's connection: where its access token is had, and with what."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.hooks.connection_fields import hide_secret, read_text, read_texts
from airflow_outreach_provider.net.oauth2 import TokenGrant
from airflow_outreach_provider.net.webhook import Target, environment_proxy, parse_url
from airflow_outreach_provider.services.deliveries.tokens import Authorization

_FIELDS = ("client_id", "client_secret", "refresh_token", "scope", "auth", "params")
_ALSO = {"token_url": "url", "client": "client_id", "secret": "client_secret"}
_OAUTH2 = 'write {"url": "https://login.example.com/oauth2/token", "client_id": "…", "client_secret": "…"}'
# The grant's own; the connection's fields say them.
_OWN = frozenset(
    {
        "body", "client_id", "client_secret", "code_verifier", "grant_type", "include_client_id", "refresh_token",
        "scope",
    }
)  # fmt: skip


def read_authorization(extra: Mapping[str, Any], endpoint: Target) -> Authorization | None:
    """How an endpoint's access token is had; None where it wants none.

    The token server is called under the same rules as the endpoint: what networks, and whether without TLS.

    :raises ConfigurationError: which field is missing or cannot be used.
    """
    extra = {**_grouped(extra), **{name: value for name, value in extra.items() if value not in (None, "")}}
    said = {name: read_text(extra, f"oauth2_{name}") for name in ("url", *_FIELDS)}
    if said["url"] is None:
        orphans = [f"oauth2_{name}" for name in _FIELDS if said[name]]
        if orphans:
            raise ConfigurationError(
                f"extra {orphans[0]!r} is set, and 'oauth2_url' is not", "write the URL of the token server"
            )
        return None
    if said["client_id"] is None:
        raise ConfigurationError("extra 'oauth2_client_id' is missing", "write the id of the client, or app")
    if said["client_secret"] is None and said["refresh_token"] is None:
        raise ConfigurationError(
            "extra 'oauth2_client_secret' is missing", "write the client's secret, or a refresh token"
        )
    if said["auth"] not in (None, "header", "body"):
        raise ConfigurationError(
            f"extra 'oauth2_auth' is {shown_value(said['auth'])}", "write header or body"
        )
    if any(name.lower() == "authorization" for name in endpoint.headers):
        raise ConfigurationError(
            "extra 'headers' sets Authorization, and an access token does too", "keep one of the two"
        )
    params = read_texts(extra, "oauth2_params", "", '{"audience": "…"}')
    if own := sorted(_OWN & params.keys()):
        raise ConfigurationError(f"extra 'oauth2_params' holds {own[0]}", "write it into its own field")
    try:
        url = parse_url(said["url"])
    except ConfigurationError:
        raise ConfigurationError(
            "extra 'oauth2_url' is no URL", "write e.g. https://login.example.com/oauth2/token"
        ) from None
    target = Target(
        url=url, timeout=endpoint.timeout, allow_networks=endpoint.allow_networks, allow_http=endpoint.allow_http,
        proxy=environment_proxy(url),
    )  # fmt: skip
    grant = TokenGrant(
        target, said["client_id"], said["client_secret"] or "", said["refresh_token"] or "", said["scope"] or "",
        in_header=said["auth"] != "body", params=params,
    )  # fmt: skip
    return Authorization(grant, hide_secret)


def _grouped(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that stand together in ``oauth2``, under the names they have alone."""
    given = extra.get("oauth2") or {}
    if isinstance(given, str):  # as the form of a connection hands it over
        with contextlib.suppress(ValueError):
            given = json.loads(given)
    if not isinstance(given, Mapping):
        raise ConfigurationError("extra 'oauth2' is not an object", _OAUTH2)
    known = {"url", *_FIELDS}
    named = {_ALSO.get(str(name), str(name)): value for name, value in given.items()}
    if unknown := sorted(named.keys() - known):
        raise ConfigurationError(
            f"extra 'oauth2' holds {shown_value(unknown[0])}", did_you_mean(unknown[0], known)
        )
    return {f"oauth2_{name}": value for name, value in named.items()}
