"""Which country a number without + belongs to: where two could be meant, neither is texted."""

from __future__ import annotations

import re
from itertools import accumulate

import phonenumbers
from phonenumbers import NumberParseException

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.numbering import may_be_mobile
from airflow_outreach_provider.core.phone_lines import in_use, line_of, national_form

_DIGIT = re.compile(r"\d")
_ZERO_IN_BRACKETS = re.compile(r"((?:\+|00) ?\d{1,3}) ?\( ?0 ?\)")
_EIGHT = re.compile(r"\+ ?8[ (.\-]+(?=[3-9])")
_FIRST_GROUP = re.compile(r"[( ]*(?:\+|00|011(?!\d))[( ]*(\d\d?)(?!\d)")
_RUN = re.compile(r"\d+")
_CODES_OF_ONE_DIGIT = 9
_LONE_ZERO = re.compile(r"\(?0\)?[ \-]+(?=[1-9])")


def refuse_lost_plus(text: str, e164: str, region: str | None) -> None:
    """Refuse what may be another country's mobile whose + a spreadsheet took.

    ``393123456789`` in Germany is a mobile in Italy, or a line in Germany without its zero. Mobiles of the region
    itself lose their zero far more often than a foreign number its +, so they stay what they are, with all of
    their digits; and so does what is written as usual in a region that writes no trunk prefix.

    :param text: digits and marks, and ``e164`` and ``region`` what they read as.
    :raises LeadRejected: ``phone_ambiguous``.
    """
    if text[0] in "+0(" or e164[1] == "1":
        return
    digits = phonenumbers.normalize_digits_only(text)
    if may_be_mobile(e164) and e164.endswith(digits):
        return
    abroad = f"+{digits}"
    if e164 == abroad or not (may_be_mobile(abroad) and in_use(abroad)):
        return
    at_home = phonenumbers.normalize_digits_only(national_form(e164))
    if at_home != digits:
        # A carrier's code, as Luxembourg has them, may be taken off what is longer.
        prefix = at_home.removesuffix(digits) if at_home.endswith(digits) else ""
        dialled = f", or with the {prefix} that is dialled before it in {region}" if prefix else ""
        raise LeadRejected(
            "phone_ambiguous",
            f"with a + before it the number is a mobile of another country, and without it a line in {region}; "
            f"write it with +{dialled}",
        )


def refuse_two_countries(text: str, e164: str) -> None:
    """Refuse what stands with a + or a country code, and is still a number in use of two kinds.

    ``+8 (495) 123-45-67`` is Moscow as it is dialled at home, or a mobile of Viet Nam; ``+39 (0)331 1234567`` is
    a mobile of Italy with a zero too many, or one of its fixed lines.

    :raises LeadRejected: ``phone_ambiguous``.
    """
    if (code := _parted_code(text, e164)) is not None or dialled_with_eight(text) not in (None, e164):
        raise LeadRejected(
            "phone_ambiguous",
            f"the number starts with +{code or 8} by itself, which is no country code; write it with the whole code",
        )
    if (match := _ZERO_IN_BRACKETS.match(text)) is None or may_be_mobile(e164):
        return
    line = line_of(match[1] + text[match.end() :], None)
    if line is not None and line != e164 and may_be_mobile(line) and len(line) == _length_of_mobiles(line):
        raise LeadRejected(
            "phone_ambiguous",
            "the number is one in use with the zero in brackets and a mobile without it; write it without brackets",
        )


