"""What counts as a change of a lead: other values, not another writing of the same ones.

The order of columns, the writing of numbers, times and phones, blanks around a text, and whether a field stands
in the raw or in the fixed format tell one export of a list from the next, and nothing about a person: nobody is
texted again for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phones import parse_phone

VERSION = "2:"
"""What a hash of values starts with; those without it were made of something else, once of the payload's text."""

_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?",
    re.ASCII,
)
_ZONE = re.compile(r" ([Z+-])")
_PHONE_NAME = re.compile(r"phone|mobile|cell|handy|telefon|telephone|^tel|whatsapp|fax", re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d\s().\-/]{7,24}", re.ASCII)
_FIRST = frozenset("0123456789+-(")
_WORDS = {"true": "true", "false": "false"}


def values_hash(configuration_id: str, *sections: Mapping[str, Any], region: str | None = None) -> str:
    """A hash of a lead's values, the same for every writing of them.

    :param sections: of the lead: fields of contact, application and conversation; the phone, which a lead is known by,
        is in none of them. :param region: where other numbers without country code belong.
    """
    pairs = sorted({pair for section in sections for pair in _pairs(section, region)})
    return VERSION + blake2b(to_json([configuration_id, *pairs]), digest_size=16).hexdigest()


def payload_hash(payload: str) -> str:
    """How values were compared once: by the text that was sent. What was written down then is still understood."""
    return blake2b(payload.encode(), digest_size=16).hexdigest()


def columns_hash(
    values: Mapping[str, Any],
    columns: frozenset[str],
    known_by: Collection[str] = (),
    region: str | None = None,
) -> str:
    """The same of some columns of a row only: nothing else of it counts.

    What the hash starts with names the columns: hashes of other columns, or of all values, cannot be compared with it.

    :param known_by: those of them that hold the number the lead is known by, in whatever writing.
    """
    counting = {name: values[name] for name in columns if name in values and name not in known_by}
    pairs = sorted(set(_pairs(counting, region)))
    return version_of(columns) + blake2b(json.dumps(pairs).encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def version_of(columns: frozenset[str] | None) -> str:
    """What hashes start with that can be compared. :param columns: those that count; None for all that is sent."""
    if columns is None:
        return VERSION
    return f"2.{blake2b(json.dumps(sorted(columns)).encode(), digest_size=6).hexdigest()}:"


def is_outdated(known: str | None, version: str = VERSION) -> bool:
    """Whether a remembered hash is of something else than what is compared now: a payload's text, or other columns."""
    return known is not None and not known.startswith(version)


def is_same(known: str | None, values: str, payload: str, *, texted: bool) -> bool:
    """Whether a lead's values are those it was last staged with.

    :param known: its hash from then. :param values: :func:`values_hash` now. :param payload: what would be sent now.
    :param texted: whether the person was: then what is remembered of something else may be of the same
        values, which cannot be told any more, and nobody is texted again for a guess.
    """
    if is_outdated(known, values[: values.index(":") + 1]):
        return texted or known == payload_hash(payload)
    return known == values


def _pairs(section: Mapping[str, Any], region: str | None, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        kind = type(value)
        if kind is dict:
            yield from _pairs(value, region, f"{prefix}{key}.")
            continue
        if kind is list:
            yield from _pairs(
                {str(place): each for place, each in enumerate(value)}, region, f"{prefix}{key}."
            )
            continue
        if value is not None and _names_phone(key) and kind is not bool:
            written = _number(value, region)
        elif kind is str:
            written = _text(value) if key != "email" else value.strip().lower()
        else:
            written = _plain(value)
        if written:
            yield prefix + key, written


@lru_cache(maxsize=4096)
def _names_phone(key: str) -> bool:
    return _PHONE_NAME.search(key) is not None


@lru_cache(maxsize=4096)
def _number(value: object, region: str | None) -> str:
    """One writing of another number of the person's; of what is none, of any value."""
    try:
        return parse_phone(value, region).e164.lstrip("+")
    except LeadRejected:
        return _text(value) if isinstance(value, str) else _plain(value)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _short(str(value))


def _text(value: str) -> str:
    value = value.strip()
    if not value or value[0] not in _FIRST:
        return _WORDS.get(value.lower(), value) if len(value) <= 5 else value
    return _short(value) if len(value) <= 40 else value


@lru_cache(maxsize=4096)
def _short(value: str) -> str:
    """One writing of a number, a time or a phone; any other text as it is."""
    if _NUMBER.fullmatch(value):
        number = Decimal(value.replace(",", "")).normalize()
        return f"{number or Decimal(0):f}"
    if _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(_ZONE.sub(r"\1", value.replace("UTC", "Z")))
        except ValueError:
            return value
        if moment.tzinfo:
            moment = moment.astimezone(UTC) if 1 < moment.year < 9999 else moment
        written = moment.isoformat()
        return written.removesuffix("T00:00:00")
    if _PHONE.fullmatch(value):
        return re.sub(r"\D", "", value)
    return value
