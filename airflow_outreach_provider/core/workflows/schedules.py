"""When a workflow runs: cron, a preset, a span, assets, or only by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic_core import PydanticCustomError

from airflow_outreach_provider.core.said_zones import meant_zone, without_summer_time
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.times import read_span, span_advice
from airflow_outreach_provider.core.workflows.fields import annotated, dotted_path, kind_of, mistake, text
from airflow_outreach_provider.core.workflows.rule_fields import SPAN_SCHEMA, read_zone, span
from airflow_outreach_provider.core.workflows.said_times import said_call, said_cron, said_zoned_cron

# Airflow's cron presets, airflow/utils/dates.py, and the two words that are no cron.
ONCE, CONTINUOUS = "@once", "@continuous"
PRESETS = frozenset({"@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", ONCE, CONTINUOUS})

# What people write who mean no schedule at all.
_NO_SCHEDULE = frozenset(
    {
        "none",
        "null",
        "nil",
        "never",
        "manual",
        "manually",
        "by hand",
        "off",
        "no",
        "false",
        "@none",
        "@null",
        "@never",
        "@manual",
    }
)
_LEAVE_OUT = "leave the key out"


class ScheduleKind(StrEnum):
    """What a schedule is made of."""

    BY_HAND = "by hand"
    CRON = "cron"
    SPAN = "span"
    EVENTS = "events"
    ALL_ASSETS = "all assets"
    ANY_ASSET = "any asset"
    TIMETABLE = "timetable"


@dataclass(frozen=True)
class Schedule:
    """A read schedule; which of the values counts says ``kind``.

    :param zone: that cron is read in; the workflow's own where None. :param timetable: dotted path of a class.
    """

    kind: ScheduleKind
    cron: str = ""
    every: timedelta = timedelta()
    assets: tuple[str, ...] = ()
    zone: str | None = None
    timetable: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        match self.kind:
            case ScheduleKind.BY_HAND:
                return "by hand"
            case ScheduleKind.CRON:
                return f"{self.cron} ({self.zone})" if self.zone else self.cron
            case ScheduleKind.TIMETABLE:
                return f"by {self.timetable}"
            case ScheduleKind.EVENTS:
                return "events: when there is something to deliver"
            case ScheduleKind.SPAN:
                return f"every {self.every}"
            case ScheduleKind.ALL_ASSETS:
                return "when all of these have news: " + ", ".join(self.assets)
            case ScheduleKind.ANY_ASSET:
                return "when one of these has news: " + ", ".join(self.assets)


BY_HAND = Schedule(ScheduleKind.BY_HAND)
EVENTS = Schedule(ScheduleKind.EVENTS)


def read_route_schedule(value: object) -> Schedule:
    """Read what stands under ``schedule`` of an event route: ``events``, or as everywhere."""
    if isinstance(value, str) and value.strip() == ScheduleKind.EVENTS:
        return EVENTS
    if _means_none(value):
        raise mistake(
            f"{_shown(value)} is not a schedule",
            f"{_LEAVE_OUT} for events, or leave it empty for runs by hand alone",
        )
    try:
        return read_schedule(value)
    except PydanticCustomError:
        if isinstance(value, str) and (near := did_you_mean(value.strip(), [EVENTS.kind], "")):
            raise mistake(f"{value.strip()!r} is not a schedule", near) from None
        raise


def read_schedule(value: object) -> Schedule:
    """Read what stands under ``schedule``."""
    if value is None:
        return BY_HAND
    if isinstance(value, Mapping):
        return _mapped_schedule(value)
    if _means_none(value):
        raise mistake(f"{_shown(value)} is not a schedule", f"{_LEAVE_OUT}: then it runs by hand alone")
    if not isinstance(value, str):
        raise mistake(f"this must be a schedule, not {kind_of(value)}", _schedule_meant(value))
    read = text(value).strip()
    if read == ScheduleKind.EVENTS:
        raise mistake("only an event route runs on events", 'write cron, a preset such as "@daily", or 15m')
    if read.startswith("@"):
        if read not in PRESETS:
            raise mistake(f"{read!r} is not a preset", did_you_mean(read, _meant(read)))
        return Schedule(ScheduleKind.CRON, cron=read)
    if read.lower().startswith("every ") and (every := read_span(read[6:])) is not None:
        return Schedule(ScheduleKind.SPAN, every=every)
    if (called := said_call(read)) is not None:
        raise mistake(f"{read!r} is not a schedule", f"write {called}")
    if (zoned := said_zoned_cron(read)) is not None:
        raise mistake(f"{read!r} is not a schedule", _zoned_meant(*zoned))
    if (cron := said_cron(read)) is not None and read_span(read) is None:
        raise mistake(
            f"{read!r} is not a schedule", f'write "{cron}" (cron: minute, hour, day, month, weekday)'
        )
    if len(read.split()) >= 5 or "*" in read:
        _check_cron(read)
        return Schedule(ScheduleKind.CRON, cron=read)
    if "://" in read:
        raise mistake(f"{read!r} is not a schedule", f"write schedule: {{assets: [{read}]}}")
    try:
        return Schedule(ScheduleKind.SPAN, every=span(read))
    except PydanticCustomError:
        usual = span_advice(read, 'write cron with five fields, a preset such as "@daily", or 15m')
        raise mistake(f"{read!r} is not a schedule", did_you_mean(f"@{read}", _meant(read), usual)) from None


def _zoned_meant(cron: str, zone: str) -> str:
    """The zone stands beside the cron; without it nobody would be texted at the hour that was meant."""
    known = available_timezones()
    fixed = without_summer_time(zone)
    place = zone if zone in known and fixed is None else meant_zone(zone, known)
    shown = place or "Europe/Berlin"
    asked = "" if place else f", with the place of {zone}"
    return f'write schedule: {{cron: "{cron}", timezone: {shown}}}{asked}'


def _schedule_meant(value: object) -> str:
    """Airflow takes a list of assets; a list of crons says two schedules."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        if any(len(each.split()) >= 5 or each.startswith("@") for each in value):
            return "write one; several times go into one cron, or into a workflow each"
        return f"write schedule: {{assets: [{', '.join(value)}]}}"
    return 'write e.g. "@daily", "*/15 * * * *" or 15m'


