"""Deliver a batch of events to an endpoint: signed, paced, judged; and what endpoints learn from it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from airflow_outreach_provider.core.deliveries import DeliveryState, message_id
from airflow_outreach_provider.core.delivery_rules import (
    AT_THE_DOOR,
    DeliveryVerdict,
    classify_delivery,
    classify_failure,
)
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.signing import Scheme, Sign, signer
from airflow_outreach_provider.net.webhook import Target, WebhookAnswer, WebhookClient, WebhookFailed
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.lanes import ensure_recorded, work
from airflow_outreach_provider.services.deliveries.payloads import CANONICAL, MakeBody, Payload, body_maker
from airflow_outreach_provider.services.runtime.loop import run_in_loop_thread
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.claims import Claim, behind_held, claim
from airflow_outreach_provider.store.engine import Store

DEFAULT_CONCURRENCY = 16
# An endpoint that has answered nothing good for a day is not having an outage: deliveries wait, held.
DISABLE_AFTER_FAILURES = 10
DISABLE_AFTER = timedelta(hours=24)
_GROUP = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as its connection describes it.

    :ivar secrets: newest first; all sign where the scheme allows it.
    :ivar kinds: the kinds of event it subscribes to; None for all.
    :ivar requests_per_second: over all tasks together; None for no limit.
    """

    conn_id: str
    target: Target
    scheme: Scheme = Scheme.NONE
    secrets: tuple[str, ...] = field(default=(), repr=False)
    kinds: frozenset[str] | None = None
    enabled: bool = True
    requests_per_second: float | None = None


def deliver(
    store: Store,
    batch: Batch,
    endpoint: Endpoint,
    task: TaskTry,
    *,
    payload: Payload = CANONICAL,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> Report:
    """Deliver what is open of a batch; what has been delivered before is not sent again.

    A disabled endpoint gets nothing: its deliveries are held.

    :raises ConfigurationError, AddressForbidden: the endpoint cannot be called at all; nothing is lost.
    :raises SignatureError: the secrets do not fit the signature scheme.
    """
    unknown = ensure_recorded(store, batch, task)
    claimed = claim(
        store, route=batch.route, event_ids=batch.event_ids, owner=task.owner,
        plan=batch.plan, endpoint=endpoint.conn_id, lease=task.lease, revive=task.cleared,
    )  # fmt: skip
    claimed = _set_aside(store, claimed, endpoint, batch.route)
    if endpoints.status(store, endpoint.conn_id).last_status in AT_THE_DOOR:
        concurrency = 1  # it let nobody in: one request asks whether it does now
    make_body = body_maker(store, payload, [each.event_id for each in claimed.mine])
    report = run_in_loop_thread(_deliver(store, batch, endpoint, task, claimed, make_body, concurrency))
    if unknown:
        report.states["unknown"] = unknown
    return report


def _set_aside(store: Store, claimed: Claim, endpoint: Endpoint, route: str) -> Claim:
    """Hold what must not be sent now, and leave out the kinds the endpoint does not subscribe to."""
    claimed = _held(store, claimed, endpoint, route)
    if endpoint.kinds is None:
        return claimed
    unwanted = [each.id for each in claimed.mine if each.kind not in endpoint.kinds]
    if unwanted:
        deliveries_attempts.move(
            store, unwanted, DeliveryState.IGNORED, "the endpoint does not subscribe to this kind"
        )
    return Claim([each for each in claimed.mine if each.kind in endpoint.kinds], claimed.busy_until)


def _held(store: Store, claimed: Claim, endpoint: Endpoint, route: str) -> Claim:
    """Without what waits for a person: everything while the endpoint is disabled, else what follows a held one.

    Disabled in the connection is written down like any other disabling: so it is shown, and what becomes of
    the held deliveries is asked when it is enabled.
    """
    nothing = Claim([], claimed.busy_until)
    if not endpoint.enabled:
        endpoints.disable(
            store, endpoint.conn_id, reason="disabled in the connection", by=endpoints.BY_CONNECTION
        )
        return nothing
    status = endpoints.status(store, endpoint.conn_id)
    if status.disabled_by == endpoints.BY_CONNECTION:
        endpoints.enable_unless_held(store, endpoint.conn_id)
    mine = [each.id for each in claimed.mine]
    if status.disabled_at and endpoints.hold_if_disabled(store, endpoint.conn_id, mine):
        return nothing
    behind = set(behind_held(store, route, endpoint.conn_id, claimed.mine))
    if not behind:
        return claimed
    deliveries_attempts.move(
        store, behind, DeliveryState.HELD, "held: an earlier event of this contact is held"
    )
    return Claim([each for each in claimed.mine if each.id not in behind], claimed.busy_until)


async def _deliver(
    store: Store,
    batch: Batch,
    endpoint: Endpoint,
    task: TaskTry,
    claimed: Claim,
    make_body: MakeBody,
    concurrency: int,
) -> Report:
    gate = RateGate(store, f"endpoint:{endpoint.conn_id}", endpoint.requests_per_second, asyncio.to_thread)
    turn = asyncio.Lock()  # one lane at a time asks the gate, so that no reservation is made twice
    watch = _Watch(store, endpoint.conn_id)
    left = len(claimed.mine)
    async with WebhookClient(connections=concurrency) as client:
        sender = _Sender(client, endpoint, batch.route)

        async def attempt(delivery: Delivery, event: ContactEvent) -> AttemptResult:
            nonlocal left
            left -= 1
            if gate.per_second is not None:
                async with turn:
                    await _permission(gate, ahead=left)
            return await sender.post(make_body(event), event)

        return await work(
            store, batch, task, claimed, attempt, concurrency=concurrency, group=_GROUP, on_settled=watch,
            on_exhausted=watch.exhausted,
        )  # fmt: skip


async def _permission(gate: RateGate, *, ahead: int) -> None:
    while True:
        if await gate.take(1, ahead=ahead):
            return
        await asyncio.sleep(max(0.001, gate.wait(time.monotonic())))


class _Sender:
    """Signed requests to one endpoint."""

    def __init__(self, client: WebhookClient, endpoint: Endpoint, route: str) -> None:
        self.client, self.endpoint, self.route = client, endpoint, route

    @cached_property
    def _sign(self) -> Sign:
        # With the first request: secrets that do not fit are an error of the attempt, as any of the endpoint.
        return signer(self.endpoint.scheme, self.endpoint.secrets)

    async def post(self, body: bytes, event: ContactEvent) -> AttemptResult:
        """One request; the signature is over exactly these bytes, at this moment."""
        now = datetime.now(UTC)
        identity = message_id(event.id, self.route)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "X-Outreach-Event": event.kind.value,
            **self._sign(body, identity, now),
        }
        try:
            answer = await self.client.post(self.endpoint.target, body, headers)
        except WebhookFailed as error:
            return AttemptResult(classify_failure(error.fault, str(error)))
        return _judged(answer, now)


