"""Nobody is texted in their own quiet hours, and nobody waits longer than that."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import timezone as phone_timezone
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.quiet_hours import QuietHours, zones_of

NIGHT = QuietHours.parse("21:00-08:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("21:00-08:00", time(21), time(8)),
        (" 9:05 - 17:30 ", time(9, 5), time(17, 30)),
        ("21:00-24:00", time(21), time(0)),
        ("00:00-08:00", time(0), time(8)),
        ("23:59-00:00", time(23, 59), time(0)),
    ],
)
def test_spans_are_read(text: str, start: time, end: time) -> None:
    """A span is HH:MM-HH:MM; 24:00 is the end of the day."""
    assert QuietHours.parse(text) == QuietHours(start, end)


@pytest.mark.parametrize(
    "text",
    ["", "21-8", "21:00", "21:00-21:00", "00:00-24:00", "24:00-08:00", "21:00-25:00", "21:00-32:00",
     "21:60-08:00", "21:00-08:60", "21:00–08:00", "9pm-8am", "21:00-08:00 UTC", "21:00-24:30"],
)  # fmt: skip
def test_what_is_no_span_is_a_configuration_fault(text: str) -> None:
    """Hours that do not exist, or a span that never ends, are refused with an example."""
    with pytest.raises(ConfigurationError, match="quiet_hours"):
        QuietHours.parse(text)


@pytest.mark.parametrize(
    ("hours", "wall", "quiet"),
    [
        ("21:00-08:00", "20:59", False),
        ("21:00-08:00", "21:00", True),
        ("21:00-08:00", "00:00", True),
        ("21:00-08:00", "07:59", True),
        ("21:00-08:00", "08:00", False),
        ("12:00-13:00", "11:59", False),
        ("12:00-13:00", "12:00", True),
        ("12:00-13:00", "13:00", False),
        ("21:00-24:00", "23:59", True),
        ("21:00-24:00", "00:00", False),
    ],
)
def test_the_start_is_quiet_and_the_end_is_open(hours: str, wall: str, quiet: bool) -> None:
    """Spans over midnight and within a day have the same edges."""
    assert QuietHours.parse(hours).covers(time.fromisoformat(wall)) is quiet


@pytest.mark.parametrize(
    ("hours", "zone", "now", "opens"),
    [
        # an ordinary night in Toronto (UTC-4 in summer)
        ("21:00-08:00", "America/Toronto", "2026-07-01T03:00:00", "2026-07-01T12:00:00"),
        ("21:00-08:00", "America/Toronto", "2026-07-01T12:00:00", "2026-07-01T12:00:00"),
        ("21:00-08:00", "America/Toronto", "2026-07-01T18:30:00", "2026-07-01T18:30:00"),
        # clocks go forward on 8 March 2026, 02:00 -> 03:00: the night is an hour shorter
        ("21:00-08:00", "America/Toronto", "2026-03-08T04:00:00", "2026-03-08T12:00:00"),
        # ... and when the span ends within the hour that does not exist, 03:00 is open
        ("21:00-02:30", "America/Toronto", "2026-03-08T04:00:00", "2026-03-08T07:00:00"),
        # clocks go back on 1 November 2026, 02:00 -> 01:00: the night is an hour longer
        ("21:00-08:00", "America/Toronto", "2026-11-01T04:00:00", "2026-11-01T13:00:00"),
        # ... the end comes twice: open at the first 01:30, quiet again from the second 01:00 on
        ("21:00-01:30", "America/Toronto", "2026-11-01T05:00:00", "2026-11-01T05:30:00"),
        ("21:00-01:30", "America/Toronto", "2026-11-01T06:10:00", "2026-11-01T06:30:00"),
        # ... and a span that begins in the hour that comes twice is left for a while by going back
        ("01:30-08:00", "America/Toronto", "2026-11-01T05:45:00", "2026-11-01T06:00:00"),
        # half-hour zone, and a half-hour clock change
        ("21:00-08:00", "Asia/Kolkata", "2026-07-01T16:00:00", "2026-07-02T02:30:00"),
        ("21:00-01:45", "Australia/Lord_Howe", "2026-04-04T14:10:00", "2026-04-04T14:45:00"),
        # no such zone: UTC
        ("21:00-08:00", "Mars/Olympus", "2026-07-01T23:00:00", "2026-07-02T08:00:00"),
    ],
)  # fmt: skip
def test_the_window_opens_by_the_recipients_clock(hours: str, zone: str, now: str, opens: str) -> None:
    """The zone's own rules decide, daylight saving in both directions included."""
    assert QuietHours.parse(hours).next_open((zone,), utc(now)) == utc(opens)


def test_a_number_in_several_zones_is_open_while_all_are() -> None:
    """A mobile that may ring in New York or in Los Angeles is left alone while it is night in either."""
    zones = ("America/New_York", "America/Los_Angeles")
    assert NIGHT.next_open(zones, utc("2026-07-01T13:00:00")) == utc("2026-07-01T15:00:00")  # 8:00 in LA
    assert NIGHT.next_open(zones, utc("2026-07-02T02:00:00")) == utc("2026-07-02T15:00:00")
    assert NIGHT.next_open(zones, utc("2026-07-01T20:00:00")) == utc("2026-07-01T20:00:00")


