"""Numbers that are not to be texted, read generously: rather one too many on the list than one too few."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

import phonenumbers
from phonenumbers import NumberParseException

from airflow_outreach_provider.core.emails import without_emails
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_cells import after_count, pieces_of
from airflow_outreach_provider.core.phone_countries import dialled_with_eight, line_without_zero
from airflow_outreach_provider.core.phone_lines import e164_of, in_use, other_writings
from airflow_outreach_provider.core.phones import CUT_OFF, MASKED, parse_phone, plain_text

_LOOSE = re.compile(r"[\d\s+()./\-]{4,40}")
_ABROAD = re.compile(r"^(?:00|011)(?=[1-9])")
_NEVER_WITHIN = str.maketrans(dict.fromkeys("_*\"'[]{}", " "))
# Brazil: 0xx11, with the digits of any carrier where the crosses stand.
_CARRIER = re.compile(r"(?<=0)[ -]?xx[ -]?(?=\(?\d)", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){2,4}")  # as spreadsheets write large numbers
_FRACTION = re.compile(r"(?<=\d{5})[.,]0+\s*$")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS_OF_A_NUMBER = 5
_MORE_THAN_A_NUMBER = frozenset({"phone_has_text", "phone_has_date", "phone_several", "phone_extension"})


def listed_numbers(raw: object, region: str | None = None) -> tuple[str, ...]:
    """The numbers that somebody who is not to be contacted may have meant, E.164; generously, and maybe none.

    All numbers of a cell count, and a number that has two readings counts in both. Other writings of the same
    line are the list's to know: :func:`~airflow_outreach_provider.core.phone_lines.other_writings`.
    """
    try:
        return (parse_phone(raw, region).e164,)
    except LeadRejected as error:
        reason = error.reason
    if reason == "phone_missing":
        return ()
    # What else stands there may be somebody's, and so may what somebody went on after.
    seen = CUT_OFF.sub(" ; ", MASKED.sub(" ; ", said := str(raw)))
    if seen != said:
        return listed_numbers(seen, region)
    text = _CARRIER.sub("", _FRACTION.sub("", unquote(_text_of(raw)).translate(_NEVER_WITHIN)))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    more = reason in _MORE_THAN_A_NUMBER and not text.isdecimal()
    found = [] if more else _loose_readings(text.strip(), region, whole=True)
    pieces = after_count(text) + (pieces_of(text) if more else [])
    found += [number for piece in pieces for number in _loose_readings(piece, region, whole=False)]
    if not found and reason == "phone_several":  # one after all: 031/234/567
        found = _loose_readings(text.strip(), region, whole=False)
    return tuple(dict.fromkeys(found))


def _text_of(raw: object) -> str:
    try:
        return plain_text(raw)
    except LeadRejected:
        return str(raw)


def read_listed(raw: object, region: str | None = None) -> tuple[str, ...]:
    """:func:`listed_numbers` for somebody who can be asked again.

    :raises LeadRejected: there is none, or the country of a number cannot be known.
    """
    try:
        return (parse_phone(raw, region).e164,)
    except LeadRejected as error:
        found = () if error.reason == "region_unknown" else listed_numbers(raw, region)
        if not found:
            raise
    return found


def read_cells(cells: Iterable[object], region: str | None, *, alone: bool) -> tuple[list[str], str]:
    """The numbers of all cells, and what is wrong: a number that cannot be read, or none where nothing else is named.

    :param alone: nothing else in their row tells who is meant.
    """
    numbers: dict[str, None] = {}
    lost, empty = "", ""
    for cell in cells:
        rest = without_emails(cell)
        try:
            found = read_listed(cell, region) if rest is cell else listed_numbers(rest, region)
        except LeadRejected as error:
            if sum(map(str.isdigit, str(cell))) >= _DIGITS_OF_A_NUMBER:
                lost = lost or str(error)
            elif error.reason != "phone_missing" or not empty:
                empty = str(error)
        else:
            numbers |= dict.fromkeys(found)
    return list(numbers), lost or (empty if alone and not numbers else "")


def _loose_readings(text: str, region: str | None, *, whole: bool) -> list[str]:
    """Every way to read a text of digits and marks: as written, as if it had the +, without 00, 011 or a zero before it.

    :param whole: the text is all there is, so what looks like E.164 is one at its word.
    """
    if not _LOOSE.fullmatch(text):
        return []
    digits = phonenumbers.normalize_digits_only(text)
    abroad = _ABROAD.sub("", digits)
    found = list(filter(None, (dialled_with_eight(text), line_without_zero(text, region))))
    if region and digits.startswith(f"0{phonenumbers.country_code_for_region(region)}"):
        abroad = digits[1:]
    for written in (text,) if "+" in text else (text, f"+{digits}", f"+{abroad}"):
        try:
            number = phonenumbers.parse(written, region)
        except NumberParseException:
            continue
        e164 = e164_of(number)
        if in_use(e164) or other_writings(e164):
            found.append(e164)
        elif (line := _without_zeros(number)) is not None:
            found.append(line)
    if not found and whole and ("+" in text or abroad != digits) and _E164.fullmatch(f"+{abroad}"):
        found.append(f"+{abroad}")
    return list(dict.fromkeys(found))


def _without_zeros(number: phonenumbers.PhoneNumber) -> str | None:
    """The line that is meant with a zero before it that its country does not dial: ``+34 0612 345 678``."""
    national = phonenumbers.national_significant_number(number)
    zeros = len(national) - len(national.lstrip("0"))
    lines = (f"+{number.country_code}{national[count:]}" for count in range(1, zeros + 1))
    return next(filter(in_use, lines), None)
