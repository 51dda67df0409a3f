"""Personal data in words a log may carry."""

from __future__ import annotations

import re

# Digits with up to three marks between two of them: " - " and ") " are usual, and dashes have many code points.
_PHONE_LIKE = re.compile(r"\+?\d(?:[\s().,*\-/_\u00b7\u2010-\u2015\u2212\uff0d]{0,3}\d){6,}")
_EMAIL_LIKE = re.compile(
    r"(?:\"[^\"\n]{1,64}\"|[^\s@<>\"',;:()]+)(?:@|%40|\uff20)[^\s<>\"',;:()]+", re.IGNORECASE
)
_AT = re.compile(r"%40|\uff20")
_AT_ANY = re.compile(r"@|%40|\uff20")
# What no database takes and no log should: control characters, and halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_BEARER = re.compile(r"(bearer\s+)[^\s\"',;<>]+", re.IGNORECASE)
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


def redact(text: str, secret: str) -> str:
    """The text without a secret and without the credentials of any ``Bearer …``, in any case of letters."""
    if len(secret) >= _SHORTEST_SECRET and secret.casefold() in text.casefold():
        text = re.sub(re.escape(secret), HIDDEN, text, flags=re.IGNORECASE)
    return _BEARER.sub(rf"\1{HIDDEN}", text)


def printable(text: str) -> str:
    """The text without characters that cannot be stored: NUL and other controls, lone surrogates."""
    return _UNPRINTABLE.sub("\ufffd", text)


def mask_text(text: str, limit: int = 300) -> str:
    """Free text with every phone number and e-mail address in it masked, at most ``limit`` characters."""
    masked = printable(text[: limit * 4])
    if _AT_ANY.search(
        masked
    ):  # a look ahead: on one long word without an address the full pattern takes milliseconds
        masked = _EMAIL_LIKE.sub(lambda m: mask_email(_AT.sub("@", m.group())), masked)
    masked = _PHONE_LIKE.sub(lambda m: mask_phone(m.group()), masked)
    return masked if len(masked) <= limit else masked[: limit - 1] + "…"
