"""E-mail addresses, as far as they tell people apart; remembered by hash only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]]+@[^\s<>\"'(),;:\[\]@]+")
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF, 0xAD])
_NO_LETTER = re.compile(r"[^a-z0-9]")
_OURS = re.compile(r"owner|agent|assign|creat|manag|sender|refer|recruiter|sales|company|support|reply")


def normalise_email(text: str) -> str:
    """The address in small letters, out of ``Jane <Jane@Example.com>`` or ``mailto:jane@example.com`` too.

    A domain of other letters is one in both its writings, ``bücher.example`` and ``xn--bcher-kva.example``.
    What stands after a ``+`` belongs to the address: another one may be another person.
    """
    plain = text.translate(_INVISIBLE).strip()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", plain).replace("\u3002", ".")
    plain = plain.lower()
    found = _ADDRESS.findall(plain)
    if len(found) != 1:
        return plain
    local, _, domain = found[0].rstrip(".").rpartition("@")
    if "xn--" in domain:
        domain = ".".join(map(_in_letters, domain.split(".")))
    return f"{local}@{domain}"


def _in_letters(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return unicodedata.normalize("NFC", label[4:].encode("ascii").decode("punycode"))
    except (ValueError, OverflowError):
        return label


def hash_email(email: str) -> str:
    """How an address is remembered: SHA-256 of it, normalised."""
    return sha256(normalise_email(email).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1024)
def email_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names among ``columns`` that hold the person's address, by how they are usually called.

    A person's own address counts, not that of somebody of ours (``Contact owner email``).
    """
    return tuple(_named(columns))


def _named(columns: Iterable[str]) -> Iterable[str]:
    for column in columns:
        name = _NO_LETTER.sub("", str(column).lower())
        if ("email" in name or name in {"mail", "correo", "courriel"}) and not _OURS.search(name):
            yield column
