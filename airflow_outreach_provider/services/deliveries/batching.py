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
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, IsOut
from airflow_outreach_provider.services.deliveries.requests import RequestMaker
from airflow_outreach_provider.services.deliveries.sender import Sender

# Long enough for all lanes to bring their next event, short beside a request.
_GATHER_SECONDS = 0.05


class _Waiting(NamedTuple):
    event: ContactEvent
    future: asyncio.Future[AttemptResult | None]
    is_out: IsOut

    def tell(self, result: AttemptResult | None) -> None:
        if not self.future.done():
            self.future.set_result(result)


class Gathering:
    """What lanes bring is sent together, at most so many at once.

    :param permission: waited for before each request, or until nothing of it is to be sent any more.
    """

    def __init__(
        self,
        sender: Sender,
        maker: RequestMaker,
        form: GroupForm,
        permission: Callable[[IsOut], Awaitable[None]],
    ) -> None:
        self._sender, self._maker, self._form, self._permission = sender, maker, form, permission
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def deliver(self, event: ContactEvent, is_out: IsOut) -> AttemptResult | None:
        """One event, with whatever others wait; None where it is out before it was sent."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AttemptResult | None] = loop.create_future()
        self._waiting.append(_Waiting(event, future, is_out))
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
            await self._send(group)
        except BaseException as error:
            for each in group:
                if not each.future.done():
                    each.future.set_exception(error) if isinstance(error, Exception) else each.future.cancel()
            if not isinstance(error, Exception):
                raise

    async def _send(self, group: Sequence[_Waiting]) -> None:
        """What is refused as a whole is sent again by halves: one bad event costs no other. Each is told with its own
        answer: what becomes of the rest takes back nothing that was taken."""
        await self._permission(lambda: all(each.is_out() for each in group))
        group = self._without_those_out(group)
        if not group:
            return
        events = [each.event for each in group]
        first = events[0]
        digest = hashlib.sha256("\x1f".join(each.id for each in events).encode()).hexdigest()[:24]
        identity = first.id if len(events) == 1 else f"batch_{digest}"
        tried = await self._sender.send(self._maker.joint(events), replace(first, id=identity))
        verdict = tried.outcome.verdict
        if verdict is DeliveryVerdict.REFUSED and len(group) > 1:
            half = len(group) // 2
            await self._send(group[:half])
            await self._send(group[half:])
            return
        if verdict is DeliveryVerdict.DELIVERED:
            results = _each(tried, self._form.taken(tried.answer, len(events)), len(events))
        else:
            results = [replace(tried, answer=tried.answer[:EXCERPT_BYTES])] * len(events)
        for each, result in zip(group, results, strict=True):
            each.tell(result)

    @staticmethod
    def _without_those_out(group: Sequence[_Waiting]) -> Sequence[_Waiting]:
        kept = []
        for each in group:
            if each.is_out():
                each.tell(None)
            else:
                kept.append(each)
        return kept


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
