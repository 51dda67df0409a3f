"""Values that have the digits and marks of a number and are something else: dates, times, addresses of machines.

Where numbers have no fixed length, or zeros are dialled that nobody writes, the numbering plans take many of them for
a line. Nothing tells ``25.03.26`` in Germany from a date, and New Caledonia writes its numbers so: such a value
is a number only where its country writes it that way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

import phonenumbers

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.numbering import may_be_mobile
from airflow_outreach_provider.core.phone_lines import groups_of

_RUN = re.compile(r"\d+")
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)?\d\d"
_HOUR, _SIXTY = r"(?:[01]?\d|2[0-3])", r"[0-5]\d"
_MARK = r" ?[./\- ] ?"
_ORDERS = ((_DAY, _MONTH, _YEAR), (_MONTH, _DAY, _YEAR), (_YEAR, _MONTH, _DAY))
_COMPACT = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"


def _date(mark: str) -> str:
    """A pattern of the three parts of a date in any usual order, parted by the same mark twice."""
    orders = "|".join(_MARK.join(parts) for parts in _ORDERS)
    return rf"(?=\d+ ?(?P<{mark}>[./\- ]) ?\d+ ?(?P={mark}) ?\d)(?:{orders})"


_CLOCK = rf"{_HOUR}[.\-]?{_SIXTY}(?:[.\-]?{_SIXTY})?"
_VALUE = re.compile(
    rf"(?P<date>{_date('mark')})"
    rf"|(?P<time>{_HOUR}(?P<point>[.\-]){_SIXTY}(?P=point){_SIXTY})"
    rf"|(?P<moment>(?!\d+ ){_date('other')} (?:- )?{_CLOCK}|{_COMPACT} ?[ .\-] ?{_CLOCK})"
    rf"|(?P<address>(?!0){_OCTET}(?:\.{_OCTET}){{3}})"
)
_MOMENT = "a date and a time"
_WORDS = {"date": "a date", "time": "a time", "moment": _MOMENT, "address": "an IP address"}
_TWO = r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_TIMES = r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?"
_IN_ONE_GO = re.compile(
    rf"{_COMPACT}(?:{_TIMES})?"
    rf"|(?:{_TWO})(?:19|20)?\d\d|\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
)
_SHORT, _LONGEST_YEAR = 6, 4
_PAIRS = (2, 2, 2, 2)
_IN_FOUR = frozenset({_PAIRS, (2, 3, 2, 2), (3, 2, 2, 2)})


def other_value(text: str) -> str | None:
    """What a text of digits and marks looks like besides a number, e.g. ``a date``; None for nearly every number."""
    match = _VALUE.fullmatch(text.strip("()[] ")) if text[0] != "+" else None
    return _WORDS[next(name for name in _WORDS if match[name])] if match else None


def refuse_other_value(text: str, e164: str) -> None:
    """Refuse what looks like something else, unless its country writes the number so.

    :raises LeadRejected: ``phone_not_a_number``.
    """
    value = other_value(text)
    if value is not None and (value == _MOMENT or not _is_written_so(text, e164)):
        raise LeadRejected("phone_not_a_number", f"the value is {value}")


def _is_written_so(text: str, e164: str) -> bool:
    """Whether a number is grouped as usual at home; or no zero is dialled there, and its groups are parted into pairs.

    Four groups may be what people make of a number all the same: ``91.123.45.67`` in Spain, ``40.61.23.45`` in Norway.
    """
    runs, (at_home, _) = _RUN.findall(text), groups_of(e164)
    if runs == at_home:
        return True
    digits, sizes = "".join(runs), tuple(map(len, runs))
    if digits[0] == "0" or e164[1] == "1" or not _is_all_dialled(digits, at_home, e164):
        return False
    if sizes[-2:] != _PAIRS[:2] or max(sizes) >= _LONGEST_YEAR:
        return False
    if len(sizes) < len(_PAIRS):
        return len(at_home) == 1
    return sizes in _IN_FOUR or set(_ends(at_home)) <= set(_ends(runs))


def _is_all_dialled(digits: str, at_home: list[str], e164: str) -> bool:
    """Whether these are all digits that are dialled at home; a range that nobody grouped may just lack its zero there."""
    if digits != "".join(at_home):
        return False
    region = phonenumbers.region_code_for_country_code(phonenumbers.parse(e164).country_code or 0)
    return digits[0] == "0" or len(at_home) > 1 or phonenumbers.ndd_prefix_for_region(region, True) is None


def _ends(groups: list[str]) -> Iterable[int]:
    return accumulate(map(len, groups))


def refuse_day(text: str, e164: str) -> None:
    """Refuse ``20240115``, ``150124`` or ``202401151830`` where it would be a fixed line without its trunk zero, as in Germany.

    In Denmark it is a mobile, in Hong Kong a line. Six with a zero first are no whole number, but in New Caledonia.

    :raises LeadRejected: ``phone_has_date``.
    """
    if not _IN_ONE_GO.fullmatch(text) or may_be_mobile(e164):
        return
    at_home = groups_of(e164)[0]
    short = len(text) == _SHORT and text[0] == "0" and {*map(len, at_home)} != {_PAIRS[0]}
    if short or not _is_all_dialled(text, at_home, e164):
        raise LeadRejected("phone_has_date", "the cell holds a date, in one go")
