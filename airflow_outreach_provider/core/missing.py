"""What pandas writes where a value is missing, told by its type's name: pandas need not be installed."""

from __future__ import annotations

_NAMES = frozenset({"NaTType", "NAType"})


def is_missing(value: object) -> bool:
    """Whether it is ``NaT``, which is a datetime of no time, or ``NA``, which is neither true nor false."""
    kind = type(value)
    return kind.__name__ in _NAMES and kind.__module__.startswith("pandas")
