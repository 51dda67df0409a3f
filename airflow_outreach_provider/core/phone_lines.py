"""The writings of one line: what countries renumbered, and what people keep writing all the same.

Texting follows :func:`renumber`, the old writings that can only mean one line of today. The do-not-contact list
follows :func:`other_writings`: whatever could be the same line, in either direction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat

from airflow_outreach_provider.core.numbering import read_plain, surely_not

_RUN = re.compile(r"\d+")


class _Means(Enum):
    """How an old writing relates to the numbers of today.

    ``SURELY``: given up, and only this can be meant. ``MAYBE``: one of these may be meant, where the writing is
    not itself a number in use. ``ALSO``: both are numbers in use, of one line.
    """

    SURELY = auto()
    MAYBE = auto()
    ALSO = auto()


class _Rule(NamedTuple):
    """``old`` matches all digits of a number, country code first; ``new`` is what it became."""

    old: str
    new: tuple[str, ...]
    means: _Means
    back: tuple[tuple[str, str], ...]
    """From a number of today to its old writings: (pattern, template)."""


def _rule(
    old: str, *new: str, means: _Means = _Means.SURELY, back: tuple[tuple[str, str], ...] = ()
) -> _Rule:
    return _Rule(old, new, means, back)


# Viet Nam's mobile numbers of eleven digits, 2018: old prefix → new.
_VIETNAM = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78", "123": "83", "124": "84", "125": "85",
    "127": "81", "129": "82", "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37",
    "168": "38", "169": "39", "186": "56", "188": "58", "199": "59",
}  # fmt: skip

_RULES = (
    # Mexico: 1 before mobiles from abroad, and 01, 044, 045 within the country; all given up in August 2019 (IFT).
    _rule(r"52(?:1|01|044|045|001)(\d{10})", r"52\1", back=((r"52(\d{10})", r"521\1"),)),
    # Argentina: mobiles have 9 before the area code from abroad, 15 after it at home, and people write neither.
    _rule(r"549(\d{10})", r"54\1", means=_Means.ALSO),
    _rule(r"54([1-8]\d{9})", r"549\1", means=_Means.ALSO),
    _rule(r"549(11)15(\d{8})", r"549\1\2"),
    _rule(r"549([2-8]\d\d)15(\d{7})", r"549\1\2", means=_Means.MAYBE),
    _rule(r"549([2-8]\d{3})15(\d{6})", r"549\1\2", means=_Means.MAYBE),
    # With the trunk zero before the area code, 9 and 15 can only be the mobile's.
    _rule(r"5490(11\d{8}|[2-8]\d{9})", r"549\1"),
    _rule(r"5490(11)15(\d{8})", r"549\1\2"),
    _rule(r"5490([2-8]\d\d)15(\d{7})", r"549\1\2"),
    _rule(r"5490([2-8]\d{3})15(\d{6})", r"549\1\2"),
    # Ukraine: 8 before the trunk zero, until 2009.
    _rule(r"38080(\d{9})", r"380\1"),
    # Brazil: a ninth digit before all mobiles by 2016 (Anatel); networks and messengers still send eight.
    _rule(r"55(\d\d)([689]\d{7})", r"55\g<1>9\2", back=((r"55(\d\d)9([6-9]\d{7})", r"55\1\2"),)),
    _rule(r"55(\d\d)(7\d{7})", r"55\g<1>9\2", means=_Means.ALSO),
    # Côte d'Ivoire: eight digits to ten by operator, January 2021 (ARTCI).
    _rule(
        r"225(\d{8})", *(rf"225{prefix}\1" for prefix in ("01", "05", "07", "21", "25", "27")), means=_Means.MAYBE,
        back=((r"225(?:0[157]|2[157])(\d{8})", r"225\1"),),
    ),
    # Benin: 01 before all numbers, November 2024 (ARCEP).
    _rule(r"229([2-9]\d{7})", r"22901\1", back=((r"22901(\d{8})", r"229\1"),)),
    # Cameroon: 6 before mobiles, 2 before fixed lines, November 2014 (ART).
    _rule(r"237([5-9]\d{7})", r"2376\1", back=((r"2376([5-9]\d{7})", r"237\1"),)),
    _rule(r"237([23]\d{7})", r"2372\1", back=((r"2372([23]\d{7})", r"237\1"),)),
    # Gabon: the operator's digit before the old number, July 2019 (ARCEP); with and without the old trunk zero.
    _rule(r"2410?([47]\d{6})", r"2417\1", means=_Means.ALSO, back=((r"2417([47]\d{6})", r"2410\1"), (r"2417([47]\d{6})", r"241\1"))),
    _rule(r"2410?([256]\d{6})", r"2416\1", means=_Means.ALSO, back=((r"2416([256]\d{6})", r"2410\1"), (r"2416([256]\d{6})", r"241\1"))),
    # Mauritius: 5 before mobiles, September 2013 (ICTA).
    _rule(r"230([2-9]\d{6})", r"2305\1", means=_Means.MAYBE, back=((r"2305(\d{7})", r"230\1"),)),
    # Colombia: 60 before fixed lines, September 2021 (CRC); 03 before mobiles from fixed lines until then.
    _rule(r"57([124-8])([2-9]\d{6})", r"5760\1\2", back=((r"5760([124-8])(\d{7})", r"57\1\2"),)),
    _rule(r"5703(3\d{9})", r"57\1"),
    # Ecuador: 9 before mobiles, September 2012 (ARCOTEL).
    _rule(r"593([89]\d{7})", r"5939\1", back=((r"5939([89]\d{7})", r"593\1"),)),
    # Chile: Santiago's 2 before its fixed lines, 2012; mobiles written without their 9.
    _rule(r"562([2-9]\d{6})", r"5622\1", means=_Means.MAYBE, back=((r"5622(\d{7})", r"562\1"),)),
    _rule(r"56([3-9]\d{7})", r"569\1", means=_Means.MAYBE, back=((r"569(\d{8})", r"56\1"),)),
    # French Polynesia: six digits to eight, June 2014 (OPT).
    _rule(r"689(\d{6})", r"68940\1", r"68987\1", r"68989\1", means=_Means.MAYBE, back=((r"689(?:40|87|89)(\d{6})", r"689\1"),)),
    # Viet Nam, September 2018 (MIC).
    *(
        _rule(rf"84{old}(\d{{7}})", rf"84{new}\1", back=((rf"84{new}(\d{{7}})", rf"84{old}\1"),))
        for old, new in _VIETNAM.items()
    ),
    # Sint Maarten left +599 for +1 721 in 2011.
    _rule(r"599(5\d{6})", r"1721\1", back=((r"1721(5\d{6})", r"599\1"),)),
    # Kosovo: mobiles under Monaco's and Slovenia's codes until +383 came, 2016.
    _rule(r"377(4[45]\d{6})", r"383\1", means=_Means.ALSO, back=((r"383(4[45]\d{6})", r"377\1"),)),
    _rule(r"386(4[39]\d{6})", r"383\1", means=_Means.ALSO, back=((r"383(4[39]\d{6})", r"386\1"),)),
    # Palestine is reached under both codes.
    _rule(r"970(5[69]\d{7})", r"972\1", means=_Means.ALSO, back=((r"972(5[69]\d{7})", r"970\1"),)),
    # San Marino's fixed lines are reached through Italy too.
    _rule(r"390549(\d{6})", r"3780549\1", means=_Means.ALSO, back=((r"3780549(\d{6})", r"390549\1"),)),
    # Italy: fixed lines keep their zero and mobiles have none, and both are written wrongly.
    _rule(r"390(3\d{8,9})", r"39\1", means=_Means.MAYBE, back=((r"39(3\d{8,9})", r"390\1"),)),
    _rule(r"39([1-9]\d{5,9})", r"390\1", means=_Means.MAYBE, back=((r"390([1-9]\d{5,9})", r"39\1"),)),
    # Mobiles of the French overseas departments, which within France are dialled like its own.
    _rule(r"33(69[01]\d{6})", r"590\1", back=((r"590(69[01]\d{6})", r"33\1"),)),
    _rule(r"33(69[23]\d{6}|639\d{6})", r"262\1", back=((r"262(69[23]\d{6}|639\d{6})", r"33\1"),)),
    _rule(r"33(694\d{6})", r"594\1", back=((r"594(694\d{6})", r"33\1"),)),
    _rule(r"33(69[67]\d{6})", r"596\1", back=((r"596(69[67]\d{6})", r"33\1"),)),
    # Russia and Kazakhstan: the 8 that is dialled at home, with a + before it. Never surely: +84, +852 and +886 are countries.
    _rule(r"8([3-9]\d{9})", r"7\1", means=_Means.MAYBE, back=((r"7([3-9]\d{9})", r"8\1"),)),
)  # fmt: skip


class _Compiled(NamedTuple):
    pattern: re.Pattern[str]
    templates: tuple[str, ...]
    means: _Means | None
    """None: back to an old writing."""


def _compiled() -> dict[str, list[_Compiled]]:
    """The rules by the first digit they can apply to."""
    found: dict[str, list[_Compiled]] = defaultdict(list)
    for rule in _RULES:
        found[rule.old[0]].append(_Compiled(re.compile(rule.old), rule.new, rule.means))
        for pattern, template in rule.back:
            found[pattern[0]].append(_Compiled(re.compile(pattern), (template,), None))
    return dict(found)


_BY_FIRST_DIGIT = _compiled()


def renumber(e164: str) -> str | None:
    """The line of today that a given-up writing surely means; None where it means none, or may mean several.

    :param e164: ``+`` and digits that are no number in use.
    """
    found = _by_rules(e164, _Means.SURELY)
    sure = [each for each in found if in_use(each)]
    return sure[0] if len(found) == 1 == len(sure) else None


@lru_cache(maxsize=4096)
def other_writings(e164: str) -> tuple[str, ...]:
    """Other numbers that could be the same line, sorted; empty for most.

    :param e164: ``+`` and digits, in use or of former days.
    """
    rules = _BY_FIRST_DIGIT.get(e164[1:2], ())
    matches = [(rule, match) for rule in rules if (match := rule.pattern.fullmatch(e164, 1))]
    if not matches:
        return ()
    valid = in_use(e164)
    found = set()
    for rule, match in matches:
        if valid and rule.means in (_Means.SURELY, _Means.MAYBE):
            continue
        written = {"+" + match.expand(template) for template in rule.templates}
        found |= written if rule.means is None else {each for each in written if in_use(each)}
    return tuple(sorted(found - {e164}))


@lru_cache(maxsize=4096)
def one_line(e164: str) -> tuple[str, ...]:
    """Every writing of a line that is a number in use, this one among them; that of today comes first.

    :param e164: a number in use. ``+54 11 2345 6789`` and ``+54 9 11 2345 6789`` ring one telephone.
    """
    if not other_writings(e164):
        return (e164,)
    means = {e164: _also(e164)}
    while more := {
        other
        for known in means
        for other in (*means[known], *other_writings(known))
        if other not in means and (other in means[known] or (in_use(other) and known in _also(other)))
    }:
        means |= {other: _also(other) for other in more}
    named = [other for others in means.values() for other in others]
    return tuple(sorted(means, key=lambda each: (-named.count(each), -len(each), each)))


def _also(e164: str) -> frozenset[str]:
    """The numbers in use that are the same line by a rule of such."""
    return frozenset(filter(in_use, _by_rules(e164, _Means.ALSO)))


def _by_rules(e164: str, means: _Means) -> set[str]:
    """What the rules of this kind make of a number."""
    return {
        "+" + match.expand(template)
        for rule in _BY_FIRST_DIGIT.get(e164[1:2], ())
        if rule.means is means and (match := rule.pattern.fullmatch(e164, 1))
        for template in rule.templates
    }


def in_use(e164: str) -> bool:
    """Whether the numbering plans know such a number."""
    if read_plain(e164, None) is not None:
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return False


def line_of(text: str, region: str | None) -> str | None:
    """What digits and marks read as, E.164, where that is a number in use; for parts of what somebody wrote."""
    digits = "".join(_RUN.findall(text))
    if text.lstrip("( ")[0] == "+" or digits.startswith("00"):
        region, digits = None, "+" + digits.removeprefix("00")
    if (found := read_plain(digits, region)) is not None:
        return found[0]
    if region is not None and surely_not(digits, region):
        return None
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    return e164_of(number) if phonenumbers.is_valid_number(number) else None


def national_form(e164: str) -> str:
    """A number as it is usually written in its country."""
    return phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.NATIONAL)


def groups_of(e164: str) -> list[list[str]]:
    """The groups of digits that its country writes a number in: as dialled at home, and after the country code."""
    number = phonenumbers.parse(e164)
    at_home, abroad = (
        _RUN.findall(phonenumbers.format_number(number, form))
        for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
    )
    return [at_home, abroad[1:]]


def e164_of(number: phonenumbers.PhoneNumber) -> str:
    """A number of the library's, as E.164."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def regions_of(numbers: Iterable[str]) -> list[str]:
    """Where these numbers, E.164, belong; each region once, in their order."""
    found: dict[str, None] = {}
    for number in numbers:
        with suppress(phonenumbers.NumberParseException):
            found[phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""] = None
    return [region for region in found if region]
