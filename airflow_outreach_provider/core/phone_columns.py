"""Which columns of a table hold the person's phone numbers, by how exports call them, and which of them comes first.

A name counts only where every word of it is known: a phone word, what kind of line, whose. ``Company Phone``, ``Fax``
or ``Emergency contact phone`` are somebody else's or no phone, ``Phone Type`` and ``Phonetic First Name`` no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from airflow_outreach_provider.core.accents import without_accents
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phones import Phone, PhoneReading, parse_phone


def _plain(text: str) -> str:
    """In small letters, without accents."""
    return unicodedata.normalize("NFKC", without_accents(text.lower()))


def _words(*lines: str) -> frozenset[str]:
    return frozenset(_plain(" ".join(lines)).split())


_MOBILE = _words(
    "mobile mobilephone mob cell cellphone cellular sms",
    "mobil mobilfunk mobiltelefon mobilnr handy handynr natel gsm",
    "portable cellulaire movil celular cel cellulare telemovel mobiel komorka komorkowy matkapuhelin",
    "kannykka mobilni cep ponsel hp мобильный 手机 手机号 手机号码 携帯 携帯電話 携帯番号 휴대폰 휴대전화 핸드폰",
)
_PHONE = _words(
    "phone phones phonenumber phoneno telephone tel telno telnr telefon telefonnr fon rufnummer festnetz landline",
    "telefono telefone telefoon telefonszam telefonu puhelin puhelinnumero tlf tlfnr telepon",
    "телефон телефона τηλεφωνο 電話 電話番号 电话 电话号码 전화 전화번호 whatsapp",
)
_WHATSAPP = _words("whatsapp")
_SMS = _words("sms")
_WORK = _words(
    "work business office direct geschaftlich geschaeftlich dienstlich dienst arbeit buro buero bureau travail pro",
    "professionnel comercial laboral trabajo trabalho oficina lavoro ufficio zakelijk werk firmowy arbete jobb arbejde praca",
)
_HOME = _words(
    "home private personal privat privé prive casa domicile fixe fijo fisso particular personnel festnetz landline",
    "residential hem hjem dom thuis",
)
_FIRST = _words("primary main default preferred principal best haupt")
_OTHER = _words(
    "other alternate alternative alt secondary second additional otro outro autre andere sonstige weitere"
)
_SILENT = _words(
    "number numbers num no nr nummer numer numero numarasi numarası cislo номер value of de di do du del e the",
    "person contact contacto contato contatto kontakt user lead customer client candidate applicant patient member student recipient subscriber",
    "your my our is what what's whats s to reach you us at on enter please provide formatted international e164",
)
# Where one word is written for several: MOBILEPHONE, Telefonnummer, Diensthandy.
_PARTS = (
    *_words(
        "mobile cell home work office business other alternate primary main direct user contact phone telephone number",
        "handy mobil mobilfunk telefon nummer dienst privat geschafts haupt rufnummer telefoon telefono numero festnetz",
    ),
)
_COMPOUND = re.compile(f"(?:{'|'.join(sorted(_PARTS, key=len, reverse=True))})+")
_PART = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)))
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+(?:'s)?|\d+")
_NUMBERED = re.compile(r"(.*\D)(\d+) - Value", re.IGNORECASE)
_LABELS = ("Label", "Type")
_NO_TEXT = _words("fax pager assistant company organization organisation emergency spouse partner parent")
_EXACT = "phoneNumber"
_MOST_LAYOUTS = 1000


class _Rank:
    """Whom to try first: what a person carries, then what they gave without saying more, then where they may be."""

    EXACT, MOBILE, MESSENGER, PLAIN, HOME, WORK, OTHER = range(7)


class Column(NamedTuple):
    """
    :param label: the column beside it that says for each row what kind of number it is; None where there is none.
    """

    name: str
    rank: int
    label: str | None = None


class PhoneCells(tuple[tuple[str, Any], ...]):
    """The cells of a row that may hold its number: (column, value), the first to be tried first."""

    __slots__ = ()


def phone_columns(columns: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns that hold the person's number, the first to be tried first; of equals the first of the table."""
    found = [
        Column(name, rank, _label(name, columns)) for name in columns if (rank := rank_of(name)) is not None
    ]
    return tuple(sorted(found, key=lambda column: column.rank))


