"""Text → a time of which everybody knows which moment it is, or how long it lasts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*(?:,|and)?", re.IGNORECASE | re.ASCII)
_LONGEST_SPAN = timedelta(days=3660)


def aware(moment: datetime) -> datetime:
    """The same time; without a zone it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_time(value: object) -> datetime | None:
    """A time, or the one an ISO 8601 text stands for, by :func:`aware`; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    return aware(value) if isinstance(value, datetime) else None


def read_span(text: str) -> timedelta | None:
    """``15m``, ``1h 30m``, ``2 days``: above nothing, up to ten years; None for anything else."""
    text, position, seconds = text.strip(), 0, 0.0
    for match in _SPAN.finditer(text):
        unit = match.group(2).lower()
        factor = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if match.start() != position or factor is None:
            break
        seconds += float(match.group(1)) * factor
        position = match.end()
    if position != len(text) or seconds > _LONGEST_SPAN.total_seconds():
        return None
    return timedelta(seconds=seconds) or None


def span_words(seconds: float) -> str:
    """The shortest text that :func:`read_span` reads back: ``90s`` is ``1m 30s``, an hour ``1h``."""
    words = []
    for unit in ("d", "h", "m"):
        count, seconds = divmod(seconds, _UNITS[unit])
        words += [f"{count:.0f}{unit}"] if count else []
    words += [f"{seconds:g}s"] if seconds else []
    return " ".join(words) or "0s"
