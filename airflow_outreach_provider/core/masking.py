"""Personal data in words a log may carry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from airflow_outreach_provider.core.invisible import INVISIBLE
from airflow_outreach_provider.core.suggest import said_kind

# What stands for "@", or for any character, in a URL, in JSON and in HTML.
_AT = re.compile(r"@|%(?:25)*40|\\u0040|\\x40|&#64;|&#x40;|&commat;|[\uff20\ufe6b]", re.IGNORECASE)
_ENCODED = (
    r"%(?:25)*(?!3\d)[0-9a-f]{2}|\\u(?!003\d)[0-9a-f]{4}|\\x(?!3\d)[0-9a-f]{2}|&nbsp;|&#(?:32|4[0-7]|160);"
)
_DIGIT = r"(?:\d|%(?:25)*3\d|\\u003\d|\\x3\d)"
_PLUS = r"(?:\+|%(?:25)*2b|\\u002b|\\x2b)"
# Marks between two digits of a number: " - " and ") " are usual, dashes have many code points, and some are not seen.
_MARK = (
    r"(?:[\s()\[\]{}<>.,*\-/|_~\u00b7\u02d7\u2010-\u2015\u2044\u2212\u2215\u2219\u22c5\u30fc\ufe63\uff08\uff09\uff0d-\uff0f\uff3b\uff3d\uff5e"
    rf"{''.join(map(chr, INVISIBLE))}]|{_ENCODED})"
)
# Marks that are one between two digits alone; a colon between three and more, or in more pairs than a time has.
_ODD_MARK = (
    r"(?<=\d)(?:[!\"#$%&';?@\\^`\u00a7\u00b0\u00b4\u2016-\u203e\u3001\u3002\u3008-\u3011\ufffd\uff01-\uff07\uff0c\uff1b\uff3b-\uff3f]"
    r"|(?<=\d\d\d):(?=\d\d\d)|(?<=\d):(?=\d{6})"
    r"|(?<=\d\d):(?=\d\d(?::\d\d){2})|(?<=\d\d:\d\d):(?=\d\d:\d\d)|(?<=\d\d:\d\d:\d\d):)(?=\d)"
)
# A time or an id is no number of anybody's: dates as ISO 8601 has them, hashes and UUIDs.
_NO_PHONE = (
    r"(?<![0-9a-z+%\\])(?:19|20)\d\d(?P<mark>[-/])(?:0[1-9]|1[0-2])(?P=mark)(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T _/](?:[01]\d|2[0-3])(?::[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?)?(?:Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?)?"
    r"(?![0-9a-z+%\\]|[-./:]\d)"
    # In names of files and their folders: leads_20260325.csv, dt=20260325.
    r"|(?:(?<=[_/])|(?<=dt=)|(?<=day=)|(?<=date=))20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?[0-2]\d[0-5]\d(?:[0-5]\d)?Z?)?"
    r"(?=[_/.]|$)"
    r"|(?<![0-9a-z])(?=[0-9]*[a-f])(?:[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-z])"
    # Addresses of IPv6 have a letter somewhere, and eight groups or two colons.
    r"|(?<![0-9a-z:])(?=[0-9a-f]{1,4}:)(?=[0-9:]*[a-f])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![0-9a-z:])"
    r"|(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])"
)
_PHONE_LIKE = re.compile(
    rf"(?P<kept>{_NO_PHONE})|{_PLUS}?{_DIGIT}(?:(?:{_MARK}{{0,12}}|\+|{_ODD_MARK}){_DIGIT}){{6,}}",
    re.IGNORECASE,
)
_ENCODED_TIMES = 3
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|&#\d+;", re.IGNORECASE)
# A word that may be an address. Bounded or without a choice at every place, so that no text takes long.
_WORD = re.compile(
    rf"(?:\"[^\"\n]{{1,64}}\"(?={_AT.pattern}))?(?:&#64;|&#x40;|&commat;|[^\s<>\"',;:()])+", re.IGNORECASE
)
# What no database takes and no log should: control characters, and halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_BEARER = re.compile(r"(bearer\s+)[^\s\"',;<>]+", re.IGNORECASE)
_LONGEST_SHOWN = 16
# What a secret is even where it is short: letters among digits, a word after "Bearer", a prefix as of "whsec_".
_SECRET_LIKE = re.compile(
    r"(?=[\w+/=~-]*[a-z])(?=[\w+/=~-]*\d)[\w+/=~-]{8,}|bearer|basic\s|^(?:whsec|sk|pk|rk|xox.?|gh.)[_-]|[{\[]",
    re.IGNORECASE,
)
# A word of letters and digits that is long, or begins as platforms let their keys begin.
_LONG_WORD = re.compile(
    r"(?<![\w+/=~-])(?:(?=[\w+/=~-]*[a-z])(?=[\w+/=~-]*\d)[\w+/=~-]{16,}|(?:whsec|sk|pk|rk|xox.?|gh.)[_-][\w+/=~-]{8,})",
    re.IGNORECASE,
)
_LONGEST_HOST = 253  # RFC 1035 section 3.1
_LONGEST_PART, _LONGEST_ALONE = 16, 30
_LONGEST_NUMBERED = 11  # such as webserver01
_TOP = re.compile(r"\.(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})$", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|\[?[0-9a-f:.]{0,30}:[0-9a-f:.]{0,30}(?:%\w{1,20})?\]?", re.IGNORECASE
)
_PORT = re.compile(r"(.*?)(:\d{1,5})?", re.DOTALL)
_FEWEST_DIGITS = 7
_SHORTEST_SECRET = 4  # what is shorter is in every second word
HIDDEN = "•••"


def mask_phone(phone: str | None) -> str:
    """``+14165550123`` → ``+1416•••0123``; at most the first five and last four characters stay."""
    if not phone:
        return "–"
    digits = phone.strip()
    keep = 4 if len(digits) >= 11 else 2
    head = digits[: min(5, max(1, len(digits) - keep - 3))]
    return f"{head}•••{digits[-keep:]}" if len(digits) > keep + 1 else "•••"


def mask_email(email: str | None) -> str:
    """``jane.doe@example.com`` → ``j•••@example.com``."""
    if not email:
        return "–"
    local, at, domain = email.strip().rpartition("@")
    return f"{local[:1]}•••@{domain}" if at and local else "•••"


def mask_id(external_id: str, numbers: Iterable[str | None] = ()) -> str:
    """A platform's id as it is; some platforms have addresses and numbers for ids.

    :param numbers: of whose id it is: one in other marks is masked too.
    """
    if "@" in external_id or external_id.lstrip().startswith("+"):
        return mask_text(external_id)
    digits = _digits(external_id)
    same = len(digits) >= _FEWEST_DIGITS and any(digits == _digits(each) for each in numbers if each)
    return mask_phone(external_id) if same else external_id


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def redact(text: str, secret: str) -> str:
    """The text without a secret and without the credentials of any ``Bearer …``, in any case of letters."""
    if len(secret) >= _SHORTEST_SECRET and secret.casefold() in text.casefold():
        text = re.sub(re.escape(secret), HIDDEN, text, flags=re.IGNORECASE)
    return _BEARER.sub(rf"\1{HIDDEN}", text)


def shown_value(value: object) -> str:
    """A value of a connection's extra, for a message: people paste secrets into the wrong field.

    Short words and numbers stay as they are, so that a typo is seen; of others the first characters and how many they
    are, of objects and lists what they are.
    """
    if value is not None and not isinstance(value, str | bool | int | float):
        return said_kind(value)
    text = str(value)
    shown = (lambda part: repr(printable(part))) if isinstance(value, str) else str
    if len(text) <= _LONGEST_SHOWN and not _SECRET_LIKE.search(text):
        return shown(text)
    return f"{shown(text[: min(4, len(text) // 3)] + '…')} ({len(text)} characters)"


def shown_words(text: str) -> str:
    """What somebody wrote into a field, for a message: of each word that may be a secret its first characters."""
    return _LONG_WORD.sub(lambda found: f"{found.group()[:4]}…", text)


def shown_host(host: str) -> str:
    """A host, for a message: people paste keys where it belongs, and of what is no name of one nothing is shown."""
    return host if not host or _ADDRESS.fullmatch(host) or _is_named(host.rstrip(".")) else HIDDEN


def _is_named(host: str) -> bool:
    """Whether it is written as names are: between its dots and hyphens are short words; below a domain also long ones, of
    letters alone, and else none of letters and digits as keys are."""
    parts = re.split(r"[.-]+", host)
    if len(host) > _LONGEST_HOST or not all(re.fullmatch(r"\w+", part) for part in parts):
        return False
    if _TOP.search(host):
        return all(len(part) <= _LONGEST_PART or part.isalpha() for part in parts)
    keys = any(_SECRET_LIKE.search(part) for part in parts if len(part) > _LONGEST_NUMBERED)
    return (
        not (keys or _SECRET_LIKE.search(host[:6]))
        and len(host) <= _LONGEST_ALONE
        and all(len(part) <= _LONGEST_PART for part in parts)
    )


def shown_url(url: str) -> str:
    """A URL, for a message, without what may be secret in it: a log-in, its query, the long parts of its path, and a host
    that is no name of one."""
    parts = urlsplit(url)
    path = "/".join(HIDDEN if len(each) >= _LONGEST_SHOWN else each for each in parts.path.split("/"))
    _, log_in, host = parts.netloc.rpartition("@")
    name, port = _PORT.fullmatch(host).groups()  # type: ignore[union-attr]
    host = shown_host(name) + (port or "")
    return f"{parts.scheme}://{HIDDEN if log_in else ''}{log_in}{host}{path}" + (
        f"?{HIDDEN}" if parts.query else ""
    )


def printable(text: str) -> str:
    """The text without characters that cannot be stored: NUL and other controls, lone surrogates."""
    return _UNPRINTABLE.sub("\ufffd", text)


def mask_text(text: str, limit: int = 300) -> str:
    """Free text with every phone number and e-mail address in it masked, at most ``limit`` characters.

    In any of their writings, those of URLs, JSON and HTML too. Dates, UUIDs and hashes stay.
    """
    masked = printable(text[: limit * 4])
    if _AT.search(masked):
        masked = _WORD.sub(_mask_word, masked)
    masked = _PHONE_LIKE.sub(_mask_number, masked)
    return masked if len(masked) <= limit else masked[: limit - 1] + "…"


def _mask_word(found: re.Match[str]) -> str:
    word = _AT.sub("@", found.group())
    address = word.rstrip("@")
    local = address.rpartition("@")[0]
    return mask_email(address) + word[len(address) :] if local else found.group()


def _mask_number(found: re.Match[str]) -> str:
    if found.group("kept") is not None:
        return found.group()
    plain = found.group()
    for _ in range(_ENCODED_TIMES):
        plain = unquote(plain)
    plain = _ESCAPED.sub(lambda m: chr(int(m.group(1) or m.group(2) or "20", 16)), plain)
    plus = "+" if plain.startswith("+") else ""
    return mask_phone(plus + "".join(filter(str.isdecimal, plain)))
