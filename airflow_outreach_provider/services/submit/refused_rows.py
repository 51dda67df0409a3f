"""Rows that say no themselves, and that nothing else comes of: of two rows of a person the other, one that ``where`` turns
away, one of somebody who is held. The person may wait to be texted all the same, since an earlier row or run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import compress
from operator import not_
from typing import TypeVar

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_lines import one_line
from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO, refusal_in
from airflow_outreach_provider.core.rules import Draft, LeadRules
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.one_line import Drafted
from airflow_outreach_provider.services.submit.row_faults import RowFaults
from airflow_outreach_provider.services.submit.tally import SeenHashes, SeenIds
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.store.ledger.staging import RowRefusal, StagingLedger

T = TypeVar("T")
Item = TypeVar("Item", bound=Drafted)


def says_no(draft: Draft) -> bool:
    """Whether a row's own columns refuse."""
    return draft.reason == ROW_SAYS_NO


def parted(items: Sequence[T], chosen: Sequence[bool]) -> tuple[list[T], list[T]]:
    """Those that are chosen, and the others."""
    return list(compress(items, chosen)), list(compress(items, map(not_, chosen)))


class RefusedPeople:
    """Whose rows said no in this run: neither an earlier nor a later row of theirs is sent, whatever other runs plan.

    :param in_thread: runs a function off the event loop. :param dry_run: whether nothing is written.
    :param judged: whether a run sends nothing before all rows were read.
    """

    def __init__(
        self, ledger: StagingLedger, in_thread: InThread, *, dry_run: bool, judged: bool = False
    ) -> None:
        self.ledger, self._in_thread, self._dry_run = ledger, in_thread, dry_run
        self._heard: set[RowRefusal] = set()
        self._takes_back = dry_run and judged
        self._any, self._people, self._leads = False, SeenHashes(), SeenIds()
        self._planned, self._taken_back = SeenHashes(), SeenHashes()

    def hear(self, draft: Draft) -> None:
        """Something else became of a row: if it says no it does so by every number of its line."""
        if not says_no(draft):
            return
        self._any = True
        for phone in one_line(draft.phone):
            self._heard.add(RowRefusal(draft.campaign, phone, draft.detail))
            self._people.add((draft.campaign, phone))

    def hear_away(self, rows: Iterable[Row], rules: LeadRules, now: datetime) -> None:
        """The same of rows that are not for this sync, as far as they name somebody."""
        faults = RowFaults()
        for row in rows:
            if refusal_in(row.values) is None:
                continue
            try:
                self.hear(faults.draft_of(row, rules, now))
            except LeadRejected:
                continue

    def split(self, items: list[Item]) -> tuple[list[Item], list[Item]]:
        """The rows of others, and those of theirs that say nothing of the kind."""
        if not self._any:
            return items, []
        drafts = (item.draft for item in items)
        return parted(
            items, [says_no(each) or (each.campaign, each.phone) not in self._people for each in drafts]
        )

    def plan(self, draft: Draft) -> None:
        """A dry run would send it, as far as was read."""
        if self._takes_back:
            self._planned.add((draft.campaign, draft.phone))

    async def withdraw(self) -> int:
        """Whoever was heard since the last time waits no longer.

        :return: how many of them a dry run had planned.
        """
        heard, self._heard = self._heard, set()
        if not heard:
            return 0
        for lead_id in await self._in_thread(
            partial(self._ids if self._dry_run else self.ledger.withdraw, heard)
        ):
            self._leads.add(lead_id)
        keys = [each[:2] for each in heard]
        return sum(key in self._planned and self._taken_back.add(key) for key in keys)

    def _ids(self, heard: Collection[RowRefusal]) -> list[int]:
        found, _ = self.ledger.find([each[:2] for each in heard])
        return [lead.id for lead in found.values()]

    def __contains__(self, lead_id: int) -> bool:
        return lead_id in self._leads
