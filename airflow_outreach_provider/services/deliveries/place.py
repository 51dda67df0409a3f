"""The one place that all deliveries of a batch go to: what it is told, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.services.deliveries.batch import AttemptResult
from airflow_outreach_provider.store.deliveries.attempts import Attempt, Delivery


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why nothing more may be sent to a place: it is disabled now, or it is to rest."""

    disabled: str = ""
    rest: str = ""


class Place(Protocol):
    """The one place all attempts of a batch go to; ``webhooks.EndpointWatch`` is one."""

    def settled(self, attempts: Sequence[Attempt]) -> StopReason | None:
        """Told of each settled group; why to stop, or None."""

    def at_fault(self) -> bool:
        """Whether it, and not a single contact's events, is what makes deliveries fail."""

    def is_astray(self) -> bool:
        """Whether it refuses several contacts as a wrong address would, and took nothing since."""

    def own_faults(self, ids: Sequence[int]) -> Collection[int]:
        """Which of these deliveries failed before while it answered others: they are no sign of an outage."""

    def let_others_in(self, delivery: int, status: int) -> bool:
        """Whether it answered this delivery so before, and took others since: it does not turn everybody away."""

    def rest(self, reason: str, asked: float | None) -> tuple[str, datetime]:
        """It is at fault: leave it alone for a while; in words, and until when.

        :param asked: seconds it asks to be left alone for.
        """

    def resting(self) -> tuple[str, datetime] | None:
        """The same of a rest that goes on; None without one."""

    def others_wait(self, owner: Owner) -> bool:
        """Whether deliveries of other contacts wait for it than those in this one's hands."""

    def answers(self) -> None:
        """It was asked whether it answers again, and it does."""


async def as_its_own(place: Place | None, delivery: Delivery, tried: AttemptResult) -> AttemptResult:
    """What was done with a delivery; that it was turned away again where others are let in is a failure of its own.

    As that it uses up a try: one record that nobody may write, or one text that a firewall takes for an attack, would
    make the place rest for everybody again and again.
    """
    if place is None or tried.status is None or tried.outcome.verdict is not DeliveryVerdict.ENDPOINT:
        return tried
    if not await asyncio.to_thread(place.let_others_in, delivery.id, tried.status):
        return tried
    return replace(tried, outcome=replace(tried.outcome, verdict=DeliveryVerdict.RETRY))
