"""A span of hours as people write it, ``9pm to 8am``, as ``21:00-08:00``: for advice alone."""

from __future__ import annotations

import re

_CLOCK = r"(\d{1,2})(?:[:.h](\d{2})|(?<=\d\d)(\d{2}))?\s*(?:h|o'?clock)?\s*(?:([ap])\.?\s?m\.?)?"
_SPAN = re.compile(
    rf"(?:between|from|after)?\s*{_CLOCK}\s*(?:-+|[‐‑‒–—−]|>|to|and|till?|until|through)\s*{_CLOCK}(\s+\S.*)?", re.IGNORECASE
)  # fmt: skip
_NONE = frozenset({"none", "no", "off", "never", "false", "null", "disabled"})


def said_hours(text: str) -> str | None:
    """``HH:MM-HH:MM``, what stands behind it apart; None where a time can be read in two ways, as those of ``9-8``."""
    found = _found(text)
    if found is None:
        return None
    start, end = _time(*found.groups()[:4]), _time(*found.groups()[4:8])
    by_24 = any(time is not None and time[2] for time in (start, end))
    if start is None or end is None or not all(by_24 or time[3] for time in (start, end)) or start == end:
        return None
    return f"{start[0]:02}:{start[1]:02}-{end[0]:02}:{end[1]:02}"


def hours_advice(text: object) -> str:
    """What to write for a text that is no span of hours."""
    if isinstance(text, str) and text.strip().lower() in _NONE:
        return "leave it out"
    meant = said_hours(text) if isinstance(text, str) else None
    if meant is None:
        return 'write e.g. "21:00-08:00"'
    found = _found(str(text))
    placed = ", which is read where each person is" if found is not None and found[9] else ""
    return f'write "{meant}"{placed}'


def _found(text: str) -> re.Match[str] | None:
    return _SPAN.fullmatch(" ".join(text.split()).replace("24:00", "00:00"))


def _time(
    hour: str, minute: str | None, packed: str | None, half: str | None
) -> tuple[int, int, bool, bool] | None:
    """Hour, minute, whether it shows a clock of 24 hours, and whether it can be read in one way."""
    read, minutes = int(hour), int(minute or packed or 0)
    if half is not None:
        if not 1 <= read <= 12:
            return None
        read = read % 12 + (12 if half.lower() == "p" else 0)
    if read > 23 or minutes > 59:
        return None
    by_24 = half is None and (read > 12 or read == 0 or hour.startswith("0"))
    return read, minutes, by_24, half is not None or by_24
