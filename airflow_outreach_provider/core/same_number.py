"""A mapping whose phone number is not the row's own: everybody would be texted at one number, or those without one."""

from __future__ import annotations

import re

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.mapping import literal_text

_WRITTEN = re.compile(r"\s*(?:tel:)?[+(]*\d[\d\s().\-/+]{5,}\s*")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 20
# A value that an expression says itself: alone, or where there is no other. What is compared, replaced or put before
# another is none.
_SAID = re.compile(
    r"""(?P<place>\{\{-?|\bor\b|\belse\b|\b(?:default|d)\(|(?<!\w)\()\s*
    (?:(?P<quote>['"])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)|(?P<bare>\+?\d{7,}))\s*(?P<after>==|!=|in\b|not\b|[~+%])?""",
    re.VERBOSE,
)


def refuse_same_number(target: str, source: object, record: str = "row") -> None:
    """Refuse a number that the mapping says itself.

    :raises ConfigurationError: what it would do, and what to write.
    """
    if (wrong := same_number(target, source, record)) is not None:
        raise ConfigurationError(f"mapping for {target!r} {wrong[0]}", wrong[1])


def same_number(target: str, source: object, record: str = "row") -> tuple[str, str] | None:
    """:func:`same_for_all` of what a target is made of; None too of any target that is no phone number."""
    return same_for_all(source, record) if target.rpartition(".")[2] == "phoneNumber" else None


def same_for_all(source: object, record: str = "row") -> tuple[str, str] | None:
    """What is wrong with what ``phoneNumber`` is made of, and what to do; None where each has its own.

    :param record: what the number is read from, ``row`` or ``event``.
    """
    if not isinstance(source, str):
        return None
    literal = literal_text(source)
    same = f"would be the same number for every {record}"
    if record == "row":
        column = "write the column that holds it"
        alone = f"{column}, without quotes of its own"
    else:
        alone = column = "write the field that holds it, e.g. contact.phone"
    if literal is not None:
        return same, alone
    if _is_number(source):
        return same, column
    for found in _SAID.finditer(source if "{{" in source else "{{" + source + "}}"):
        said = found["bare"] or found["text"]
        if found["after"] is None and _is_number(said):
            if found["place"].startswith("{{") and found["text"] is not None and record not in source:
                return same, column
            return (
                f"would be one number for every {record} without its own",
                f"leave that number out: a {record} without one is told, and nobody is texted",
            )
    return None


def _is_number(text: str) -> bool:
    digits = sum(each.isdigit() for each in text)
    return _FEWEST_DIGITS <= digits <= _MOST_DIGITS and _WRITTEN.fullmatch(text) is not None
