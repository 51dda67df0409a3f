"""Claimed leads go out, their answers come in, and what an answer means is settled."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from typing import Protocol

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.flight import Flight, PlannedLead
from airflow_outreach_provider.core.leads import configuration_of
from airflow_outreach_provider.core.outcomes import (
    UNKNOWN_CONFIGURATION,
    Fault,
    SubmitAnswer,
    SubmitOutcome,
    classify_fault,
    configuration_unknown,
)
from airflow_outreach_provider.core.pacing import Doubts, Pace, Unheard, again_after
from airflow_outreach_provider.services.runtime.pause import SharedPause
from airflow_outreach_provider.services.submit.halt import Halt


class Client(Protocol):
    """What sends one lead; ``net.outreach.OutreachClient`` is one."""

    async def submit(self, body: bytes) -> SubmitAnswer: ...


class Senders:
    """As many coroutines as requests may be in flight, each with one lead at a time.

    :param shared_pause: told of what the API asks for. :param stale: seconds after its claim from which a lead is not sent any more.
    :ivar oldest: monotonic seconds since when an answer waits to be written.
    """

    def __init__(
        self, flight: Flight, pace: Pace, halt: Halt, shared_pause: SharedPause, *, stale: float
    ) -> None:
        self.flight, self.pace, self.halt, self.shared_pause = flight, pace, halt, shared_pause
        self.doubts, self.unheard = Doubts(), Unheard()
        self.oldest = 0.0
        self._stale = stale
        self._idle: list[asyncio.Future[None]] = []
        self._given_up = False

    def send(self, lead: PlannedLead, asked: float) -> None:
        """Hand over a lead that was claimed. :param asked: monotonic seconds when its claim was asked for."""
        self.flight.fly(lead, asked)
        if self._idle and not (idle := self._idle.pop()).done():
            idle.set_result(None)

    async def run(self, client: Client) -> None:
        """One of the coroutines; until it is cancelled."""
        while True:
            lead = await self._next()
            if self._given_up or time.monotonic() - lead.claimed_at > self._stale:
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
        while not self.flight.outbox:
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        return self.flight.outbox.popleft()

    def give_up(self) -> None:
        """Wait for no answer any more: what is in flight may or may not have been texted."""
        if self.flight.flying and not self._given_up:
            self._given_up = True
            for lead in list(self.flight.flying.values()):
                self._answered(lead, classify_fault(Fault.TIMEOUT, "the task was stopped while waiting"))

    def _answered(self, lead: PlannedLead, answer: SubmitAnswer) -> None:
        flight, now = self.flight, time.monotonic()
        if not flight.land(lead):
            return  # given up on before
        if not flight.answered:
            self.oldest = now
        match answer.outcome:
            case SubmitOutcome.ACCEPTED | SubmitOutcome.REJECTED:
                self.pace.good(now, answer.latency_ms)
                if answer.outcome is SubmitOutcome.ACCEPTED:
                    self._reject(self.doubts.took(lead.claimed_at))
                    self._hear_of(lead)
            case SubmitOutcome.UNAVAILABLE:
                self._refused(lead, answer, now)
            case SubmitOutcome.UNKNOWN:
                self.pace.unknown(now)
            case SubmitOutcome.CONFIGURATION:
                judged = self._judge(lead, answer, now)
                if judged is None:
                    flight.doubt(lead, answer)
                    self.halt.wake.set()
                    return
                answer = judged
        flight.answer(lead, answer)
        if len(flight.answered) >= flight.group or not flight.flying:
            self.halt.wake.set()

    def _refused(self, lead: PlannedLead, answer: SubmitAnswer, now: float) -> None:
        """The lead was not taken: it is sent again later, and what the API asks for is for all tasks to hear."""
        lead.refusals += 1
        lead.again_at = now + again_after(lead.refusals, random.random())  # noqa: S311 - not to come back as one
        self.pace.refused(now, answer.retry_after)
        if answer.retry_after:
            self.shared_pause.tell(answer.retry_after, now)

    def _judge(self, lead: PlannedLead, answer: SubmitAnswer, now: float) -> SubmitAnswer | None:
        """What a refusal that may be the configuration's means; None while only later answers can tell."""
        if answer.status == 400:
            self.doubts.refused(lead.id, now, lead.claimed_at)
            return None
        if answer.status == UNKNOWN_CONFIGURATION:
            name = configuration_of(lead.body)
            if not self.unheard.working:
                self.unheard.refused(lead.id, name)
                return None
            if name not in self.unheard.working:
                return configuration_unknown(answer, name)
        self.halt.fail(ConfigurationError(answer.detail))
        return answer

    def _hear_of(self, lead: PlannedLead) -> None:
        """A lead was accepted, so its configuration works; those that the API has not heard of are their rows' fault."""
        name = configuration_of(lead.body)
        if name in self.unheard.working:
            return
        for lead_id, unknown in self.unheard.took(name).items():
            refused, answer = self.flight.doubtful.pop(lead_id)
            self.flight.answer(refused, configuration_unknown(answer, unknown))

    def may_tell(self, lead: PlannedLead) -> bool:
        """Whether this lead's answer can tell whose fault it is that a configuration is unheard of."""
        return self.unheard.may_try(configuration_of(lead.body))

    def _reject(self, ids: Iterable[int]) -> None:
        """Leads answered 400 turn out to be at fault themselves."""
        self.flight.clear_up(ids, SubmitOutcome.REJECTED)

    def judge_doubts(self, *, ended: bool, more: bool) -> None:
        """Where nothing is in flight and leads answered 400 or 404 wait: are they at fault, or is the configuration?

        :param ended: nothing will be sent any more.
        :param more: the source may yet yield leads of other configurations.
        """
        flight, doubts, now = self.flight, self.doubts, time.monotonic()
        if not flight.doubtful or not flight.quiet:
            return
        unheard = bool(self.unheard.waiting)
        if unheard and not self.halt.over and (more or any(map(self.may_tell, flight.ready))):
            return
        self.oldest = now
        if ended:
            self._reject(doubts.in_company())
        if not flight.doubtful:
            return
        blocked = doubts.blocks() or self.halt.over
        stuck = unheard or (
            (blocked or self.pace.room(len(flight.doubtful), now) <= 0) and not doubts.may_probe()
        )
        if ended and doubts.accepted and not blocked:
            self._reject(list(flight.doubtful))
            doubts.waiting.clear()
        elif self.halt.over or ended or stuck:
            _, answer = next(iter(flight.doubtful.values()))
            flight.clear_up(list(flight.doubtful))
            doubts.waiting.clear()
            self.halt.fail(ConfigurationError(answer.detail))
