"""The picture of a fleet's run: how far leads and events were at each time, and what was killed when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from shared.watch import Sample

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 1000, 400, 56, 46, 24, 96
_CLASSES = ("a", "b", "c", "d")
_STYLE = """
text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1a202c; }
.small { font-size: 12px; fill: #586174; }
.back { fill: #ffffff; } .grid { stroke: #d5dae3; stroke-width: 1; } .kill { stroke: #c53030; stroke-width: 1.6; }
path { fill: none; stroke-width: 2.2; } .a { stroke: #2f6fc4; } .b { stroke: #8a94a6; } .c { stroke: #2f9e55; } .d { stroke: #d08a1d; }
@media (prefers-color-scheme: dark) {
text { fill: #e8eaee; } .small { fill: #a3abba; } .back { fill: #16181d; } .grid { stroke: #333842; } .kill { stroke: #f56565; }
.a { stroke: #6aa5ee; } .b { stroke: #8a94a6; } .c { stroke: #4fc27b; } .d { stroke: #e8aa45; }
}
""".strip()


def draw(
    samples: Sequence[Sample], totals: Mapping[str, int], kills: Sequence[tuple[float, str]], title: str
) -> str:
    """An SVG, readable in light and dark.

    :param totals: what is shown of the samples' counts, up to four, and how much all of each is.
    :param kills: seconds at which something was killed, and what. :param title: for who cannot see it.
    """
    seconds = max([each.at for each in samples] + [at for at, _ in kills] + [1.0])
    rows = list(dict.fromkeys(what for _, what in sorted(kills, key=lambda kill: kill[1])))
    height = _HEIGHT - _BOTTOM + 48 + 15 * len(rows)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="fleet">',
        f'<title id="fleet">{escape(title)}</title>',
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="10"/>',
        *_grid(seconds),
    ]
    for place, (name, total) in enumerate(totals.items()):
        drawn += _line(samples, name, total, seconds, place)
    for row, what in enumerate(rows):
        drawn += _killed(what, [at for at, each in kills if each == what], seconds, row)
    return "\n".join([*drawn, "</svg>", ""])


def _x(at: float, seconds: float) -> float:
    return _LEFT + 90 + (_WIDTH - _LEFT - 90 - _RIGHT) * at / seconds


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _grid(seconds: float) -> list[str]:
    first, last = _x(0, seconds), _x(seconds, seconds)
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        lines.append(f'<line class="grid" x1="{first:.0f}" x2="{last:.0f}" y1="{y:.0f}" y2="{y:.0f}"/>')
        lines.append(
            f'<text class="small" x="{first - 10:.0f}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>'
        )
    step = next((each for each in (1, 2, 5, 10, 20, 30) if seconds / 60 / each <= 12), 60)
    for minute in range(0, int(seconds // 60) + 1, step):
        x = _x(minute * 60, seconds)
        lines.append(
            f'<text class="small" x="{x:.0f}" y="{_y(0) + 20:.0f}" text-anchor="middle">{minute} min</text>'
        )
    return lines


def _line(samples: Sequence[Sample], name: str, total: int, seconds: float, place: int) -> list[str]:
    style = _CLASSES[place % len(_CLASSES)]
    points = [
        (each.at, min(1.0, each.counts[name] / max(1, total))) for each in samples if name in each.counts
    ]
    kept = points[:: max(1, len(points) // 240)] + points[-1:]
    path = " ".join(f"{_x(at, seconds):.1f},{_y(share):.1f}" for at, share in kept)
    x = _LEFT + 90 + place * 210
    legend = [
        f'<path class="{style}" d="M{x} {_TOP - 22} h22"/>',
        f'<text x="{x + 28}" y="{_TOP - 17}">{escape(name)}</text>',
    ]
    return [*legend, f'<path class="{style}" d="M{path}"/>'] if kept else legend


def _killed(what: str, times: Sequence[float], seconds: float, row: int) -> list[str]:
    y = _HEIGHT - _BOTTOM + 48 + 15 * row
    marks = "".join(
        f'<line class="kill" x1="{_x(at, seconds):.1f}" x2="{_x(at, seconds):.1f}" y1="{y - 10}" y2="{y}"/>'
        for at in times
    )
    return [f'<text class="small" x="{_LEFT + 80}" y="{y}" text-anchor="end">{escape(what)}</text>', marks]
