"""Leads that were staged and wait until their whole source is judged."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial

from airflow_outreach_provider.core.flight import PlannedLead
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.states import LeadState, RowState, settled_elsewhere
from airflow_outreach_provider.services.submit.leftovers import CHUNK
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.ledger.claims import Ledger, Leftover

_KEPT = 5_000
"""So many leads are kept whole; of those after them the ledger has the payload, and a number is kept here."""


class Backlog:
    """First in, first out; a million leads need some 16 MB."""

    def __init__(
        self,
        ledger: Ledger,
        rules: LeadRules,
        tally: Tally,
        *,
        in_thread: InThread,
        now: Callable[[], datetime],
    ) -> None:
        self.ledger, self.rules, self.tally = ledger, rules, tally
        self._in_thread, self._now = in_thread, now
        self._leads: list[PlannedLead] = []
        self._ids, self._lines = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._leads) + len(self._ids)

    def add(self, planned: Sequence[PlannedLead]) -> None:
        """What a chunk of the source's rows became."""
        kept = max(0, _KEPT - len(self._leads))
        self._leads += planned[:kept]
        for lead in planned[kept:]:
            self._ids.append(lead.id)
            self._lines.append(lead.line)

    def count(self, state: RowState, reason: str) -> None:
        """They end here, each as this."""
        for _ in range(len(self)):
            self.tally.add(state, reason)
        self._leads, self._ids, self._lines = [], array("q"), array("q")

    async def chunks(self) -> AsyncIterator[list[PlannedLead]]:
        """All of them, to be sent; what comes out is no longer in here."""
        while self._leads:
            chunk, self._leads = self._leads[:CHUNK], self._leads[CHUNK:]
            yield chunk
        while self._ids:
            rows = list(zip(self._ids[:CHUNK], self._lines[:CHUNK], strict=True))
            ids = [lead_id for lead_id, _ in rows]
            found = await self._in_thread(partial(self.ledger.payloads, ids))
            gone = [lead_id for lead_id in ids if lead_id not in found]
            states = await self._in_thread(partial(self.ledger.states, gone)) if gone else {}
            del self._ids[:CHUNK], self._lines[:CHUNK]
            for lead_id in gone:
                self.tally.add(*settled_elsewhere(*states.get(lead_id, ("", ""))))
            yield [self._lead(found[lead_id], line) for lead_id, line in rows if lead_id in found]

    def _lead(self, found: Leftover, line: int) -> PlannedLead:
        now = self._now()
        gate = self.rules.gate_hours(found.phone, now, found.zone)
        # Closed by now: it is looked at before it is claimed.
        open_until = gate.open_until if gate.state is LeadState.PLANNED else now
        return PlannedLead(
            found.id, found.payload.encode(), line, found.phone, open_until=open_until, zone=found.zone
        )
