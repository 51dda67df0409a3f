"""Further digits before or after a number that is complete by itself: a count, an extension, a span of hours."""

from __future__ import annotations

import re

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.numbering import country_code, is_dialled_first, read_plain
from airflow_outreach_provider.core.phone_lines import groups_of, in_use, line_of, other_writings

_MARK = re.compile(r"(?<=\d)[^\d]+(?=\d)")
_RUN = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HOUR = r"(?:[01]?\d|2[0-4])(?:\.[0-5]\d)?"
# 9-17, 8.30 - 12, 18.00 and 24.12.: no group of a number has such a mark where the groups before it have none.
_TIME = re.compile(
    rf"{_HOUR} ?- ?{_HOUR}|(?:[01]?\d|2[0-4])\.[0-5]\d|(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])"
)
# From as many digits in one go on, a subscriber's number is complete; where groups are written, from as many in all.
# Nowhere is a mobile longer than a number of ten digits in use and what was put behind it.
_COMPLETE_RUN, _COMPLETE_GROUPS, _LONGEST_USUAL = 6, 7, 10
_ISLAND = len("+6901234567")  # where numbers have seven digits at most, four may be one
_LONGEST_EXTENSION, _COUNT_LENGTH, _AREA_AND_NUMBER = 5, 2, 2
# One or two digits, what parts them from the rest, and the rest; "n)" and "n." are a list's, "(n)" may be an area.
_COUNTED = re.compile(
    r"(?P<open>[(\[]?) *(?P<count>\d\d?)(?!\d)(?P<mark>[^\d+(]*)(?P<rest>[+( ]*\d.+)", re.DOTALL
)
_SURE_MARK = re.compile(r" ?(?:\.?\)|\. |:).*", re.DOTALL)


def uncounted(text: str, region: str | None, *, labelled: bool) -> str:
    """The text without a count before its number: ``2) 0171 1234567``; or with a label, ``Tel 2 0171 1234567``.

    :param labelled: a label stood before the text.
    :raises LeadRejected: ``phone_several`` where what comes first may be a count, or a part of the number.
    """
    match = _COUNTED.match(text)
    if match is None or _starts_the_number(match["count"], match["rest"]):
        return text
    sure = not match["open"] and _SURE_MARK.fullmatch(match["mark"]) is not None
    if not sure and not labelled and is_dialled_first(match["count"], region):
        return text
    alone = line_of(match["rest"], region)
    whole = line_of(text, region) if alone is not None else None
    # With the region's own country code first, and no +, it is for the reading of the whole to say which it is.
    if alone is None or alone in (whole, "+" + "".join(_RUN.findall(text))):
        return text
    dialled = match["rest"].lstrip("( ")[0] in "+0"
    if sure or (labelled and (dialled or not whole)):
        return match["rest"]
    if whole is None or alone in other_writings(whole):
        return text
    never = dialled or match["open"] == "[" or (labelled and len(match["count"]) == 1)
    if not never and _is_written_as_usual(text, whole, alone):
        return text
    raise LeadRejected("phone_several", "a count, or something else, stands before a number that is complete")


def _starts_the_number(count: str, rest: str) -> bool:
    """With a zero, first digits are an area's or a mobile's, unless another zero follows; 00 is dialled abroad."""
    return count[0] == "0" and (count == "00" or rest.lstrip("( ")[0] not in "0+")


def _is_written_as_usual(text: str, whole: str, alone: str) -> bool:
    """Whether a country writes the whole number so that its first run stands first, and not so what follows it."""
    runs = _RUN.findall(text)
    forms = groups_of(whole)
    return runs in forms or (any(form[0] == runs[0] for form in forms) and runs[1:] not in groups_of(alone))


