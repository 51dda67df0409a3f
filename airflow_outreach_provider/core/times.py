"""Text → a time of which everybody knows which moment it is, or a span of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*(?:,|and)?", re.IGNORECASE | re.ASCII)
_LONGEST = 366 * 86400 * 10


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
    position, seconds = 0, 0.0
    for match in _SPAN.finditer(text):
        unit = match.group(2).lower()
        factor = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if match.start() != position or factor is None:
            break
        seconds += float(match.group(1)) * factor
        position = match.end()
    if position != len(text.rstrip()) or not 0 < seconds <= _LONGEST:
        return None
    return timedelta(seconds=seconds)


def said_span(span: timedelta) -> str:
    """A span as people write it: ``7d``, ``1h 30m``."""
    left, parts = round(span.total_seconds()), []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