def _judged(answer: WebhookAnswer, now: datetime) -> AttemptResult:
    outcome = classify_delivery(answer.status, answer.retry_after, now)
    return AttemptResult(outcome, answer.status, answer.latency_ms, answer.excerpt)


class _Watch:
    """What an endpoint's attempts mean for the endpoint; called with each settled group."""

    def __init__(self, store: Store, conn_id: str) -> None:
        self.store, self.conn_id = store, conn_id
        self._one_at_a_time = threading.Lock()

    def __call__(self, attempts: Sequence[Attempt]) -> str | None:
        with self._one_at_a_time:
            return self._note(attempts)

    def exhausted(self, down: bool, reason: str) -> str | None:
        """No try is left. An endpoint that lets nobody in, or fails for several contacts, keeps its deliveries.

        :return: why it is disabled now; None when the deliveries themselves are at fault.
        """
        if not down and not endpoints.fails_for_several(self.store, self.conn_id):
            return None
        reason = f"all retries are used up: {reason}"
        endpoints.disable(self.store, self.conn_id, reason=reason, by="deliveries")
        return reason

    def _note(self, attempts: Sequence[Attempt]) -> str | None:
        last = attempts[-1]
        failed_in_a_row = 0
        for each in reversed(attempts):
            if each.verdict is DeliveryVerdict.DELIVERED:
                break
            failed_in_a_row += 1
        status = endpoints.note(
            self.store, self.conn_id, at=last.at, status=last.status, error=last.error,
            failed_in_a_row=failed_in_a_row, succeeded=failed_in_a_row < len(attempts),
        )  # fmt: skip
        reason = next((each.error for each in attempts if each.verdict is DeliveryVerdict.GONE), None)
        if (
            reason is None
            and status.failing_since is not None
            and status.failures >= DISABLE_AFTER_FAILURES
            and last.at - status.failing_since >= DISABLE_AFTER
        ):
            reason = (
                f"{status.failures} failed attempts in a row since {status.failing_since:%Y-%m-%d %H:%M} UTC"
            )
        if reason is None:
            return None
        endpoints.disable(self.store, self.conn_id, reason=reason, by="deliveries")
        return reason


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
        async with WebhookClient(connections=1) as client:
            return await _Sender(client, endpoint, "test").post(event.to_json(), event)

    tried = asyncio.run(run())
    if tried.outcome.verdict is DeliveryVerdict.DELIVERED:
        return True, f"HTTP {tried.status} in {tried.latency_ms} ms"
    return False, tried.outcome.reason
