"""Further digits after a number that is complete, where numbers have no fixed length."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumberFormat

from airflow_outreach_provider.core.numbering import read_plain
from airflow_outreach_provider.core.phone_lines import in_use

_MARK = re.compile(r"(?<=\d)[^\d]+(?=\d)")
_RUN = re.compile(r"\d+")
# With its country code and one mark somewhere, what is written is one number; a hyphen between blanks parts two.
_ONE_GAP = re.compile(r"\+\d+[ .\-]{1,2}\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
# From as many digits in one go on, a subscriber's number is complete; where groups are written, from as many in all.
_COMPLETE_RUN, _USUAL_LENGTH = 6, 9
_LONGEST_EXTENSION = 5


def rest_after_number(text: str, whole: str) -> tuple[str, str] | None:
    """Where numbers have no fixed length, ``0664 1234567 8`` is a number in use with and without what follows.

    It is taken for one number unless what comes first looks complete: six digits in one go, or grouped as its
    country writes numbers; or unless a single digit, a year, or a hyphen between blanks follows.

    :param whole: what the text reads as, E.164.
    :return: reason and words where the text holds a whole number and something more.
    """
    if whole[1] == "1" or _ONE_GAP.fullmatch(text):
        return None
    for mark in _MARK.finditer(text):
        runs = _RUN.findall(text, 0, mark.start())
        tail = _RUN.findall(text, mark.end())
        rest = "".join(tail)
        parted = " - " in mark[0]  # islands have numbers of four digits
        if (sum(map(len, runs)) < _COMPLETE_RUN and not parted) or not whole.endswith(rest):
            continue
        head = whole[: -len(rest)]
        # The short way says nothing about numbers with a leading zero, and finds all others that are in use.
        if read_plain(head, None) is None and not ("0" in head[3:5] and in_use(head)):
            continue
        if (
            len(runs[-1]) >= _COMPLETE_RUN
            or len(rest) == 1
            or "/" in mark[0]
            or "(" in mark[0]
            or parted
            or (len(tail) == 1 and _YEAR.fullmatch(rest))
            or (_as_its_country_writes(head, runs) and not _as_its_country_writes(whole, runs + tail))
        ):
            return _rest_reason(mark[0], rest)
    return None


def _rest_reason(mark: str, rest: str) -> tuple[str, str]:
    if "-" in mark and len(rest) <= _LONGEST_EXTENSION:
        return "phone_extension", "the number is followed by what looks like an extension"
    return "phone_several", "the number is complete before its end; further digits follow"


def _as_its_country_writes(e164: str, runs: list[str]) -> bool:
    if len(e164) < _USUAL_LENGTH + 2:
        return False
    number = phonenumbers.parse(e164)
    if len(phonenumbers.national_significant_number(number)) < _USUAL_LENGTH:
        return False
    forms = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
    return any(runs == _RUN.findall(phonenumbers.format_number(number, form)) for form in forms)