def _means_none(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() in _NO_SCHEDULE)


def _shown(value: object) -> str:
    return repr(value.strip()) if isinstance(value, str) else kind_of(value)


def _meant(read: str) -> frozenset[str]:
    """The presets to choose from for "did you mean": a run at once is offered to nobody who did not nearly write it."""
    return PRESETS if "onc" in read.lower() else PRESETS - {ONCE}


@lru_cache(maxsize=512)
def _check_cron(cron: str) -> None:
    fields = cron.split()
    if len(fields) != 5:
        raise mistake(
            f"cron {cron!r} has {len(fields)} fields",
            "write five: minute, hour, day of month, month, day of week",
        )
    # Imported late: only a file with cron needs it.
    from croniter import CroniterBadDateError, croniter

    if croniter.is_valid(cron):
        try:
            croniter(cron, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
            return
        except CroniterBadDateError:
            raise mistake(f"cron {cron!r} never comes true", "check day of month and month") from None
    names = ("minute", "hour", "day of month", "month", "day of week")
    for position, name in enumerate(names):
        alone = ["*"] * 5
        alone[position] = fields[position]
        if not croniter.is_valid(" ".join(alone)):
            raise mistake(
                f"cron: {fields[position]!r} cannot be the {name}",
                _RANGES[name],
                _offset_of_field(cron, position),
            )
    raise mistake(f"cron {cron!r} cannot be read", "write five fields, e.g. */15 * * * *")


_RANGES = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31",
    "month": "1 to 12 or jan to dec",
    "day of week": "0 to 6 or sun to sat",
}


def _offset_of_field(cron: str, position: int) -> int:
    offset = 0
    for before in cron.split()[:position]:
        offset = cron.index(before, offset) + len(before)
    return cron.index(cron.split()[position], offset)


