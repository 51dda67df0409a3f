"""What a sync may choose about numbers: the first of several, ranges that are too new, and where somebody is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.phones import STRICT, PhoneReading, parse_phone
from airflow_outreach_provider.core.quiet_hours import QuietHours, zones_of_region
from airflow_outreach_provider.core.rules import LeadRules

FIRST = PhoneReading(several="first")
ALLOW = PhoneReading(unknown_ranges="allow")
NIGHT = QuietHours.parse("21:00-08:00")
SATELLITE = "+881612345678"
TOLL_FREE = "+18005550100"


def outcome(written: object, region: str | None, how: PhoneReading = STRICT) -> str:
    try:
        return parse_phone(written, region, how).e164
    except LeadRejected as error:
        return error.reason


@pytest.mark.parametrize(
    ("written", "region", "wanted"),
    [
        ("416 555 0123 / 647 555 0199", "US", "+14165550123"),
        ("+1 416 555 0123 or +1 647 555 0199", None, "+14165550123"),
        ("+1 416-555-0123 ::: +1 647-555-0199", None, "+14165550123"),
        ("+14165550123+16475550199", None, "+14165550123"),
        ("0171/1234567, 0172/7654321", "DE", "+491711234567"),
        ("0171 1234567 oder 0172 7654321", "DE", "+491711234567"),
        ("0171 1234567/8", "DE", "+491711234567"),
        ("0171 / 1234567, 0172 / 7654321", "DE", "+491711234567"),
        ("0171 - 1234567, 0172 - 7654321", "DE", "+491711234567"),
        ("555-0100 / 416 555 0199", "US", "+14165550199"),
        ("416 555 0123 x5, 647 555 0199", "US", "+16475550199"),
        ("416 555 0123 home 647 555 0199", "US", "phone_several"),
        ("0664 1234567 neu", "AT", "phone_has_text"),
        ("416 555 0123 ext. 9", "US", "phone_extension"),
    ],
)
def test_the_first_of_several_may_be_chosen(written: str, region: str | None, wanted: str) -> None:
    """The first that can be read by itself; words, dates and extensions make a cell no better."""
    assert outcome(written, region, FIRST) == wanted
    assert not outcome(written, region).startswith("+")


@settings(deadline=None)
@given(
    st.sampled_from(["+14165550123", "+436641234567", "+491711234567", "+33612345678"]),
    st.sampled_from([", ", " / ", ";", "|", " or ", "\n", " - "]),
    st.text("0123456789 +()-./x", max_size=20),
)
def test_the_first_is_never_somebody_else(number: str, apart: str, rest: str) -> None:
    """Whatever follows a number, it is that number, or none."""
    got = outcome(number + apart + rest, None, FIRST)
    assert got == number or not got.startswith("+")


def test_numbers_of_unknown_ranges_may_be_allowed() -> None:
    """What could be a number is told apart from what cannot be one, and may be texted; the rest never is."""
    assert outcome("+2346001234567", None) == "phone_unknown_range"
    assert outcome("0600 123 4567", "NG") == "phone_unknown_range"
    assert outcome("0600 123 4567", "NG", ALLOW) == "+2346001234567"
    for impossible in (
        "+999123456789",
        "+1 555 555 5555",
        "0000000000",
        "+44 7700 90012",
        "+1 416 555 012",
        "12",
    ):
        reason = outcome(impossible, "US", ALLOW)
        assert reason.startswith("phone_") and reason != "phone_unknown_range", impossible


@pytest.mark.parametrize("choice", [{"several": "last"}, {"unknown_ranges": "perhaps"}])
def test_a_choice_that_is_none_says_so(choice: Any) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        LeadRules(configuration_id="c", phones=PhoneReading(**choice)).check()


def rules(**given: Any) -> LeadRules:
    return LeadRules(configuration_id="c", quiet_hours=NIGHT, **given)


@pytest.mark.parametrize("phone", [SATELLITE, TOLL_FREE, "+80012345678", "+88213300655"])
@pytest.mark.parametrize(
    ("region", "hour", "state"),
    # Europe/Berlin is at +1, New York at -5, Honolulu at -10; UTC counts for nobody.
    [("DE", 6, "deferred"), ("DE", 8, "planned"), ("DE", 19, "planned"), ("DE", 20, "deferred"),
     ("US", 12, "deferred"), ("US", 17, "deferred"), ("US", 20, "planned")],
)  # fmt: skip
def test_a_number_in_no_place_waits_for_all_zones_of_the_campaign(
    phone: str, region: str | None, hour: int, state: str
) -> None:
    """Satellite and toll-free numbers are open while everywhere in the region is."""
    gate = rules(default_region=region).gate_hours(phone, datetime(2026, 1, 14, hour, 30, tzinfo=UTC))
    assert gate.state == state
    assert gate.reason == ("quiet_hours" if state == "deferred" else "")


@pytest.mark.parametrize("hour", range(24))
def test_where_nothing_is_known_nobody_is_texted_by_the_clock_of_greenwich(hour: int) -> None:
    """Without a region and without anybody else a satellite number is not texted; the reason says what to set."""
    gate = rules().gate_hours(SATELLITE, datetime(2026, 1, 14, hour, 30, tzinfo=UTC))
    assert (gate.state, gate.reason) == (
        "suppressed",
        "time_zone_unknown",
    ) and "default_region" in gate.detail


def test_everybody_the_campaign_reaches_counts_for_a_number_in_no_place() -> None:
    """Also whom a later row of the same rows brings in."""
    now, own = datetime(2026, 1, 14, 9, 0, tzinfo=UTC), rules(default_region="GB")
    draft = own.draft({"phone": SATELLITE}, now)
    assert draft.state == "planned" and draft.open_until == now
    own.draft({"phone": "+14165550123"}, now)
    assert own.gate_nowhere(draft, now).state == "deferred"
    other = own.draft({"phone": "+442079460958"}, now)
    assert own.gate_nowhere(other, now) == other


def test_a_row_may_name_its_time_zone() -> None:
    """The column rules over the number's own zones; an empty cell leaves them, a wrong one rejects the row."""
    now, own = datetime(2026, 1, 14, 9, 0, tzinfo=UTC), rules(time_zone="tz")
    row = {"phone": "+14165550123", "tz": "Europe/Berlin"}
    assert own.draft(row, now).state == "planned"
    assert own.draft({**row, "phone": SATELLITE}, now).zone == "Europe/Berlin"
    assert own.draft({**row, "tz": " "}, now).state == "deferred"
    for wrong in ("Berlin", "UTC+99", "../etc/passwd", "Europe"):
        with pytest.raises(LeadRejected) as caught:
            own.draft({**row, "tz": wrong}, now)
        assert caught.value.reason == "time_zone_invalid"


def test_the_zones_of_a_region_are_its_own() -> None:
    """Shared country codes are taken apart."""
    assert "Pacific/Honolulu" in zones_of_region("US") and "America/Toronto" not in zones_of_region("US")
    assert "America/Toronto" in zones_of_region("CA") and zones_of_region("DE") == ("Europe/Berlin",)
