"""Deliver a batch of events to an endpoint: signed, paced, judged; and what endpoints learn from it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.rests import DISABLE_AFTER, pause, warming_rate
from airflow_outreach_provider.core.sent_requests import form_key
from airflow_outreach_provider.core.times import span_words
from airflow_outreach_provider.net.webhook import WebhookClient
from airflow_outreach_provider.services.deliveries.astray import ASTRAY_AFTER
from airflow_outreach_provider.services.deliveries.batch import (
    DEFAULT_CONCURRENCY,
    AttemptResult,
    Batch,
    IsOut,
    Report,
    TaskTry,
)
from airflow_outreach_provider.services.deliveries.batching import Gathering
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.fan_out import LEFT_LYING
from airflow_outreach_provider.services.deliveries.lanes import work
from airflow_outreach_provider.services.deliveries.place import StopReason
from airflow_outreach_provider.services.deliveries.recording import ensure_recorded
from airflow_outreach_provider.services.deliveries.requests import MakeRequest, RequestMaker
from airflow_outreach_provider.services.deliveries.saved import SavedAnswers
from airflow_outreach_provider.services.deliveries.sender import Sender
from airflow_outreach_provider.services.deliveries.serving import Server
from airflow_outreach_provider.services.runtime.loop import LISTENS_EVERY, run_in_loop_thread
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries import endpoints, forms, rests
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery
from airflow_outreach_provider.store.deliveries.claims import (
    Claim,
    claim,
    claim_freed,
    claim_untried,
    hold_behind,
)
from airflow_outreach_provider.store.deliveries.endpoints import EndpointStatus
from airflow_outreach_provider.store.deliveries.plans import untried_wait
from airflow_outreach_provider.store.deliveries.rests import Leave
from airflow_outreach_provider.store.engine import Store

POST_AS_IS = RequestForm()
# Days without an attempt are no outage: so many failures at least, besides core.rests.DISABLE_AFTER.
DISABLE_AFTER_FAILURES = 10
# So many contacts' failures in a row, of so many contacts, are the endpoint's.
_REST_AFTER_FAILURES, _REST_AFTER_CONTACTS = 8, 5
_GROUP = 200
# Seconds since a rate made a request wait.
_PACED_FOR = 2.0


def deliver(
    store: Store,
    batch: Batch,
    endpoint: Endpoint,
    task: TaskTry,
    *,
    form: RequestForm = POST_AS_IS,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> Report:
    """Deliver what is open of a batch; what has been delivered before is not sent again.

    A disabled endpoint gets nothing: its deliveries are held.

    :param form: what each event's request looks like.
    :raises ConfigurationError, AddressForbidden: the endpoint cannot be called at all; nothing is lost.
    :raises SignatureError: the secrets do not fit the signature scheme.
    """
    if endpoint.authorization is not None and "authorization" in map(str.lower, form.headers):
        raise ConfigurationError(
            "headers sets Authorization, and the connection's access token does too", "keep one of the two"
        )
    maker = RequestMaker(store, endpoint.completed(form), endpoint.target.url)
    forms.keep(store, form_key(maker.written), maker.written)
    unknown = ensure_recorded(store, batch, task)
    rests.lead_to(store, batch.route, endpoint.conn_id)
    before = endpoints.status(store, endpoint.conn_id)
    claimed = claim(
        store, route=batch.route, event_ids=batch.event_ids, owner=task.owner,
        plan=batch.plan, endpoint=endpoint.conn_id, lease=task.lease, revive=task.cleared,
    )  # fmt: skip
    claimed = _set_aside(store, claimed, endpoint, batch.route, task.owner, before)
    leave, status = _leave(store, endpoint.conn_id, claimed.mine)
    delivering = _Delivering(store, batch, endpoint, task, maker, leave, status)
    delivering.prepare(claimed.mine)
    report = run_in_loop_thread(delivering.run(claimed, concurrency))
    if unknown:
        report.states["unknown"] = unknown
    return report


def _leave(store: Store, conn_id: str, mine: Sequence[Delivery]) -> tuple[Leave, EndpointStatus | None]:
    """Whether it may be sent to. Who only has what failed before leaves it to others to ask an endpoint at rest:
    a contact that is always refused would make the rest longer and longer."""
    if not mine:
        return Leave.FREELY, None
    never_failed = any(not each.tries for each in mine)
    return rests.leave(store, conn_id, lambda: never_failed or not untried_wait(store, conn_id, LEFT_LYING))


def _set_aside(
    store: Store, claimed: Claim, endpoint: Endpoint, route: str, owner: Owner, before: EndpointStatus
) -> Claim:
    """Hold what must not be sent now, and leave out the kinds the endpoint does not subscribe to.

    :param before: what was known of the endpoint before the claim.
    """
    claimed = _held(store, claimed, endpoint, route, owner, before)
    if endpoint.kinds is None:
        return claimed
    unwanted = [each.id for each in claimed.mine if each.kind not in endpoint.kinds]
    if unwanted:
        deliveries_attempts.move(
            store, unwanted, DeliveryState.IGNORED, "the endpoint does not subscribe to this kind"
        )
    return Claim([each for each in claimed.mine if each.kind in endpoint.kinds], claimed.busy_until)


def _held(
    store: Store, claimed: Claim, endpoint: Endpoint, route: str, owner: Owner, before: EndpointStatus
) -> Claim:
    """Without what waits for a person: everything while the endpoint is disabled, else what follows a held one.

    Where somebody enabled it only after the claim, what was held until then comes before what was claimed: all of that is
    handed back, and the next run takes both in order.

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
    off = status if status.disabled_at else before
    if off.disabled_at and off.disabled_by != endpoints.BY_CONNECTION:
        deliveries_attempts.hand_on(store, dict.fromkeys(mine), owner)
        return nothing
    behind = hold_behind(store, route, endpoint.conn_id, claimed.mine)
    return Claim([each for each in claimed.mine if each.id not in behind], claimed.busy_until)


