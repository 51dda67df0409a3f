"""How long a task on deliveries waits before each of its retries: a table of seconds, and a little jitter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice

from airflow_outreach_provider.core.errors import ConfigurationError

Schedule = tuple[float, ...]
"""Seconds before the first, the second, … retry; as many retries as it is long."""

DEFAULT_SCHEDULE: Schedule = (5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
"""About 18 hours: a night's outage, or a token that somebody renews in the morning."""

# Only ever later: the wait asked for is the least, and the order of the delays stays as written.
JITTER = 0.1
_LONGEST = timedelta(days=30)


def read_schedule(value: object) -> Schedule:
    """A schedule as a DAG writes it: a list of seconds and timedeltas. An empty one means no retry.

    :raises ConfigurationError: what in it is no delay.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise _no_schedule(value)
    return tuple(_seconds(each) for each in value)


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no_schedule(value)
    if not math.isfinite(value) or not 0 < value <= _LONGEST.total_seconds():
        raise _no_schedule(value)
    return float(value)


def _no_schedule(value: object) -> ConfigurationError:
    return ConfigurationError(
        f"retry_schedule holds {str(value)[:60]!r}, which is no delay",
        f"give a list of seconds or timedeltas, each above 0 and at most {_LONGEST.days} days, e.g. [5, 60, 3600]",
    )


def fitted(schedule: Schedule, retries: int) -> Schedule:
    """The schedule for this many retries: cut off, or its last delay repeated."""
    if not schedule:
        return ()
    return tuple(islice((*schedule, *[schedule[-1]] * retries), max(0, retries)))


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
