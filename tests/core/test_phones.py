"""Phone numbers in any usual writing become one E.164 number, or a reason why not."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.phone_lines import in_use, national_form
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.phones import REGIONS, LineType, check_region, line_type, parse_phone

TORONTO = "+14165550123"

READABLE = [
    ("+14165550123", None),
    ("+1 (416) 555-0123", None),
    ("+1.416.555.0123", None),
    ("  +1 416 555 0123\t\n", None),
    ("tel:+1-416-555-0123", None),
    ("tel:416-555-0123;phone-context=+1", None),
    ("'+14165550123", None),
    ('="+14165550123"', None),
    ("＋１４１６５５５０１２３", None),
    ("+١٤١٦٥٥٥٠١٢٣", None),
    ("+१४१६५५५०१२३", None),
    ("+1​416‎555\u00ad0123", None),
    ("+1\u00a0416\u202f555\u20110123", None),
    ("0014165550123", None),
    ("00 1 416 555 0123", None),
    ("00+1 416 555 0123", None),
    ("4165550123", "US"),
    ("(416) 555-0123", "CA"),
    ("1 416 555 0123", "US"),
    ("14165550123", "US"),
    ("011 1 416 555 0123", "US"),
    ("0014165550123", "US"),
    ("0014165550123", "GB"),
    ("0014165550123", "IT"),
    ("+1 416 555 0123", "DE"),
    ("416/555-0123", "US"),
    ("Tel.: +1 416 555 0123", None),
    ("mobile: (416) 555-0123", "US"),
    ("whatsapp:+14165550123", None),
    ("14165550123@s.whatsapp.net", None),
    ("<+14165550123>.", None),
    (14165550123, "US"),
    (4165550123, "US"),
    (4165550123.0, "US"),
    (Decimal(4165550123), "US"),
    (Decimal("4165550123.00"), "US"),
    (Decimal("4.165550123E+9"), "US"),
    ("4165550123.0", "US"),
    ("4165550123,00", "US"),
    ("+14165550123.0", None),
    ("1.4165550123E10", "US"),
    ("1.4165550123e+10", "US"),
    ("1,4165550123E+10", "US"),
    ("1.41655501230000E+10", "US"),
    ("+1.4165550123E10", "US"),
]


@pytest.mark.parametrize(("raw", "region"), READABLE, ids=lambda v: repr(v))
def test_every_usual_writing_is_the_same_number(raw: object, region: str | None) -> None:
    """However a number is written, it is the same person: only one key reaches the ledger."""
    assert parse_phone(raw, region).e164 == TORONTO


UNREADABLE = [
    (None, "US", "phone_missing"),
    ("", "US", "phone_missing"),
    ("  \t ", "US", "phone_missing"),
    ("'", "US", "phone_missing"),
    ("\u200b\ufeff", "US", "phone_missing"),
    (float("nan"), "US", "phone_missing"),
    (Decimal("NaN"), "US", "phone_missing"),
    (Decimal("sNaN"), "US", "phone_missing"),
    (True, "US", "phone_missing"),
    ("n/a", "US", "phone_not_a_number"),
    ("call me", "US", "phone_not_a_number"),
    ("+", "US", "phone_not_a_number"),
    ("-", "US", "phone_not_a_number"),
    ("4165550123, 6475550199", "US", "phone_several"),
    ("+1 416 555 0123 ext. 99", None, "phone_extension"),
    ("416-555-0123;ext=7", "US", "phone_extension"),
    (float("inf"), "US", "phone_not_a_number"),
    (Decimal("-Infinity"), "US", "phone_not_a_number"),
    (4165550123.5, "US", "phone_not_a_number"),
    (-4165550123.0, "US", "phone_not_a_number"),
    (1e300, "US", "phone_not_a_number"),
    (Decimal("1E+999999"), "US", "phone_not_a_number"),
    ("1.41655501239E10", "US", "phone_not_a_number"),
    ("1" * 300, "US", "phone_too_long"),
    ("12", "US", "phone_too_short"),
    ("555-0123", "US", "phone_too_short"),
    ("+1416555", None, "phone_too_short"),
    ("+1416555012345678", None, "phone_too_long"),
    ("4165550123456", "US", "phone_too_long"),
    ("+1 555 555 5555", None, "phone_invalid"),
    ("0000000000", "US", "phone_invalid"),
    ("-4165550123", "US", "phone_not_a_number"),
    (-4165550123, "US", "phone_not_a_number"),
    ("20240115", "DE", "phone_has_date"),
    (19991231, "AT", "phone_has_date"),
    ("20260325183000", "DE", "phone_has_date"),
    (202603251830, "DE", "phone_has_date"),
    ("5555555555", "MX", "phone_invalid"),
    ("9999999999", "IN", "phone_invalid"),
    ("04 4444 4444", "AU", "phone_invalid"),
    ("+49 5555 555555", None, "phone_invalid"),
    (5555555555, "GB", "phone_invalid"),
    ("+999123456789", None, "phone_invalid"),
    ("+44 7700 90012", None, "phone_invalid"),
    ("4165550123", None, "region_unknown"),
    (4165550123, None, "region_unknown"),
    ("1.4165550123E10", None, "region_unknown"),
    ("1.41656E+10", "US", "phone_lossy"),
    ("1,41656E+10", "US", "phone_lossy"),
    ("4.41656e11", "GB", "phone_lossy"),
    ("4E11", "GB", "phone_lossy"),
    ("+4312•••7905", None, "phone_lossy"),
    ("030 123•••0587", "DE", "phone_lossy"),
    ("+49 30 123…", None, "phone_lossy"),
    ("+4930123....", None, "phone_lossy"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "region", "reason"), UNREADABLE, ids=lambda v: repr(v)[:40])
def test_what_is_no_number_says_why(raw: object, region: str | None, reason: str) -> None:
    """Each number that cannot be read is rejected with the one reason that tells its owner what to mend."""
    with pytest.raises(LeadRejected) as caught:
        parse_phone(raw, region)
    assert caught.value.reason == reason
    assert caught.value.detail


@pytest.mark.parametrize("text", ["1.41656E+010", "1.41656 E+10", "1.41656E", "1.41656E1O", "1.4E+10 "])
def test_a_rounded_number_never_becomes_somebody(text: str) -> None:
    """Scientific notation that lost digits, however it is spelled, reaches no stranger."""
    with pytest.raises(LeadRejected):
        parse_phone(text, "US")


def test_a_float_of_numpy_is_read_like_pythons() -> None:
    """Rows of data frames carry numbers whose repr is not a number."""

    class Float64(float):
        def __repr__(self) -> str:
            return f"np.float64({float(self)!r})"

    assert parse_phone(Float64(4165550123.0), "US").e164 == TORONTO
    with pytest.raises(LeadRejected, match="phone_missing"):
        parse_phone(Float64("nan"), "US")


def test_an_enormous_integer_is_a_bad_row_and_not_a_crash() -> None:
    """An integer too long to print is refused like any other value that is no phone number."""
    with pytest.raises(LeadRejected):
        parse_phone(10**5000, "US")


def _examples() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    found = []
    for region in sorted(REGIONS):
        for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and phonenumbers.is_valid_number(number):
                found.append((region, number))
    return found


EXAMPLES = _examples()


def _writings(number: phonenumbers.PhoneNumber) -> list[tuple[object, bool]]:
    """Ways to write a number, and whether they need the region."""
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return [
        (e164, False),
        (international, False),
        (phonenumbers.format_number(number, PhoneNumberFormat.RFC3966), False),
        ("'" + e164, False),
        ("00" + e164[1:], False),
        (international.replace(" ", "."), False),
        (national, True),
        (phonenumbers.national_significant_number(number), True),
    ]


@pytest.mark.slow
def test_every_regions_numbers_are_read_from_every_writing() -> None:
    """For each region of the world, its example numbers in eight writings are the same E.164 number."""
    wrong = []
    assert len(EXAMPLES) > 400
    for region, number in EXAMPLES:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for written, needs_region in _writings(number):
            given_region = region if needs_region else None
            if needs_region:
                library = phonenumbers.parse(str(written), region)
                if not phonenumbers.is_valid_number(library):
                    continue  # this region's numbers cannot be written without the country code
                want = phonenumbers.format_number(library, PhoneNumberFormat.E164)
            else:
                want = e164
            try:
                got = parse_phone(written, given_region).e164
            except LeadRejected as error:
                got = error.reason
            if got != want:
                wrong.append((region, written, want, got))
    assert wrong == []


@given(st.sampled_from(EXAMPLES), st.text(alphabet=" .-()/\u00a0\u200b\u2011", max_size=2), st.data())
def test_punctuation_changes_nothing(
    example: tuple[str, phonenumbers.PhoneNumber], mark: str, data: st.DataObject
) -> None:
    """Marks people put between digits never make another number of it: the same, or refused."""
    e164 = phonenumbers.format_number(example[1], PhoneNumberFormat.E164)
    at = data.draw(st.integers(2, len(e164) - 1))
    try:
        assert parse_phone(e164[:at] + mark + e164[at:], None).e164 == e164
    except LeadRejected:
        # A point before zeros alone is a spreadsheet's, what is a number already has an end, a country code has all its digits.
        zeros, parted = "." in mark and not e164[at:].strip("0"), at <= len(str(example[1].country_code))
        assert mark.strip(" \u00a0\u200b\u2011.-") != "" or zeros or parted or in_use(e164[:at])


@pytest.mark.slow
@given(st.sampled_from(EXAMPLES), st.integers(0, 999_999))
def test_what_is_masked_is_nobody(example: tuple[str, phonenumbers.PhoneNumber], end: int) -> None:
    """Lists that we masked, read as a source or as a do-not-contact list, reach nobody, and list nobody else."""
    e164 = phonenumbers.format_number(example[1], PhoneNumberFormat.E164)
    masked = mask_phone(f"{e164[:-6]}{end:06}")
    with pytest.raises(LeadRejected):
        parse_phone(masked)
    assert listed_numbers(masked) == ()
    known = phonenumbers.format_number(example[1], PhoneNumberFormat.INTERNATIONAL)
    for cell in (f"{masked} / {known}", f"{known} … {masked}", f"{known}... {masked}"):
        with pytest.raises(LeadRejected):
            parse_phone(cell)
        assert listed_numbers(cell) == listed_numbers(known), "a no beside it is heard"


# Sint Maarten left the Antilles' code, and the mobiles of France's departments overseas are dialled like its own.
MOVED = {599: ("+1721",), 33: ("+590", "+262", "+594", "+596")}


@pytest.mark.slow
@settings(max_examples=examples(500), deadline=None)
@example(region="VN", digits="0212345484")
@example(region="TW", digits="012345637")
@example(region="US", digits="015123456789")
@given(region=st.sampled_from(sorted(REGIONS)), digits=st.from_regex(r"0?[1-9][0-9]{5,11}", fullmatch=True))
def test_a_number_without_its_country_code_stays_in_the_country(region: str, digits: str) -> None:
    """What is dialled within a country is one of its numbers, or all of an international one; it is no other country's for a lack."""
    plan = PhoneMetadata.metadata_for_region(region)
    assume(plan is not None and re.match(plan.international_prefix or "(?!)", digits) is None)
    with contextlib.suppress(LeadRejected):
        got = parse_phone(digits, region).e164
        moved = got.startswith(MOVED.get(plan.country_code, "+0"))
        assert got.startswith(f"+{plan.country_code}") or got == f"+{digits}" or moved
        assert not got.startswith("+1") or digits[:2] != "01"