class _Delivering:
    """One task's work on one endpoint."""

    def __init__(
        self,
        store: Store,
        batch: Batch,
        endpoint: Endpoint,
        task: TaskTry,
        maker: RequestMaker,
        leave: Leave,
        status: EndpointStatus | None,
    ) -> None:
        self.store, self.batch, self.endpoint, self.task = store, batch, endpoint, task
        self._maker = maker
        self._makers: dict[str, MakeRequest] = {}
        self.watch, self._leave = EndpointWatch(store, endpoint, leave, status), leave
        self._gate = RateGate(
            store, f"endpoint:{endpoint.conn_id}", endpoint.requests_per_second, asyncio.to_thread
        )
        self._turn = asyncio.Lock()  # one lane at a time asks the gate, so that no reservation is made twice
        self._left = 0
        self._paced_at = -_PACED_FOR

    def prepare(self, mine: Sequence[Delivery]) -> None:
        """What is claimed is made ready to be sent: its raw bodies are read at once."""
        self._left += len(mine)
        if self._maker.form.form.batch is None:  # else it is made into a request with others
            make_request = self._maker.of([each.event_id for each in mine])
            self._makers |= {each.event_id: make_request for each in mine}

    async def run(self, claimed: Claim, concurrency: int) -> Report:
        group = self._maker.form.form.batch
        if group is not None:  # as many contacts at a time as fit into a request
            concurrency = max(concurrency, group.size)
        async with WebhookClient(connections=concurrency) as client:
            saved = SavedAnswers(self.store, self.endpoint.conn_id, self._maker.form)
            sender = Sender(client, self.endpoint, self.batch.route, saved)
            gathering = Gathering(sender, self._maker, group, self._permission) if group is not None else None

            async def attempt(
                _delivery: Delivery, event: ContactEvent, is_out: IsOut
            ) -> AttemptResult | None:
                if gathering is not None:
                    return await gathering.deliver(event, is_out)
                make_request = self._makers.pop(event.id, None) or self._maker.of([event.id])
                return await sender.deliver(event, make_request)

            server = Server(
                self.store, self.batch, self.task, self._untried, concurrency=concurrency,
                is_paced=lambda: time.monotonic() - self._paced_at < _PACED_FOR,
            )  # fmt: skip
            return await work(
                self.store, self.batch, self.task, claimed, attempt,
                concurrency=1 if self._leave is Leave.ONE else concurrency, group=_GROUP, place=self.watch,
                leave=self._leave, more=self._more, go_on=server.go_on,
                turn=lambda is_over: self._turn_of_one(gathering, is_over),
            )  # fmt: skip

    async def _turn_of_one(self, gathering: Gathering | None, is_over: Callable[[], bool]) -> None:
        """What is sent with others waits with them."""
        self._left -= 1
        if gathering is None:
            await self._permission(is_over)

    async def _permission(self, is_over: Callable[[], bool]) -> None:
        """Wait for the rate; no longer, once it is over."""
        warming = self.watch.warming_rate()
        asked = self.endpoint.requests_per_second
        self._gate.per_second = min((each for each in (warming, asked) if each is not None), default=None)
        if self._gate.per_second is None:
            return
        async with self._turn:
            while not is_over():
                if await self._gate.take(1, ahead=0 if warming else self._left):
                    return
                self._paced_at = time.monotonic()
                await asyncio.sleep(min(LISTENS_EVERY, max(0.001, self._gate.wait(time.monotonic()))))

    def _more(self, lanes: Collection[str]) -> list[Delivery]:
        """What the contacts that are through have next; where no sensor hands work out, that is the next run's."""
        if self.batch.plan is None:
            return []
        before = endpoints.status(self.store, self.endpoint.conn_id)
        found = claim_freed(
            self.store, route=self.batch.route, lanes=lanes, owner=self.task.owner, plan=self.batch.plan,
            endpoint=self.endpoint.conn_id, lease=self.task.lease,
        )  # fmt: skip
        return self._prepared(found, before)

    def _untried(self, limit: int, handed_out_too: bool) -> list[Delivery]:
        """What came in meanwhile."""
        before = endpoints.status(self.store, self.endpoint.conn_id)
        found = claim_untried(
            self.store, route=self.batch.route, owner=self.task.owner, plan=self.batch.plan,
            endpoint=self.endpoint.conn_id, lease=self.task.lease, limit=limit, lying=LEFT_LYING if handed_out_too else None,
        )  # fmt: skip
        return self._prepared(found, before) if found else []

    def _prepared(self, found: list[Delivery], before: EndpointStatus) -> list[Delivery]:
        route, owner = self.batch.route, self.task.owner
        mine = _set_aside(self.store, Claim(found), self.endpoint, route, owner, before).mine
        self.prepare(mine)
        return mine


