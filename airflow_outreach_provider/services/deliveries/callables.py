"""Give each event of a batch to a function; what it did is acknowledged event by event."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Collection
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
_EXITS = (SystemExit, KeyboardInterrupt)


class HandlerNote(str):
    """What one of our own functions returns to have it kept with the delivery; no personal data in it."""


def handle(
    store: Store, batch: Batch, task: TaskTry, call: Call, *, passed_over: tuple[type[Exception], ...] = ()
) -> Report:
    """Call ``call`` for what is open of a batch, one after another, in the calling thread.

    No event loop runs in that thread, so the function may start one; what an ``async def`` function returns
    is awaited, all of a batch on one loop. An exception fails that event: ``LeadRejected`` for good, any
    other to be tried again; ``OutreachUnavailable`` also says when. Later events of the same contact wait. What ends the
    task from within a call, as its time-out does, fails that event too, and comes out of here once that is written.

    :param passed_over: exceptions by which ``call`` says that it has nothing to do with an event; it is done.
    :raises ConfigurationError: out of ``call``: the batch stops, and nothing is lost.
    """
    unknown = ensure_recorded(store, batch, task)
    claimed = claim(
        store, route=batch.route, event_ids=batch.event_ids, owner=task.owner,
        plan=batch.plan, endpoint="", lease=task.lease, revive=task.cleared,
    )  # fmt: skip
    calls = _Calls(call, task.stop)

    async def attempt(_delivery: Delivery, event: ContactEvent, _is_out: IsOut) -> AttemptResult | None:
        started = time.monotonic()
        made = await calls.make(event)
        if isinstance(made, _NotBegun):
            return None
        error = made if isinstance(made, BaseException) else None
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
            store, route=batch.route, lanes=lanes, owner=task.owner, plan=batch.plan, endpoint="", lease=task.lease,
        )  # fmt: skip

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


class _NotBegun:
    """In the place of a result: the task was about to end."""


class _Calls:
    """Calls that the loop in another thread asks for, made in the thread that serves them.

    :param stop: set when something ends the task: nothing more is to be asked for.
    """

    def __init__(self, call: Call, stop: threading.Event) -> None:
        self._call, self._stop = call, stop
        self._asked: SimpleQueue[tuple[ContactEvent, Future[object]] | BaseException | None] = SimpleQueue()
        self._break_off: Callable[[], object] = int  # what a coroutine has begun
        self._broken: BaseException | None = None

    def serve(self, done: Future[Any]) -> None:
        """Make calls until ``done``. A time-out or an exit breaks the call off, which is written as its event's failure,
        and comes out of here."""
        done.add_done_callback(lambda _: self._asked.put(None))
        try:
            while (asked := self._next()) is not None:
                self._make(*asked)
        except BaseException as error:
            self._broken = self._broken or error
            self._stop.set()
            self._break_off()
            while (asked := self._next()) is not None:
                asked[1].set_result(_NotBegun())
            raise

    def _make(self, event: ContactEvent, answer: Future[object]) -> None:
        try:
            result = self._call(event)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; one event fails by it
            result = error
        except BaseException as error:
            self._stop.set()
            answer.set_result(error)
            raise
        answer.set_result(result)

    def _next(self) -> tuple[ContactEvent, Future[object]] | None:
        while True:
            with suppress(Empty):
                asked = self._asked.get(timeout=LISTENS_EVERY)
                if isinstance(asked, BaseException):  # by which a coroutine ends the task
                    raise asked
                return asked

    async def make(self, event: ContactEvent) -> BaseException | HandlerNote | _NotBegun | None:
        """What the function raised for this event, or has to say of it, or None."""
        answer: Future[object] = Future()
        self._asked.put((event, answer))
        result = await asyncio.wrap_future(answer)
        if isinstance(result, BaseException | HandlerNote | _NotBegun):
            return result
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            return ConfigurationError(
                "the function yields, so nothing of it has run", "let it return instead"
            )
        return await self._raised_by(result) if inspect.isawaitable(result) else None

    async def _raised_by(self, result: Awaitable[object]) -> BaseException | None:
        """What it ends with; broken off, what it was broken off by."""
        loop, work = asyncio.get_running_loop(), asyncio.ensure_future(_ending(result))
        self._break_off = lambda: loop.call_soon_threadsafe(work.cancel)
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            self._break_off = int
        if work.cancelled():
            return self._broken or asyncio.CancelledError()
        ended = work.result()
        if isinstance(ended, _EXITS):
            self._stop.set()
            self._asked.put(ended)
        return ended


async def _ending(result: Awaitable[object]) -> BaseException | None:
    """What it raises. An exit that came out of it would end the event loop, before anything is written."""
    try:
        await result
    except (Exception, *_EXITS) as error:  # noqa: BLE001 - as of a plain function
        return error
    return None


def _outcome(error: BaseException | None) -> DeliveryOutcome:
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


def _words(error: BaseException) -> str:
    try:
        said = mask_text(str(error))
    except Exception as unsaid:  # noqa: BLE001 - how an error is written is a user's code too
        said = f"its words cannot be had, {type(unsaid).__name__}"
    return f"{type(error).__name__}: {said}"
