"""Yes and no as settings, connections and arguments write them."""

from __future__ import annotations

_WORDS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "off"), False),
}


def flag_of(value: object) -> bool | None:
    """Whether it says yes or no; None where it says neither."""
    return _WORDS.get(str(value).strip().lower())
