"""One person's numbers and addresses in any text: found in every writing, and blanked."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, count
from math import isfinite
from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.invisible import UNSEEN
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.masking import HIDDEN, mask_text
from airflow_outreach_provider.core.phone_lines import other_writings

_UNICODE_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_OTHER_ESCAPE = re.compile(r"\\+([nrtbf/\"])")
_PERCENT = re.compile(r"%([2-7][0-9a-fA-F])")
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"[\\%&]|[^\x00-\x7f]")

_MARK = r"[\s().,*\-/_\u00b7\u2010-\u2015\u2212+]{0,4}"
_AROUND_JSON = "\ufeff \t\r\n"
_SHORT = 8
"""Digits of a national number below which it is one only with what is dialled before it."""
_WITHOUT_MARKS = str.maketrans("", "", " \t\r\n\xa0().,*-/_\u00b7\u2010\u2011\u2012\u2013\u2014\u2015\u2212+")
_LOCAL_BACKWARDS = re.compile(r"[^\s<>\"'(),;:\[\]{}|\\@]+")
_DOMAIN = re.compile(r"[\w.-]*\w")
_LONGEST_LOCAL = 100
_BEFORE_LOCAL = re.compile(r"[=&?/#]")
_DIALLED = re.compile(r"\+?\d{7,}")
_NUMBER_KEY = re.compile(r"phone|mobile|cell|tel|number|sms|whatsapp", re.IGNORECASE)


def unescaped(text: str) -> str:
    """The text as a reader sees it, whatever it is wrapped in: JSON, a URL, HTML, full-width or Arabic digits."""
    if not _ESCAPED.search(text):
        return text
    if "\\" in text:
        text = _UNICODE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = _whole(_OTHER_ESCAPE.sub(lambda found: found[1] if found[1] in '/"' else " ", text))
    if "%" in text:
        text = _PERCENT.sub(lambda found: chr(int(found[1], 16)), text)
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(UNSEEN)
        text = "".join(str(unicodedata.decimal(each, each)) for each in text)
    return text


def _whole(text: str) -> str:
    """Halves of surrogate pairs put together; one alone is no character, and becomes U+FFFD."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class PersonTexts:
    """Finds and blanks one person in texts.

    :param numbers: E.164; their other writings are known here.
    :param emails: addresses that are known, as written.
    :param email_hashes: of these and of others that are known by hash only.
    :param names: full names, blanked where the person is named by number or address too.
    """

    def __init__(
        self,
        numbers: Iterable[str] = (),
        emails: Iterable[str] = (),
        email_hashes: Iterable[str] = (),
        names: Iterable[str] = (),
    ) -> None:
        known = sorted({email.strip().lower() for email in emails if "@" in email})
        writings = [each for number in numbers for each in _writings(number)]
        self._cores = sorted({core for core, _ in writings})
        patterns = "|".join(sorted({pattern for _, pattern in writings}, key=len, reverse=True))
        self._numbers = re.compile(rf"(?<!\d)(?:{patterns})(?!\d)") if patterns else None
        self._hashes = frozenset(email_hashes) | {hash_email(email) for email in known}
        # Whatever the domain is written in, these stand before it; None where an address is known by its hash alone.
        locals_ = sorted({email.partition("@")[0] + "@" for email in known})
        every = len(known) == len(self._hashes) and all(each.isascii() for each in locals_)
        self._locals = locals_ if every else None
        full = sorted({name.strip() for name in names if len(name.split()) > 1}, key=len, reverse=True)
        self._names = (
            re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, full))})(?!\w)", re.IGNORECASE) if full else None
        )

    def __contains__(self, text: object) -> bool:
        """Whether a text names the person by number or address."""
        return isinstance(text, str) and next(self.found(unescaped(text)), None) is not None

    def found(self, plain: str) -> Iterator[tuple[int, int]]:
        """Where an unescaped text names the person."""
        if self._numbers is not None:
            digits = plain.translate(_WITHOUT_MARKS)  # many times faster to look through than by the pattern
            if any(core in digits for core in self._cores):
                yield from (match.span() for match in self._numbers.finditer(plain))
        at = plain.find("@") if self._hashes else -1
        if at >= 0 and self._locals is not None:
            lowered = plain.lower()
            if not any(each in lowered for each in self._locals):
                return
        while at >= 0:
            yield from self._address_at(plain, at)
            at = plain.find("@", at + 1)

    def _address_at(self, plain: str, at: int) -> Iterator[tuple[int, int]]:
        first = max(0, at - _LONGEST_LOCAL)
        local, domain = _LOCAL_BACKWARDS.match(plain[first:at][::-1]), _DOMAIN.match(plain, at + 1)
        if local is None or domain is None:
            return
        start = at - local.end()
        for begin in [start, *(start + mark.end() for mark in _BEFORE_LOCAL.finditer(plain[start:at]))]:
            if hash_email(plain[begin : domain.end()]) in self._hashes:
                yield begin, domain.end()
                return

    def is_all(self, text: object) -> bool:
        """Whether a value is nothing but the person's number or address."""
        value = str(text) if isinstance(text, int | str) and not isinstance(text, bool) else ""
        if not value or value not in self:
            return False
        rest = self._without(unescaped(value)).replace(HIDDEN, "")
        return not any(each.isalnum() for each in rest)

    def is_beside_others_in(self, text: str) -> bool:
        """Whether a JSON text names somebody else too."""
        value = _json_of(text)
        return value is not None and _names_another(self._blank_value(value, top=True))

    def blank(self, text: str) -> str:
        """The text without the person. JSON stays JSON; what names nobody comes back as it is."""
        if text not in self:
            return text
        value = _json_of(text)
        if value is None:
            return self._without(unescaped(text), names=True)
        return _written(self._blank_value(value, top=True))

    def _blank_value(self, value: Any, *, top: bool = False) -> Any:
        match value:
            case str():
                return self._blank_text(value)
            case bool() | None:
                return value
            case int() | float():
                return HIDDEN if str(value) in self else value
            case list():
                return [self._blank_value(each) for each in value]
            case dict():
                record: dict[str, Any] = {}
                for key, each in value.items():
                    record[_free_key(record, self._blank_value(str(key)))] = self._blank_value(each)
                if not top and any(map(self.is_all, value.values())) and not _names_another(record):
                    return _emptied(record)
                return record
        return value

    def _blank_text(self, value: str) -> str:
        plain = unescaped(value)
        blanked = self._without(plain, names=True)
        if blanked == plain:
            return value
        inner = _json_of(value)
        return blanked if inner is None else _written(self._blank_value(inner))

    def _without(self, plain: str, *, names: bool = False) -> str:
        spans = sorted(self.found(plain))
        if spans:
            parts, at = [], 0
            for start, end in spans:
                if start >= at:
                    parts += [plain[at:start], HIDDEN]
                at = max(at, end)
            plain = "".join([*parts, plain[at:]])
        return self._names.sub(HIDDEN, plain) if names and self._names is not None else plain