@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.binary(max_size=20), st.booleans()))
def test_any_value_is_a_number_or_a_rejection(value: object) -> None:
    """Whatever stands in the column, the row is read or rejected: nothing else is ever raised."""
    with contextlib.suppress(LeadRejected):
        phone = parse_phone(value, "US")
        assert parse_phone(phone.e164, None) == phone


@pytest.mark.parametrize("region", ["us", " DE ", "Gb"])
def test_a_region_may_be_written_in_any_case(region: str) -> None:
    """default_region takes two letters in any case."""
    assert check_region(region) == region.strip().upper()


@pytest.mark.parametrize("region", ["UK", "USA", "Germany", "XX", "1", "001"])
def test_a_region_that_does_not_exist_is_a_configuration_fault(region: str) -> None:
    """A misspelt default_region fails at once with the remedy, and not row by row."""
    with pytest.raises(ConfigurationError, match="ISO 3166"):
        check_region(region)


@pytest.mark.parametrize(
    ("e164", "kind"),
    [
        ("+447400123456", LineType.MOBILE),
        ("+442079460958", LineType.FIXED_LINE),
        (TORONTO, LineType.FIXED_LINE_OR_MOBILE),
        ("+18002345678", LineType.TOLL_FREE),
        ("+19002345678", LineType.PREMIUM_RATE),
    ],
)
def test_the_kind_of_line_is_known(e164: str, kind: LineType) -> None:
    """A gate on line types works on the number alone; North America cannot tell mobile from fixed."""
    assert line_type(e164) is kind


