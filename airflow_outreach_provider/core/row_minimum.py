"""How few rows a source may have for a run to be meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from airflow_outreach_provider.core.errors import ConfigurationError

_ROUNDING = 1e-6
_SHARE = re.compile(r"\s*\d+(?:\.\d+)?\s*%\s*", re.ASCII)
_OF_LAST = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*of\s+(?:the\s+)?last\s+run\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RowMinimum:
    """How few rows a source may have: a count, or a share of those of the last run.

    :param share: 0 to 1.
    """

    count: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, value: object) -> RowMinimum:
        """Read ``20``, ``"50% of last run"`` or None (any number).

        :raises ConfigurationError: it is none of these.
        """
        if value is None:
            return cls()
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(value)
        match = _OF_LAST.fullmatch(value) if isinstance(value, str) else None
        if match and float(match.group(1)) <= 100:
            return cls(None, float(match.group(1)) / 100)
        remedy = 'use a whole number, or a share such as "50% of last run", or leave it out for any number'
        if isinstance(value, str) and _SHARE.fullmatch(value):
            remedy = f'did you mean "{value.strip()} of last run"? Else {remedy}'
        raise ConfigurationError(f"min_rows is {value!r}, not so many rows", remedy)

    def rows(self, last: int | None) -> int | None:
        """So many rows at least; None for any number.

        :param last: rows of the last run; None where there is none to compare with.
        """
        if self.share is None or last is None:
            return self.count
        return ceil(self.share * last - _ROUNDING)

    def __str__(self) -> str:
        return str(self.count) if self.share is None else f"{100 * self.share:g}% of last run"
