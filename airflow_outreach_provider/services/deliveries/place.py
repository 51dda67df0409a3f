"""The one place that all deliveries of a batch go to: what it is told, and what it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries.attempts import Attempt


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
