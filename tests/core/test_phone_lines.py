"""One line in all its writings: for texting what surely is it, for the do-not-contact list what could be."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_lines import in_use, one_line, other_writings, renumber
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.phones import parse_phone

LISTED = list(
    csv.DictReader(
        (Path(__file__).parent / "data" / "listed_writings.csv").open(encoding="utf-8", newline="")
    )
)


def stops(listed: str, region: str | None, lead: str) -> bool:
    """Whether an entry on the do-not-contact list stops a lead."""
    numbers = listed_numbers(listed, region)
    return any(lead in (number, *other_writings(number)) for number in numbers)


@pytest.mark.parametrize("row", LISTED, ids=lambda row: f"{row['listed']!r}-{row['lead']}")
def test_an_opt_out_counts_in_every_writing_of_the_line(row: dict[str, str]) -> None:
    """The table of opt-outs and leads: each stops the lead it could be, and nobody else's."""
    assert stops(row["listed"], row["region"] or None, row["lead"]) is (row["stops"] == "yes")


@pytest.mark.parametrize(
    "row", [row for row in LISTED if row["stops"] == "yes"], ids=lambda row: row["listed"]
)
def test_a_lead_written_like_the_opt_out_is_stopped_too(row: dict[str, str]) -> None:
    """Whatever a lead in the opt-out's own writing is read as, the opt-out stops it."""
    try:
        lead = parse_phone(row["listed"], row["region"] or None).e164
    except LeadRejected:
        return
    assert stops(row["listed"], row["region"] or None, lead)
    assert lead == row["lead"] or stops(row["lead"], None, lead)


EXAMPLES = sorted(
    {
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in range(11)
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    }
)


@settings(deadline=None)
@given(st.sampled_from(EXAMPLES))
def test_a_number_in_use_is_never_renumbered(e164: str) -> None:
    """What is a number of today is texted as it is; and its other writings find their way back to it."""
    if in_use(e164):
        assert parse_phone(e164).e164 == e164
    assert e164 not in other_writings(e164)


@pytest.mark.slow
@settings(max_examples=examples(500), deadline=None)
@example(code="84", national="010000000")
@given(
    st.sampled_from(
        [
            "52",
            "54",
            "55",
            "225",
            "229",
            "230",
            "237",
            "241",
            "57",
            "593",
            "56",
            "84",
            "39",
            "33",
            "7",
            "383",
            "970",
        ]
    ),
    st.text("0123456789", min_size=6, max_size=11),
)
def test_renumbering_ends_at_a_number_in_use_and_knows_the_way_back(code: str, national: str) -> None:
    """The line an old writing surely means is in use, is not renumbered again, and is stopped by the old writing."""
    old = f"+{code}{national}"
    new = renumber(old)
    if new is not None and not in_use(old):
        assert in_use(new)
        assert new in other_writings(old)
        assert parse_phone(old).e164 == new


@pytest.mark.parametrize(
    ("cell", "region", "numbers"),
    [
        ("0171 1234567 neu", "DE", {"+491711234567"}),
        ("0171 1234567/8", "DE", {"+491711234567"}),
        ("0171 1234567 / 0172 7654321", "DE", {"+491711234567", "+491727654321"}),
        ("031/234/567", "SI", {"+38631234567"}),
        ("+385/98/123/456", None, {"+38598123456"}),
        ("06/12/34/56/78", "FR", {"+33612345678"}),
        ("12/31/2026", "US", set()),
        ("0664 1234567 8", "AT", {"+436641234567", "+4366412345678"}),
        ("+1 416 555 0123 ext. 9", None, {"+14165550123"}),
        ("4915123456789", "DE", {"+4915123456789", "+494915123456789"}),
        ("4915123456789.0", "DE", {"+4915123456789", "+494915123456789"}),
        ("4.915123456789E12", "DE", {"+4915123456789", "+494915123456789"}),
        ("1.4165550123E10", None, {"+14165550123"}),
        ("1.4165550123E+10", "GB", {"+14165550123"}),
        (Decimal("1.416555012E+10"), "GB", {"+14165550120"}),
        ("1.41656E+10", "GB", set()),
        ("5555555555", "MX", {"+525555555555"}),
        ("+5215512345678", None, {"+525512345678"}),
        ("0052 1 55 1234 5678", None, {"+525512345678"}),
        ("+22507123456", None, {"+22507123456"}),
        ("none", "DE", set()),
        ("", "DE", set()),
        (None, "DE", set()),
    ],
)  # fmt: skip
def test_the_list_reads_generously(cell: object, region: str | None, numbers: set[str]) -> None:
    """A cell that no text may be sent to still tells whom not to text: every number in it, in every reading."""
    assert set(listed_numbers(cell, region)) == numbers


@pytest.mark.parametrize(
    "line",
    [("+5491123456789", "+541123456789"), ("+972599123456", "+970599123456"), ("+38344123456", "+37744123456"), ("+38343123456", "+38643123456"),
     ("+24177412345", "+24107412345", "+2417412345"), ("+5511977654321", "+551177654321"), ("+14165550123",), ("+2302512345",), ("+23052512345",), ("+525512345678",)],
)  # fmt: skip
def test_the_numbers_of_a_line_that_are_in_use_are_one_line_whichever_is_asked(line: tuple[str, ...]) -> None:
    """The one of today first; an old writing that is somebody else's number by now is no writing of it."""
    assert {one_line(each) for each in line} == {line}
