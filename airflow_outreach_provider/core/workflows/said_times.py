"""A schedule in words, ``every weekday at 9:30``, as the cron it most likely means: for "did you mean"."""

from __future__ import annotations

import re

from airflow_outreach_provider.core.times import read_span

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = "(?:sun|mon|tues?|wed|thu(?:rs?)?|fri|sat|wednes|satur)(?:day)?s?"
_RANGE = re.compile(rf"\b({_DAY})\s*(?:-|–|to|until|through)\s*({_DAY})\b")
_TIME = re.compile(
    r"(?<![\d:])(\d{1,2})(?:[:.](\d{2}))?(?::00)?\s*([ap])\.?m\b\.?|(?<![\d:])(\d{1,2})[:.](\d{2})(?::00)?(?![\d:])"
)
_HOUR_ALONE = re.compile(r"\bat\s+(\d{1,2})(?:\s*h|\s*o'?clock)?(?!\w)")
_EVERY = re.compile(r"\b(?:every|each)\s+(?:(\d+)\s*)?(minute|min|hour|hr)s?\b")
_SPOKEN = re.compile(
    r"\b(?:every|each|once|daily|nightly|weekly|monthly|at|noon|midday|midnight|week-?days?|week-?ends?|(?:business|work|working)[ -]?days?|[ap]\.?m)\b|\d\s*[ap]\.?m\b|:\d\d"
)
_DAILY = re.compile(r"\b(?:(?:every|each) (?:day|night|morning|evening)|once a day|nightly)\b")
_WEEKLY = re.compile(r"\b(?:weekly|(?:every|each|once a) week)\b")
_ZONE_BEFORE = re.compile(r"(?:CRON_)?TZ\s*=\s*(\S+)\s+(\S.*)", re.IGNORECASE)
_ZONE_BEHIND = re.compile(
    r"(\S.*?)\s+(?:in\s+)?\(?([A-Z]{2,4}T|UTC|GMT|[A-Z][A-Za-z]+/[A-Za-z_/]+|(?:Eastern|Central|Mountain|Pacific)(?: [A-Za-z]+)?)\)?"
)
_CALLED = re.compile(r"(cron|rate)\s*\((.*)\)", re.IGNORECASE)
_NAMED = {"midnight": (0, 0), "noon": (12, 0), "midday": (12, 0)}
_WORKDAYS, _WEEKEND = "1-5", "0,6"


def said_cron(words: str) -> str | None:
    """The cron; None where the words say no time that can be told."""
    text = " ".join(words.lower().split())
    if "*" in text or not (
        _SPOKEN.search(text) or re.fullmatch(rf"{_DAY}(?:\s*(?:,|and|-|to)\s*{_DAY})*", text)
    ):
        return None
    if (often := _often(text)) is not None:
        return often
    time, days = _time(text), _days(text)
    month = re.search(r"\b(?:every|each) month|\bmonthly\b", text) is not None
    if days is None and _WEEKLY.search(text):
        days = "1"
    if time is None and days is None and not month and not _DAILY.search(text):
        return None
    hour, minute = time or (0, 0)
    if month:
        return f"{minute} {hour} 1 * *"
    return f"{minute} {hour} * * {days or '*'}"


def said_call(words: str) -> str | None:
    """What to write for ``cron(0 9 ? * MON-FRI *)`` and ``rate(5 minutes)``, as AWS has them; None for anything else.

    AWS counts weekdays from 1, Sunday: a number among them is not taken over.
    """
    found = _CALLED.fullmatch(words.strip())
    if found is None:
        return None
    inner = " ".join(found[2].split())
    if found[1].lower() == "rate" and read_span(inner) is not None:
        return inner
    *fields, year = inner.replace("?", "*").split() or [""]
    if len(fields) == 5 and year == "*" and re.fullmatch(r"[A-Za-z,*-]+", fields[4]):
        return f'"{" ".join(fields)}"'
    return 'cron with five fields and 0 for Sunday, e.g. "0 9 * * 1-5", or a span such as 15m'


def said_zoned_cron(words: str) -> tuple[str, str] | None:
    """The cron and the zone that is said with it, before it as crontabs do or behind it; None where none is."""
    text = " ".join(words.split())
    if before := _ZONE_BEFORE.fullmatch(text):
        zone, rest = before[1].strip("\"'"), before[2]
    elif behind := _ZONE_BEHIND.fullmatch(text):
        rest, zone = behind[1], behind[2]
    else:
        return None
    fields = len(rest.split())
    is_cron = (fields == 1 and rest.startswith("@")) or (fields == 5 and not _SPOKEN.search(rest.lower()))
    cron = rest if is_cron else said_cron(rest)
    return None if cron is None else (cron, zone)


def _often(text: str) -> str | None:
    found = _EVERY.search(text)
    if found is None or _time(text) is not None:
        return None
    number, hours = int(found[1] or 1), found[2].startswith("h")
    if not 0 < number < (24 if hours else 60):
        return None
    step = "*" if number == 1 else f"*/{number}"
    return f"0 {step} * * *" if hours else f"{step} * * * *"


def _time(text: str) -> tuple[int, int] | None:
    for word, named in _NAMED.items():
        if re.search(rf"\b{word}\b", text):
            return named
    if found := _TIME.search(text):
        hour, minute = int(found[1] or found[4]), int(found[2] or found[5] or 0)
        if found[3]:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if found[3] == "p" else 0)
    elif found := _HOUR_ALONE.search(text):
        hour, minute = int(found[1]), 0
    else:
        return None
    return (hour, minute) if hour < 24 and minute < 60 else None


def _days(text: str) -> str | None:
    if re.search(r"\b(?:week|work|business|working)[ -]?days?\b", text):
        return _WORKDAYS
    if re.search(r"\bweek-?ends?\b", text):
        return _WEEKEND
    if found := _RANGE.search(text):
        return f"{_number(found[1])}-{_number(found[2])}"
    named = sorted({_number(each) for each in re.findall(rf"\b{_DAY}\b", text)})
    return ",".join(map(str, named)) or None


def _number(day: str) -> int:
    return _DAYS.index(day[:3])