def test_zones_around_the_world_may_leave_no_open_hour() -> None:
    """Where no hour is open in all zones there is no moment to wait for."""
    zones = ("Europe/London", "Asia/Kolkata", "Asia/Tokyo", "America/Los_Angeles")
    assert NIGHT.next_open(zones, utc("2026-07-01T12:00:00")) is None


def test_without_a_known_zone_utc_counts() -> None:
    """Nothing known of the place: quiet hours are kept by UTC rather than not at all."""
    assert NIGHT.next_open((), utc("2026-07-01T22:00:00")) == utc("2026-07-02T08:00:00")


def test_the_answer_is_in_utc_whatever_zone_now_is_in() -> None:
    """now may be in any zone."""
    now = datetime(2026, 7, 1, 23, 0, tzinfo=ZoneInfo("America/Toronto"))
    opens = NIGHT.next_open(("America/Toronto",), now)
    assert opens == utc("2026-07-02T12:00:00")
    assert opens.tzinfo is UTC


def test_zones_come_from_the_number() -> None:
    """The place of a number is known from its digits; a number of no country has none, or all of a plan's."""
    assert zones_of("+14165550123") == ("America/Toronto",)
    assert zones_of("+442079460958") == ("Europe/London",)
    assert len(zones_of("+18002345678")) > 5


@pytest.mark.slow
def test_every_zone_a_number_can_have_is_known_here() -> None:
    """libphonenumber's zone names all exist in this machine's tz database: none is silently taken for UTC."""
    names = {
        zone
        for region in phonenumbers.SUPPORTED_REGIONS
        for number in [phonenumbers.example_number(region)]
        if number is not None
        for zone in phone_timezone.time_zones_for_number(number)
    } - {phone_timezone.UNKNOWN_TIMEZONE}
    assert len(names) > 150
    for name in names:
        ZoneInfo(name)


ZONES = ["America/Toronto", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
         "America/St_Johns", "Africa/Casablanca", "Pacific/Apia", "UTC"]  # fmt: skip
# Around the clock changes of 2026 of all of them, and at any other time.
CHANGES = ["2026-03-08T07:00", "2026-11-01T06:00", "2026-03-29T01:00", "2026-10-25T01:00", "2026-04-04T15:00",
           "2026-10-03T15:30", "2026-02-15T02:00", "2026-03-22T02:00", "2026-07-01T12:00"]  # fmt: skip
minutes = (st.integers(0, 24 * 60 - 1) | st.integers(0, 4 * 60)).map(lambda m: time(m // 60, m % 60))
any_hours_anywhere = given(
    start=minutes,
    end=minutes,
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
    around=st.sampled_from(CHANGES),
    shift=st.integers(-36 * 60, 36 * 60),
)


@pytest.mark.slow
@settings(max_examples=examples(120), deadline=None)
@any_hours_anywhere
def test_the_next_open_minute_is_open_and_the_first(
    start: time, end: time, zones: list[str], around: str, shift: int
) -> None:
    """Law: what is returned lies in no quiet hours, and every minute before it does."""
    if start == end:
        return
    hours = QuietHours(start, end)
    now = utc(around) + timedelta(minutes=shift)
    places = [ZoneInfo(zone) for zone in zones]
    opens = hours.next_open(tuple(zones), now)

    def quiet(moment: datetime) -> bool:
        return any(hours.covers(moment.astimezone(place).time()) for place in places)

    last = opens if opens is not None else now + timedelta(hours=48)
    assert opens is None or not quiet(opens)
    for minute in range(int((last - now).total_seconds() // 60)):
        assert quiet(now + timedelta(minutes=minute))


@settings(max_examples=examples(120), deadline=None)
@any_hours_anywhere
def test_until_the_end_of_an_open_span_every_minute_is_open(
    start: time, end: time, zones: list[str], around: str, shift: int
) -> None:
    """Law: no minute before it is quiet, it is not long past, and asked again and again it arrives at a quiet one."""
    if start == end:
        return
    hours = QuietHours(start, end)
    now = utc(around) + timedelta(minutes=shift)
    places = [ZoneInfo(zone) for zone in zones]

    def quiet(moment: datetime) -> bool:
        return any(hours.covers(moment.astimezone(place).time()) for place in places)

    moment, asked = now, 0
    while not quiet(moment) and asked < 8:
        until = hours.open_until(tuple(zones), moment)
        assert moment < until <= moment + timedelta(days=1)
        for minute in range(int((until - moment).total_seconds() // 60)):
            assert not quiet(moment + timedelta(minutes=minute))
        moment, asked = until, asked + 1
    assert asked < 8
    assert not quiet(moment) or hours.open_until(tuple(zones), moment) == moment
