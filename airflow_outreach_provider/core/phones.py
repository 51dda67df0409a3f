"""Phone numbers in any usual writing, to E.164.

Rules come from Google's libphonenumber (package ``phonenumbers``); what spreadsheets do to numbers is undone
here where it can be undone without guessing, and refused where it cannot.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Literal, NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, ValidationResult

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.invisible import UNSEEN
from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.numbering import read_plain
from airflow_outreach_provider.core.phone_cells import number_in, parts_of
from airflow_outreach_provider.core.phone_countries import (
    line_without_zero,
    refuse_lost_plus,
    refuse_two_countries,
    settle_country_code,
)
from airflow_outreach_provider.core.phone_lines import (
    e164_of,
    in_use,
    other_writings,
    renumber,
)
from airflow_outreach_provider.core.phone_other_values import other_value, refuse_day, refuse_other_value
from airflow_outreach_provider.core.phone_rests import rest_after_number, uncounted

REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)

_PLAIN = re.compile(r"\+?[0-9]{4,15}")
_PUNCTUATED = re.compile(r"\+? *[(]?[0-9][0-9 ()\-]{3,30}")
_UNPUNCTUATED = dict.fromkeys(map(ord, " ()-"))
_SHORTEST_NUMBER = 7
_UNKNOWN_RANGE = "phone_unknown_range"
_LONGEST_TAIL = 6
_TWO_IN_A_ROW = re.compile(r"\+?[\d().\-]{7,}(?: +[\d().\-]{7,})+")
_NO_COUNTRY = "001"  # what the library calls the region of e.g. +800
_SCIENTIFIC = re.compile(r"\+?(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_HYPHENED = re.compile(r"(?<!\d)\d{1,4}-\d\d?-\d{2,4}(?!\d)| - ")
_AROUND = "".join(map(chr, [*range(0x21), 0x7F, 0xA0]))
_NEGATIVE = re.compile(r"-\d+(?:[.,]\d+)?")
MASKED = re.compile(r"\S*[·•∙⋅]{2,}\S*")
"""A number of which digits are hidden, as we hide them ourselves."""
CUT_OFF = re.compile(r"(?<=\d)[ ]?(?:…|\.{3,})")
"""Where digits may have been left out, or somebody only went on writing."""
_FLOAT = re.compile(r"(\+?\d{5,})[.,]0+")
_INVISIBLE: dict[int, str | None] = {
    **UNSEEN,
    # Spaces of several widths, which the library does not take between digits.
    **dict.fromkeys([*range(0x2000, 0x200B), 0x202F, 0x205F], " "),
}


class LineType(StrEnum):
    """What kind of line a number belongs to; in North America mobile and fixed cannot be told apart."""

    MOBILE = "mobile"
    FIXED_LINE = "fixed_line"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"


_LINE_TYPES: dict[int, LineType] = {
    PhoneNumberType.MOBILE: LineType.MOBILE,
    PhoneNumberType.FIXED_LINE: LineType.FIXED_LINE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: LineType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: LineType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: LineType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: LineType.SHARED_COST,
    PhoneNumberType.VOIP: LineType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: LineType.PERSONAL_NUMBER,
    PhoneNumberType.PAGER: LineType.PAGER,
    PhoneNumberType.UAN: LineType.UAN,
    PhoneNumberType.VOICEMAIL: LineType.VOICEMAIL,
}

_POSSIBLE_REASONS: dict[int, tuple[str, str]] = {
    ValidationResult.TOO_SHORT: ("phone_too_short", "has too few digits"),
    ValidationResult.TOO_LONG: ("phone_too_long", "has too many digits"),
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: ("phone_too_short", "lacks its area code"),
    ValidationResult.INVALID_COUNTRY_CODE: ("phone_invalid", "has no existing country code"),
}


class Phone(NamedTuple):
    """A number somebody can be reached under.

    :param e164: e.g. ``+14165550123``.
    :param region: ISO 3166 code of the region the number belongs to, None for numbers of no country.
    """

    e164: str
    region: str | None


class PhoneReading(NamedTuple):
    """How strictly a number is read.

    :param several: of a cell with several numbers, ``first`` takes the first that can be read.
    :param unknown_ranges: ``allow`` takes a number that has as many digits as its country's mobiles and is in no range
        known to be in use: ranges are newer than the library's tables at times.
    """

    several: Literal["reject", "first"] = "reject"
    unknown_ranges: Literal["reject", "allow"] = "reject"

    def check(self) -> None:
        """:raises ConfigurationError: a word that means nothing here."""
        for name, value, known in (
            ("several_phones", self.several, ("reject", "first")),
            ("unknown_ranges", self.unknown_ranges, ("reject", "allow")),
        ):
            if value not in known:
                raise ConfigurationError(
                    f"{name} {value!r} does not exist", f"use {known[0]!r} or {known[1]!r}"
                )


STRICT = PhoneReading()
WRITTEN_DOWN = PhoneReading(unknown_ranges="allow")
"""For numbers that name somebody we may know already, e.g. in a filter: nobody is texted by it."""


def check_region(region: str | None, where: str = "") -> str | None:
    """The region in capitals.

    :param where: it was read, e.g. which connection.
    :raises ConfigurationError: it is not one of the ISO 3166-1 alpha-2 codes that have phone numbers.
    """
    if region is None or region == "":
        return None
    upper = region.strip().upper()
    if upper not in REGIONS:
        raise ConfigurationError(
            f"{where and where + ': '}default_region {shown_value(region)} is not a region that has phone numbers",
            "use a two-letter ISO 3166 code such as US, CA, GB or DE",
        )
    return upper


def parse_phone(raw: object, region: str | None = None, how: PhoneReading = STRICT) -> Phone:
    """Read a phone number as people, CRMs and spreadsheets write it; strictly, for somebody will be texted.

    A cell that holds more than a number is refused. A writing that a country gave up and that can only mean one
    line of today is that line: ``+52 1 55 1234 5678`` is ``+525512345678``.

    :param raw: text or number; ``+1 (416) 555-0123``, ``0044 20 7946 0958``, ``'+14165550123``,
        ``1.4165550123E10`` and ``tel:+1-416-555-0123`` are all understood.
    :param region: where a number without country code belongs (ISO 3166, capitals).
    :raises LeadRejected: with reason ``phone_missing``, ``phone_not_a_number``, ``phone_has_text``,
        ``phone_has_date``, ``phone_several``, ``phone_extension``, ``phone_too_short``, ``phone_too_long``,
        ``phone_invalid``, ``phone_unknown_range``, ``phone_ambiguous``, ``phone_lossy`` or ``region_unknown``.
    """
    if type(raw) is str and _PLAIN.fullmatch(raw):
        plain = _read_plain(raw, region) or _read_with_library(raw, region, how)
        refuse_lost_plus(raw, *plain)
        _refuse_placeholder(plain.e164)
        refuse_day(raw, plain.e164)
        return plain
    text = plain_text(raw)
    try:
        return _read_text(text, region, how)
    except LeadRejected as error:
        if error.reason != "region_unknown" and (value := other_value(text)) is not None:
            raise LeadRejected("phone_not_a_number", f"the value is {value}") from None
        if error.reason == "phone_too_long" and _TWO_IN_A_ROW.fullmatch(text):
            raise LeadRejected("phone_several", "the cell holds more than one number") from None
        if error.reason != "phone_several" or how.several != "first":
            raise
        found = _first_of_several(text, region, how)
        if found is None:
            raise
        return found


def _read_text(text: str, region: str | None, how: PhoneReading) -> Phone:
    labelled = False
    # Digits, blanks, brackets and hyphens hold nothing else, unless they are a date or two numbers.
    if not _PUNCTUATED.fullmatch(text) or _HYPHENED.search(text):
        text, labelled = number_in(text)
    written, text = text, uncounted(text, region, labelled=labelled)
    found = _read_plain(text, region) or _read_with_library(text, region, how)
    refuse_other_value(written, found.e164)
    if (rest := rest_after_number(text, found.e164)) is not None:
        raise LeadRejected(*rest)
    refuse_lost_plus(text, *found)
    refuse_two_countries(text, found.e164)
    _refuse_placeholder(found.e164)
    refuse_day(text, found.e164)
    return found


def _refuse_placeholder(e164: str) -> None:
    """Refuse what forms and tests hold in place of a number, also where such a number is in use: a stranger has it.

    :raises LeadRejected: ``phone_invalid``.
    """
    if len(set(e164[-_SHORTEST_NUMBER:])) > 1:
        return
    if len(set(phonenumbers.national_significant_number(phonenumbers.parse(e164)))) == 1:
        raise LeadRejected("phone_invalid", "the number repeats one digit, as placeholders do")


def _first_of_several(text: str, region: str | None, how: PhoneReading) -> Phone | None:
    for part in parts_of(text):
        try:
            return _read_text(part, region, how)
        except LeadRejected:
            continue
    return None


def _read_with_library(text: str, region: str | None, how: PhoneReading) -> Phone:
    number = settle_country_code(_parse(text, region), text, region)
    # What is_valid_number() does, without looking up the region twice.
    home = phonenumbers.region_code_for_number(number)
    if home is None or not phonenumbers.is_valid_number_for_region(number, home):
        # Of what was written too: a zero after the country code may be a trunk zero, or a digit of the old number.
        for old in (e164_of(number), "+" + "".join(filter(str.isdigit, text)) if text[0] == "+" else ""):
            if (renumbered := renumber(old)) is not None:
                return parse_phone(renumbered)
        reason, words = _why_not(number)
        if reason == _UNKNOWN_RANGE and how.unknown_ranges == "allow":
            return Phone(e164_of(number), _known_place(number, region))
        if reason != _UNKNOWN_RANGE and (line := line_without_zero(text, region)) is not None:
            return parse_phone(line)
        raise LeadRejected(reason, f"the number {words} in {_place(number, region)}")
    return Phone(e164_of(number), home if home != _NO_COUNTRY else None)


def _why_not(number: phonenumbers.PhoneNumber) -> tuple[str, str]:
    """Why a number is none in use: it cannot be one, or it could be one of a range that is not known."""
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != ValidationResult.IS_POSSIBLE:
        return _POSSIBLE_REASONS.get(possible, ("phone_invalid", "has a number of digits that none has"))
    if len(set(phonenumbers.national_significant_number(number))) == 1:
        return "phone_invalid", "repeats one digit, as placeholders do, and is no number in use"
    if other_writings(e164_of(number)):
        return "phone_invalid", "is no number in use any more, and may mean several lines of today"
    as_mobile = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
    if as_mobile != ValidationResult.IS_POSSIBLE:
        return "phone_invalid", "is in no range known to be in use, and has not as many digits as a mobile"
    digits = e164_of(number)
    if any(in_use(digits[:-more]) for more in range(1, _LONGEST_TAIL + 1)):
        return "phone_invalid", "is none in use, and would be with fewer digits at its end"
    return _UNKNOWN_RANGE, "has as many digits as a mobile, but is in no range known to be in use"


def line_type(e164: str) -> LineType:
    """The kind of line of a valid E.164 number."""
    return _LINE_TYPES.get(phonenumbers.number_type(phonenumbers.parse(e164)), LineType.UNKNOWN)


@lru_cache(maxsize=512)
def tells_mobile(region: str) -> bool:
    """Whether a region's mobile lines can be told from its fixed ones; in North America, Mexico or Chile they cannot."""
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    return example is None or phonenumbers.number_type(example) != PhoneNumberType.FIXED_LINE_OR_MOBILE


