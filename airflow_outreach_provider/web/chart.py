"""Bars by the hour as SVG shapes: computed here, drawn by the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

from airflow_outreach_provider.store.overview import Hour

WIDTH, HEIGHT = 480, 120
_TOP, _BOTTOM, _LEFT = 8, 20, 44
_GAP = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: two rectangles, failures on top. In the SVG's units; ``label`` where the axis names it."""

    x: float
    width: float
    good_y: float
    good_height: float
    failed_y: float
    failed_height: float
    good: int
    failed: int
    hour: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """:ivar grid: (y, value) of the lines. :ivar total_good, total_failed: over all bars."""

    bars: list[Bar]
    grid: list[tuple[float, str]]
    total_good: int
    total_failed: int
    left: int = _LEFT
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - _BOTTOM


def bars(hours: Sequence[Hour]) -> Chart:
    """The chart of these hours, the oldest on the left."""
    most = _round_up(max((hour.good + hour.failed for hour in hours), default=0))
    room = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT) / max(1, len(hours))
    found = []
    for n, hour in enumerate(hours):
        failed = _height(hour.failed, most, room)
        good = min(_height(hour.good, most, room), room - failed)
        base = HEIGHT - _BOTTOM
        label = f"{hour.start:%H:00}" if n % 6 == 0 else ""
        found.append(
            Bar(
                x=round(_LEFT + n * step, 2), width=round(step - _GAP, 2), good_y=base - good, good_height=good,
                failed_y=base - good - failed, failed_height=failed, good=hour.good, failed=hour.failed,
                hour=f"{hour.start:%d %b %H:00}", label=label,
            )
        )  # fmt: skip
    grid = [(HEIGHT - _BOTTOM - room * part, _short(round(most * part))) for part in (0.5, 1.0)]
    return Chart(found, grid, sum(hour.good for hour in hours), sum(hour.failed for hour in hours))


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
