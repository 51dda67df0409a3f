"""Google's numbering plans, compiled once: the short way for numbers that are already written plainly.

The library derives everything anew for each number. Here the same tables, asked in the same order, say yes to
a plain and valid number in about a tenth of the time. They never say no: whatever is not plainly valid (a
national prefix, a leading zero, no country, a bad number) is left to the library, so its verdict stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc

_WORLD = "001"
_LONGEST = 17
_NEVER = re.compile(r"(?!)")
_Match = Callable[[str], object]


class _Region(NamedTuple):
    """
    :param claims: leading digits that make a number this region's, before anything else is looked at.
    :param general: what any number of the region looks like.
    :param mobile: what its mobiles look like.
    :param kinds: by the length of a number, what the kinds of line look like that have such numbers.
    """

    code: str
    claims: _Match | None
    general: _Match
    mobile: _Match
    kinds: dict[int, tuple[_Match, ...]]

    def has(self, national: str) -> bool:
        """Whether the number is of any kind here: ``is_valid_number_for_region``."""
        if self.general(national) is None:
            return False
        for fits in self.kinds.get(len(national), ()):  # noqa: SIM110 - any() is three times slower
            if fits(national):
                return True
        return False


class _Plan(NamedTuple):
    """A country code. ``prefix``: what its main region strips before a national number."""

    digits: str
    prefix: _Match
    regions: tuple[_Region, ...]


class _Home(NamedTuple):
    """A default region: how it dials abroad, and what a number without country code looks like."""

    plan: _Plan
    trunk: str | None
    prefix: _Match
    abroad: _Match
    general: _Match


def read_plain(text: str, default_region: str | None) -> tuple[str, str] | None:
    """``(E.164, region)`` of digits, with ``+`` and country code or without; None: let the library judge.

    :param text: ``+`` and ASCII digits, or ASCII digits alone.
    """
    if text[0] == "+":
        plan = _plan_of(text[1:4])
        return _judge(plan, text[1 + len(plan.digits) :]) if plan else None
    home = _home(default_region) if default_region else None
    if home is None or home.abroad(text):
        return None
    plan, national = home.plan, text
    if text.startswith(plan.digits):
        # The library takes off a country code only where the number makes no sense with it.
        national = text[len(plan.digits) :]
        if home.general(text) or not home.general(national):
            return None
    return None if home.prefix(national) else _judge(plan, national)


def surely_not(text: str, region: str) -> bool:
    """Whether digits without + are no number in use there: only where nothing of them could be a prefix.

    False says nothing.
    """
    home = _home(region)
    if home is None or text[0] == "0" or text.startswith(home.plan.digits):
        return False
    prefixed = home.abroad(text) or home.prefix(text) or home.plan.prefix(text)
    return not prefixed and _judge(home.plan, text) is None


def is_dialled_first(digits: str, region: str | None) -> bool:
    """Whether these digits are the trunk prefix of a region, or its country code, so that they change no number."""
    home = _home(region) if region else None
    return home is not None and (digits == home.plan.digits or digits == home.trunk)


def may_be_mobile(e164: str) -> bool:
    """Whether a number in use is a mobile of one of the regions with its country code, as far as can be told."""
    plan = _plan_of(e164[1:4])
    if plan is None:
        return False
    national = e164[1 + len(plan.digits) :]
    for region in plan.regions:  # noqa: SIM110 - any() is three times slower
        if region.mobile(national):
            return True
    return False


def country_code(e164: str) -> str:
    """The digits of a number's country code; empty where it is no country's."""
    plan = _plan_of(e164[1:4])
    return plan.digits if plan else ""


def _judge(plan: _Plan, national: str) -> tuple[str, str] | None:
    if national[:1] in ("", "0") or plan.prefix(national):
        return None
    regions = plan.regions
    if len(regions) == 1:
        return (f"+{plan.digits}{national}", regions[0].code) if regions[0].has(national) else None
    for region in regions:
        if region.claims is None:
            if not region.has(national):
                continue
        elif not region.claims(national):
            continue
        elif not region.has(national):
            return None
        return f"+{plan.digits}{national}", region.code
    return None


@lru_cache(maxsize=1000)
def _plan_of(start: str) -> _Plan | None:
    """The plan of the country code that three digits begin with, or fewer; no country code begins another."""
    if start[:1] in ("", "0"):
        return None
    for size in (1, 2, 3):
        if int(start[:size]) in COUNTRY_CODE_TO_REGION_CODE:
            return _plan(int(start[:size]))
    return None


@cache
def _plan(country: int) -> _Plan | None:
    codes = COUNTRY_CODE_TO_REGION_CODE[country]
    if codes[0] == _WORLD:
        return None
    metadata = [(code, PhoneMetadata.metadata_for_region(code, None)) for code in codes]
    regions = tuple(_region(code, data) for code, data in metadata if data is not None)
    main = metadata[0][1]
    return _Plan(str(country), _start(main.national_prefix_for_parsing), regions) if main else None


def _region(code: str, data: PhoneMetadata) -> _Region:
    claims = _start(data.leading_digits) if data.leading_digits is not None else None
    general = data.general_desc
    lengths = (general and general.possible_length) or range(1, _LONGEST + 1)
    kinds = {length: tuple(_whole(desc) for desc in _kinds(data, length)) for length in lengths}
    return _Region(code, claims, _whole(general), _whole(data.mobile), kinds)


def _kinds(data: PhoneMetadata, length: int) -> Iterator[PhoneNumberDesc]:
    """The kinds of line with numbers of this length, frequent ones first: the order does not change the verdict."""
    for desc in (
        # Where mobile and fixed lines share a pattern, the library looks at the fixed line's alone.
        None if data.same_mobile_and_fixed_line_pattern else data.mobile, data.fixed_line, data.toll_free,
        data.voip, data.shared_cost, data.premium_rate, data.personal_number, data.uan, data.pager, data.voicemail,
    ):  # fmt: skip
        if desc is not None and (not desc.possible_length or length in desc.possible_length):
            yield desc


@cache
def _home(region: str) -> _Home | None:
    data = PhoneMetadata.metadata_for_region(region, None)
    plan = _plan(data.country_code) if data is not None else None
    if data is None or plan is None:
        return None
    return _Home(
        plan,
        data.national_prefix,
        _start(data.national_prefix_for_parsing),
        _start(data.international_prefix),
        _whole(data.general_desc),
    )


def _start(pattern: str | None) -> _Match:
    return re.compile(pattern).match if pattern else _NEVER.match


def _whole(desc: PhoneNumberDesc | None) -> _Match:
    pattern = desc.national_number_pattern if desc is not None else None
    return re.compile(pattern).fullmatch if pattern else _NEVER.match
