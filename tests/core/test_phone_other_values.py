"""Dates, times and IP addresses are nobody's number, although numbering plans take many of them for a line."""

from __future__ import annotations

import datetime as dt
import re

import phonenumbers
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat
from strategies import examples

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_lines import groups_of, in_use
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.phone_other_values import other_value
from airflow_outreach_provider.core.phones import STRICT, PhoneReading, parse_phone

COUNTRIES = [
    "AT",
    "DE",
    "FR",
    "US",
    "GB",
    "CA",
    "AU",
    "IN",
    "BR",
    "JP",
    "NL",
    "BE",
    "CH",
    "IT",
    "ES",
    "SE",
    "DK",
    "PL",
    "MX",
    "SG",
]
countries = st.sampled_from(COUNTRIES)
readings = st.sampled_from([STRICT, PhoneReading("first", "allow")])
octets = st.integers(0, 255)
ORDERS = ("%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%Y{0}%m{0}%d")


def outcome(written: str, region: str | None, how: PhoneReading = STRICT) -> str:
    try:
        return parse_phone(written, region, how).e164
    except LeadRejected as error:
        return error.reason


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(st.tuples(st.integers(1, 255), octets, octets, octets), countries, readings)
@example((192, 168, 100, 200), "AT", STRICT)
@example((212, 234, 45, 67), "US", STRICT)
@example((212, 234, 45, 67), "BR", STRICT)
def test_an_ip_address_is_nobodys_number(
    parts: tuple[int, int, int, int], region: str, how: PhoneReading
) -> None:
    """Four octets are no line, unless they are grouped as people there write all that they dial."""
    written = ".".join(map(str, parts))
    got = outcome(written, region, how)
    if got.startswith("+"):
        at_home = phonenumbers.format_number(phonenumbers.parse(got), PhoneNumberFormat.NATIONAL)
        assert re.sub(r"\D", "", at_home) == written.replace(".", "")
        assert [len(str(part)) for part in parts[2:]] == [2, 2]
    else:
        assert got == "phone_not_a_number"


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@example(dt.date(2000, 1, 13), "%d{0}%m{0}%y", ".", False, "", "AU", STRICT)
@example(dt.date(2036, 2, 1), "%y{0}%m{0}%d", "-", False, "", "DE", STRICT)
@example(dt.date(2014, 1, 10), "%y{0}%m{0}%d", ".", False, "", "NL", STRICT)
@example(dt.date(1999, 1, 1), "%Y{0}%m{0}%d", " ", False, "", "DK", PhoneReading("first", "allow"))
@given(
    day=st.dates(dt.date(1930, 1, 1), dt.date(2039, 12, 31)),
    order=st.sampled_from(ORDERS),
    mark=st.sampled_from("./- "),
    short=st.booleans(),
    clock=st.sampled_from(["", "", " %H.%M", " %H.%M.%S", " %H%M"]),
    region=countries,
    how=readings,
)
def test_a_date_in_any_order_is_nobodys_number(
    day: dt.date, order: str, mark: str, short: bool, clock: str, region: str, how: PhoneReading
) -> None:
    """Years of two digits or four, zeros before days and months or none, alone or with a time: no line, unless grouped as usual there."""
    assume(not clock or mark != " ")
    written = dt.datetime.combine(day, dt.time(18, 30, 45)).strftime((order + clock).format(mark))
    if short and not clock and order[1] != "y":
        written = re.sub(r"(^|[./\- ])0(?=\d[./\- ])", r"\1", written)
    got = outcome(written, region, how)
    # 13 01 00 is how Australia writes its lines of six digits.
    assert not got.startswith("+") or re.findall(r"\d+", written) == groups_of(got)[0]
    assert other_value(written) is not None


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    st.text("0123456789", min_size=5, max_size=11),
    st.sampled_from(["+{} ({}) {}", "+{} {} {}", "00 {} {} {}", "(+{}) {}-{}"]),
    st.data(),
)
@example(241, "65550100", "+{} ({}) {}", None)
@example(55, "11961234567", "+{} ({}) {}", None)
@example(237, "50000000", "00 {} {} {}", None)
@example(979, "100000000", "+{} ({}) {}", None)
def test_what_stands_behind_the_plus_is_a_whole_country_code(
    code: int, rest: str, form: str, data: st.DataObject | None
) -> None:
    """A country code that begins in one group and ends within the next was never written."""
    digits = f"{code}{rest}"
    first = data.draw(st.integers(1, len(str(code)))) if data else 1
    assume(first < len(str(code)))
    groups = digits[:first], digits[first : first + 3], digits[first + 3 :]
    assume(first + 3 > len(str(code)))
    got = outcome(form.format(*groups), None)
    assert not got.startswith("+")


def _as_written() -> list[tuple[str, str]]:
    """Example numbers of every kind of line, as their country groups them, with the marks that people use."""
    found: dict[tuple[str, str], None] = {}
    for region in COUNTRIES:
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL):
                text = phonenumbers.format_number(number, form)
                plus, groups = "+" * text.startswith("+"), re.findall(r"\d+", text)
                found |= {(plus + mark.join(groups), region): None for mark in " .-/"}
    return list(found)


@pytest.mark.parametrize("region", COUNTRIES)
def test_a_number_as_its_country_groups_it_is_never_taken_for_something_else(region: str) -> None:
    """National and international, with blanks, points, hyphens and slashes."""
    some = [text for text, where in _as_written() if where == region]
    assert len(some) > len(" .-/")
    alike = [text for text in some if other_value(text)]
    assert [text for text in alike if not outcome(text, region).startswith("+")] == []


@pytest.mark.parametrize(
    ("written", "region", "e164"),
    [
        ("25.03.26", "NC", "+687250326"),
        ("13 11 14", "AU", "+61131114"),
        ("131114", "AU", "+61131114"),
        ("201225", "FO", "+298201225"),
        ("050291", "NC", "+687050291"),
        ("20 12 25", "FO", "+298201225"),
        ("91.123.45.67", "ES", "+34911234567"),
        ("20.12.34.56", "DK", "+4520123456"),
        ("22.123.45.67", "PL", "+48221234567"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("04-22-33-44-55", "FR", "+33422334455"),
        ("030.123.456.78", "DE", "+493012345678"),
        ("01 - 23 - 43 - 2015", "CI", "+2250123432015"),
    ],
)
def test_what_a_country_writes_so_is_a_number(written: str, region: str, e164: str) -> None:
    """Where numbers are grouped like a date or an address, and no zero is left out, they are read."""
    assert outcome(written, region) == e164


@pytest.mark.parametrize("written", ["26-03-25", "25.03.26", "250326", "172.16.254.10"])
def test_the_do_not_contact_list_still_holds_the_line_that_may_be_meant(written: str) -> None:
    """Not texted for it is hardly a number, and listed for it may be one."""
    assert not outcome(written, "DE").startswith("+")
    line = "+49" + re.sub(r"\D", "", written)
    assert in_use(line)
    assert line in listed_numbers(written, "DE")
