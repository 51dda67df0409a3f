"""E-mail addresses, as far as they tell people apart; remembered by hash only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote

from airflow_outreach_provider.core.invisible import UNSEEN
from airflow_outreach_provider.core.masking import HIDDEN

_USUAL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")
_ONE = re.compile(r"[^\s<>\"'(),;:\[\]@]+@[^\s<>\"'(),;:\[\]@/|\\?&#!]+")
# Where there are several, a / or | between them belongs to none.
_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]@/|\\]+@[^\s<>\"'(),;:\[\]@/|\\?&#!]+")
_QUOTED_NAME = re.compile(r"\"@[^\s@]")
_WHATSAPP = ("@s.whatsapp.net", "@c.us")  # what stands before it is a number, see phone_cells
_NO_LETTER = re.compile(r"[\W_]")
_NAMED_SO = re.compile(
    r"email|^e?mail(?:adress[e]?|address)?$|^correo$|correoelectr|^courriel|adressee?lectronique|correioeletronic|postaelettronica|electronicmail"
    r"|^e?post(?:adress[e]?)?$|eposta|sahkoposti|электрон\w*почта|^элпочта$|邮箱|電郵|电邮|电子邮件|電子郵件|メール|이메일|전자우편"
)
_OURS = re.compile(r"owner|agent|assign|creat|manag|sender|refer|recruiter|sales|company|support|reply")


def emails_in(cell: object) -> tuple[str, ...]:
    """Every address that a cell, or a list of cells, holds, normalised, each once and in order; maybe none."""
    if isinstance(cell, list | tuple):
        return tuple(dict.fromkeys([email for each in cell for email in emails_in(each)]))
    if not isinstance(cell, str):
        return ()
    if _USUAL.fullmatch(cell) and not cell.endswith(_WHATSAPP):
        return (cell.lower(),)
    plain = _plain(cell)
    found = _found(plain)
    if not found and _QUOTED_NAME.search(plain):
        return (plain,)
    return tuple(dict.fromkeys(_whole(each) for each in found if not _is_nobodys(each)))


def _is_nobodys(found: str) -> bool:
    """A number of WhatsApp's, or what we mask an address to: as an address it would be nobody's, and look like one."""
    return found.endswith(_WHATSAPP) or HIDDEN in found


def without_emails(cell: object) -> object:
    """What a cell holds beside addresses: the same object where it holds none."""
    if not isinstance(cell, str) or "@" not in cell or cell.strip().lower().endswith(_WHATSAPP):
        return cell
    return (_ONE if cell.count("@") == 1 else _ADDRESS).sub(" ", cell.translate(UNSEEN))


def normalise_email(text: str) -> str:
    """The address in small letters, out of ``Jane <Jane@Example.com>`` or ``mailto:jane@example.com`` too.

    A domain of other letters is one in both its writings, ``bücher.example`` and ``xn--bcher-kva.example``.
    What stands after a ``+`` belongs to the address: another one may be another person. Of several the first counts.
    """
    plain = _plain(text)
    found = _found(plain)
    return _whole(found[0]) if found else plain


def _found(plain: str) -> list[str]:
    return (_ONE if plain.count("@") == 1 else _ADDRESS).findall(plain)


def _plain(text: str) -> str:
    plain = text.translate(UNSEEN).strip()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", plain).replace("\u3002", ".")
    plain = plain.lower()
    if plain.startswith("mailto:"):
        plain = plain.partition("?")[0]
    return unquote(plain) if "%40" in plain and "@" not in plain else plain


def _whole(found: str) -> str:
    local, _, domain = found.rstrip(".").rpartition("@")
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
    return _hash(normalise_email(email))


def email_hashes(cells: object) -> tuple[str, ...]:
    """:func:`hash_email` of each of :func:`emails_in`."""
    return tuple([_hash(email) for email in emails_in(cells)])


def _hash(normalised: str) -> str:
    return sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1024)
def email_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names among ``columns`` that hold the person's address, by how they are usually called.

    A person's own address counts, not that of somebody of ours (``Contact owner email``).
    """
    return tuple(_named(columns))


def _named(columns: Iterable[str]) -> Iterable[str]:
    for column in columns:
        name = _NO_LETTER.sub("", _without_accents(str(column).lower()))
        if _NAMED_SO.search(name) and not _OURS.search(name):
            yield column


def _without_accents(name: str) -> str:
    if name.isascii():
        return name
    plain = "".join(each for each in unicodedata.normalize("NFD", name) if not unicodedata.combining(each))
    return unicodedata.normalize("NFC", plain)
