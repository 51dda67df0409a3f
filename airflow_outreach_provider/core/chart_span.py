"""Which time a chart shows, and how it is cut into bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_outreach_provider.core.errors import ConfigurationError

_STEPS = tuple(timedelta(minutes=each) for each in (5, 15, 60, 180, 360, 720, 1440))
_MOST_BARS = 32  # 31 days, cut within a day
_LONGEST = timedelta(days=31)
# How long, and how wide a bar is.
RANGES = {
    "1h": (timedelta(hours=1), timedelta(minutes=5)),
    "24h": (timedelta(hours=24), timedelta(hours=1)),
    "7d": (timedelta(days=7), timedelta(hours=6)),
}
_WORDS = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days"}


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """A stretch of time in bars of one width.

    :ivar start: of the first bar, on a multiple of ``step`` in UTC. :ivar name: of :data:`RANGES`; empty for another.
    """

    start: datetime
    step: timedelta
    count: int
    name: str
    words: str

    @property
    def bounds(self) -> list[datetime]:
        """The bars' beginnings, and the end of the last."""
        return [self.start + n * self.step for n in range(self.count + 1)]

    @property
    def end(self) -> datetime:
        return self.start + self.count * self.step


def last_span(now: datetime, name: str = "24h") -> ChartSpan:
    """The latest hour, day or week, the bar that is not over included. :param name: one of :data:`RANGES`."""
    length, step = RANGES[name]
    top = _down(now, step) + step
    return ChartSpan(top - length, step, length // step, name, _WORDS[name])


def span_between(since: datetime, until: datetime) -> ChartSpan:
    """From one time to another, in as narrow bars as there is room for; the first and last are whole.

    :raises ConfigurationError: it ends before it begins, or is longer than 31 days.
    """
    if since >= until:
        raise ConfigurationError("the range ends before it begins", "choose a later end")
    if until - since > _LONGEST:
        raise ConfigurationError("the range is longer than 31 days", "choose a shorter one")
    for step in _STEPS:
        start = _down(since, step)
        count = -((start - until) // step)
        if count <= _MOST_BARS:
            break
    return ChartSpan(
        start,
        step,
        count,
        "",
        f"{since.astimezone(UTC):%d %b %H:%M} to {until.astimezone(UTC):%d %b %H:%M} UTC",
    )


def _down(moment: datetime, step: timedelta) -> datetime:
    seconds = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)
