"""A cell that holds more than a number is not a number: nobody else's, and nobody's."""

from __future__ import annotations

import contextlib
import csv
import re
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat
from strategies import examples

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phones import STRICT, PhoneReading, parse_phone

WRITINGS = list(
    csv.DictReader((Path(__file__).parent / "data" / "phone_writings.csv").open(encoding="utf-8", newline=""))
)


def outcome(written: object, region: str | None, how: PhoneReading = STRICT) -> str:
    try:
        return parse_phone(written, region, how).e164
    except LeadRejected as error:
        return error.reason


@pytest.mark.parametrize("row", WRITINGS, ids=lambda row: f"{row['written']!r}-{row['region']}")
def test_every_writing_of_the_table_is_read_as_it_says(row: dict[str, str]) -> None:
    """The table of writings by region, kind and source: each is the number it says, or has the reason it says."""
    assert outcome(row["written"], row["region"] or None) == row["wanted"]


def test_the_table_is_large_and_says_where_its_rows_are_from() -> None:
    """Hundreds of writings, each once, each with its kind and source."""
    assert len(WRITINGS) >= 420
    assert len({(row["written"], row["region"]) for row in WRITINGS}) == len(WRITINGS)
    assert all(row["kind"] and row["source"] for row in WRITINGS)


NUMBERS = [
    (region, number)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    and phonenumbers.is_valid_number(number)
]
FORMS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
numbers = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(FORMS))


def written(sample: tuple[tuple[str, phonenumbers.PhoneNumber], int]) -> tuple[str, str, str]:
    """A number as its country writes it: (text, region, what it is read as alone)."""
    (region, number), form = sample
    text = phonenumbers.format_number(number, form)
    return text, region, outcome(text, region)


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(
    sample=numbers,
    apart=st.sampled_from([" ", "", ", ", " - ", " (", ": ", "\n", "\t", "; "]),
    words=st.text(st.characters(categories=["L"]), min_size=1, max_size=12),
    first=st.booleans(),
)
def test_words_beside_a_number_never_make_another_one(
    sample: tuple[tuple[str, phonenumbers.PhoneNumber], int], apart: str, words: str, first: bool
) -> None:
    """Letters of any script before or after a number leave the same number or none."""
    text, region, alone = written(sample)
    got = outcome(words + apart + text if first else text + apart + words, region)
    assert got == alone or not got.startswith("+")


@pytest.mark.slow
@settings(max_examples=examples(1200), deadline=None)
@given(
    sample=numbers,
    apart=st.sampled_from(["/", " / ", ",", ", ", ";", "; ", "|", " | ", "\n", "\r\n", " ext. ", " x", "#", " or ", " & ",
                           "//", " DW ", " (", " +", "\\", " - ", "@", ":", "*", "\x00", "\u2028"]),
    digits=st.text("0123456789", min_size=1, max_size=12),
)  # fmt: skip
@example(sample=(("LU", phonenumbers.parse("+35227123456")), 0), apart=" - ", digits="0")
@example(sample=(("TK", phonenumbers.parse("+6907290")), 1), apart=" - ", digits="00")
@example(sample=(("TK", phonenumbers.parse("+6907290")), 2), apart=" - ", digits="0")
def test_digits_behind_a_separator_never_make_another_number(
    sample: tuple[tuple[str, phonenumbers.PhoneNumber], int], apart: str, digits: str
) -> None:
    """A slash tail, an extension, a second number: the same number or none."""
    text, region, alone = written(sample)
    got = outcome(text + apart + digits, region)
    assert got == alone or not got.startswith("+")


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(
    sample=numbers,
    apart=st.sampled_from(["", " ", "-", ".", " - ", " / ", ", ", " x", ":::", "+"]),
    digits=st.text("0123456789", min_size=1, max_size=6),
    how=st.sampled_from(
        [PhoneReading("first"), PhoneReading("first", "allow"), PhoneReading("reject", "allow")]
    ),
)
def test_no_choice_makes_another_number_of_one_with_more_digits(
    sample: tuple[tuple[str, phonenumbers.PhoneNumber], int], apart: str, digits: str, how: PhoneReading
) -> None:
    """Where the first of several, or new ranges are taken, what was no number before is this one or none.

    Or it has come to hold a country code of its own, and is read digit for digit.
    """
    text, region, alone = written(sample)
    longer = text + apart + digits
    if alone.startswith("+") and not outcome(longer, region).startswith("+"):
        got = outcome(longer, region, how)
        whole = "+" + "".join(filter(str.isdecimal, longer))
        assert got == alone or not got.startswith("+") or (how.unknown_ranges == "allow" and got == whole)


IN_ONE_GO = [
    (region, text)
    for region, number in NUMBERS
    for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
    if re.search(r"\d[ \-]\d{6,}$", text := phonenumbers.format_number(number, form))
]


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(
    sample=st.sampled_from(IN_ONE_GO),
    apart=st.sampled_from([" ", "-", ".", " - ", "  ", "\t", "\u00a0", "\u2011"]),
    digits=st.text("0123456789", min_size=1, max_size=12),
)
def test_digits_after_a_complete_number_never_make_another_one(
    sample: tuple[str, str], apart: str, digits: str
) -> None:
    """Where a number stands complete, in one go, a blank or hyphen before more digits makes no longer one of it."""
    region, text = sample
    got = outcome(text + apart + digits, region)
    assert got == outcome(text, region) or not got.startswith("+")


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    st.text("0123456789 +()-./,;:x#eE@\n\t\u200b\u00a0abTel", max_size=30),
    st.sampled_from(["US", "AT", "DE", "IT", None]),
)
@example("0:00", "US")
@example("0: 00", None)
def test_whatever_is_read_is_read_again_as_itself(text: str, region: str | None) -> None:
    """Any cell is a number or a rejection, and the number's own writing is that number."""
    with contextlib.suppress(LeadRejected):
        phone = parse_phone(text, region)
        assert parse_phone(phone.e164, None) == phone
        assert sum(map(str.isdigit, text)) >= 4
