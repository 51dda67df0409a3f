"""Access tokens by OAuth 2.0 (RFC 6749): client credentials, or a refresh token somebody agreed to once.

oauthlib writes and reads the messages; they go through the same guarded client as every delivery.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.masking import mask_text, redact
from airflow_outreach_provider.net.webhook import Target, WebhookAnswer, WebhookClient

if TYPE_CHECKING:
    from oauthlib.oauth2 import OAuth2Error

# Tokens that are JWTs with many claims have a few KB; what is longer than a header may be is none.
_TOKEN_BYTES = 32_768
# Renewed so many seconds before it runs out, or a tenth of its time where that is shorter.
_EARLY_SECONDS = 60.0


class TokenRefused(OutreachError):
    """The token server gave no access token.

    :param status: of its answer. :param retry_after: its header, as received.
    """

    def __init__(self, message: str, status: int, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """How an endpoint's access token is had.

    :ivar target: the token server, judged like any endpoint.
    :ivar refresh_token: with one, the refresh token grant; the client's credentials alone otherwise.
    :ivar in_header: credentials as HTTP basic authentication; in the body otherwise.
    :ivar params: further fields of the request, e.g. ``audience``.
    """

    target: Target
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    in_header: bool = True
    params: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """:ivar until: by the monotonic clock; then it is renewed before it is used. :ivar refresh_token: the next one, where
    the server hands out a new one each time."""

    value: str = field(repr=False)
    until: float = float("inf")
    refresh_token: str = field(default="", repr=False)


async def ask_for_token(client: WebhookClient, grant: TokenGrant, refresh_token: str = "") -> AccessToken:
    """A new access token.

    :param refresh_token: instead of the grant's own, where the server has handed out another since.
    :raises TokenRefused: with what the server says of it, without any secret.
    :raises AddressForbidden, ConfigurationError, WebhookFailed: as for any request.
    """
    # Imported late, as below: few endpoints want a token.
    from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

    asked_at = time.monotonic()
    body, headers = _request(grant, refresh_token or grant.refresh_token)
    answer = await client.send(grant.target, body, headers, keep=_TOKEN_BYTES)
    oauth = BackendApplicationClient(grant.client_id)
    try:
        if not 200 <= answer.status < 300 and '"error"' not in answer.excerpt:
            raise TokenRefused(f"HTTP {answer.status}", answer.status, answer.retry_after)
        # A scope other than the one asked for is the server's to choose; what it does not allow, the API says.
        said = oauth.parse_request_body_response(answer.excerpt)
        value, seconds = str(said["access_token"]), float(said.get("expires_in") or "inf")
    except OAuth2Error as error:
        raise TokenRefused(_words(grant, error), answer.status, answer.retry_after) from None
    except (ValueError, TypeError, AttributeError, KeyError):
        raise TokenRefused("its answer is no token", answer.status, answer.retry_after) from None
    if not value.isascii() or not value.isprintable() or len(value) > _TOKEN_BYTES / 2:
        raise TokenRefused("its answer is no token", answer.status, answer.retry_after)
    until = asked_at + seconds - min(_EARLY_SECONDS, seconds / 10)
    return AccessToken(value, until, str(said.get("refresh_token") or refresh_token))


def _request(grant: TokenGrant, refresh_token: str) -> tuple[bytes, dict[str, str]]:
    from oauthlib.oauth2 import BackendApplicationClient

    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    fields: dict[str, str] = {**grant.params}
    if grant.in_header:
        # RFC 6749 section 2.3.1: each half is encoded as in a form before they are joined.
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        fields |= {"client_secret": grant.client_secret} if grant.client_secret else {}
    oauth = BackendApplicationClient(grant.client_id)
    scope = grant.scope.split() or None
    if refresh_token:
        fields |= {} if grant.in_header else {"client_id": grant.client_id}
        body = oauth.prepare_refresh_body(
            refresh_token=refresh_token, scope=scope, include_client_id=not grant.in_header, **fields
        )
    else:
        body = oauth.prepare_request_body(scope=scope, include_client_id=not grant.in_header, **fields)
    return body.encode(), headers


def _words(grant: TokenGrant, error: OAuth2Error) -> str:
    """The server's own words: its code, and what it says besides, without what we gave it."""
    said = f"{error.error}: {error.description}" if error.description else str(error.error)
    for secret in (grant.client_secret, grant.refresh_token, *grant.params.values()):
        said = redact(said, secret)
    return mask_text(said, 200)


def answer_without(answer: WebhookAnswer, token: AccessToken) -> str:
    """What an endpoint answered, without the token it was asked with."""
    return redact(answer.excerpt, token.value)
