"""Submit a batch of leads: stage, claim, send, settle — at most once a person, whatever happens in between.

One event loop sends; one thread writes the ledger, or two (:mod:`~services.submit.threads`). This module has the order
of things; what is done in it is in :mod:`~services.submit.feed` (rows and leftovers become leads that are ready),
:mod:`~services.submit.admission` (how many may be claimed), :mod:`~services.submit.ledger_turns` (settle and claim in
one commit) and :mod:`~services.submit.senders` (requests and their answers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Protocol

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable, StoreError
from airflow_outreach_provider.core.flight import Flight
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.pacing import Pace
from airflow_outreach_provider.core.row_trials import trial_of
from airflow_outreach_provider.core.states import RowState, RunState
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime.pause import SharedPause
from airflow_outreach_provider.services.runtime.prefetch import prefetch
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.services.submit.admission import Admission
from airflow_outreach_provider.services.submit.backlog import Backlog
from airflow_outreach_provider.services.submit.feed import Beside, Feed, checked_rows
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.heartbeat import Heartbeat
from airflow_outreach_provider.services.submit.judged import Fewest, Judged, judge, reads_ahead
from airflow_outreach_provider.services.submit.ledger_turns import LedgerTurns
from airflow_outreach_provider.services.submit.leftovers import CHUNK, Leftovers
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.row_watch import RowWatch
from airflow_outreach_provider.services.submit.senders import Client, Senders
from airflow_outreach_provider.services.submit.staging import Stager
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.services.submit.threads import LedgerThreads
from airflow_outreach_provider.services.submit.watermark import Watermark, find_mark, keep_mark, reader_of
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger

# A claim that is older is not sent any more, however long the lease: whoever looks up what is held counts on it.
_STALE_SECONDS = 150.0
_TICK = 0.05
_SOON = 0.02


class Progress(Protocol):
    """Told how a run goes on, about once a second; decides itself what to write."""

    def __call__(self, run: SubmitRun) -> None: ...


class SubmitRun:
    """One run over one source of rows. Use once.

    :param rows: read in a thread of its own, a little ahead; None to send what is planned in the ledger.
    :param client: an async context manager that yields a Client. :param key: tells the source from others; empty: nothing does.
    :param progress: called about once a second while the run lasts. :param fraction: how much was read, 0 to 1, or None.
    :ivar beside: done while leads are sent; what it has planned by its end is sent too.
    :ivar watch: of a try (:mod:`~core.row_trials`), which is a dry run whatever ``options`` say: what it made of each row.
    """

    def __init__(
        self,
        store: Store,
        client: AbstractAsyncContextManager[Client],
        rows: Iterator[Row] | None,
        options: SubmitOptions,
        *,
        owner: Owner,
        source: str = "",
        key: str | None = None,
        progress: Progress | None = None,
        fraction: Callable[[], float | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.watch, options = _kept_to_a_try(owner, options)
        self.store, self.options, self.owner, self.source = store, options, owner, source
        self.tally, self.flight = Tally(), Flight(options.window, apart=options.rules.per_person is not None)
        self.pace = Pace(options.window, patience=options.patience, first_patience=min(5.0, options.patience))
        self.run_id = self.rate_waits = 0
        self.campaign = options.rules.campaign or options.rules.configuration_id or ""
        self.fewest, self.mark = Fewest(), Watermark()
        self.beside: Beside | None = None
        self.reader = reader_of(owner, source if key is None else key, of_task=options.apart)
        self._client, self._rows, self._progress, self._fraction = client, rows, progress, fraction
        self._now, self._halt = now, Halt()

    @property
    def sends_planned(self) -> bool:
        """It has no source, and sends what is planned in the ledger."""
        return self._rows is None

    def stop(self, reason: str) -> None:
        """Ask the run to end soon: claim nothing more, wait a moment for answers. Safe from any thread or signal."""
        self._halt.stop(reason)

    async def run(self) -> Tally:
        """Do it.

        :return: rows by state; they add up to the rows read.
        :raises ConfigurationError: a fault that is the same for every lead; none was used up by it.
        :raises OutreachUnavailable: leads are left for the next try; carries ``retry_after``.
        :raises OutcomeUnknown: more leads are held than ``max_rejected`` allows.
        :raises TooManyRejected: more rows were rejected or suppressed than allowed, or fewer read than ``min_rows``.
        :raises StoreError: the ledger is away.
        """
        self.options.check()
        if self._rows is None and not self.campaign:
            raise ConfigurationError(
                "nothing says whose planned leads to send",
                "set campaign or configuration_id on the task, or configuration_id on the connection",
            )
        self._halt.listen()
        with LedgerThreads(self.store) as self._threads:
            await self._start()
            error: BaseException | None = None
            try:
                await self._work()
                self._judge_batch()
                await self._threads.turn(partial(keep_mark, self))
            except BaseException as caught:
                error = caught
                self._count_unsent()
                for lead in self.flight.empty_claimed():
                    self.tally.count(lead, RowState.HELD, "worker_died")
                raise
            finally:
                self.rate_waits = self.admission.rate.waits
                await self._threads.last(partial(_finish, self, error))
        return self.tally

    async def _start(self) -> None:
        """Begin the run in the ledger, and put together what takes part in it."""
        options, listed = self.options, self._rows is not None
        in_thread, aside = self._threads.turn, self._threads.stage
        look = partial(Fewest.of, self.store, self.owner, self.campaign, options, listed=listed)
        self.fewest = await in_thread(look)
        self.tally.notes += (*self.fewest.notes, *options.notes)
        whole, resend = listed and reads_ahead(options, self.fewest), options.on_unknown == "resend"
        ahead = whole and not options.dry_run
        self.run_id = await in_thread(partial(_begin, self, ahead))
        ledger = Ledger(self.store, self.run_id, options.rules.per_person)
        self.mark = await in_thread(partial(find_mark, self, self._now()))
        stager = Stager(
            options.rules, ledger, self.tally, in_thread=aside, dry_run=options.dry_run, judged=whole, resend=resend, now=self._now, mark=self.mark, watch=self.watch,
        )  # fmt: skip
        leftovers = Leftovers(
            ledger, stager, self.tally, options, self._halt, listed=listed, in_thread=aside, now=self._now
        )  # fmt: skip
        asks_nothing = options.dry_run or options.stage_only  # a wait of the API's is none of its
        pause = SharedPause(self.store, "" if asks_nothing else options.conn_id, in_thread)
        rate = RateGate(self.store, options.conn_id, options.requests_per_second, in_thread)
        self.heartbeat = Heartbeat(
            self.store, self.run_id, options.lease, self.tally, self._halt, in_thread=in_thread,
            progress=partial(self._progress, self) if self._progress else None, fraction=self._fraction,
        )  # fmt: skip
        self.backlog = Backlog(ledger, options.rules, self.tally, in_thread=aside, now=self._now)
        self._threads.nothing_sent = ahead
        judged = (
            Judged(self.backlog, self.tally, options, self.fewest, partial(_release, self)) if ahead else None
        )
        self.feed = Feed(self.flight, stager, leftovers, self.tally, options, self._halt, judged, self.beside)
        stale = min(options.lease.total_seconds() / 2, _STALE_SECONDS)
        self.senders = Senders(self.flight, self.pace, self._halt, pause, stale=stale)
        self.admission = Admission(self.flight, self.pace, self.senders, rate, options, self._halt)
        self.turns = LedgerTurns(
            self.flight, ledger, self.tally, options, self._halt,
            in_thread=in_thread, send=self.senders.send, alive=self.heartbeat.alive,
        )  # fmt: skip

    async def _work(self) -> None:
        rows = iter(()) if self._rows is None else checked_rows(self._rows, self.options, self.fewest)
        with prefetch(rows, CHUNK) as chunks:
            try:
                async with self._client as client, asyncio.TaskGroup() as group:
                    helpers = [self.senders.run(client) for _ in range(self.options.window)]
                    all_of_them = (*helpers, self.feed.run(chunks), self.heartbeat.run())
                    tasks = [group.create_task(each) for each in all_of_them]
                    try:
                        await self._take_turns()
                    finally:
                        for task in tasks:
                            task.cancel()
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def _take_turns(self) -> None:
        flight, feed, halt = self.flight, self.feed, self._halt
        while True:
            halt.wake.clear()
            feed.turned.set()
            self._watch()
            await self.admission.hear()
            flight.due(monotonic())
            try:
                await self.turns.close_quiet(self._now())
                take = await self.admission.take(self.turns.texted)
            except StoreError as error:
                halt.fail(error)
                continue
            if take or self._is_due():
                await self.turns.turn(take)
                continue
            if not flight.open and ((halt.over and not feed.busy) or (feed.done and not flight.unsent)):
                break
            await self._nap()
        self._count_unsent()

    def _watch(self) -> None:
        """Whether to stop: asked to, out of patience, the window used up, or the configuration refused."""
        if self._halt.out_of_grace:
            self.senders.give_up()
        flight, done = self.flight, self.feed.done
        self.senders.judge_doubts(
            ended=done and not flight.unsent, more=not done and len(flight.ready) < CHUNK
        )
        if not self._halt.over:
            self.admission.check_patience()

    def _is_due(self) -> bool:
        """Answers wait to be written: enough of them, or long enough."""
        flight = self.flight
        return bool(flight.answered) and (
            len(flight.answered) >= flight.group
            or not flight.flying
            or monotonic() - self.senders.oldest > _SOON
        )

    async def _nap(self) -> None:
        pause = min(self.admission.wait(monotonic()), 1.0) or _TICK
        if self.flight.answered or self.flight.doubtful or self._halt.over:
            pause = min(pause, _SOON)
        try:
            async with asyncio.timeout(pause):
                await self._halt.wake.wait()
        except TimeoutError:
            pass

    def _count_unsent(self) -> None:
        for lead in self.flight.empty_unclaimed():
            if not lead.carried:
                self.tally.count(lead, RowState.PLANNED, "not_sent_yet")
        self.backlog.count(RowState.PLANNED, "not_sent_yet")

    def _judge_batch(self) -> None:
        """Raise what the run ends with; nothing is green while rows fail."""
        self._halt.check()
        left = self.tally.to_text
        if left and not self.options.dry_run and not self.options.stage_only:
            raise OutreachUnavailable(f"{left:,} leads are still to be sent")
        judge(self.tally, self.options, self.fewest, sent=not self.options.dry_run)


def _kept_to_a_try(owner: Owner, options: SubmitOptions) -> tuple[RowWatch | None, SubmitOptions]:
    """What Airflow calls a try is one, whoever begins it.

    :raises ConfigurationError: it is called like one and cannot be read as one.
    """
    trial = trial_of(owner.run_id)
    return (None if trial is None else RowWatch()), options.kept_to(trial)


def _begin(run: SubmitRun, withheld: bool) -> int:
    """The run in the ledger. :param withheld: until its source is judged. :return: its id."""
    options = run.options
    resend = options.on_unknown == "resend" and run.campaign and not options.dry_run
    return runs.start(
        run.store, run.owner, campaign=run.campaign, source=run.source, lease=options.lease,
        resend=[run.campaign] if resend else (), dry_run=options.dry_run, conn_id=options.conn_id,
        withheld=withheld, partial=options.max_rows is not None,
    ).run_id  # fmt: skip


async def _release(run: SubmitRun) -> None:
    """Its list is as it should be: what it planned may be sent."""
    await run._threads.stage(partial(runs.release, run.store, run.run_id))
    run._threads.nothing_sent = False


def _finish(run: SubmitRun, error: BaseException | None) -> None:
    """The run's end in the ledger. A store that is away is told where nothing else is."""
    tally, text = run.tally, None if error is None else str(error) or type(error).__name__
    state = RunState.SUCCEEDED if error is None else RunState.FAILED
    try:
        runs.finish(
            run.store, run.run_id, state=state, read=tally.read, counts=tally.by_state(),
            reasons=tally.by_reason(), error=text, retry_after=getattr(error, "retry_after", None),
        )  # fmt: skip
        run.turns.ledger.list_opted_out()
    except StoreError:
        if error is None:
            raise
