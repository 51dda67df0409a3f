"""The access token of an endpoint: one for all tasks of a process, renewed once for everybody who needs it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from airflow_outreach_provider.core.delivery_rules import (
    DeliveryOutcome,
    DeliveryVerdict,
    classify_delivery,
    classify_failure,
)
from airflow_outreach_provider.core.masking import shown_host
from airflow_outreach_provider.net.oauth2 import AccessToken, TokenGrant, TokenRefused, ask_for_token
from airflow_outreach_provider.net.webhook import WebhookClient, WebhookFailed

Hide = Callable[[str], None]
"""Tells whoever writes logs that this text is a secret."""


def _hide_nothing(_secret: str) -> None:
    """Where nobody writes logs of Airflow's."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """How an endpoint lets us in. :ivar hide: is told each token before it is used."""

    grant: TokenGrant
    hide: Hide = field(default=_hide_nothing, repr=False)


class TokenUnavailable(Exception):
    """:ivar outcome: what that means for every delivery to this endpoint."""

    def __init__(self, outcome: DeliveryOutcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Tokens:
    """Access tokens of one endpoint, for one event loop; what is fetched is the whole process's.

    :cvar _known: by everything that makes a token another one, its secrets included.
    """

    _known: ClassVar[dict[tuple[object, ...], AccessToken]] = {}
    _guard: ClassVar = threading.Lock()

    def __init__(self, client: WebhookClient, authorization: Authorization) -> None:
        self._client, self._hide, self._grant = client, authorization.hide, authorization.grant
        grant = self._grant
        self._key = (
            str(grant.target.url), grant.client_id, grant.client_secret, grant.refresh_token, grant.scope,
            grant.in_header, *sorted(grant.params.items()),
        )  # fmt: skip
        self._turn = asyncio.Lock()

    async def current(self, now: datetime) -> AccessToken:
        """A token that has not run out. :raises TokenUnavailable: there is none to be had."""
        token = self._kept()
        return token if token is not None else await self._renewed(None, now)

    async def another_than(self, refused: AccessToken, now: datetime) -> AccessToken:
        """The endpoint did not take this one; whoever comes first renews it for all. :raises TokenUnavailable:"""
        return await self._renewed(refused, now)

    def _kept(self) -> AccessToken | None:
        with self._guard:
            token = self._known.get(self._key)
        return token if token is not None and time.monotonic() < token.until else None

    async def _renewed(self, refused: AccessToken | None, now: datetime) -> AccessToken:
        async with self._turn:
            token = self._kept()
            if token is not None and token is not refused:
                return token  # somebody else was first
            with self._guard:
                last = self._known.get(self._key)
            token = await self._fetched(last.refresh_token if last is not None else "", now)
            self._hide(token.value)
            with self._guard:
                self._known[self._key] = token
            return token

    async def _fetched(self, refresh_token: str, now: datetime) -> AccessToken:
        try:
            return await ask_for_token(self._client, self._grant, refresh_token)
        except TokenRefused as error:
            said = f"no access token of {shown_host(self._grant.target.url.host or '')}: {error}"
            wait = None
            if error.status == 429 or error.status >= 500:
                wait = classify_delivery(error.status, error.retry_after, now).retry_after
            else:
                said += "; correct client id, secret, refresh token or scope in the connection"
            raise TokenUnavailable(DeliveryOutcome(DeliveryVerdict.ENDPOINT, said, wait)) from error
        except WebhookFailed as error:
            outcome = classify_failure(error.fault, f"no access token: {error}")
            raise TokenUnavailable(
                DeliveryOutcome(DeliveryVerdict.ENDPOINT, outcome.reason, outcome.retry_after)
            ) from error
