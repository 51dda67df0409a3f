"""How many leads may be claimed now: by the other side's pace, the shared rate, doubts, and the people approved."""

from __future__ import annotations

import time

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.flight import Flight
from airflow_outreach_provider.core.pacing import Pace
from airflow_outreach_provider.services.runtime.rate import RateGate
from airflow_outreach_provider.services.submit.halt import Halt
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.senders import Senders


class Admission:
    """Decides before each turn of the ledger; nothing is claimed without it."""

    def __init__(
        self, flight: Flight, pace: Pace, senders: Senders, rate: RateGate, options: SubmitOptions, halt: Halt
    ) -> None:
        self.flight, self.pace, self.senders, self.rate = flight, pace, senders, rate
        self.options, self.halt = options, halt

    async def take(self, texted: int) -> int:
        """How many leads to claim now.

        :param texted: people this run has texted, or may have.
        :raises StoreError: the shared rate cannot be read.
        """
        flight, now = self.flight, time.monotonic()
        if self.halt.over or not flight.ready:
            return 0
        room = min(self.pace.room(flight.open - len(flight.answered), now), len(flight.ready))
        if self.options.max_people is not None:
            not_texted = len(flight.doubtful)  # the API refused them, whatever it means
            left = self._people_left(self.options.max_people - texted + not_texted)
            if left <= 0:
                return 0
            room = min(room, left)
        if self.senders.unheard.waiting:
            return await self._ask_another()
        if flight.doubtful and (room <= 0 or self.senders.doubts.blocks()):
            return await self._probe(now)
        small = (
            room < flight.group and len(flight.flying) > room and len(flight.answered) < flight.group
        )  # few: rather with more later
        return 0 if room <= 0 or small else await self.rate.take(room)

    async def hear(self) -> None:
        """Wait as long as any task of the connection was asked to, and let the others know what this one was."""
        wait = await self.senders.shared_pause.hear()
        if wait:
            self.pace.told(time.monotonic(), wait)

    def _people_left(self, left: int) -> int:
        """How many more people may be texted; none are while nobody has approved more."""
        if left <= 0 and self.flight.quiet:
            self.halt.fail(
                ConfigurationError(
                    f"more people would be texted than the {self.options.max_people:,} that were counted; "
                    "the others wait, and nobody else is texted",
                    "start a new run: it plans and asks anew",
                )
            )
        return left

    async def _probe(self, now: float) -> int:
        """One lead at a time, where only its answer can tell whether the configuration still works."""
        doubts = self.senders.doubts
        if not self.flight.quiet or self.pace.wait(now) or not doubts.may_probe():
            return 0
        taken = await self.rate.take(1)
        doubts.probes += taken
        return taken

    async def _ask_another(self) -> int:
        """One lead of another configuration, where the API has not heard of those that were sent."""
        if not self.flight.quiet or self.pace.wait(time.monotonic()):
            return 0
        return await self.rate.take(1) if self.flight.bring_forward(self.senders.may_tell) else 0

    def check_patience(self) -> None:
        """End the run where the window is used up by leads in doubt, or the other side takes none for too long."""
        now = time.monotonic()
        if self.pace.exhausted():
            self.halt.fail(
                OutreachUnavailable(
                    f"stopped: too many leads in a row were sent and not answered properly ({self.options.window} are "
                    "in doubt at most); the rest is still to be sent"
                )
            )
        elif self.pace.out_of_patience(now):
            wait = self.pace.asked_to_wait
            self.halt.fail(
                OutreachUnavailable(
                    "the outreach API is not taking leads"
                    + (f"; it asks to wait {wait:.0f} s" if wait else "")
                    + "; the rest is still to be sent",
                    retry_after=max(wait, self.pace.wait(now)) if wait else None,
                )
            )

    def wait(self, now: float) -> float:
        """Seconds until more may be claimed, as far as that is known; 0 where it is not."""
        return max(
            self.pace.wait(now), self.rate.wait(now), 0.0 if self.flight.ready else self.flight.due(now)
        )
