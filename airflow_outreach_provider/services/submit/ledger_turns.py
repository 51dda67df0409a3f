"""Turns of the ledger: settle what was answered and claim what may be sent next, in one commit.

So the leads in flight never outnumber the window, and a crash leaves no more of them in doubt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.flight import Flight, PlannedLead
from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome
from airflow_outreach_provider.core.rules import Gate
from airflow_outreach_provider.core.states import LeadState, RowState, settled_elsewhere
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement

_STORE_PATIENCE = 30.0
_AWAY_SECONDS = 0.5

_SETTLED = {
    SubmitOutcome.ACCEPTED: LeadState.ACCEPTED,
    SubmitOutcome.REJECTED: LeadState.REJECTED,
    SubmitOutcome.UNKNOWN: LeadState.HELD,
    SubmitOutcome.UNAVAILABLE: LeadState.PLANNED,
    SubmitOutcome.CONFIGURATION: LeadState.PLANNED,
}
_NOT_TEXTED = frozenset({SubmitOutcome.UNAVAILABLE, SubmitOutcome.CONFIGURATION, SubmitOutcome.REJECTED})


class LedgerTurns:
    """What a run writes to the ledger while it sends.

    :param send: takes each lead that was claimed, and the monotonic seconds when its claim was asked for.
    :param alive: whether the run may still write; asked where leads could not be claimed.
    :ivar texted: people this run has texted, or may have.
    """

    def __init__(
        self,
        flight: Flight,
        ledger: Ledger,
        tally: Tally,
        options: SubmitOptions,
        halt: Halt,
        *,
        in_thread: InThread,
        send: Callable[[PlannedLead, float], None],
        alive: Callable[[], Awaitable[bool]],
    ) -> None:
        self.flight, self.ledger, self.tally, self.options, self.halt = flight, ledger, tally, options, halt
        self.texted = 0
        self._in_thread, self._send, self._alive = in_thread, send, alive

    async def turn(self, take: int) -> None:
        """Write every answer at hand, and claim so many leads more."""
        flight = self.flight
        claim = flight.take(take)
        batch = flight.take_answered()
        settlements = [self._settlement(lead, answer) for lead, answer in batch]
        asked = time.monotonic()  # the machine may stand still between the claim and hearing of it
        try:
            claimed = await self._persist(settlements, [lead.id for lead in claim])
        except StoreError as error:
            flight.put_back(claim)
            flight.written()
            for lead, _ in batch:
                self.tally.count(lead, RowState.HELD, "answer_not_recorded")
            self.halt.fail(error)
            return
        except BaseException:
            flight.unwritten()
            flight.put_back(claim)
            raise
        flight.written()
        for lead, answer in batch:
            self.texted -= answer.outcome in _NOT_TEXTED
            self._account(lead, answer, again=claimed is not None)
        if claimed is None:
            flight.put_back(claim)
            return
        missed = [lead for lead in claim if lead.id not in claimed]
        for lead in claim:
            if lead.id in claimed:
                self.texted += 1
                self._send(lead, asked)
        if missed:
            await self._explain(missed)

    async def _persist(self, settlements: list[Settlement], ids: list[int]) -> set[int] | None:
        """One turn, repeated for a while when the store is away: answers in hand are worth waiting for.

        :return: the claimed ids; None when the store was away, and nothing was claimed that will be sent now.
        """
        deadline = time.monotonic() + _STORE_PATIENCE
        away = False
        while True:
            try:
                claimed: set[int] = await self._in_thread(partial(self.ledger.turn, settlements, ids))
                return None if away else claimed
            except StoreError:
                if time.monotonic() > deadline or self.halt.out_of_grace:
                    raise
                ids, away = [], True  # claim nothing on a store that comes and goes
                await asyncio.sleep(_AWAY_SECONDS)

    async def _explain(self, missed: Sequence[PlannedLead]) -> None:
        """Leads that could not be claimed: taken by another run, suppressed meanwhile, or we were superseded."""
        states = None
        try:
            if await self._alive():
                states = await self._in_thread(partial(self.ledger.states, [lead.id for lead in missed]))
        except StoreError as error:
            self.halt.fail(error)
        if states is None:
            self.flight.put_back(missed)
            return
        self.flight.drop(missed)
        for lead in missed:
            state, reason = states.get(lead.id, ("", ""))
            if state == LeadState.PLANNED:  # somebody had it locked for a moment
                self.flight.again(lead)
            else:
                self.tally.count(lead, *settled_elsewhere(state, reason))

    def _settlement(self, lead: PlannedLead, answer: SubmitAnswer) -> Settlement:
        state = _SETTLED[answer.outcome]
        if state is LeadState.HELD and self.options.on_unknown != "hold":
            state = LeadState.PLANNED
        said = ("", "") if state is LeadState.ACCEPTED else (answer.reason, answer.detail)
        return Settlement(
            lead.id, state, *said, answer.outcome, answer.status, answer.latency_ms,
            answer.contact_id, answer.conversation_id, answer.application_id,
        )  # fmt: skip

    def _account(self, lead: PlannedLead, answer: SubmitAnswer, *, again: bool) -> None:
        """:param again: False where the answer was written more than once: the first writing may come last, and would
        free what this run had claimed again."""
        match answer.outcome:
            case SubmitOutcome.ACCEPTED:
                self.tally.count(lead, RowState.ACCEPTED)
            case SubmitOutcome.REJECTED:
                self.tally.count(lead, RowState.REJECTED, answer.reason)
            case SubmitOutcome.UNKNOWN if self.options.on_unknown == "hold":
                self.tally.count(lead, RowState.HELD, answer.reason)
            case SubmitOutcome.UNAVAILABLE if again and not self.halt.over:
                self.flight.again(lead)
            case _:
                self.tally.count(lead, RowState.PLANNED, answer.reason)

    async def close_quiet(self, now: datetime) -> None:
        """What was open when it was planned may be in quiet hours by now: a slow run lasts into the evening.

        :raises StoreError: it could not be written down; then nothing is sent either.
        """
        rules = self.options.rules
        if rules.quiet_hours is None or self.halt.over:
            return
        closed: dict[int, Gate] = {}
        for lead in self.flight.ready:
            if lead.open_until is None or now < lead.open_until:
                continue
            gate = rules.gate_hours(lead.phone, now, lead.zone)
            if gate.state is LeadState.PLANNED:
                lead.open_until = gate.open_until
            else:
                closed[lead.id] = gate
        if not closed:
            return
        await self._in_thread(partial(self.ledger.close, list(closed.items())))
        for lead in self.flight.close(closed):
            gate = closed[lead.id]
            self.tally.count(lead, RowState(gate.state), gate.reason)
