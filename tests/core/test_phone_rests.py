"""What stands before or behind a number never makes another number of it."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from strategies import examples

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_lines import groups_of, other_writings
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.phones import parse_phone

FORMS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)


def outcome(written: str, region: str | None) -> str:
    try:
        return parse_phone(written, region).e164
    except LeadRejected as error:
        return error.reason


def writings() -> list[tuple[str, str, str]]:
    """All regions' mobile and fixed numbers as people write them: (text, region, E.164)."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None or not phonenumbers.is_valid_number(number):
                continue
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            texts = {phonenumbers.format_number(number, form) for form in FORMS}
            texts |= {text.replace(" ", "") for text in texts}
            found += [(text, region, e164) for text in sorted(texts) if outcome(text, region) == e164]
    return found


WRITINGS = writings()
samples = st.sampled_from(WRITINGS)
COUNTS = ["{}) ", "{}. ", "{}.) ", "({}) ", "[{}] ", "{} - ", "{}/", "{}: ", "{} ", "{}-", "Tel {} ", "Tel{} ", "Phone {}: ",
          "Mobile ({}) ", "{}\t", "#{} "]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=examples(800), deadline=None)
@given(samples, st.sampled_from(COUNTS), st.integers(1, 9) | st.integers(1, 99))
@example(("0171 1234567", "DE", "+491711234567"), "Tel {} ", 2)
@example(("99 12 34 56", "MC", "+37799123456"), "Tel {} ", 6)
def test_a_count_before_a_number_is_never_a_part_of_it(
    sample: tuple[str, str, str], form: str, count: int
) -> None:
    """The second line of somebody, a row of a list: the number itself or none, and the list has the number."""
    text, region, e164 = sample
    written = form.format(count) + text
    got = outcome(written, region)
    if got.startswith("+"):
        # Where a country itself writes numbers so, nobody can tell: MC's mobiles are "6 99 12 34 56".
        as_usual = any(str(count) == form[0] for form in groups_of(got))
        assert got == e164 or got in other_writings(e164) or as_usual
    else:
        assert e164 in listed_numbers(written, region) or len(e164) <= len("+6907290")


TAILS = ["{} {}", "{}  {}", "{}-{}", "{} - {}", "{}/{}", "{} / {}", "{}.{}", "{} ({})", "{}({})", "{} [{}]", "{}~{}", "{}, {}",
         "{}\t{}", "{} – {}", "{}--{}", "{}:{}"]  # fmt: skip
SHORT = [
    "0",
    "5",
    "12",
    "25",
    "123",
    "007",
    "2024",
    "9-17",
    "8-12",
    "18-20",
    "9.00-17.00",
    "18.30",
    "24.12.",
    "8 - 12",
]


@pytest.mark.slow
@settings(max_examples=examples(1000), deadline=None)
@given(samples, st.sampled_from(TAILS), st.sampled_from(SHORT))
@example(("+43664123456", "AT", "+43664123456"), "{} {}", "12")
@example(("+4930123456", "DE", "+4930123456"), "{}-{}", "25")
@example(("27 12 34 56", "LU", "+35227123456"), "{} {}", "9-17")
def test_what_follows_a_complete_number_is_never_a_part_of_it(
    sample: tuple[str, str, str], form: str, tail: str
) -> None:
    """An extension, a year, hours, a date, with whatever mark between: the number itself or none."""
    text, region, e164 = sample
    got = outcome(form.format(text, tail), region)
    assert got == e164 or not got.startswith("+")