def phone_cells(row: Mapping[str, Any], columns: tuple[Column, ...]) -> PhoneCells:
    """The row's cells of these columns, in the order in which they are to be tried for this row."""
    ranked = ((column, _rank_in(row, column)) for column in columns)
    kept = sorted(((column, rank) for column, rank in ranked if rank is not None), key=lambda each: each[1])
    return PhoneCells((column.name, row[column.name]) for column, _ in kept)


def read_cells(cells: PhoneCells, region: str | None, how: PhoneReading) -> tuple[Phone, str]:
    """The first of the cells that can be read, and its column.

    :raises LeadRejected: none can; with the reason of the first that holds something, and a word on each.
    """
    refusals: list[tuple[str, LeadRejected]] = []
    for name, value in cells:
        try:
            return parse_phone(value, region, how), name
        except LeadRejected as error:
            refusals.append((name, error))
    said = [(name, error) for name, error in refusals if error.reason != "phone_missing"]
    if not said:
        names = ", ".join(repr(name) for name, _ in cells)
        raise LeadRejected("phone_missing", f"the row has no phone number{names and ' in '}{names}")
    empty = [name for name, error in refusals if error.reason == "phone_missing"]
    words = [f"{name!r}: {error.detail}" for name, error in said] + [f"{name!r} is empty" for name in empty]
    raise LeadRejected(said[0][1].reason, "; ".join(words))


@lru_cache(maxsize=4096)
def rank_of(column: str) -> int | None:
    """How soon a column is tried, from 0; None where it is not known to hold the person's phone number."""
    if column == _EXACT:
        return _Rank.EXACT
    words = _words_of(column)
    if not any(word in _PHONE or word in _MOBILE for word in words):
        return None
    known = (_MOBILE, _PHONE, _WORK, _HOME, _FIRST, _OTHER, _SILENT)
    if not all(word.isdigit() or any(word in some for some in known) for word in words):
        return None
    return _rank(words)


def _rank(words: list[str]) -> int:
    """By the most telling word."""
    for some, rank in (
        (_WHATSAPP | _SMS, _Rank.MESSENGER),
        (_MOBILE, _Rank.MOBILE),
        (_OTHER, _Rank.OTHER),
        (_WORK, _Rank.WORK),
        (_HOME, _Rank.HOME),
    ):
        if not some.isdisjoint(words):
            return rank
    return _Rank.PLAIN


def _words_of(name: str) -> list[str]:
    """The words of a name, in small letters without accents; compounds taken apart."""
    found = []
    spaced = _CAMEL.sub(" ", name[:100].replace("’", "'").replace("°", "º").replace("WhatsApp", "Whatsapp"))
    for word in _WORD.findall(_plain(spaced)):
        if word not in _MOBILE and word not in _PHONE and _COMPOUND.fullmatch(word):
            found += _PART.findall(word)
        else:
            found.append(word)
    return found


def _label(name: str, columns: tuple[str, ...]) -> str | None:
    """``Phone 1 - Label``, formerly ``- Type``, beside Google's ``Phone 1 - Value``."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    return next((beside for word in _LABELS if (beside := f"{match[1]}{match[2]} - {word}") in columns), None)


def _rank_in(row: Mapping[str, Any], column: Column) -> int | None:
    """For this row; None where the label says that the cell holds no number of the person's own."""
    said = row.get(column.label) if column.label is not None else None
    return column.rank if not isinstance(said, str) or not said.strip() else _rank_of_label(said)


@lru_cache(maxsize=1024)
def _rank_of_label(label: str) -> int | None:
    words = _words_of(label)
    if not _NO_TEXT.isdisjoint(words):
        return None
    if {"iphone", "android"} & set(words):
        return _Rank.MOBILE
    known = (_MOBILE, _PHONE, _WORK, _HOME, _FIRST, _OTHER)
    return _rank(words) if any(word in some for some in known for word in words) else _Rank.OTHER
