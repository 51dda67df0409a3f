"""Whether a list comes in the order of its changes, so that a reading may stop at what is known.

No platform promises an order, and an order that looks right may be another one: before anybody is changed, the
newest first is the order of creation as well. So it is watched, and trusted for a while only.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# After a reading of the whole list: for so long the next ones may stop at what is known.
TRUST_PROVEN = timedelta(days=1)
TRUST_LIKELY = timedelta(hours=1)


class ChangeOrder:
    """Watches the rows of one reading.

    :ivar kept: no row was changed later than the row before it, and each says when it was.
    :ivar last: when the last row was changed; None before the first.
    """

    def __init__(self) -> None:
        self.kept = True
        self.last: datetime | None = None
        self._created: datetime | None = None
        self._drops = 0
        self._not_by_creation = False

    def take(self, created: datetime | None, updated: datetime | None) -> bool:
        """The next row; whether it was changed strictly before all rows so far: what has its time is behind it then."""
        changed, made = updated or created, created or updated
        if changed is None or made is None or (self.last is not None and changed > self.last):
            self.kept = False
            return False
        dropped = self.last is not None and changed < self.last
        self._drops += dropped
        self._not_by_creation |= self._created is not None and made > self._created
        self.last, self._created = changed, made
        return self.kept and dropped

    @property
    def trust(self) -> timedelta:
        """How long the order is to be relied on, after a reading of the whole list; zero where it is none."""
        if not self.kept or not self._drops:
            return timedelta(0)
        return TRUST_PROVEN if self._not_by_creation else TRUST_LIKELY
