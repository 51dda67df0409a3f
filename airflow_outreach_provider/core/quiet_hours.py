"""When a person may be texted: quiet hours in the recipient's own time zone.

The zone comes from the number (libphonenumber's time zone table). A number may lie in several zones, e.g. a
mobile of a large country; then it is open only while all of them are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache, lru_cache
from math import ceil, floor
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as phone_timezone
from phonenumbers.tzdata import TIMEZONE_DATA

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.masking import mask_text, printable
from airflow_outreach_provider.core.said_hours import hours_advice

_FORM = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")
_E164 = phonenumbers.PhoneNumberFormat.E164
_HORIZON = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span of local wall-clock time in which nobody is texted; ``end`` itself is open.

    ``21:00-08:00`` spans midnight, ``12:00-13:00`` does not.
    """

    start: time
    end: time

    @classmethod
    def parse(cls, text: object) -> QuietHours:
        """Read ``HH:MM-HH:MM``.

        :raises ConfigurationError: it is not of that form, or start and end are the same.
        """
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        try:
            if match is None:
                raise ValueError
            h1, m1, h2, m2 = (int(part) for part in match.groups())
            start, end = time(h1, m1), time(0) if (h2, m2) == (24, 0) else time(h2, m2)
        except ValueError:
            raise ConfigurationError(
                f"quiet_hours {text!r} is not a span of hours", hours_advice(text)
            ) from None
        if start == end:
            raise ConfigurationError(
                f"quiet_hours {text!r} starts when it ends", "leave it out, or give two different times"
            )
        return cls(start, end)

    def covers(self, wall: time) -> bool:
        """Whether a local wall-clock time is within the quiet span."""
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def next_open(self, zones: tuple[str, ...], now: datetime) -> datetime | None:
        """The first moment from ``now`` on at which every zone is open; ``now`` itself where it is.

        :param zones: IANA names; unknown ones count as UTC.
        :param now: timezone-aware.
        :return: a UTC datetime, or None when there is none within three days.
        """
        moment = now.astimezone(UTC)
        limit = moment + _HORIZON
        places = [_zone(name) for name in zones] or [ZoneInfo("UTC")]
        while moment <= limit:
            closed = [_next(self.end, moment, zone) for zone in places if self._quiet_in(moment, zone)]
            if not closed:
                return moment
            moment = max(closed)
        return None

    def open_until(self, zones: tuple[str, ...], now: datetime) -> datetime:
        """A moment up to which every zone is open from ``now`` on; ask again then. ``now`` where one is quiet.

        It is the start of the next quiet span, or a clock change before it.

        :param zones: IANA names; unknown ones count as UTC.
        :param now: timezone-aware.
        :return: a UTC datetime.
        """
        moment = now.astimezone(UTC)
        return min(
            moment if self._quiet_in(moment, zone) else _next(self.start, moment, zone)
            for zone in [_zone(name) for name in zones] or [ZoneInfo("UTC")]
        )

    def _quiet_in(self, moment: datetime, zone: ZoneInfo) -> bool:
        return self.covers(moment.astimezone(zone).time())


def _next(wall_time: time, moment: datetime, zone: ZoneInfo) -> datetime:
    """When the zone's clock next shows a time, or changes before that."""
    local = moment.astimezone(zone)
    wall, wanted = local.replace(tzinfo=UTC), datetime.combine(local.date(), wall_time, UTC)
    instant = moment + (wanted - wall) % timedelta(days=1)
    if instant.astimezone(zone).utcoffset() == local.utcoffset():
        return instant
    return _clock_change(moment, instant, zone)


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of another UTC offset between two moments: there the wall clock jumps, maybe out of the span."""
    offset = before.astimezone(zone).utcoffset()
    low, high = floor(before.timestamp()), ceil(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def zones_of(e164: str) -> tuple[str, ...]:
    """The IANA time zones a valid E.164 number may lie in; empty where nothing is known."""
    zones = phone_timezone.time_zones_for_number(phonenumbers.parse(e164))
    return tuple(zone for zone in zones if zone != phone_timezone.UNKNOWN_TIMEZONE)


# Satellite networks, international services, and North America's numbers that are in no place.
_NOWHERE = re.compile(
    r"\+(?:8(?:00|08|70|78|8[1238])|979|1(?:8(?:00|33|44|55|66|77|88)|900|5(?:00|2[1-9]|33|44|66|77|88)))"
)


def is_nowhere(e164: str) -> bool:
    """Whether a number tells no time zone: satellite, toll-free of a continent, and the like."""
    return _NOWHERE.match(e164) is not None


@cache
def zones_of_region(region: str) -> tuple[str, ...]:
    """The IANA time zones of a region (ISO 3166, capitals), as far as its numbers tell."""
    code = phonenumbers.country_code_for_region(region)
    alone = len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())) == 1
    example = phonenumbers.example_number(region)
    size = len(phonenumbers.national_significant_number(example)) if example is not None else 9
    found: set[str] = set(zones_of(phonenumbers.format_number(example, _E164)) if example is not None else ())
    for prefix, zones in TIMEZONE_DATA.items():
        national = prefix.removeprefix(str(code))
        if prefix.startswith(str(code)) and (national or alone):
            number = phonenumbers.PhoneNumber(code, int(national.ljust(size, "5")))
            if alone or phonenumbers.region_code_for_number(number) == region:
                found.update(zones)
    return tuple(sorted(found - {phone_timezone.UNKNOWN_TIMEZONE}))


def read_zone(value: object) -> str | None:
    """The IANA name that a cell holds; None for an empty one.

    :raises LeadRejected: it is no time zone.
    """
    name = str(value).strip() if value is not None else ""
    if not name:
        return None
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        said = mask_text(printable(name[:60]))
        raise LeadRejected(
            "time_zone_invalid", f"{said!r} is no time zone; write an IANA name such as Europe/Berlin"
        ) from None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
