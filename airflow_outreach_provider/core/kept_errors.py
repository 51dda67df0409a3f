"""Import errors that come and go: kept until what they are about was read again without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

READS = 2
"""So often must files be read without an error before it is over: between two reads it may be taken away and not be back."""
_NOBODY_READS = timedelta(minutes=10)


class _Dated(Protocol):
    @property
    def at(self) -> datetime | None: ...


E = TypeVar("E", bound=_Dated)


@dataclass
class _Kept(Generic[E]):
    error: E
    seen_at: datetime
    reads: set[datetime] = field(default_factory=set)


class KeptErrors(Generic[E]):
    """Errors by what they are about."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept[E]] = {}

    def names(self) -> set[str]:
        """What the errors are about that are kept."""
        return set(self._kept)

    def look(self, there: Mapping[str, E], read_at: Mapping[str, datetime], now: datetime) -> list[E]:
        """The errors that hold, by name.

        :param there: those that are there now. :param read_at: when that of which an error is was last read; without it an
            error that is gone is over ten minutes after it was seen last.
        """
        for name, error in there.items():
            self._kept[name] = _Kept(error, now)
        for name in self._kept.keys() - there.keys():
            if self._is_over(self._kept[name], read_at.get(name), now):
                del self._kept[name]
        return [self._kept[name].error for name in sorted(self._kept)]

    @staticmethod
    def _is_over(kept: _Kept[E], read_at: datetime | None, now: datetime) -> bool:
        if read_at is None:
            return now - kept.seen_at > _NOBODY_READS
        if kept.error.at is None or read_at > kept.error.at + timedelta(seconds=2):
            kept.reads.add(read_at)
        return len(kept.reads) >= READS
