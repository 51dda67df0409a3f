"""Give each event of a batch to a function; what it did is acknowledged event by event."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from airflow_outreach_provider.core.delivery_rules import DELIVERED, DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, Batch, IsOut, Report, TaskTry
from airflow_outreach_provider.services.deliveries.fan_out import LEFT_LYING
from airflow_outreach_provider.services.deliveries.lanes import work
from airflow_outreach_provider.services.deliveries.recording import ensure_recorded
from airflow_outreach_provider.services.deliveries.serving import Server
from airflow_outreach_provider.services.runtime.loop import LISTENS_EVERY, run_in_loop_thread
from airflow_outreach_provider.store.deliveries.attempts import Delivery
from airflow_outreach_provider.store.deliveries.claims import claim, claim_freed, claim_untried
from airflow_outreach_provider.store.engine import Store

log = logging.getLogger(__name__)

Call = Callable[[ContactEvent], object]


class HandlerNote(str):
    """What one of our own functions returns to have it kept with the delivery; no personal data in it."""


def handle(
    store: Store, batch: Batch, task: TaskTry, call: Call, *, passed_over: tuple[type[Exception], ...] = ()
) -> Report:
    """Call ``call`` for what is open of a batch, one after another, in the calling thread.

    No event loop runs in that thread, so the function may start one; what an ``async def`` function returns
    is awaited, all of a batch on one loop. An exception fails that event: ``LeadRejected`` for good, any
    other to be tried again; ``OutreachUnavailable`` also says when. Later events of the same contact wait.

    :param passed_over: exceptions by which ``call`` says that it has nothing to do with an event; it is done.
    :raises ConfigurationError: out of ``call``: the batch stops, and nothing is lost.
    """
    unknown = ensure_recorded(store, batch, task)
    claimed = claim(
        store, route=batch.route, event_ids=batch.event_ids, owner=task.owner,
        plan=batch.plan, endpoint="", lease=task.lease, revive=task.cleared,
    )  # fmt: skip
    calls = _Calls(call)

    async def attempt(_delivery: Delivery, event: ContactEvent, _is_out: IsOut) -> AttemptResult:
        started = time.monotonic()
        made = await calls.make(event)
        error = made if isinstance(made, Exception) else None
        if isinstance(error, passed_over):
            log.info("Event %s skipped: %s", event.id, mask_text(str(error)))
            error = None
        took = round((time.monotonic() - started) * 1000)
        note = str(made) if isinstance(made, HandlerNote) else ""
        return AttemptResult(_outcome(error), latency_ms=took, answer=note)

    def more(lanes: Collection[str]) -> list[Delivery]:
        if batch.plan is None:
            return []
        return claim_freed(
            store,
            route=batch.route,
            lanes=lanes,
            owner=task.owner,
            plan=batch.plan,
            endpoint="",
            lease=task.lease,
        )

    def untried(limit: int, handed_out_too: bool) -> list[Delivery]:
        return claim_untried(
            store, route=batch.route, owner=task.owner, plan=batch.plan, endpoint="", lease=task.lease, limit=limit,
            lying=LEFT_LYING if handed_out_too else None,
        )  # fmt: skip

    server = Server(store, batch, task, untried, concurrency=1)
    # One at a time and settled at once: a retry must call only for what failed.
    report = run_in_loop_thread(
        work(
            store, batch, task, claimed, attempt, concurrency=1, group=1, more=more, go_on=server.go_on, grace=None,
        ),
        calls.serve,
    )  # fmt: skip
    if unknown:
        report.states["unknown"] = unknown
    return report


class _Calls:
    """Calls that the loop in another thread asks for, made in the thread that serves them."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._asked: SimpleQueue[tuple[ContactEvent, Future[object]] | None] = SimpleQueue()

    def serve(self, done: Future[Any]) -> None:
        """Make calls until ``done``. A time-out or a kill breaks the call off and comes out of here."""
        done.add_done_callback(lambda _: self._asked.put(None))
        while (asked := self._next()) is not None:
            event, answer = asked
            try:
                result = self._call(event)
            except Exception as error:  # noqa: BLE001 - a user's function may raise anything; one event fails by it
                result = error
            answer.set_result(result)

    def _next(self) -> tuple[ContactEvent, Future[object]] | None:
        while True:
            with suppress(Empty):
                return self._asked.get(timeout=LISTENS_EVERY)

    async def make(self, event: ContactEvent) -> Exception | HandlerNote | None:
        """What the function raised for this event, or has to say of it, or None."""
        answer: Future[object] = Future()
        self._asked.put((event, answer))
        result = await asyncio.wrap_future(answer)
        if isinstance(result, Exception | HandlerNote):
            return result
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            return ConfigurationError(
                "the function yields, so nothing of it has run", "let it return instead"
            )
        if inspect.isawaitable(result):
            try:
                await result
            except Exception as error:  # noqa: BLE001 - as above
                return error
        return None


def _outcome(error: Exception | None) -> DeliveryOutcome:
    match error:
        case None:
            return DELIVERED
        case ConfigurationError():
            raise error
        case LeadRejected():
            return DeliveryOutcome(DeliveryVerdict.REFUSED, _words(error))
        case OutreachUnavailable():
            return DeliveryOutcome(DeliveryVerdict.RETRY, _words(error), error.retry_after)
        case _:
            return DeliveryOutcome(DeliveryVerdict.RETRY, _words(error))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {mask_text(str(error))}"
