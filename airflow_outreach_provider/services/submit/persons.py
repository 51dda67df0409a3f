"""How often people may still be texted: by what the ledger knows of and, where nothing is sent, by what would be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from airflow_outreach_provider.core.rules import Gate, gate_person
from airflow_outreach_provider.services.submit.tally import SeenHashes
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.ledger.staging import StagingLedger


class Persons:
    """What ``per_person`` says of people, as the run goes on; nothing where there is no such rule.

    :param kept: whether what would be sent is remembered here, because the ledger is told nothing: of a dry run.
    """

    def __init__(self, ledger: StagingLedger, in_thread: InThread, *, kept: bool) -> None:
        self.ledger, self._in_thread, self._kept = ledger, in_thread, kept
        self._texted: dict[str, list[datetime]] = {}
        self._planned = SeenHashes()

    async def look(self, phones: Sequence[str], now: datetime) -> None:
        """Find out about these people, and no longer know of others."""
        if self.ledger.per_person is not None:
            self._texted = await self._in_thread(partial(self.ledger.texted, phones, now))

    def gate(self, phone: str, now: datetime) -> Gate | None:
        """What keeps one of those looked for from another text; None for nothing."""
        rule = self.ledger.per_person
        if rule is None:
            return None
        planned = next((n for n in range(rule.most) if (phone, n) not in self._planned), rule.most)
        return gate_person(rule, [*self._texted.get(phone, ()), *[now] * planned], now)

    def plan(self, phone: str) -> None:
        """They would be texted."""
        rule = self.ledger.per_person
        if self._kept and rule is not None:
            any(self._planned.add((phone, n)) for n in range(rule.most))
