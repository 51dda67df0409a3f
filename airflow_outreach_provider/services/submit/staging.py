"""From rows to planned leads: read by the rules, checked against the ledger, written back in groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from airflow_outreach_provider.core.changes import is_outdated, is_same, version_of
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.flight import PlannedLead
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.phone_lines import one_line
from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO
from airflow_outreach_provider.core.rules import Draft, Gate, LeadRules, Memory, RowDecision, decide
from airflow_outreach_provider.core.states import LeadState, RowState
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.addresses import SharedAddresses
from airflow_outreach_provider.services.submit.columns import hidden_columns
from airflow_outreach_provider.services.submit.one_line import join_numbers
from airflow_outreach_provider.services.submit.persons import Persons
from airflow_outreach_provider.services.submit.refused_rows import RefusedPeople
from airflow_outreach_provider.services.submit.repeats import Repeats
from airflow_outreach_provider.services.submit.row_faults import NOT_READ, RowFaults
from airflow_outreach_provider.services.submit.row_watch import RowWatch
from airflow_outreach_provider.services.submit.tally import SeenIds, Tally
from airflow_outreach_provider.services.submit.threads import InThread
from airflow_outreach_provider.services.submit.watermark import Watermark
from airflow_outreach_provider.store.ledger.claims import Ledger
from airflow_outreach_provider.store.ledger.staging import Consent, Entry, Key, Known, Remembered

_TRIES = 3
_ACCEPTED = LeadState.ACCEPTED.value
_WAITING = frozenset({LeadState.PLANNED.value, LeadState.DEFERRED.value})
_FAST = frozenset({_ACCEPTED, LeadState.REJECTED.value, LeadState.HELD.value})


@dataclass(slots=True)
class _Item:
    row: Row
    row_hash: str
    draft: Draft
    known: Known | None = None
    verdict: RowDecision | None = None
    lead: PlannedLead | None = None

    @property
    def key(self) -> Key:
        return self.draft.campaign, self.draft.phone

    @property
    def line(self) -> Key:
        """The same for every number of one line."""
        return self.draft.campaign, one_line(self.draft.phone)[0]


class Stager:
    """Turns chunks of rows into planned leads.

    :param dry_run: read the ledger and write nothing. :param judged: whether a run sends nothing before all rows were read.
    :param resend: whether held leads are sent again.
    :param now: the current time, timezone-aware; decides quiet hours.
    :ivar refused: leads of people whose row says no, whatever another run makes of theirs. :ivar persons: who may be texted how often.
    :param watch: with ``dry_run``: told of each row what would become of it, with all that was made of it.
    """

    def __init__(
        self,
        rules: LeadRules,
        ledger: Ledger,
        tally: Tally,
        *,
        in_thread: InThread,
        dry_run: bool = False,
        judged: bool = False,
        resend: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        mark: Watermark | None = None,
        watch: RowWatch | None = None,
    ) -> None:
        self.rules, self.ledger, self.tally = rules, ledger, tally
        self.seen = SeenIds()
        self.refused = RefusedPeople(ledger, in_thread, dry_run=dry_run, judged=judged)
        self.campaigns = tally.campaigns
        self.campaigns |= {rules.campaign or rules.configuration_id or ""} - {""}
        self.persons = Persons(ledger, in_thread, kept=dry_run)
        self._version = version_of(rules.changed_on)
        self._in_thread = in_thread
        self._dry_run, self._resend = dry_run, resend
        self._counted: list[tuple[RowState, str, str | None]] = []
        self._unchanged = 0
        self._repeats = Repeats(kept=dry_run)
        self._addresses = SharedAddresses()
        self._now, self._mark, self._watch = now, mark or Watermark(), watch

    async def stage(self, rows: Sequence[Row]) -> list[PlannedLead]:
        """Decide on a chunk of rows and write the decisions; all of its rows are counted, or on an error none.

        :return: what is to be sent, in the order of the rows.
        """
        self._counted.clear()
        self._unchanged = 0
        taken, others = _for_this_sync(rows, self.rules, self._mark, self.tally)
        away = [row for row, reason in others if reason == "where"]
        self.refused.hear_away(away, self.rules, self._now())
        for row, reason in others:
            self._count(row, RowState.FILTERED, reason)
        planned = await self._stage(taken) if taken else []
        self.tally.take_back(await self.refused.withdraw(), ROW_SAYS_NO)
        if self._watch is not None:
            self._watch.settle(rows)
        self.tally.read += len(rows)
        for counted in self._counted:
            self.tally.add(*counted)
        if self._unchanged:
            self.tally.add(RowState.UNCHANGED, "texted_before", times=self._unchanged)
        return planned

    def _count(
        self, row: Row, state: RowState, reason: str, draft: Draft | None = None, why: str = ""
    ) -> None:
        phone = "" if draft is None else f" {mask_phone(draft.phone)}"
        self._counted.append((state, reason, f"line {row.number}{phone}"))
        if draft is not None and state is not RowState.SUPPRESSED:
            self.refused.hear(draft)
        if self._watch is not None:
            self._watch.tell(row, state, reason, draft, why)

    async def _stage(self, rows: Sequence[Row]) -> list[PlannedLead]:
        hashes = [
            self.rules.row_hash(row.values if row.error is None else {"": (row.number, row.error)})
            for row in rows
        ]
        # Who watches wants to see what is made of each row, also of one that was decided before.
        look = partial(self.ledger.find_by_row_hash, hashes)
        remembered = await self._in_thread(look) if self._watch is None else {}
        items: list[_Item] = []
        bad: list[Entry] = []
        faults = RowFaults()
        now = self._now()
        for index, row in enumerate(rows):
            known = remembered.get(index)
            if known is not None and self._is_decided(known):
                self._count_remembered(row, known)
                continue
            try:
                draft = faults.draft_of(row, self.rules, now)
            except LeadRejected as error:
                self._count(row, RowState.REJECTED, error.reason, why=error.detail)
                bad.append(_bad_entry(self.rules, row, hashes[index], error))
                continue
            items.append(_Item(row, hashes[index], draft))
        faults.check(len(items))
        for item in items:
            item.draft = self.rules.gate_nowhere(item.draft, now)
        if bad and not self._dry_run:
            unique = list({entry.row_hash: entry for entry in bad}.values())
            await self._in_thread(lambda: self.ledger.stage_without_phone(unique))
        if isinstance(self.rules.resubmit, timedelta):  # by the clock that says when somebody was texted
            now = await self._in_thread(self.ledger.store.now)
        await self._settle_items(items, now)
        return [item.lead for item in items if item.lead is not None]

    def _is_decided(self, known: Remembered) -> bool:
        again = known.reason == NOT_READ or (self._resend and known.state == LeadState.HELD)
        return known.state in _FAST and not again and not is_outdated(known.content_hash, self._version)

    def _count_remembered(self, row: Row, known: Remembered) -> None:
        """The very same row was decided before: nothing is parsed again."""
        # Rows without a number are nobody's duplicates: each of them is a bad row, whenever it is read.
        if known.content_hash is not None and not self.seen.add(known.id):
            self._count(row, RowState.DUPLICATE, "same_number")
        elif known.state == _ACCEPTED:
            self._unchanged += 1
        else:
            state = RowState.REJECTED if known.state == LeadState.REJECTED else RowState.HELD
            self._count(row, state, known.reason)

    async def _settle_items(self, items: list[_Item], now: datetime) -> None:
        await join_numbers(items, self.ledger, self._in_thread)
        items, others = self._repeats.split(items)
        items, theirs = self.refused.split(items)
        items, known_before = self._repeats.split_known(items)
        for item in [*others, *known_before]:
            self._count(item.row, RowState.DUPLICATE, "same_number", item.draft)
        for item in theirs:
            self._count(item.row, RowState.SUPPRESSED, ROW_SAYS_NO, item.draft)
        for _ in range(_TRIES):
            if not items:
                return
            keys = [item.key for item in items]
            emails, further = _email_hashes(items)
            known, suppressed = await self._in_thread(partial(self.ledger.find, keys, emails, further))
            await self.persons.look([phone for _, phone in keys], now)
            todo: list[_Item] = []
            by_address = self.rules.unique_email
            shared = (
                await self._in_thread(partial(self.ledger.sharing, keys, emails)) if by_address else set()
            )
            for index, item in enumerate(items):
                item.known = known.get(index)
                item.draft = _waits_for(item.draft, self.persons.gate(item.draft.phone, now))
                item.verdict = decide(
                    item.draft,
                    _memory(item.known, item.draft),
                    suppressed.get(index),
                    self.rules.resubmit,
                    now,
                    resend=self._resend,
                )
                if by_address:
                    item.verdict = self._addresses.judge(
                        item.draft, item.verdict, item.known, shared=index in shared
                    )
                if item.known is not None and item.known.id in self.seen:
                    self._count(item.row, RowState.DUPLICATE, "same_number", item.draft)
                elif item.verdict.write is None or self._dry_run:
                    self._place(item, item.known.id if item.known else 0)
                else:
                    todo.append(item)
            await self._update_hashes(items)
            if not todo:
                return
            entries, said = [_entry(item) for item in todo], _consents(todo, self.rules.require_consent)
            alone = _alone(todo) if by_address else set()
            ids = await self._in_thread(partial(self.ledger.stage, entries, said, alone))
            items = []
            for item in todo:
                lead_id = ids.get(item.key)
                if lead_id is None:
                    items.append(item)  # somebody else changed it since we looked
                else:
                    self._place(item, lead_id)
        for item in items:
            self._count(item.row, RowState.ELSEWHERE, "another_run_is_sending", item.draft)

    async def _update_hashes(self, items: Sequence[_Item]) -> None:
        """Once: what was compared by the payload's text is compared by its values from now on."""
        outdated = _outdated(items, self._version)
        if outdated and not self._dry_run:
            await self._in_thread(partial(self.ledger.update_hashes, outdated))

    def _place(self, item: _Item, lead_id: int) -> None:
        """Count a decided row; a planned one is counted when it is settled."""
        assert item.verdict is not None
        if lead_id:
            self.seen.add(lead_id)
        self.campaigns.add(item.draft.campaign)
        if item.verdict.row is RowState.PLANNED:
            self.refused.plan(item.draft)
            self.persons.plan(item.draft.phone)
            if self._watch is not None:
                self._watch.tell(item.row, RowState.PLANNED, "would_be_sent", item.draft)
            item.lead = _planned(item, lead_id)
        else:
            self._count(item.row, item.verdict.row, item.verdict.reason, item.draft)


