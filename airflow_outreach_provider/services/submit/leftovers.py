"""What earlier runs left to be sent: offered to this one, or, where it sends nothing, counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from airflow_outreach_provider.core.flight import PlannedLead
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.rules import Gate
from airflow_outreach_provider.core.states import LeadState, RowState
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.staging import Stager
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.ledger.claims import Ledger, Leftover

CHUNK = 256


class Leftovers:
    """Leads of a run's campaigns that nobody alive is at, and that its own source did not list.

    :param listed: whether the run has a source; without one, what is left over is all there is to it.
    """

    def __init__(
        self,
        ledger: Ledger,
        stager: Stager,
        tally: Tally,
        options: SubmitOptions,
        halt: Halt,
        *,
        listed: bool,
        in_thread: InThread,
        now: Callable[[], datetime],
    ) -> None:
        self.ledger, self.stager, self.tally, self.options, self.halt = ledger, stager, tally, options, halt
        self._listed, self._in_thread, self._now = listed, in_thread, now

    async def chunks(self) -> AsyncIterator[list[PlannedLead]]:
        """What may be sent now: our share first, then everybody's. What is in quiet hours by now waits for their end."""
        shares = [(self.options.shard, self.options.shards)] if self.options.shards > 1 else []
        for shard, shards in [*shares, (0, 1)]:
            look = partial(self.ledger.leftovers, self.stager.campaigns, shard=shard, shards=shards)
            async for found in self._pages(look):
                yield await self._open_now(found)

    async def count(self) -> None:
        """What a run would send besides its source's rows: planned, deferred and due, or held where that is resent."""
        refused = self.stager.refused
        states = [LeadState.PLANNED, LeadState.DEFERRED]
        states += [LeadState.HELD] if self.options.on_unknown == "resend" else []
        for state in states:
            async for found in self._pages(partial(self.ledger.waiting, state, self.stager.campaigns)):
                for lead, gate in await self._gated([lead for lead in found if lead.id not in refused]):
                    self._count(lead, gate)

    async def _pages(self, look: Callable[..., list[Leftover]]) -> AsyncIterator[list[Leftover]]:
        after = 0
        while not self.halt.over:
            found = await self._in_thread(partial(look, after_id=after, limit=CHUNK))
            if not found:
                break
            after = found[-1].id
            yield [lead for lead in found if self.stager.seen.add(lead.id)]

    async def _open_now(self, found: Sequence[Leftover]) -> list[PlannedLead]:
        looked = [(self._planned(lead), gate) for lead, gate in await self._gated(found)]
        closed = [(lead, gate) for lead, gate in looked if gate.state is not LeadState.PLANNED]
        if closed:
            await self._in_thread(partial(self.ledger.close, [(lead.id, gate) for lead, gate in closed]))
        # From here to the run's queue in one go: whenever the run ends, what was counted as read has a state.
        self.tally.read += 0 if self._listed else len(found)
        for lead, gate in closed:
            self.tally.count(lead, RowState(gate.state), gate.reason)
        return [
            replace(lead, open_until=gate.open_until)
            for lead, gate in looked
            if gate.state is LeadState.PLANNED
        ]

    async def _gated(self, found: Sequence[Leftover]) -> list[tuple[Leftover, Gate]]:
        """Whether each of them may be texted now: by the hours, and by how often they were."""
        rules, persons, now = self.options.rules, self.stager.persons, self._now()
        await persons.look([lead.phone for lead in found], now)
        gated: list[tuple[Leftover, Gate]] = []
        for lead in found:
            gate = persons.gate(lead.phone, now) or rules.gate_hours(lead.phone, now, lead.zone)
            if gate.state is LeadState.PLANNED:
                persons.plan(lead.phone)
            gated.append((lead, gate))
        return gated

    def _planned(self, lead: Leftover) -> PlannedLead:
        return PlannedLead(
            lead.id, lead.payload.encode(), 0, lead.phone, carried=self._listed, zone=lead.zone
        )

    def _count(self, lead: Leftover, gate: Gate) -> None:
        row = RowState(gate.state)
        if self._listed:
            self.tally.carried[row.value] += 1
        else:
            self.tally.read += 1
            self.tally.add(row, gate.reason or "would_be_sent", mask_phone(lead.phone))
        if row is RowState.PLANNED:
            self.tally.left_by[lead.run] += 1
            self.tally.show("left by an earlier run", lead.payload.encode())
