"""A row that says itself that its person is not to be contacted, as exports of contacts do: ``Opted Out: yes``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from airflow_outreach_provider.core.platforms.keys import Holds, read_key
from airflow_outreach_provider.core.platforms.persons import says_no

ROW_SAYS_NO = "row_says_no"
"""The reason of such a row."""


def refusal_in(values: Mapping[str, Any]) -> str | None:
    """The column that says so, as the field of a contact in an event would; None where none does."""
    for name, word, holds in _may_refuse(tuple(values)):
        if (value := values[name]) is not None and says_no((word, holds, value)):
            return name
    return None


def may_refuse(column: str) -> bool:
    """Whether a column of this name may say so."""
    return bool(_may_refuse((column,)))


@lru_cache(maxsize=256)
def _may_refuse(names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    keys = [(name, *read_key(name)) for name in names if isinstance(name, str)]
    return tuple(each for each in keys if each[2] & Holds.REFUSAL)