def _parted_code(text: str, e164: str) -> str | None:
    """What stands apart behind the + and is only the beginning of a country code, which ends within a later group; else None.

    ``+2 (416) 555-0100`` is no number of Gabon. ``+4 9 151 …`` parts nothing from the code, and groups that are all
    of one length say nothing of it.
    """
    match = _FIRST_GROUP.match(text)
    if match is None or int(match[1]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return None
    # Also of numbers of no country, such as +800.
    code = str(phonenumbers.parse(e164).country_code)
    runs = _RUN.findall(text, match.start(1))
    # 011 is also Johannesburg, as it is dialled at home; what was renumbered has other digits behind its code.
    digits = "".join(runs)
    abroad = digits.startswith(code) and (match[0].lstrip("( ")[:3] != "011" or digits == e164[1:])
    sizes = [*map(len, runs)]
    whole = (
        sizes[0] >= len(code) or len(code) in accumulate(sizes) or len({*sizes[:-1]}) == 1 < len(sizes) - 1
    )
    return match[1] if abroad and not whole else None


def countries_of_code(code: int) -> list[str]:
    """The countries of a calling code, the main one first; none where it is of no country, as +800."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    return [each for each in regions if each in phonenumbers.SUPPORTED_REGIONS]


def _length_of_mobiles(e164: str) -> int:
    """How long the mobiles of a number's country usually are as E.164: Italy has some of former days that are shorter."""
    code = phonenumbers.parse(e164).country_code or 0
    region = phonenumbers.region_code_for_country_code(code)
    usual = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    return len(f"+{code}{phonenumbers.national_significant_number(usual)}") if usual else 0


def dialled_with_eight(text: str) -> str | None:
    """The line of Russia or Kazakhstan whose 8 that is dialled at home stands apart behind a +; else None."""
    match = _EIGHT.match(text)
    return line_of("+7" + text[match.end() :], None) if match else None


def settle_country_code(
    number: phonenumbers.PhoneNumber, text: str, region: str | None
) -> phonenumbers.PhoneNumber:
    """``4915123456789`` in Germany is somebody's mobile without its +, or a stranger's number within the country.

    The library always reads the latter. Where only one is a number in use, it is that one; in North America, and
    wherever else a number is too long to hold its country code, both readings are the same.
    """
    other = _with_plus(text, region)
    if other is None or other == number or not phonenumbers.is_valid_number(other):
        return number
    if not phonenumbers.is_valid_number(number):
        return other
    raise LeadRejected(
        "phone_ambiguous",
        f"the number starts with the country code of {region}, and is a number in use with and without it; "
        "write it with + or as it is dialled within the country",
    )


def _with_plus(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """A number without + that starts with its region's country code, read as if it had the +; else None."""
    first = _DIGIT.search(text)
    if region is None or first is None or "+" in text or "\uff0b" in text:
        return None
    digits = phonenumbers.normalize_digits_only(text)
    if not digits.startswith(str(phonenumbers.country_code_for_region(region))):
        return None
    try:
        other = phonenumbers.parse("+" + text[first.start() :])
    except NumberParseException:
        return None
    other.extension = None
    return other


def line_without_zero(text: str, region: str | None) -> str | None:
    """The one line that is meant where a number is none in use for a zero that is no digit of it, E.164.

    The zero is in brackets after a country code that has no trunk zero (``+39 (0)347 1234567``), stands alone
    where none is dialled (``0 600 123 456`` in Poland), or before the country code (``091 98765 43210`` in India).
    A code of one digit has to stand apart: ``01512 3456789`` in a list of the US is a mobile of Germany.
    """
    if match := _ZERO_IN_BRACKETS.match(text):
        return line_of(match[1] + text[match.end() :], None)
    if region is None or text[0] not in "0(":
        return None
    digits = phonenumbers.normalize_digits_only(text)
    code = phonenumbers.country_code_for_region(region)
    apart = code > _CODES_OF_ONE_DIGIT or re.match(rf"\(?0[ \-]?{code}(?!\d)", text)
    if apart and digits.startswith(f"0{code}") and (line := line_of("+" + digits[1:], None)):
        return line
    if (match := _LONE_ZERO.match(text)) and phonenumbers.ndd_prefix_for_region(region, True) is None:
        return line_of(text[match.end() :], region)
    return None