def _planned(item: _Item, lead_id: int) -> PlannedLead:
    draft, body, line = item.draft, item.draft.payload.encode(), item.row.number
    return PlannedLead(lead_id, body, line, draft.phone, open_until=draft.open_until, zone=draft.zone)


def _outdated(items: Sequence[_Item], version: str) -> list[tuple[int, int, str, str]]:
    return [
        (item.known.id, item.known.rev, item.row_hash, item.draft.content_hash)
        for item in items
        if item.known is not None
        and is_outdated(item.known.content_hash, version)
        and item.verdict is not None
        and item.verdict.write is None
    ]


def _for_this_sync(
    rows: Sequence[Row], rules: LeadRules, mark: Watermark, tally: Tally
) -> tuple[Sequence[Row], Sequence[tuple[Row, str]]]:
    """The rows that this run is for, and the others with why; one that cannot be read is nobody's to turn away."""
    takes = rules.reading.takes
    if takes is None and mark.column is None:
        return rows, ()
    if not tally.read:
        tally.notes += hidden_columns(rules.reading, rows)
    taken: list[Row] = []
    others: list[tuple[Row, str]] = []
    for row in rows:
        if row.error is not None:
            taken.append(row)
        elif not mark.takes(row):
            others.append((row, "not_new"))
        elif takes is not None and not takes(row.values):
            others.append((row, "where"))
        else:
            taken.append(row)
    return taken, others