class EndpointWatch:
    """What an endpoint's attempts mean for the endpoint; called with each settled group."""

    def __init__(self, store: Store, endpoint: Endpoint, leave: Leave, status: EndpointStatus | None) -> None:
        self.store, self.conn_id = store, endpoint.conn_id
        self._disabled_after = endpoint.disabled_after or DISABLE_AFTER
        self._recovered_at = status.recovered_at if status else None
        self._resting: tuple[str, datetime] | None = None
        if leave is Leave.NOT and status and status.resting_since and status.rest_until:
            until = max(status.rest_until, datetime.now(UTC) + pause(1))
            words = rest_words(endpoint.conn_id, status.resting_since, until, status.rest_reason)
            self._resting = words, until
        self._one_at_a_time = threading.Lock()

    def warming_rate(self) -> float | None:
        """Requests a second that it may get while it has only just recovered; None for no limit."""
        return warming_rate(self._recovered_at, datetime.now(UTC))

    def settled(self, attempts: Sequence[Attempt]) -> StopReason | None:
        """Write down what was learnt; why nothing more may be sent, if so."""
        with self._one_at_a_time:
            return self._note(attempts)

    def at_fault(self) -> bool:
        """Deliveries of several contacts have failed since its last success, and not before."""
        return rests.failing_contacts(self.store, self.conn_id, 2) > 1

    def is_astray(self) -> bool:
        """Several contacts were refused since its last success, as a wrong address refuses everybody."""
        return rests.refused_contacts(self.store, self.conn_id, ASTRAY_AFTER) >= ASTRAY_AFTER

    def own_faults(self, ids: Sequence[int]) -> Collection[int]:
        """What failed before while it answered others."""
        return rests.own_faults(self.store, self.conn_id, ids)

    def let_others_in(self, delivery: int, status: int) -> bool:
        """It answered this delivery so before, and took others since."""
        return rests.was_answered_alone(self.store, self.conn_id, delivery, status)

    def rest(self, reason: str, asked: float | None) -> tuple[str, datetime]:
        """Leave it alone for a while, or as long as it asks."""
        rest = rests.rest(self.store, self.conn_id, reason, asked)
        return rest_words(self.conn_id, rest.since, rest.until, reason), rest.until

    def resting(self) -> tuple[str, datetime] | None:
        """The rest it has, where this task may not send to it."""
        return self._resting

    def others_wait(self, owner: Owner) -> bool:
        """Whether deliveries of other contacts wait for it than those in this one's hands."""
        return rests.others_wait(self.store, self.conn_id, owner)

    def answers(self) -> None:
        """It was asked, and is back."""
        if rests.recover(self.store, self.conn_id):
            self._recovered_at = datetime.now(UTC)

    def _note(self, attempts: Sequence[Attempt]) -> StopReason | None:
        last = attempts[-1]
        failed_in_a_row = 0
        for each in reversed(attempts):
            if each.verdict is DeliveryVerdict.DELIVERED:
                break
            failed_in_a_row += 1
        status = endpoints.note(
            self.store, self.conn_id, at=last.at, status=last.status, error=last.error,
            failed_in_a_row=failed_in_a_row, succeeded=failed_in_a_row < len(attempts),
            failing_from=min((each.at for each in attempts[len(attempts) - failed_in_a_row :]), default=None),
        )  # fmt: skip
        gone = next((each.error for each in attempts if each.verdict is DeliveryVerdict.GONE), None)
        if gone is not None:
            return self._disable(gone)
        if status.resting_since and status.rest_until and status.rest_until > datetime.now(UTC):
            return StopReason(rest=status.rest_reason)  # as another task was asked
        if status.failing_since is None or not last.error:
            return None
        failing_for = last.at - status.failing_since
        if status.failures >= DISABLE_AFTER_FAILURES and failing_for >= self._disabled_after:
            since = f"{status.failing_since:%Y-%m-%d %H:%M} UTC"
            return self._disable(f"{status.failures} failed attempts in a row since {since}")
        if status.failures >= DISABLE_AFTER_FAILURES / 2 and failing_for >= self._disabled_after / 2:
            left = round((self._disabled_after - failing_for).total_seconds())
            notices.note(
                self.store, NoticeKind.ENDPOINT_FAILING, self.conn_id,
                f"{last.error}; it is disabled in {span_words(left)} unless it answers",
                once=status.failing_since.isoformat(),
            )  # fmt: skip
        if (
            status.failures >= _REST_AFTER_FAILURES
            and rests.failing_contacts(self.store, self.conn_id, _REST_AFTER_CONTACTS) >= _REST_AFTER_CONTACTS
        ):
            return StopReason(rest=last.error)
        return None

    def _disable(self, reason: str) -> StopReason:
        endpoints.disable(self.store, self.conn_id, reason=reason, by="deliveries")
        return StopReason(disabled=reason)


def rest_words(conn_id: str, since: datetime, until: datetime, reason: str) -> str:
    """For logs and pages: what rests, since when, why and until when."""
    return f"endpoint {conn_id!r} rests since {since:%Y-%m-%d %H:%M} UTC and is asked again at {until:%H:%M:%S} UTC: {reason}"
