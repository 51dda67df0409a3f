"""Refusals that may be of a mistyped address, and not of one event: known when others were asked."""

from __future__ import annotations

from airflow_outreach_provider.store.deliveries.attempts import Delivery

ASTRAY_AFTER = 3
"""As many contacts refused in a row, as a wrong address refuses everybody: nobody's delivery is dead for that."""


class Astray:
    """What a try was refused in such a way.

    :ivar answers: delivery → what was said of it. :ivar alone: those after which others were taken.
    """

    def __init__(self) -> None:
        self.answers: dict[int, str] = {}
        self.alone: set[int] = set()
        self._lanes: set[str] = set()
        self._in_lane: dict[str, set[int]] = {}

    def refused_in_a_row(self, delivery: Delivery, reason: str) -> int:
        """One more was refused. :return: contacts, since one was taken."""
        self.answers[delivery.id] = reason
        self._lanes.add(delivery.lane)
        self._in_lane.setdefault(delivery.lane, set()).add(delivery.id)
        return len(self._lanes)

    def of(self, lane: str) -> set[int]:
        """What of one contact was refused."""
        return self._in_lane.get(lane, set())

    def another_was_taken(self) -> None:
        """So the address is right, and what was refused before is refused for its own sake."""
        if self._lanes:
            self.alone |= self.answers.keys()
            self._lanes.clear()
