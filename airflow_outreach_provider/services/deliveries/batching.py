"""Events of several contacts in one request, each judged by itself.

Every contact's lane has one event under way at most, so whatever waits here together is of different contacts, and a
lane's order is kept without anybody looking at it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.delivery_rules import DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.net.webhook import EXCERPT_BYTES
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, IsGone
from airflow_outreach_provider.services.deliveries.requests import RequestMaker
from airflow_outreach_provider.services.deliveries.sender import Sender

# Long enough for all lanes to bring their next event, short beside a request.
_GATHER_SECONDS = 0.05
_Result = AttemptResult | None


class _Waiting(NamedTuple):
    event: ContactEvent
    future: asyncio.Future[_Result]
    is_gone: IsGone


class Gathering:
    """What lanes bring is sent together, at most so many at once.

    :param permission: waited for before each request.
    """

    def __init__(
        self, sender: Sender, maker: RequestMaker, form: GroupForm, permission: Callable[[], Awaitable[None]]
    ) -> None:
        self._sender, self._maker, self._form, self._permission = sender, maker, form, permission
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def deliver(self, event: ContactEvent, is_gone: IsGone) -> AttemptResult | None:
        """One event, with whatever others wait; None where it was gone when its request was to be made."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        self._waiting.append(_Waiting(event, future, is_gone))
        if len(self._waiting) >= self._form.size:
            self._go()
        elif self._timer is None:
            self._timer = loop.call_later(_GATHER_SECONDS, self._go)
        return await future

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        group = [each for each in self._waiting if not each.future.done()]
        self._waiting = []
        if group:
            task = asyncio.create_task(self._settle(group))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        try:
            results = await self._send(group)
        except BaseException as error:
            for each in group:
                if not each.future.done():
                    each.future.set_exception(error) if isinstance(error, Exception) else each.future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for each in group:
            if not each.future.done():
                each.future.set_result(results.get(each.event.id))

    async def _send(self, group: Sequence[_Waiting]) -> dict[str, AttemptResult]:
        """One result an event by its id, but for those that are gone by the time of their request.

        What is refused as a whole is sent again by halves: one bad event costs no other.
        """
        await self._permission()
        group = [each for each in group if not each.is_gone()]
        if not group:
            return {}
        events = [each.event for each in group]
        first = events[0]
        digest = hashlib.sha256("\x1f".join(each.id for each in events).encode()).hexdigest()[:24]
        identity = first.id if len(events) == 1 else f"batch_{digest}"
        tried = await self._sender.send(self._maker.joint(events), replace(first, id=identity))
        verdict = tried.outcome.verdict
        if verdict is DeliveryVerdict.REFUSED and len(events) > 1:
            half = len(events) // 2
            return {**await self._send(group[:half]), **await self._send(group[half:])}
        if verdict is not DeliveryVerdict.DELIVERED:
            results = [replace(tried, answer=tried.answer[:EXCERPT_BYTES])] * len(events)
        else:
            results = _each(tried, self._form.taken(tried.answer, len(events)), len(events))
        return {event.id: result for event, result in zip(events, results, strict=True)}


def _each(tried: AttemptResult, taken: list[tuple[bool, str]] | None, count: int) -> list[AttemptResult]:
    """What each event's attempt is: of the answer it keeps what is about itself."""
    if taken is None:
        unclear = DeliveryOutcome(
            DeliveryVerdict.RETRY, "the answer does not say of each event what became of it"
        )
        return [replace(tried, outcome=unclear, answer=tried.answer[:EXCERPT_BYTES])] * count
    refused = DeliveryOutcome(DeliveryVerdict.REFUSED, "the answer refuses this event of the batch")
    return [
        replace(tried, outcome=tried.outcome if ok else refused, answer=said[:EXCERPT_BYTES])
        for ok, said in taken
    ]
