"""A row that says itself that its person is not to be contacted, as exports of contacts do: ``Opted Out: yes``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from airflow_outreach_provider.core.missing import is_missing
from airflow_outreach_provider.core.platforms.keys import Holds, read_key
from airflow_outreach_provider.core.platforms.persons import says_no

ROW_SAYS_NO = "row_says_no"
"""The reason of such a row."""


def refusal_in(values: Mapping[str, Any]) -> str | None:
    """The column that says so, as the field of a contact in an event would; None where none does."""
    for name, word, holds in _may_refuse(tuple(values)):
        if (value := _as_json(values[name])) is not None and says_no((word, holds, value)):
            return name
    return None


def _as_json(value: object) -> Any:
    """A value of a database or a data frame as a field of an event has it: a time as text, a number as one, NaN as none."""
    if isinstance(value, str | bool | int):
        return value
    if is_missing(value):
        return None
    if isinstance(value, float | Decimal):
        return None if Decimal(value).is_nan() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return str(value)


def may_refuse(column: str) -> bool:
    """Whether a column of this name may say so."""
    return bool(_may_refuse((column,)))


@lru_cache(maxsize=256)
def _may_refuse(names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    keys = [(name, *read_key(name)) for name in names if isinstance(name, str)]
    return tuple(each for each in keys if each[2] & Holds.REFUSAL)
