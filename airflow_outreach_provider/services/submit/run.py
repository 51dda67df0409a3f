"""Submit a batch of leads: stage, claim, send, settle — at most once a person, whatever happens in between.

One event loop sends; one thread writes the ledger. Each *turn* of the ledger settles what was answered and
claims what may be sent next, in one commit, so that the rows in flight never outnumber the window.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from math import inf
from typing import Any, Literal, Protocol, TypeVar

from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    OutcomeUnknown,
    OutreachUnavailable,
    StoreError,
    TooManyRejected,
)
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.outcomes import Fault, SubmitAnswer, SubmitOutcome, classify_fault
from airflow_outreach_provider.core.pacing import Doubts, Pace
from airflow_outreach_provider.core.rules import Gate, LeadRules
from airflow_outreach_provider.core.states import LeadState, RowState, RunState
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime.prefetch import prefetch
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.services.submit.columns import checked
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.staging import PlannedLead, Stager
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Leftover, Settlement

T = TypeVar("T")

_CHUNK = 256
_GRACE_SECONDS = 4.0
_STORE_PATIENCE = 30.0
_AWAY_SECONDS = 0.5
_TICK = 0.05


_SETTLED = {
    SubmitOutcome.ACCEPTED: LeadState.ACCEPTED,
    SubmitOutcome.REJECTED: LeadState.REJECTED,
    SubmitOutcome.UNKNOWN: LeadState.HELD,
    SubmitOutcome.UNAVAILABLE: LeadState.PLANNED,
    SubmitOutcome.CONFIGURATION: LeadState.PLANNED,
}


_NOT_TEXTED = frozenset({SubmitOutcome.UNAVAILABLE, SubmitOutcome.CONFIGURATION, SubmitOutcome.REJECTED})


class Client(Protocol):
    """What sends one lead; ``net.outreach.OutreachClient`` is one."""

    async def submit(self, body: bytes) -> SubmitAnswer: ...


@dataclass(frozen=True)
class SubmitOptions:
    """How a batch is sent.

    :param on_unknown: ``hold`` keeps at most one text a person; ``resend`` is at least one.
    :param window: most requests in flight, and most leads a crash can leave in doubt.
    :param requests_per_second: over all tasks that share ``conn_id``; None for no limit of our own.
    :param conn_id: the connection that is submitted through, '' where there is none.
    :param lease: how long a silent run is believed to be alive.
    :param max_rows: read no more rows than this; for trials.
    :param max_people: text no more people than this, whoever listed them: as many as somebody approved.
    :param stage_only: decide and write to the ledger, and leave the sending to other runs.
    :param shard: which share of the planned leads to send first, from 0; the others' are taken after that.
    :param shards: into how many shares the planned leads are divided among runs.
    """

    rules: LeadRules
    on_unknown: Literal["hold", "resend"] = "hold"
    max_rejected: RejectLimit = field(default_factory=RejectLimit)
    min_rows: int | None = None
    dry_run: bool = False
    window: int = 64
    requests_per_second: float | None = None
    conn_id: str = ""
    lease: timedelta = timedelta(seconds=300)
    patience: float = 30.0
    max_rows: int | None = None
    max_people: int | None = None
    stage_only: bool = False
    shard: int = 0
    shards: int = 1

    def check(self) -> None:
        """:raises ConfigurationError: an option cannot be kept as written; a run with it would send nothing, for ever."""
        self.rules.check()
        if self.window < 1:
            raise ConfigurationError(f"concurrency is {self.window!r}", "use a whole number from 1 on")
        if self.min_rows is not None and (type(self.min_rows) is not int or self.min_rows < 0):
            raise ConfigurationError(
                f"min_rows is {self.min_rows!r}", "use a whole number, or None for any number"
            )
        if not _is_number(self.patience):
            raise ConfigurationError(f"patience is {self.patience!r}", "use a number of seconds")
        rate = self.requests_per_second
        if rate is not None and not (_is_number(rate) and 0 < rate < inf):
            raise ConfigurationError(
                f"requests_per_second is {self.requests_per_second!r}",
                "use a number above 0, or None for no limit",
            )
        if self.on_unknown not in ("hold", "resend"):
            raise ConfigurationError(
                f"on_unknown {self.on_unknown!r} does not exist", "use 'hold' or 'resend'"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Progress(Protocol):
    """Told how a run goes on, about once a second; decides itself what to write."""

    def __call__(self, run: SubmitRun) -> None: ...


class SubmitRun:
    """One run over one source of rows. Use once.

    :param rows: read in a thread of its own, a little ahead; None to send what is planned in the ledger.
    :param client: an async context manager that yields a Client.
    :param progress: called about once a second while the run lasts.
    :param fraction: how much of the source was read, 0 to 1, or None; for those who look.
    """

    def __init__(
        self,
        store: Store,
        client: AbstractAsyncContextManager[Client],
        rows: Iterator[Row] | None,
        options: SubmitOptions,
        *,
        owner: runs.Owner,
        source: str = "",
        progress: Progress | None = None,
        fraction: Callable[[], float | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store, self.options, self.owner, self.source = store, options, owner, source
        self.tally = Tally()
        self.pace = Pace(options.window, patience=options.patience, first_patience=min(5.0, options.patience))
        self.run_id = 0
        self._client_manager = client
        self._rows = rows
        self._progress = progress
        self._fraction = fraction
        self._now = now
        self._doubts = Doubts()
        self._ready: deque[PlannedLead] = deque()
        self._outbox: deque[PlannedLead] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._flying: dict[int, PlannedLead] = {}
        self._settled: list[tuple[PlannedLead, SubmitAnswer]] = []
        self._in_doubt: dict[int, tuple[PlannedLead, SubmitAnswer]] = {}
        self._source_done = False
        self._staging = False
        self._failure: Exception | None = None
        self._stopped: str | None = None
        self._stop_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._oldest_settled = 0.0
        self._last_beat = 0.0
        self._cancelled_late = False
        self._texted = 0

    # -- the outside ---------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Ask the run to end soon: claim nothing more, wait a moment for answers. Safe from any thread or signal."""
        self._stop_at = time.monotonic()
        self._stopped = reason
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    @property
    def rate_waits(self) -> int:
        """How often sending had to wait for the rate that all tasks of the connection share."""
        return self.rate.waits if self.run_id else 0

    @property
    def in_flight(self) -> int:
        """Leads claimed and not yet settled in the ledger."""
        return len(self._flying) + len(self._settled) + len(self._in_doubt)

    async def run(self) -> Tally:
        """Do it.

        :return: rows by state; they add up to the rows read.
        :raises ConfigurationError: a fault that is the same for every lead; none was used up by it.
        :raises OutreachUnavailable: leads are left for the next try; carries ``retry_after``.
        :raises OutcomeUnknown: more leads are held than ``max_rejected`` allows.
        :raises TooManyRejected: more rows were rejected than allowed, or fewer read than ``min_rows``.
        :raises StoreError: the ledger is away.
        """
        self.options.check()
        if self._rows is None and not (self.options.rules.campaign or self.options.rules.configuration_id):
            raise ConfigurationError(
                "nothing says whose planned leads to send",
                "set campaign or configuration_id on the task, or configuration_id on the connection",
            )
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._turned = asyncio.Event()
        with ThreadPoolExecutor(1, thread_name_prefix="outreach-ledger") as thread:
            self._thread = thread
            await self._start()
            error: BaseException | None = None
            try:
                await self._work()
                self._judge_batch()
            except BaseException as caught:
                error = caught
                self._account_rest()
                raise
            finally:
                await self._finish(error)
        return self.tally

    # -- the run -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        options = self.options
        name = options.rules.campaign or options.rules.configuration_id or ""
        started = await self._in_thread(
            lambda: runs.start(
                self.store, self.owner, campaign=name, source=self.source, lease=options.lease,
                resend=[name] if options.on_unknown == "resend" and name and not options.dry_run else (),
                dry_run=options.dry_run, conn_id=options.conn_id,
            )
        )  # fmt: skip
        self.run_id = started.run_id
        self.ledger = Ledger(self.store, self.run_id)
        self.stager = Stager(
            options.rules,
            self.ledger,
            self.tally,
            in_thread=self._in_thread,
            dry_run=options.dry_run,
            resend=options.on_unknown == "resend",
            now=self._now,
        )
        self.rate = RateGate(self.store, options.conn_id, options.requests_per_second, self._in_thread)
        self._last_beat = time.monotonic()

    async def _work(self) -> None:
        with prefetch(self._checked_rows(), _CHUNK) as chunks:
            try:
                async with self._client_manager as client, asyncio.TaskGroup() as group:
                    helpers = [group.create_task(self._sender(client)) for _ in range(self.options.window)]
                    helpers += [group.create_task(self._stage_all(chunks)), group.create_task(self._beat())]
                    try:
                        await self._turns()
                    finally:
                        for task in helpers:
                            task.cancel()
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    def _checked_rows(self) -> Iterator[Row]:
        """The source's rows; a generator, so that whatever has to be read for it is read where rows are read."""
        rows, most, least = self._rows or iter(()), self.options.max_rows, self.options.min_rows
        if self._rows is not None:
            least = least if most is None or least is None else min(most, least)
            yield from checked(islice(rows, most), self.options.rules, min_rows=least)

    async def _stage_all(self, chunks: Any) -> None:
        """Keep the ready queue topped up: from the source first, then with what earlier runs left."""
        try:
            while not self._over and (chunk := await chunks.next()) is not None:
                self._staging = True
                planned = await self.stager.stage(chunk)
                self._staging = False
                await self._offer(planned)
            if self.options.dry_run:
                await self._count_leftovers()
            elif not self.options.stage_only:
                await self._stage_leftovers()
        except Exception as error:  # noqa: BLE001 - a source that breaks must not cut off requests in flight
            self._fail(error)
        finally:
            self._staging = False
            self._source_done = True
            self._wake.set()

    async def _offer(self, planned: list[PlannedLead]) -> None:
        if self.options.dry_run:
            for lead in planned:
                self.tally.add(
                    RowState.PLANNED, "would_be_sent", f"line {lead.line} {mask_phone(lead.phone)}"
                )
            return
        if self.options.stage_only:
            for _ in planned:
                self.tally.add(RowState.PLANNED, "staged")
            return
        self._ready.extend(planned)
        self._wake.set()
        while len(self._ready) >= 2 * _CHUNK and not self._over:
            self._turned.clear()
            await self._turned.wait()

    async def _stage_leftovers(self) -> None:
        """What is planned in the ledger and nobody alive is at: our share first, then everybody's."""
        shares = [(self.options.shard, self.options.shards), (0, 1)] if self.options.shards > 1 else [(0, 1)]
        for shard, shards in shares:
            after = 0
            while not self._over:
                found = await self._in_thread(
                    partial(self.ledger.leftovers, self.stager.campaigns, after, _CHUNK, shard, shards)
                )
                if not found:
                    break
                after = found[-1].id
                self._staging = True  # what was counted as read is offered before the run ends
                await self._offer_leftovers([lead for lead in found if self.stager.seen.add(lead.id)])
                self._staging = False

    async def _count_leftovers(self) -> None:
        """What a run would send besides its source's rows: planned, deferred and due, or held where that is resent."""
        states = [
            LeadState.PLANNED,
            LeadState.DEFERRED,
            *([LeadState.HELD] if self.options.on_unknown == "resend" else []),
        ]
        for state in states:
            after = 0
            while not self._over:
                found = await self._in_thread(
                    partial(self.ledger.waiting, state, self.stager.campaigns, after, _CHUNK)
                )
                if not found:
                    break
                after = found[-1].id
                for lead in found:
                    if self.stager.seen.add(lead.id):
                        self._count_leftover(lead)

    def _count_leftover(self, lead: Leftover) -> None:
        gate = self.options.rules.gate_hours(lead.phone, self._now())
        row = RowState(gate.state)
        if self._rows is None:
            self.tally.read += 1
            self.tally.add(row, gate.reason or "would_be_sent", mask_phone(lead.phone))
        else:
            self.tally.carried[row.value] += 1
        if row is RowState.PLANNED:
            self.tally.left_by[lead.run] += 1

    async def _offer_leftovers(self, found: Sequence[Leftover]) -> None:
        """Leads planned before; where it is quiet hours by now, they wait for their end."""
        listed = self._rows is not None
        if not listed:
            self.tally.read += len(found)
        closed = []
        for lead in found:
            gate = self.options.rules.gate_hours(lead.phone, self._now())
            planned = PlannedLead(
                lead.id, lead.payload.encode(), 0, lead.phone, carried=listed, open_until=gate.open_until
            )
            if gate.state is LeadState.PLANNED:
                await self._offer([planned])
            else:
                closed.append((lead.id, gate))
                self._count(planned, RowState(gate.state), gate.reason)
        if closed:
            await self._in_thread(partial(self.ledger.close, closed))

    async def _sender(self, client: Client) -> None:
        stale = self.options.lease.total_seconds() / 2
        while True:
            lead = await self._next()
            if self._cancelled_late or time.monotonic() - lead.claimed_at > stale:
                # The machine stood still since the claim: somebody else may already have judged this lead.
                self._answered(lead, classify_fault(Fault.NOT_SENT))
                continue
            answer = None
            try:
                answer = await client.submit(lead.body)
            finally:
                self._answered(
                    lead, answer or classify_fault(Fault.DROPPED, "the task was stopped while waiting")
                )

    async def _next(self) -> PlannedLead:
        """The next claimed lead; an asyncio.Queue, of which every lead would pay the locks."""
        while not self._outbox:
            idle = self._loop.create_future() if self._loop else asyncio.Future()
            self._idle.append(idle)
            await idle
        return self._outbox.popleft()

    def _answered(self, lead: PlannedLead, answer: SubmitAnswer) -> None:
        if self._flying.pop(lead.id, None) is None:
            return  # given up on before
        now = time.monotonic()
        if not self._settled:
            self._oldest_settled = now
        match answer.outcome:
            case SubmitOutcome.ACCEPTED | SubmitOutcome.REJECTED:
                self.pace.good(now, answer.latency_ms)
                if answer.outcome is SubmitOutcome.ACCEPTED:
                    self._reject_doubtful(self._doubts.took(lead.claimed_at))
            case SubmitOutcome.UNAVAILABLE:
                self.pace.refused(now, answer.retry_after)
            case SubmitOutcome.UNKNOWN:
                self.pace.unknown(now)
            case SubmitOutcome.CONFIGURATION:
                if answer.status == 400:
                    self._doubts.refused(lead.id, now, lead.claimed_at)
                    self._in_doubt[lead.id] = (lead, answer)
                    self._wake.set()
                    return
                self._fail(ConfigurationError(answer.detail))
        self._settled.append((lead, answer))
        if len(self._settled) >= self._group or not self._flying:
            self._wake.set()

    def _reject_doubtful(self, ids: Iterable[int]) -> None:
        """Leads answered 400 turn out to be at fault themselves."""
        for lead_id in ids:
            lead, answer = self._in_doubt.pop(lead_id)
            self._settled.append((lead, answer._replace(outcome=SubmitOutcome.REJECTED)))

    def _judge_doubts(self, now: float) -> None:
        """Nothing is in flight, and leads answered 400 wait: are they at fault, or is the configuration?"""
        ended = self._source_done and not self._ready
        if ended:
            self._reject_doubtful(self._doubts.in_company())
        if not self._in_doubt:
            self._oldest_settled = now
            return
        blocked = self._doubts.blocks() or self._over
        if ended and self._doubts.accepted and not blocked:
            self._reject_doubtful(list(self._in_doubt))
            self._doubts.waiting.clear()
        elif (
            self._over
            or ended
            or ((blocked or self.pace.room(len(self._in_doubt), now) <= 0) and not self._doubts.may_probe())
        ):
            _, answer = next(iter(self._in_doubt.values()))
            self._settled += self._in_doubt.values()
            self._in_doubt.clear()
            self._doubts.waiting.clear()
            self._fail(ConfigurationError(answer.detail))
        self._oldest_settled = now

    # -- turns of the ledger -------------------------------------------------------------------------------

    @property
    def _group(self) -> int:
        return max(1, min(self.options.window // 2, self.in_flight // 2))

    @property
    def _over(self) -> bool:
        return self._failure is not None or self._stopped is not None

    async def _turns(self) -> None:
        while True:
            self._wake.clear()
            self._turned.set()
            now = time.monotonic()
            self._watch(now)
            try:
                await self._defer_quiet()
                take = 0 if self._over else await self._allowed(now)
            except StoreError as error:
                self._fail(error)
                continue
            due = bool(self._settled) and (
                len(self._settled) >= self._group or not self._flying or now - self._oldest_settled > 0.02
            )
            if take or due:
                await self._turn(take)
                continue
            if not self._flying and not self._settled:
                if self._over and not self._staging and not self._in_doubt:
                    break
                if self._source_done and not self._ready and not self._in_doubt:
                    break
            await self._nap(now)
        for lead in self._ready:
            self._count_left(lead)
        self._ready.clear()

    async def _defer_quiet(self) -> None:
        """What was open when it was planned may be in quiet hours by now: a slow run lasts into the evening.

        :raises StoreError: it could not be written down; then nothing is sent either.
        """
        rules = self.options.rules
        if rules.quiet_hours is None or self._over:
            return
        now = self._now()
        closed: dict[int, Gate] = {}
        for lead in self._ready:
            if lead.open_until is None or now < lead.open_until:
                continue
            gate = rules.gate_hours(lead.phone, now)
            if gate.state is LeadState.PLANNED:
                lead.open_until = gate.open_until
            else:
                closed[lead.id] = gate
        if not closed:
            return
        await self._in_thread(partial(self.ledger.close, list(closed.items())))
        for lead in [lead for lead in self._ready if lead.id in closed]:
            self._count(lead, RowState(closed[lead.id].state), closed[lead.id].reason)
        self._ready = deque(lead for lead in self._ready if lead.id not in closed)

    async def _allowed(self, now: float) -> int:
        if not self._ready:
            return 0
        room = min(self.pace.room(self.in_flight - len(self._settled), now), len(self._ready))
        if self.options.max_people is not None:
            room = min(room, self._people_left())
            if room <= 0:
                return 0
        if self._in_doubt and (room <= 0 or self._doubts.blocks()):
            return await self._probe(now)
        if room <= 0 or (
            room < self._group and len(self._flying) > room and len(self._settled) < self._group
        ):
            return 0
        return await self.rate.take(room)

    def _people_left(self) -> int:
        """How many more people may be texted; none are while nobody has approved more."""
        left = int(self.options.max_people or 0) - self._texted
        if left <= 0 and not self._flying and not self._settled and not self._in_doubt:
            self._fail(
                ConfigurationError(
                    f"more people would be texted than the {self.options.max_people:,} that were counted; "
                    "the others wait, and nobody else is texted",
                    "plan and approve again: clear the plan",
                )
            )
        return left

    async def _probe(self, now: float) -> int:
        """One lead at a time, where only its answer can tell whether the configuration still works."""
        if self._flying or self._settled or self.pace.wait(now) or not self._doubts.may_probe():
            return 0
        taken = await self.rate.take(1)
        self._doubts.probes += taken
        return taken

    async def _turn(self, take: int) -> None:
        batch, self._settled = self._settled, []
        claim = [self._ready.popleft() for _ in range(take)]
        settlements = [self._settlement(lead, answer) for lead, answer in batch]
        try:
            claimed = await self._persist(settlements, [lead.id for lead in claim])
        except StoreError as error:
            self._ready.extendleft(reversed(claim))
            for lead, _ in batch:
                self._count(lead, RowState.HELD, "answer_not_recorded")
            self._fail(error)
            return
        except BaseException:
            self._settled = batch + self._settled
            self._ready.extendleft(reversed(claim))
            raise
        for lead, answer in batch:
            self._texted -= answer.outcome in _NOT_TEXTED
            self._account(lead, answer)
        if claimed is None:
            self._ready.extendleft(reversed(claim))
            return
        missed = []
        for lead in claim:
            if lead.id in claimed:
                lead.claimed_at = time.monotonic()
                self._flying[lead.id] = lead
                self._texted += 1
                self._outbox.append(lead)
                if self._idle and not (idle := self._idle.pop()).done():
                    idle.set_result(None)
            else:
                missed.append(lead)
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
                claimed = await self._in_thread(partial(self.ledger.turn, settlements, ids))
                return None if away else claimed
            except StoreError:
                if time.monotonic() > deadline or (
                    self._stopped and time.monotonic() - self._stop_at > _GRACE_SECONDS
                ):
                    raise
                ids, away = [], True  # claim nothing on a store that comes and goes
                await asyncio.sleep(_AWAY_SECONDS)

    async def _explain(self, missed: Sequence[PlannedLead]) -> None:
        """Leads that could not be claimed: taken by another run, suppressed meanwhile, or we were superseded."""
        try:
            states = (
                await self._in_thread(lambda: self.ledger.states([lead.id for lead in missed]))
                if await self._alive()
                else None
            )
        except StoreError as error:
            self._fail(error)
            states = None
        if states is None:
            self._ready.extendleft(reversed(missed))
            return
        for lead in missed:
            state, reason = states.get(lead.id, ("", ""))
            if state == LeadState.PLANNED:  # somebody had it locked for a moment
                self._ready.append(lead)
                continue
            row = {
                LeadState.ACCEPTED.value: RowState.UNCHANGED,
                LeadState.HELD.value: RowState.HELD,
                LeadState.SUPPRESSED.value: RowState.SUPPRESSED,
                LeadState.REJECTED.value: RowState.REJECTED,
            }.get(state, RowState.ELSEWHERE)
            self._count(lead, row, reason or "another_run_took_it")

    def _settlement(self, lead: PlannedLead, answer: SubmitAnswer) -> Settlement:
        state = _SETTLED[answer.outcome]
        if state is LeadState.HELD and self.options.on_unknown != "hold":
            state = LeadState.PLANNED
        return Settlement(
            lead.id, state, "" if state is LeadState.ACCEPTED else answer.reason,
            "" if state is LeadState.ACCEPTED else answer.detail, answer.outcome, answer.status, answer.latency_ms,
            answer.contact_id, answer.conversation_id, answer.application_id,
        )  # fmt: skip

    def _account(self, lead: PlannedLead, answer: SubmitAnswer) -> None:
        match answer.outcome:
            case SubmitOutcome.ACCEPTED:
                self._count(lead, RowState.ACCEPTED, "")
            case SubmitOutcome.REJECTED:
                self._count(lead, RowState.REJECTED, answer.reason)
            case SubmitOutcome.UNKNOWN if self.options.on_unknown == "hold":
                self._count(lead, RowState.HELD, answer.reason)
            case SubmitOutcome.UNKNOWN:
                self._count(lead, RowState.PLANNED, answer.reason)
            case SubmitOutcome.UNAVAILABLE if not self._over:
                self._ready.append(lead)
            case SubmitOutcome.UNAVAILABLE | SubmitOutcome.CONFIGURATION:
                self._count(lead, RowState.PLANNED, answer.reason)

    def _count(self, lead: PlannedLead, state: RowState, reason: str) -> None:
        if lead.carried:
            self.tally.carried[state.value] += 1
        else:
            self.tally.add(state, reason, f"line {lead.line} {mask_phone(lead.phone)}" if reason else None)

    def _count_left(self, lead: PlannedLead) -> None:
        if not lead.carried:
            self._count(lead, RowState.PLANNED, "not_sent_yet")

    def _account_rest(self) -> None:
        """Of a run that was cut off: what was claimed is held by the ledger, the rest is not sent yet."""
        for lead in self._ready:
            self._count_left(lead)
        for lead in (
            *self._flying.values(),
            *(lead for lead, _ in self._settled),
            *(lead for lead, _ in self._in_doubt.values()),
        ):
            self._count(lead, RowState.HELD, "worker_died")
        self._ready.clear()
        self._flying.clear()
        self._settled.clear()
        self._in_doubt.clear()

    # -- watching ------------------------------------------------------------------------------------------

    def _watch(self, now: float) -> None:
        """Whether to stop: asked to, out of patience, the window used up, or the configuration refused."""
        if (
            self._stopped
            and now - self._stop_at > _GRACE_SECONDS
            and self._flying
            and not self._cancelled_late
        ):
            self._cancelled_late = True
            for lead in list(self._flying.values()):
                self._answered(lead, classify_fault(Fault.TIMEOUT, "the task was stopped while waiting"))
        if self._in_doubt and not self._flying and not self._settled:
            self._judge_doubts(now)
        if self._over:
            return
        if self.pace.exhausted():
            self._fail(
                OutreachUnavailable(
                    f"stopped: too many leads in a row were sent and not answered properly ({self.options.window} are "
                    "in doubt at most); the rest waits for the next try"
                )
            )
        elif self.pace.out_of_patience(now):
            wait = self.pace.asked_to_wait
            self._fail(
                OutreachUnavailable(
                    "the outreach API is not taking leads"
                    + (f"; it asks to wait {wait:.0f} s" if wait else "")
                    + "; the rest waits for the next try",
                    retry_after=max(wait, self.pace.wait(now)) if wait else None,
                )
            )

    async def _nap(self, now: float) -> None:
        pause = min(max(self.pace.wait(now), self.rate.wait(now)), 1.0) or _TICK
        if self._settled or self._over or self._in_doubt:
            pause = min(pause, 0.02)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _beat(self) -> None:
        """Renew the lease, show progress, notice a successor."""
        every = min(2.0, self.options.lease.total_seconds() / 4)
        while True:
            await asyncio.sleep(min(1.0, every))
            if self._progress is not None:
                try:
                    self._progress(self)
                except Exception as error:  # noqa: BLE001 - whoever watches must not cut off requests in flight
                    self._fail(error)
                    return
            if time.monotonic() - self._last_beat < every:
                continue
            try:
                await self._alive()
            except StoreError as error:
                if time.monotonic() - self._last_beat > self.options.lease.total_seconds() / 2:
                    self._fail(error)

    async def _alive(self) -> bool:
        read, counts, reasons = self.tally.read, self.tally.by_state(), self.tally.by_reason()
        fraction = self._fraction()
        alive = await self._in_thread(
            lambda: runs.heartbeat(
                self.store,
                self.run_id,
                lease=self.options.lease,
                read=read,
                counts=counts,
                reasons=reasons,
                fraction=fraction,
            )
        )
        self._last_beat = time.monotonic()
        if not alive:
            self._fail(OutreachUnavailable("another try of this task took over; this one sends nothing more"))
        return alive

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()

    # -- the end -------------------------------------------------------------------------------------------

    def _judge_batch(self) -> None:
        """Raise what the run ends with; nothing is green while rows fail."""
        if self._failure is not None:
            raise self._failure
        if self._stopped is not None:
            raise OutreachUnavailable(
                f"stopped before the end: {self._stopped}; the rest waits for the next try"
            )
        counts = self.tally.counts
        left = counts[RowState.PLANNED] + self.tally.carried[RowState.PLANNED.value]
        if left and not self.options.dry_run and not self.options.stage_only:
            raise OutreachUnavailable(f"{left:,} leads are still to be sent; the next try does")
        self.options.max_rejected.check(self.tally)

    async def _finish(self, error: BaseException | None) -> None:
        state = RunState.SUCCEEDED if error is None else RunState.FAILED
        retry_after = getattr(error, "retry_after", None)
        text = None if error is None else str(error) or type(error).__name__
        try:
            await self._in_thread(
                lambda: runs.finish(
                    self.store, self.run_id, state=state, read=self.tally.read, counts=self.tally.by_state(),
                    reasons=self.tally.by_reason(), error=text, retry_after=retry_after,
                )
            )  # fmt: skip
        except StoreError:
            if error is None:
                raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


__all__ = ["Client", "OutcomeUnknown", "SubmitOptions", "SubmitRun", "TooManyRejected"]
