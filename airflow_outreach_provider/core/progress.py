"""How far a run is: what is done with, not what is only read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from airflow_outreach_provider.core.states import RowState

_TOO_EARLY = 0.01
_ON_THE_WAY = frozenset({RowState.PLANNED.value, "sending"})


def share_done(fraction: float | None, settled: int, read: int) -> float | None:
    """How much of a source is read and sent or settled otherwise, 0 to 1.

    :param fraction: how much of it is read; None where nobody can know. :param settled: so many of the ``read`` rows.
    """
    if fraction is None or read <= 0:
        return fraction
    return fraction * min(1.0, settled / read)


def time_left(elapsed: float, done: float | None) -> timedelta | None:
    """What is left of a run that has done so much in ``elapsed`` seconds; None where it is too early to say, or over."""
    if done is None or not _TOO_EARLY <= done < 1:
        return None
    return timedelta(seconds=round(elapsed / done - elapsed))


def settled(counts: Mapping[str, int]) -> int:
    """Rows that have got somewhere, of rows by state."""
    return sum(count for state, count in counts.items() if state not in _ON_THE_WAY)