def rest_after_number(text: str, whole: str) -> tuple[str, str] | None:
    """Where numbers have no fixed length, ``0664 1234567 8`` is a number in use with and without what follows.

    It is taken for one number unless what comes first looks complete: six digits in one go, or grouped as its
    country writes numbers; or unless a single digit, a year, hours, or a hyphen that parts more than the groups
    before it follows.

    :param whole: what the text reads as, E.164.
    :return: reason and words where the text holds a whole number and something more.
    """
    if whole[1] == "1":
        return None
    for mark in _MARK.finditer(text):
        runs = _RUN.findall(text, 0, mark.start())
        tail = _RUN.findall(text, mark.end())
        rest = "".join(tail)
        parted = " - " in mark[0]  # islands have numbers of four digits
        short = sum(map(len, runs)) < _COMPLETE_RUN and not parted
        if (short and len(whole) > _ISLAND) or not whole.endswith(rest):
            continue
        head = whole[: -len(rest)]
        # The short way says nothing about numbers with a leading zero, and finds all others that are in use.
        if read_plain(head, None) is None and not ("0" in head[3:5] and in_use(head)):
            continue
        if _is_complete(text, runs, head, whole) or (
            not short
            and (
                parted
                or len(rest) == 1
                or not set("/([").isdisjoint(mark[0])
                or (len(tail) == 1 and _YEAR.fullmatch(rest) and not _is_as_written(whole, [*runs, rest]))
                or (mark[0].isspace() and _TIME.fullmatch(text, mark.end()))
                or _is_grouped_as_usual(head, runs, whole, tail)
                or _is_hyphened(text[: mark.start()], mark[0], head, tail)
            )
        ):
            return _rest_reason(mark[0], rest)
    return None


def _rest_reason(mark: str, rest: str) -> tuple[str, str]:
    if "-" in mark and len(rest) <= _LONGEST_EXTENSION:
        return "phone_extension", "the number is followed by what looks like an extension"
    return "phone_several", "the number is complete before its end; further digits follow"


def _is_complete(text: str, runs: list[str], head: str, whole: str) -> bool:
    """Whether the last run alone is a whole number, without the country code that may be written in one with it."""
    last = runs[-1]
    if len(runs) == 1 and text[0] == "+":
        last = last.removeprefix(country_code(head))
    return len(last) >= _COMPLETE_RUN or (len(whole) <= _ISLAND and [last] in groups_of(head))


def _is_hyphened(before: str, mark: str, head: str, tail: list[str]) -> bool:
    """Whether the one hyphen follows groups that blanks part: ``08-123 456-18``, but not ``0664 1234-567``."""
    groups = before.split(" ")
    runs = [run for run in _RUN.findall(before) if run != "0"]
    return (
        mark.strip() == "-"
        and len(tail) == 1
        and len(tail[0]) <= _LONGEST_EXTENSION
        and len(groups) > 1
        and groups[-1].isdecimal()
        and len(runs) - (before[0] == "+") > _AREA_AND_NUMBER
        and _national_length(head) >= _COMPLETE_GROUPS
    )


def _is_grouped_as_usual(head: str, runs: list[str], whole: str, tail: list[str]) -> bool:
    """Whether a number is grouped as its country writes it, and the longer one is not."""
    length = _national_length(head)
    if length >= _LONGEST_USUAL:
        return True
    # 0664 1234 567 is no number of seven digits and something more.
    groups = len(runs) - (runs[0] == country_code(head))
    few = groups <= _AREA_AND_NUMBER and len("".join(tail)) > _COUNT_LENGTH
    if length < _COMPLETE_GROUPS + (_COUNT_LENGTH if few else 0):
        return False
    return _is_as_written(head, runs) and not _is_as_written(whole, runs + tail)


def _is_as_written(e164: str, runs: list[str]) -> bool:
    (at_home, abroad), code = groups_of(e164), country_code(e164)
    return runs in (at_home, abroad, [code, *abroad], [code + abroad[0], *abroad[1:]])


def _national_length(e164: str) -> int:
    return len(e164) - 1 - len(country_code(e164))
