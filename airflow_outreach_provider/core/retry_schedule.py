"""How long a task on deliveries waits before each of its retries: a table of seconds, and a little jitter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.times import read_span, span_advice, span_words

Schedule = tuple[float, ...]
"""Seconds before the first, the second, … retry; as many retries as it is long."""

DEFAULT_SCHEDULE: Schedule = (5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
"""About 18 hours: a night's outage, or a token that somebody renews in the morning."""

# Only ever later: the wait asked for is the least, and the order of the delays stays as written.
JITTER = 0.1
LONGEST_PAUSE = timedelta(days=30)
MOST_PAUSES = 50

_REMEDY = (
    "give a list of seconds or timedeltas or texts, each above 0 and at most "
    f'{LONGEST_PAUSE.days} days, e.g. [5, "2m", "1h"]'
)


def read_schedule(value: object) -> Schedule:
    """A schedule as a DAG writes it: a list of seconds, timedeltas and texts such as ``2m``, in any order.

    :raises ConfigurationError: it is empty or too long, or what in it is no pause.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(
            f"retry_schedule is {str(value)[:60]!r}, which is no list of pauses", _REMEDY
        )
    pauses = list(islice(value, MOST_PAUSES + 1))
    if not pauses:
        raise ConfigurationError("retry_schedule is empty", f"{_REMEDY}; for no retry at all write retries=0")
    if len(pauses) > MOST_PAUSES:
        raise ConfigurationError(
            f"retry_schedule has more than {MOST_PAUSES} pauses", "write fewer and longer ones"
        )
    return tuple(_seconds(each) for each in pauses)


def _seconds(value: object) -> float:
    # What stands between commas may be pauses of a list.
    span: Any = (None if "," in value else read_span(value)) if isinstance(value, str) else value
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    plain = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if plain and 0 < seconds <= LONGEST_PAUSE.total_seconds():  # NaN is no pause either
        return float(seconds)
    remedy = span_advice(value, _REMEDY) if isinstance(value, str) else _REMEDY
    raise ConfigurationError(f"retry_schedule holds {str(value)[:60]!r}, which is no pause", remedy)


def words(schedule: Schedule) -> str:
    """For a person: how many retries, over how long, and after which pauses."""
    count = f"{len(schedule)} {'retry' if len(schedule) == 1 else 'retries'}"
    pauses = ", ".join(span_words(each) for each in schedule)
    return f"{count} over {span_words(round(sum(schedule)))}: {pauses}"


def nth_retry(try_number: int, max_tries: int, retries: int) -> int:
    """Which retry, from 1, would follow this try, from 1.

    :param max_tries: as Airflow has it: ``retries``, and after Clear the tries used before that on top.
    """
    return max(1, min(try_number - max(0, max_tries - retries), max(1, retries)))


def delay(nth: int, schedule: Sequence[float], jitter: float = 0.0) -> float:
    """Seconds before the ``nth`` retry, from 1; beyond the end of the schedule its last delay.

    :param jitter: from 0 to 1: what part of the :data:`JITTER` comes on top.
    """
    seconds = schedule[max(0, min(nth, len(schedule)) - 1)]
    return seconds * (1.0 + JITTER * min(1.0, max(0.0, jitter)))
