"""When a doorbell rings: for what is new, again for what nobody took, and not for what a coming run takes."""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Set as AbstractSet


class Ringing:
    """What one doorbell remembers between its looks.

    A run takes everything that is there, but asset events get lost. So a ring is *answered* when something of
    what it rang for is gone; until then what comes anew is given one more look to be taken along, and what
    stays is rung for again after a while, and after a longer one where that changed nothing. What runs took and gave
    back as it was is rung for at once, but not time after time: what one failed at, the next one fails at too. Where it
    is less than ever, they got on.

    :param again: seconds after which an unanswered ring is repeated; doubled each time, up to ``handed_again``.
    :param handed_again: the same where all that waits was handed to somebody who may still be at it.
    """

    def __init__(self, again: float, handed_again: float) -> None:
        self.again, self.handed_again = again, handed_again
        self._known: AbstractSet[Hashable] = frozenset()
        self._rung_for: AbstractSet[Hashable] = frozenset()
        self._last: AbstractSet[Hashable] = frozenset()
        self._least = 0
        self._given_back = 0
        self._put_off: AbstractSet[Hashable] = frozenset()
        self._rung_at: float | None = None
        self._patience = again

    def due(self, free: AbstractSet[Hashable], handed: bool, now: float) -> bool:
        """Whether to ring at this look.

        :param free: everything that may be done now and is in nobody's hands, each under a key of its own.
        :param handed: whether something was handed out and never acknowledged.
        :param now: seconds, of a clock that only goes forward.
        """
        is_back = free <= self._last and not free <= self._rung_for
        in_vain = is_back and self._given_back > 0 and len(free) >= self._least
        new = frozenset() if in_vain else free - self._known
        left = self._rung_for & free
        answered = len(left) < len(self._rung_for)
        passed = float("inf") if self._rung_at is None else now - self._rung_at
        if answered or not left:
            self._patience = self.again
        wait = min(self.again * 2.0**self._given_back / 2, self.handed_again) if in_vain else self._patience
        overdue = bool(free) and passed >= wait
        ring = bool(
            overdue
            or (free and answered)
            or (new and not left)
            or self._put_off & free
            or (handed and passed >= self.handed_again)
        )
        if overdue and left:
            self._patience = min(self._patience * 2, self.handed_again)
        self._known = free
        self._put_off = frozenset() if ring else new
        if ring:
            if not free <= self._last:
                self._given_back, self._last, self._least = 0, free, len(free)
            elif is_back:
                got_on = len(free) < self._least
                self._given_back = 1 if got_on else min(self._given_back + 1, 10)
                self._least = min(self._least, len(free))
            self._rung_for = free
            self._rung_at = now
        else:
            self._rung_for = left
        return ring
