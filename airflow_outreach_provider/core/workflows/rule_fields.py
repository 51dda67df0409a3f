"""Values of rules and knobs that need a library's knowledge: regions, zones, spans of time, dates, shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic_core import PydanticCustomError

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.phone_countries import countries_of_code
from airflow_outreach_provider.core.phones import REGIONS
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.retry_schedule import LONGEST_PAUSE
from airflow_outreach_provider.core.row_minimum import RowMinimum
from airflow_outreach_provider.core.said_numbers import said_number
from airflow_outreach_provider.core.said_zones import meant_zone
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.times import read_span, read_time, span_advice
from airflow_outreach_provider.core.workflows.fields import (
    TEXT_SCHEMA,
    annotated,
    choose,
    kind_of,
    mistake,
    number,
    worded,
)


def _country_of_code(code: str) -> str:
    """Advice for who wrote a calling code, 47; empty for anything else."""
    digits = code.strip().lstrip("+0")
    code_number = int(digits) if digits.isdecimal() and len(digits) <= 3 else 0
    regions = countries_of_code(code_number)
    if len(regions) > 1:
        return f"name one country of +{digits}, e.g. {regions[0]}"
    return f"did you mean {regions[0]!r}, the country of +{digits}?" if regions else ""


def _region(value: object) -> str:
    if value is False:
        raise mistake("this must be text, not false", 'Norway is "NO", in quotes')
    if isinstance(value, int) and (meant := _country_of_code(str(value))):
        raise mistake(f"this must be a country's two letters, not {kind_of(value)}", meant)
    read = worded(value, "US").strip().upper()
    if read not in REGIONS:
        advice = {"UK": "did you mean 'GB'?", "EU": "name one country, e.g. DE", "USA": "did you mean 'US'?"}
        advice |= {read: meant} if (meant := _country_of_code(read)) else {}
        raise mistake(
            f"{value!r} is not a region that has phone numbers",
            advice.get(read, "use a two-letter ISO 3166 code such as US, CA, GB or DE"),
        )
    return read


Region = Annotated[str, *annotated(_region, {"type": "string", "pattern": "^[A-Za-z]{2}$"})]


_OFFSET = re.compile(r"(?:utc|gmt|z)?\s*[+-]\s*\d{1,2}(?::?\d{2})?", re.IGNORECASE)


def read_zone(value: object) -> str:
    read = worded(value, "Europe/Berlin")
    try:
        ZoneInfo(read)
    except (KeyError, ValueError, OSError):
        near = meant_zone(read, available_timezones())
        hint = f"did you mean {near!r}?" if near else "name a place as IANA does, such as Europe/Berlin"
        if _OFFSET.fullmatch(read.strip()):
            hint = "name a place that has it, such as Europe/Berlin: an offset knows no summer time"
        raise mistake(f"{read!r} is not a time zone", hint) from None
    return read


Zone = Annotated[str, *annotated(read_zone, TEXT_SCHEMA)]


SPAN_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*(\d+(\.\d+)?\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)\s*(,|and)?\s*)+$",
    "examples": ["15m", "2 hours", "1d"],
}


def span(value: object) -> timedelta:
    """``15m``, ``1h 30m``, ``2 days`` as a timedelta."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise mistake("this span of time has no unit", f"write {value}s for seconds, or e.g. 5m, 2h, 1d")
    read = worded(value, "30s, 15m, 2h, 1d")
    found = read_span(read)
    if found is None:
        raise mistake(f"{read!r} is not a span of time", span_advice(read, "write e.g. 30s, 15m, 2h, 1d"))
    return found


Span = Annotated[timedelta, *annotated(span, SPAN_SCHEMA)]


def _pause(value: object) -> timedelta:
    if isinstance(value, str) and "," in value:
        raise mistake(
            f"{value!r} may be several pauses", "write a list, e.g. [5s, 30s], or one pause as 1h 30m"
        )
    found = span(value)
    if found > LONGEST_PAUSE:
        raise mistake(f"{value!r} is too long a pause", f"write at most {LONGEST_PAUSE.days}d")
    return found


Pause = Annotated[timedelta, *annotated(_pause, SPAN_SCHEMA)]


def _moment(value: object) -> datetime:
    read = worded(value, "2026-01-31")
    moment = read_time(read)
    if moment is None:
        raise mistake(f"{read!r} is not a date", "write e.g. 2026-01-31 or 2026-01-31T09:00:00+01:00")
    return moment