def test_a_number_of_no_country_has_no_region() -> None:
    """International freephone numbers belong to no country."""
    assert parse_phone("+80012345678").region is None


@pytest.mark.parametrize(
    "text", ["4915123456789", 4915123456789, "49 151 23456789", "(49) 151-23456789", "tel:4915123456789"]
)
def test_a_number_that_is_one_with_and_without_its_country_code_is_refused(text: object) -> None:
    """Read as a national number it would be a stranger's; the reason says how to write it."""
    with pytest.raises(LeadRejected, match=r"with \+") as caught:
        parse_phone(text, "DE")
    assert caught.value.reason == "phone_ambiguous"


@pytest.mark.parametrize(
    ("written", "region", "abroad", "at_home"),
    [
        ("00 66 2 611 7753", "TH", "+6626117753", "+626117753"),  # 006 is how Thailand dials abroad
        ("0093 23 403 2699", "SG", "+93234032699", "+3234032699"),
        ("0049 151 23456789", "KH", "+4915123456789", "+915123456789"),
        ("00376 390 810", "JP", "+376390810", "+8100376390810"),
    ],
)
def test_00_that_is_a_prefix_of_two_kinds_is_refused_and_listed_as_both(
    written: str, region: str, abroad: str, at_home: str
) -> None:
    """00 for the +, or the first digits of what is dialled there: neither of two people is texted."""
    with pytest.raises(LeadRejected) as caught:
        parse_phone(written, region)
    assert caught.value.reason == "phone_ambiguous"
    assert set(listed_numbers(written, region)) == {abroad, at_home}


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("+4915123456789", "DE", "+4915123456789"),
        ("004915123456789", "DE", "+4915123456789"),
        ("015123456789", "DE", "+4915123456789"),
        ("15123456789", "DE", "+4915123456789"),
        ("14165550123", "US", "+14165550123"),
        ("14165550123", "CA", "+14165550123"),
        ("1 (416) 555-0123", "US", "+14165550123"),
        ("447911123456", "GB", "+447911123456"),
        ("919876543210", "IN", "+919876543210"),
        ("9198765432", "IN", "+919198765432"),
        ("4915123456789", None, None),
    ],
)
def test_a_number_with_its_country_code_and_one_reading_takes_it(
    text: str, region: str | None, e164: str | None
) -> None:
    """Where + or national form leave no doubt, or only one reading is a number in use, nothing is refused."""
    if e164 is None:
        with pytest.raises(LeadRejected, match="region_unknown"):
            parse_phone(text, region)
    else:
        assert parse_phone(text, region).e164 == e164


