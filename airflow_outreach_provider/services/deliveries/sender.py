"""Signed requests to one endpoint: what is sent for an event, and what its answer means."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus

from airflow_outreach_provider.core.deliveries import message_id
from airflow_outreach_provider.core.delivery_rules import (
    DeliveryOutcome,
    DeliveryVerdict,
    classify_delivery,
    classify_failure,
)
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.masking import redact
from airflow_outreach_provider.core.request_form import DELETE, POST, CompiledForm, EventUnfit, RequestForm
from airflow_outreach_provider.core.signing import Sign, signer
from airflow_outreach_provider.net.oauth2 import AccessToken, answer_without
from airflow_outreach_provider.net.webhook import EXCERPT_BYTES, WebhookAnswer, WebhookClient, WebhookFailed
from airflow_outreach_provider.services.deliveries.batch import AttemptResult
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.requests import EventRequest, MakeRequest
from airflow_outreach_provider.services.deliveries.saved import SavedAnswers
from airflow_outreach_provider.services.deliveries.tokens import Tokens, TokenUnavailable

_TEST_FIELDS = {name: f"{{{{ {name} }}}}" for name in ("id", "type", "kind", "occurred_at")}


class Sender:
    """Requests of one task to one endpoint.

    :param route: part of the messages' ids.
    :param saved: what the route keeps of answers.
    """

    def __init__(
        self, client: WebhookClient, endpoint: Endpoint, route: str, saved: SavedAnswers | None = None
    ) -> None:
        self.client, self.endpoint, self.route, self._saved = client, endpoint, route, saved
        self._keep_bytes = saved.keep_bytes if saved is not None else EXCERPT_BYTES
        authorization = endpoint.authorization
        self._tokens = Tokens(client, authorization) if authorization is not None else None

    @cached_property
    def _sign(self) -> Sign:
        # With the first request: secrets that do not fit are an error of the attempt, as any of the endpoint.
        return signer(self.endpoint.scheme, self.endpoint.secrets)

    async def deliver(self, event: ContactEvent, make_request: MakeRequest) -> AttemptResult:
        """One event, judged; one that cannot become a request is refused without one."""
        known = await self._saved.of(event) if self._saved is not None else {}
        try:
            request = make_request(event, known)
        except EventUnfit as error:
            return AttemptResult(DeliveryOutcome(DeliveryVerdict.REFUSED, str(error)))
        tried = await self.send(request, event)
        if self._saved is not None and tried.status is not None and 200 <= tried.status < 300:
            await self._saved.keep(event, tried.answer)
        if len(tried.answer) > EXCERPT_BYTES:
            tried = replace(tried, answer=tried.answer[:EXCERPT_BYTES])
        return tried

    async def send(self, request: EventRequest, event: ContactEvent) -> AttemptResult:
        """One request, judged; one more with another token where the endpoint does not take the one it was shown."""
        return replace(await self._answered(request, event), sent=request.told)

    async def _answered(self, request: EventRequest, event: ContactEvent) -> AttemptResult:
        now = datetime.now(UTC)
        try:
            if self._tokens is None:
                return _judged(await self._once(request, event, now), request, now)
            token = await self._tokens.current(now)
            answer = await self._once(request, event, now, token)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                token = await self._tokens.another_than(token, now)
                answer = await self._once(request, event, now, token)
            head = redact(answer.headers, token.value)
            return _judged(replace(answer, excerpt=answer_without(answer, token), headers=head), request, now)
        except TokenUnavailable as error:
            return AttemptResult(error.outcome)
        except WebhookFailed as error:
            return AttemptResult(classify_failure(error.fault, str(error)))

    async def _once(
        self, request: EventRequest, event: ContactEvent, now: datetime, token: AccessToken | None = None
    ) -> WebhookAnswer:
        """One request; the signature is over exactly these bytes, at this moment."""
        headers = message_headers(request, event, self.route, self._sign, now)
        if token is not None:
            headers["Authorization"] = f"Bearer {token.value}"
        return await self.client.send(
            self.endpoint.target, request.body, headers, method=request.method, url=request.url,
            keep=self._keep_bytes,
        )  # fmt: skip


def message_headers(
    request: EventRequest, event: ContactEvent, route: str, sign: Sign, now: datetime
) -> dict[str, str]:
    """The headers of one message, signed over its body; those of the endpoint are not among them."""
    identity = message_id(event.id, route)
    return {
        **request.headers,
        "webhook-id": identity,
        "X-Outreach-Event": event.kind.value,
        **sign(request.body, identity, now),
    }


def _judged(answer: WebhookAnswer, request: EventRequest, now: datetime) -> AttemptResult:
    outcome = classify_delivery(
        answer.status, answer.retry_after, now, method=request.method, of_record=request.of_record
    )
    return AttemptResult(outcome, answer.status, answer.latency_ms, answer.excerpt, headers=answer.headers)


def _test_request(endpoint: Endpoint, event: ContactEvent) -> EventRequest:
    """As the endpoint wants its requests; POST where that is DELETE, which a test does to nothing."""
    form = CompiledForm(endpoint.completed(RequestForm(_TEST_FIELDS)))
    body = form.body(event.to_dict()) if form.is_form else event.to_json()
    method = POST if form.method == DELETE else form.method
    return EventRequest(endpoint.target.url, body, {"Content-Type": form.content_type}, method)


def check_address(endpoint: Endpoint) -> None:
    """Look up where an endpoint is, as a delivery does, and send it nothing.

    :raises ConfigurationError, AddressForbidden: it may not be called as it is configured.
    :raises WebhookFailed: its name does not resolve here.
    """

    async def run() -> None:
        async with WebhookClient(connections=1) as client:
            await client.judged(endpoint.target)

    asyncio.run(run())


def send_test(endpoint: Endpoint, now: datetime) -> tuple[bool, str]:
    """Send one test event to an endpoint, disabled or not, and say what it answered.

    The event carries no person: its type is ``outreach.test`` and its contact is empty.

    :raises ConfigurationError, AddressForbidden, SignatureError: it cannot be called as it is configured.
    """
    event = ContactEvent(
        id=f"evt_test_{int(now.timestamp() * 1000)}", source="outreach", platform="airflow",
        type="outreach.test", kind=EventKind.OTHER, occurred_at=now, received_at=now, contact=Contact(),
        data={"test": True},
    )  # fmt: skip

    async def run() -> AttemptResult:
        request = _test_request(endpoint, event)
        async with WebhookClient(connections=1) as client:
            return await Sender(client, endpoint, "test").send(request, event)

    tried = asyncio.run(run())
    if tried.outcome.verdict is DeliveryVerdict.DELIVERED:
        return True, f"HTTP {tried.status} in {tried.latency_ms} ms"
    if endpoint.authorization is not None and tried.status is not None:
        return False, f"an access token was had, and the endpoint itself says: {tried.outcome.reason}"
    return False, tried.outcome.reason