def _read_plain(text: str, region: str | None) -> Phone | None:
    """The short way; None where the library has to judge."""
    if not _PLAIN.fullmatch(text):
        if not _PUNCTUATED.fullmatch(text):
            return None
        text = text.translate(_UNPUNCTUATED)
    found = read_plain(text, region)
    return Phone(*found) if found else None


def plain_text(raw: object) -> str:
    """A cell as text, of a number in whatever writing all of its digits.

    :raises LeadRejected: there is none, or some of them are lost.
    """
    if raw is None or isinstance(raw, bool):
        raise LeadRejected("phone_missing", "the row has no phone number")
    if isinstance(raw, Enum):
        raw = raw.value
    if isinstance(raw, float | Decimal):
        # repr(float(…)): a float of NumPy does not print as a number.
        return _from_number(Decimal(repr(float(raw))) if isinstance(raw, float) else raw)
    if isinstance(raw, int) and abs(raw) >= 10**20:
        raise LeadRejected("phone_too_long", "the number has too many digits")
    text = str(raw).translate(_INVISIBLE).strip(_AROUND).lstrip("'\"`’=").rstrip("'\"`’").strip(_AROUND)
    if not text:
        raise LeadRejected("phone_missing", "the row has no phone number")
    if MASKED.search(text) or CUT_OFF.search(text):
        raise LeadRejected(
            "phone_lossy", "digits of the number are left out; use a source that has all of them"
        )
    if _NEGATIVE.fullmatch(text):
        raise LeadRejected("phone_not_a_number", "the value is not a phone number")
    if match := _SCIENTIFIC.fullmatch(text):
        return _from_scientific(*match.groups(default=""))
    if match := _FLOAT.fullmatch(text):
        return match.group(1)
    return text


