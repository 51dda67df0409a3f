"""Text → a time of which everybody knows which moment it is, or how long it lasts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import inf

_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)(\s*(?:,|and\b)(?=\s*\d))?", re.IGNORECASE | re.ASCII)
_LONGEST_SPAN = timedelta(days=3660)
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE | re.ASCII)
_ADVICE = (
    (r"\d\s*M\b", "M may mean minutes or months: write m or min for minutes, 30d for a month"),
    (r"\d\s*(?:mo|mon|mths?|months?)\b", "write 30d for a month"),
    (r"\d\s*(?:y|yrs?|years?)\b", "write 365d for a year"),
    (r"\d\s*(?:ms|msecs?|milliseconds?|millis?)\b", "milliseconds are not taken: write e.g. 0.5s"),
)


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
    """``15m``, ``1h 30m``, ``2 days``: above nothing, up to ten years; None for anything else.

    Each unit once and the largest first, for ``5s, 30s`` are two spans. Any case but that of ``1M``, which may be a month.
    """
    text, position, seconds, last = text.strip(), 0, 0.0, inf
    for match in _SPAN.finditer(text):
        factor = _seconds_of(match.group(2))
        if match.start() != position or factor is None or factor >= last:
            break
        seconds += float(match.group(1)) * factor
        position, last = match.end(), factor
    if position != len(text) or seconds > _LONGEST_SPAN.total_seconds():
        return None
    return timedelta(seconds=seconds) or None


def _seconds_of(unit: str) -> int | None:
    if unit == "M":
        return None
    said = unit.lower()
    return _UNITS.get(said) or (_UNITS.get(said.removesuffix("s")) if len(said) > 2 else None)


def span_advice(text: str, otherwise: str) -> str:
    """What to write in place of a text that :func:`read_span` does not read."""
    iso = _ISO.fullmatch(text.strip())
    if iso and (
        said := " ".join(
            f"{int(n)}{unit}" for n, unit in zip(iso.groups(), "wdhms", strict=True) if n and int(n)
        )
    ):
        return f"write {said}"
    for pattern, advice in _ADVICE:
        if re.search(pattern, text if "M" in pattern else text.lower(), re.ASCII):
            return advice
    several = len(_SPAN.findall(text)) > 1
    return f"{otherwise}; of one span each unit once, the largest first: 1h 30m" if several else otherwise


def span_words(seconds: float) -> str:
    """The shortest text that :func:`read_span` reads back: ``90s`` is ``1m 30s``, an hour ``1h``."""
    words = []
    for unit in ("d", "h", "m"):
        count, seconds = divmod(seconds, _UNITS[unit])
        words += [f"{count:.0f}{unit}"] if count else []
    words += [f"{seconds:g}s"] if seconds else []
    return " ".join(words) or "0s"