def _mapped_schedule(value: Mapping[Any, Any]) -> Schedule:
    if "timetable" in value:
        return _timetable(value)
    if "cron" in value:
        return _zoned_cron(value)
    return _asset_schedule(value)


def _zoned_cron(value: Mapping[Any, Any]) -> Schedule:
    for key in value:
        if key not in ("cron", "timezone"):
            raise mistake(f"a schedule with cron has no {key!r}", "write {cron: …, timezone: …}")
    read = read_schedule(value["cron"])
    if read.kind is not ScheduleKind.CRON:
        raise mistake(f"{value['cron']!r} is no cron", 'write five fields, e.g. "0 9 * * 1-5"')
    return replace(read, zone=read_zone(value["timezone"])) if "timezone" in value else read


def _timetable(value: Mapping[Any, Any]) -> Schedule:
    arguments = value.get("arguments", {})
    for key in value:
        if key not in ("timetable", "arguments"):
            raise mistake(f"a timetable has no {key!r} here", "write {timetable: …, arguments: {…}}")
    if not isinstance(arguments, dict):
        raise mistake(f"arguments must be a mapping, not {kind_of(arguments)}", "write name: value")
    path = dotted_path(value["timetable"])
    return Schedule(ScheduleKind.TIMETABLE, timetable=path, arguments=arguments)


_SPAN_KEYS = ("every", "interval")


def _asset_schedule(value: Mapping[Any, Any]) -> Schedule:
    kinds = {"assets": ScheduleKind.ALL_ASSETS, "any_asset": ScheduleKind.ANY_ASSET}
    unknown = [key for key in value if key not in kinds]
    if unknown and (span_said := next((value[key] for key in _SPAN_KEYS if key in value), None)):
        if "at" in value and (cron := said_cron(f"every {span_said} at {value['at']}")) is not None:
            raise mistake("a schedule in words is no mapping", f'write schedule: "{cron}"')
        raise mistake("a span of time is no mapping", f"write schedule: {span_said}")
    if unknown or len(value) != 1:
        meant = f"write one of: {', '.join(kinds)}, cron, timetable"
        hint = did_you_mean(str(unknown[0]), kinds, meant) if unknown else "take one of them"
        raise mistake("a schedule of assets has one key, assets or any_asset", hint)
    key, uris = next(iter(value.items()))
    uris = uris if isinstance(uris, list) else [uris]
    if not uris or not all(isinstance(uri, str) and uri.strip() for uri in uris):
        raise mistake(f"{key} takes the URIs of assets", "e.g. [s3://bucket/leads.csv]")
    return Schedule(kinds[key], assets=tuple(uris))


_ASSETS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]
}
_SCHEDULE_SHAPES: list[dict[str, Any]] = [
    {"type": "null"},
    {"type": "string", "enum": sorted(PRESETS)},
    {"type": "string", "pattern": r"^\s*[^@\s]+(\s+[^\s]+){4}\s*$", "examples": ["*/15 * * * *"]},
    SPAN_SCHEMA,
    {"type": "string", "pattern": "^[eE]very "},
    *(
        {
            "type": "object",
            "properties": {key: _ASSETS_SCHEMA},
            "required": [key],
            "additionalProperties": False,
        }
        for key in ("assets", "any_asset")
    ),
    {
        "type": "object",
        "properties": {"cron": {"type": "string"}, "timezone": {"type": "string"}},
        "required": ["cron"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {"timetable": {"type": "string"}, "arguments": {"type": "object"}},
        "required": ["timetable"],
        "additionalProperties": False,
    },
]
ScheduleField = Annotated[Schedule, *annotated(read_schedule, {"anyOf": _SCHEDULE_SHAPES})]
RouteScheduleField = Annotated[
    Schedule,
    *annotated(
        read_route_schedule, {"anyOf": [*_SCHEDULE_SHAPES, {"type": "string", "const": EVENTS.kind.value}]}
    ),
]