def _bad_entry(rules: LeadRules, row: Row, row_hash: str, error: LeadRejected) -> Entry:
    return Entry(
        campaign=rules.campaign or rules.configuration_id or "",
        phone=None,
        row_hash=row_hash,
        content_hash=None,
        state=LeadState.REJECTED,
        reason=error.reason,
        detail=f"line {row.number}: {error.detail}",
        payload=None,
        email_hash=None,
        line=row.number,
        not_before=None,
    )


def _waits_for(draft: Draft, gate: Gate | None) -> Draft:
    """Whoever has had as many texts as they may waits, also where quiet hours would end before."""
    if gate is None or gate.not_before is None or draft.state is LeadState.SUPPRESSED:
        return draft
    earlier = draft.not_before is None or draft.not_before < gate.not_before
    return draft._replace(**gate._asdict()) if earlier else draft


def _consents(items: Sequence[_Item], column: str | None) -> list[Consent]:
    """The evidence for those who may be texted now or later; none where no column had to say yes."""
    return [] if column is None else [
        Consent(*item.key, column, item.draft.consent or "", item.row.number)
        for item in items
        if item.verdict is not None and item.verdict.write in (LeadState.PLANNED, LeadState.DEFERRED)
    ]  # fmt: skip


def _alone(items: Sequence[_Item]) -> set[Key]:
    """Who may be written only while nobody else has their address: not those who were texted before."""
    return {
        item.key
        for item in items
        if item.draft.email_hash is not None
        and item.verdict is not None
        and item.verdict.write in (LeadState.PLANNED, LeadState.DEFERRED)
        and (item.known is None or item.known.accepted_at is None)
    }


