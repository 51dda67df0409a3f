"""Keeps the leads that are ready topped up: from the source first, then with what earlier runs left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import islice
from typing import Any

from airflow_outreach_provider.core.flight import Flight, PlannedLead
from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.rows.ordered import ordered
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime.prefetch import Prefetch
from airflow_outreach_provider.services.submit.columns import LOOK_AHEAD, checked
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.judged import Fewest, Judged
from airflow_outreach_provider.services.submit.leftovers import CHUNK, Leftovers
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.staging import Stager
from airflow_outreach_provider.services.submit.tally import Tally

_LOOK_EVERY_SECONDS = 0.2

Beside = Callable[[], Coroutine[Any, Any, None]]


class Feed:
    """Reads, stages and offers, no further ahead than two chunks.

    :param judged: what to do once all is read and before any of it is offered; None to offer as it is read.
    :param beside: work that may plan more of what is left over; it keeps nobody from being sent meanwhile.
    :ivar done: nothing more will be offered. :ivar busy: rows are counted as read and not offered yet.
    :ivar turned: set at each turn of the ledger: there may be room again.
    """

    def __init__(
        self,
        flight: Flight,
        stager: Stager,
        leftovers: Leftovers,
        tally: Tally,
        options: SubmitOptions,
        halt: Halt,
        judged: Judged | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.flight, self.stager, self.leftovers = flight, stager, leftovers
        self.judged = judged
        self.tally, self.options, self.halt = tally, options, halt
        self.done = self.busy = False
        self.turned = asyncio.Event()
        self.beside = beside

    async def run(self, chunks: Prefetch[Row]) -> None:
        """To the end of the source and of what is left over, or of the run."""
        beside = asyncio.ensure_future(self.beside()) if self.beside else None
        try:
            async for planned in self._judged(chunks) if self.judged else self._staged(chunks):
                await self._offer(planned)
                if self.halt.over:
                    break
            if self.options.dry_run:
                await self.leftovers.count()
            elif not self.options.stage_only:
                async for planned in self.leftovers.chunks():
                    await self._offer(planned)
                if beside is not None and await self._ended(beside):
                    async for planned in self.leftovers.chunks():
                        await self._offer(planned)
        except Exception as error:  # noqa: BLE001 - a source that breaks must not cut off requests in flight
            self.halt.fail(error)
        finally:
            if beside is not None:
                beside.cancel()
            self.busy = False
            self.done = True
            self.halt.wake.set()

    async def _ended(self, beside: asyncio.Future[None]) -> bool:
        """Wait for it, as long as the run goes on. :return: whether it came to its end."""
        while not self.halt.over and not beside.done():
            await asyncio.wait([beside], timeout=_LOOK_EVERY_SECONDS)
        return beside.done() and beside.exception() is None

    async def _staged(self, chunks: Prefetch[Row]) -> AsyncIterator[list[PlannedLead]]:
        while not self.halt.over and (chunk := await chunks.next()) is not None:
            self.busy = True
            planned = await self.stager.stage(chunk)
            self.busy = False
            yield planned

    async def _judged(self, chunks: Prefetch[Row]) -> AsyncIterator[list[PlannedLead]]:
        assert self.judged is not None
        backlog = self.judged.backlog
        async for planned in self._staged(chunks):
            backlog.add(planned)
        if self.halt.over:
            return
        await self.judged()
        if self.options.stage_only:
            backlog.count(RowState.PLANNED, "staged")
            return
        async for planned in backlog.chunks():
            yield self._without_refused(planned)

    def _without_refused(self, planned: list[PlannedLead]) -> list[PlannedLead]:
        """A later row said no of some; another run may have planned them anew."""
        refused = [lead for lead in planned if lead.id in self.stager.refused]
        for lead in refused:
            self.tally.count(lead, RowState.SUPPRESSED, ROW_SAYS_NO)
        return [lead for lead in planned if lead.id not in self.stager.refused] if refused else planned

    async def _offer(self, planned: list[PlannedLead]) -> None:
        if self.options.dry_run:
            for lead in planned:
                self.tally.would_send(lead)
            return
        if self.options.stage_only:
            for _ in planned:
                self.tally.add(RowState.PLANNED, "staged")
            return
        self.flight.add(planned)
        self.halt.wake.set()
        while len(self.flight.ready) >= 2 * CHUNK and not self.halt.over:
            self.turned.clear()
            await self.turned.wait()


def checked_rows(rows: Iterator[Row], options: SubmitOptions, fewest: Fewest) -> Iterator[Row]:
    """The source's rows; a generator, so that whatever has to be read for it is read where rows are read."""
    least = fewest.rows if fewest.rows is not None and fewest.rows <= LOOK_AHEAD else None
    rows = islice(ordered(rows, options.order_by), options.max_rows)
    yield from checked(rows, options.rules, min_rows=least, said=fewest.said, incremental=options.incremental)
