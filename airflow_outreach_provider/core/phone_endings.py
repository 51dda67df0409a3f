"""What a number ends with, in the writings that people and platforms usually give it: to look for in what is written."""

from __future__ import annotations

# Fewer digits, and every list is full of them; more, and they do not stand together.
_DIGITS = 4
_PARTED = tuple((first, gap) for first in (2, 1) for gap in (" ", "-", "."))
"""After how many of them a gap comes where the last group has two digits or three."""


def endings(phone: str) -> tuple[str, ...]:
    """Texts of which nearly every writing of a number holds one: its last four digits, together or parted.

    North America writes them together; elsewhere numbers also end in pairs (``06 12 34 56 78``), or in threes.

    :param phone: E.164.
    """
    last = phone[-_DIGITS:]
    if phone.startswith("+1"):
        return (last,)
    return (last, *(f"{last[:first]}{gap}{last[first:]}" for first, gap in _PARTED))