def _memory(known: Known | None, draft: Draft) -> Memory | None:
    if known is None:
        return None
    accepted = known.accepted_at
    return Memory(
        state=LeadState(known.state),
        reason=known.reason,
        same=is_same(
            known.content_hash, draft.content_hash, draft.payload, texted=known.state == LeadState.ACCEPTED
        )
        # Who waits does so where they are; of others it is no longer known.
        and (known.state not in _WAITING or known.time_zone == draft.zone),
        accepted_at=datetime.fromtimestamp(accepted / 1000, UTC) if accepted is not None else None,
        same_as_texted=accepted is not None
        and known.texted_hash is not None
        and known.state != LeadState.ACCEPTED
        and is_same(known.texted_hash, draft.content_hash, draft.payload, texted=True),
    )


def _email_hashes(items: list[_Item]) -> tuple[list[str | None], list[tuple[str, ...]]]:
    """Of each item's first address, and of its others."""
    return [item.draft.email_hash for item in items], [item.draft.other_email_hashes for item in items]


def _entry(item: _Item) -> Entry:
    draft, verdict = item.draft, item.verdict
    assert verdict is not None and verdict.write is not None
    waiting = verdict.write is LeadState.PLANNED or verdict.write is LeadState.DEFERRED
    not_before = round(draft.not_before.timestamp() * 1000) if draft.not_before and waiting else None
    return Entry(
        draft.campaign, draft.phone, item.row_hash, draft.content_hash, verdict.write, verdict.reason,
        draft.detail if verdict.reason == draft.reason else "", draft.payload if waiting else None,
        draft.email_hash, item.row.number, not_before, draft.zone if waiting else None, item.known.rev if item.known is not None else -1,
    )  # fmt: skip