def _json_of(text: str) -> Any:
    """The object or list that a text is, as a database takes it; None where it is none."""
    said = text.strip(_AROUND_JSON)
    if not said.startswith(("{", "[")):
        return None
    try:
        return storable(json.loads(said, parse_float=_number))
    except (ValueError, RecursionError):
        return None


def _number(written: str) -> float | str:
    """A number that is too big to be one is kept as it is written."""
    value = float(written)
    return value if isfinite(value) else written


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _free_key(record: Mapping[str, Any], key: str) -> str:
    """Two keys that named the person are two keys still."""
    names = chain([key], (f"{key} {number}" for number in count(2)))
    return next(name for name in names if name not in record)


def _emptied(value: Any) -> Any:
    """A record of the person alone: nothing of it stays but its keys."""
    match value:
        case dict():
            return {key: _emptied(each) for key, each in value.items()}
        case list():
            return [_emptied(each) for each in value]
        case bool() | None:
            return value
    return HIDDEN


def _names_another(value: Any, key: str = "") -> bool:
    """Whether what is left of a record holds somebody else's number or address."""
    match value:
        case dict():
            return any(_names_another(each, str(name)) for name, each in value.items())
        case list():
            return any(_names_another(each, key) for each in value)
        case bool() | None | float():
            return False
    text = str(value)
    if "@" in text and mask_text(text) != text:
        return True
    digits = re.sub(r"[\s().\-/]", "", text)
    return bool(_DIALLED.fullmatch(digits)) and (digits.startswith("+") or bool(_NUMBER_KEY.search(key)))


@lru_cache(maxsize=256)
def _writings(e164: str) -> tuple[tuple[str, str], ...]:
    """How a line may be written: the digits that are there in any case, and a pattern for it all.

    Whatever is dialled before them may stand there or not, and any marks between.
    """
    found: dict[tuple[str, str], None] = {}
    for written in (e164, *other_writings(e164)):
        try:
            parsed = phonenumbers.parse(written)
        except NumberParseException:
            found[written[1:], _spaced(written[1:])] = None
            continue
        national = phonenumbers.national_significant_number(parsed)
        home = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        for core in {national, phonenumbers.normalize_digits_only(home).lstrip("0")}:
            before = rf"\+?(?:\d{_MARK}){{0,6}}?"
            if len(core) < _SHORT:  # elsewhere so few digits are anything
                before = rf"\+?(?:(?:00|011){_MARK})?(?:{parsed.country_code}{_MARK}0?|0){_MARK}"
            found[core, before + _spaced(core)] = None
    return tuple(found)


def _spaced(digits: str) -> str:
    return _MARK.join(digits)
