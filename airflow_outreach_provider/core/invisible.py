"""Code points that are not seen, and no part of a number or an address where they stand in one."""

from __future__ import annotations

INVISIBLE = (
    0xAD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF,
)  # fmt: skip
"""Soft hyphens, joiners, variation selectors, byte order marks, and every mark of direction: isolates are what
browsers, telephones and messengers put around a number that is copied out of a line."""

UNSEEN = dict.fromkeys(INVISIBLE)
"""The same for ``str.translate``, which leaves them out."""