def _from_number(value: Decimal) -> str:
    if value.is_nan():  # an empty cell, as data frames say it
        raise LeadRejected("phone_missing", "the row has no phone number")
    if not value.is_finite() or value != value.to_integral_value() or value < 0 or value.adjusted() > 20:
        raise LeadRejected("phone_not_a_number", "the value is not a phone number")
    return str(int(value))


def _from_scientific(whole: str, fraction: str, exponent: str) -> str:
    """``1.4165550123E10`` holds every digit; ``1.41656E+10`` has lost some and would reach a stranger."""
    if len(fraction) < int(exponent):
        raise LeadRejected(
            "phone_lossy", "a spreadsheet rounded this number; format the column as text and export it again"
        )
    digits = whole + fraction[: int(exponent)]
    if fraction[int(exponent) :].strip("0"):
        raise LeadRejected("phone_not_a_number", "the value is not a phone number")
    return digits


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if text.startswith("00"):
            return _parse("+" + text[2:], region)
        raise LeadRejected(*_parse_reason(error, text)) from None
    if not text.startswith("00"):
        return number
    # 00 is the international prefix of most of the world, but of few of its default regions.
    try:
        international = phonenumbers.parse("+" + text[2:], region)
    except NumberParseException:
        return number
    if international == number or not phonenumbers.is_valid_number(international):
        return number
    if not phonenumbers.is_valid_number(number):
        return international
    raise LeadRejected(
        "phone_ambiguous",
        f"with a + for its 00 the number is in use, and another one as it is dialled in {region}; write it with +",
    )


def _parse_reason(error: NumberParseException, text: str) -> tuple[str, str]:
    match error.error_type:
        case NumberParseException.INVALID_COUNTRY_CODE if not text.startswith("+"):
            return "region_unknown", "the number has no country code; set default_region or write it with +"
        case NumberParseException.INVALID_COUNTRY_CODE:
            return "phone_invalid", "the number has no existing country code"
        case NumberParseException.TOO_SHORT_AFTER_IDD | NumberParseException.TOO_SHORT_NSN:
            return "phone_too_short", "the number has too few digits"
        case NumberParseException.TOO_LONG:
            return "phone_too_long", "the number has too many digits"
        case _:
            return "phone_not_a_number", "the value is not a phone number"


def _place(number: phonenumbers.PhoneNumber, region: str | None) -> str:
    return _known_place(number, region) or f"country code {number.country_code}"


def _known_place(number: phonenumbers.PhoneNumber, region: str | None) -> str | None:
    """The region asked for where the number can be there, else the main one of its country code."""
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
    if region and region in codes:
        return region
    return codes[0] if codes and codes[0] != _NO_COUNTRY else None
