"""When something was away: what failed, by the hours in which it was tried in vain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FailedSpan:
    """Whole hours in a row, each with failures in it.

    :ivar since, until: UTC; the end is not part of it. :ivar count: how many failed in it, each once.
    """

    since: datetime
    until: datetime
    count: int


def failed_spans(tried: Iterable[tuple[Hashable, datetime]]) -> list[FailedSpan]:
    """The hours in which these were tried in vain, neighbours as one; the latest first.

    :param tried: what was tried, and when; timezone-aware.
    """
    hours: dict[datetime, set[Hashable]] = defaultdict(set)
    for what, at in tried:
        hours[at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)].add(what)
    found: list[tuple[datetime, datetime, set[Hashable]]] = []
    for hour in sorted(hours):
        if found and found[-1][1] == hour:
            since, _, before = found.pop()
            found.append((since, hour + _HOUR, before | hours[hour]))
        else:
            found.append((hour, hour + _HOUR, hours[hour]))
    return [FailedSpan(since, until, len(what)) for since, until, what in reversed(found)]
