"""Bars by time as SVG shapes: computed here, drawn by the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log10

from airflow_outreach_provider.core.chart_span import ChartSpan
from airflow_outreach_provider.store.overview import Hour

WIDTH, HEIGHT = 480, 120
_TOP, _BOTTOM, _LEFT = 8, 20, 44
_GAP = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time: two rectangles, failures on top. In the SVG's units; ``label`` where the axis names it.

    :ivar good_link, failed_link: the list of what is in it, below our pages.
    """

    x: float
    width: float
    good_y: float
    good_height: float
    failed_y: float
    failed_height: float
    good: int
    failed: int
    start: datetime
    end: datetime
    label: str
    good_link: str
    failed_link: str


@dataclass(frozen=True, slots=True)
class Chart:
    """:ivar grid: (y, value) of the lines. :ivar total_good, total_failed: over all bars. :ivar by_day: labels are days."""

    bars: list[Bar]
    grid: list[tuple[float, str]]
    total_good: int
    total_failed: int
    words: str
    by_day: bool
    left: int = _LEFT
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - _BOTTOM


def bars(hours: Sequence[Hour], span: ChartSpan, good_path: str, failed_path: str) -> Chart:
    """The chart of these bars, the oldest on the left.

    :param good_path: of the list of what went well, to which ``since`` and ``until`` are put; :param failed_path: of the
        rest. Both end where a parameter may follow, and name these with ``{since}`` and ``{until}``.
    """
    most = _round_up(max((hour.good + hour.failed for hour in hours), default=0))
    room = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT) / max(1, len(hours))
    by_day, every = span.step * span.count > timedelta(days=2), max(1, round(len(hours) / 4))
    found = []
    for n, hour in enumerate(hours):
        failed = _height(hour.failed, most, room)
        good = min(_height(hour.good, most, room), room - failed)
        base = HEIGHT - _BOTTOM
        end = hour.start + span.step
        when = {"since": f"{hour.start:%Y-%m-%dT%H:%M}", "until": f"{end:%Y-%m-%dT%H:%M}"}
        found.append(
            Bar(
                x=round(_LEFT + n * step, 2), width=round(step - _GAP, 2), good_y=base - good, good_height=good,
                failed_y=base - good - failed, failed_height=failed, good=hour.good, failed=hour.failed,
                start=hour.start, end=end, label=_label(hour.start, by_day) if n % every == 0 else "",
                good_link=good_path.format(**when), failed_link=failed_path.format(**when),
            )
        )  # fmt: skip
    grid = [(HEIGHT - _BOTTOM - room * part, _short(round(most * part))) for part in (0.5, 1.0)]
    good_ones, failed_ones = sum(hour.good for hour in hours), sum(hour.failed for hour in hours)
    return Chart(found, grid, good_ones, failed_ones, span.words, by_day)


def _label(start: datetime, by_day: bool) -> str:
    return f"{start:%d %b}" if by_day else f"{start:%H:%M}"


def _height(value: int, most: int, room: int) -> float:
    # Whatever happened can be seen, if only as a line.
    return round(max(1.5, room * value / most), 2) if value else 0


def _round_up(value: int) -> int:
    if value <= 4:
        return 4
    unit = 10 ** int(log10(value))
    return next(int(unit * step) for step in (1, 2, 4, 5, 10) if ceil(unit * step) >= value)


def _short(value: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:.1f}".rstrip("0").rstrip(".") + name
    return str(value)