MOBILES = [
    (region, phonenumbers.format_number(number, PhoneNumberFormat.E164))
    for region in sorted(REGIONS)
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
    is not None
    and phonenumbers.is_valid_number(number)
]


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(st.sampled_from(MOBILES), st.sampled_from(sorted(REGIONS)))
@example(("IT", "+393123456789"), "DE")
@example(("CA", "+15062345678"), "LU")  # 15062 is a carrier's code there
@example(("TK", "+6907290"), "BM")  # a local number, as usual there
@example(("AR", "+5491123456789"), "DE")
def test_a_foreign_mobile_without_its_plus_is_no_fixed_line_of_the_region(
    mobile: tuple[str, str], region: str
) -> None:
    """Without + it is this very mobile, a number written as usual in the region, or what may be its mobile; or none."""
    written = mobile[1][1:]
    try:
        got = parse_phone(written, region)
    except LeadRejected:
        return
    usual = phonenumbers.normalize_digits_only(national_form(got.e164))
    as_usual = usual == written or (got.e164[:2] == "+1" and usual[-7:] == written)
    mobile_kinds = (LineType.MOBILE, LineType.FIXED_LINE_OR_MOBILE)
    assert got.e164 == mobile[1] or as_usual or line_type(got.e164) in mobile_kinds


@given(st.sampled_from(MOBILES))
def test_a_mobile_of_the_region_may_lose_its_trunk_prefix(mobile: tuple[str, str]) -> None:
    """A spreadsheet takes the zero of every mobile: the rest is read as before, or not in use, never as ambiguous."""
    region, e164 = mobile
    written = phonenumbers.national_significant_number(phonenumbers.parse(e164))
    try:
        assert parse_phone(written, region).e164 == e164
    except LeadRejected as error:
        assert error.reason != "phone_ambiguous"