Moment = Annotated[
    datetime, *annotated(_moment, {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([T ].*)?$"})
]


def _share_meant(read: str) -> str:
    if (
        share := re.fullmatch(r"(\d{1,2}(?:\.\d+)?)\s*(?:percent|per cent|pct|p\.c\.|%%)", read.lower())
    ) is not None:
        return f"write {share[1]}%"
    if (rows := said_number(read)) is not None:
        return "remove the quotes" if read == str(rows) else f"write {rows}"
    return "write e.g. 5% or a number of rows, e.g. 20"


def _share_or_count(value: object) -> str | int:
    """``5%`` or a number of rows."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(number(value, 0, whole=True))
    if isinstance(value, float):
        raise mistake("this must be a share with % or a whole number", f"write {value * 100:g}%")
    read = worded(value, "5% or a number of rows, e.g. 20").strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", read)
    if not match or float(match.group(1)) > 100:
        raise mistake(f"{read!r} is not a share of the rows", _share_meant(read))
    return read.replace(" ", "")


ShareOrCount = Annotated[
    str | int,
    *annotated(
        _share_or_count,
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
                {"type": "integer", "minimum": 0},
            ]
        },
    ),
]


def _parsed(parse: Callable[[str], object], rule: str, example: str) -> Callable[[object], str]:
    """A text that the rule's own parser takes."""

    def read(value: object) -> str:
        said = worded(value, example)
        try:
            parse(said)
        except ConfigurationError as error:
            message = str(error).removesuffix(f" — {error.remedy}").removeprefix(f"{rule} ")
            said = f"this {message}" if message.startswith("is ") else message
            raise mistake(said, error.remedy or "") from None
        return said

    return read


PerPersonRule = Annotated[
    str,
    *annotated(
        _parsed(PerPerson.parse, "per_person", "1 per 7d"),
        {"type": "string", "pattern": r"^\s*[1-9]\d{0,5}\s+[Pp][Ee][Rr]\s+\S.*$", "examples": ["1 per 7d"]},
    ),
]


def _fewest_rows(value: object) -> str | int:
    if isinstance(value, str) and not value.strip().isdigit():
        if (rows := said_number(value)) is not None:
            raise mistake(f"{value!r} is not so many rows", f"write {rows}")
        return _parsed(RowMinimum.parse, "min_rows", "50% of last run")(value)
    return int(number(value, 0, whole=True))


FewestRows = Annotated[
    str | int,
    *annotated(
        _fewest_rows,
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^\s*\d+(\.\d+)?\s*%\s*of\s+(the\s+)?last\s+run\s*$",
                    "examples": ["50% of last run"],
                },
                {"type": "integer", "minimum": 0},
            ]
        },
    ),
]


_read_quiet_hours = _parsed(QuietHours.parse, "quiet_hours", '"21:00-08:00"')


def _quiet_hours(value: object) -> str:
    if isinstance(value, dict):
        first, last = (
            next((value[key] for key in words.split() if key in value), "…") for words in _FROM_AND_TO
        )
    elif isinstance(value, list):
        if any("-" in str(each) for each in value):
            raise mistake(
                "this must be one span of hours, not a list", 'write e.g. quiet_hours: "21:00-08:00"'
            )
        first, last = value if len(value) == 2 else ("…", "…")
    else:
        return _read_quiet_hours(value)
    raise mistake(f"this must be text, not {kind_of(value)}", f'write quiet_hours: "{first}-{last}"')


_FROM_AND_TO = ("from start begin after", "to end until before")


QuietSpan = Annotated[
    str,
    *annotated(
        _quiet_hours,
        {"type": "string", "pattern": r"^\s*\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}\s*$"},
    ),
]


class Resubmit(StrEnum):
    """What to do with a person who was texted before and whose row has changed."""

    NEVER = "never"
    CHANGED = "changed"


def _resubmit(value: object) -> str | timedelta:
    if isinstance(value, bool):
        raise mistake(
            f"{kind_of(value)} is not a choice", f"{did_you_mean('', list(Resubmit))}; or a span such as 90d"
        )
    if isinstance(value, str) and not value[:1].isdigit():
        try:
            return choose(value, list(Resubmit))
        except PydanticCustomError:
            raise mistake(
                f"{value!r} is not a choice", did_you_mean(value, list(Resubmit)) + "; or a span such as 90d"
            ) from None
    if isinstance(value, int) and not isinstance(value, bool):
        raise mistake("this span of time has no unit", f"write e.g. {value}d for days")
    return span(value)


ResubmitRule = Annotated[
    str | timedelta,
    *annotated(_resubmit, {"anyOf": [{"type": "string", "enum": list(Resubmit)}, SPAN_SCHEMA]}),
]
