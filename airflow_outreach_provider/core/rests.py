"""How long an endpoint at fault rests before somebody asks it again, and how fast it is served once it answers."""

from __future__ import annotations

from datetime import datetime, timedelta

# Seconds. Short at first, as most outages are; then few enough requests that a place that is down does not feel them,
# and never so far apart that who has mended it waits long to see it.
PAUSES = (15.0, 30.0, 60.0, 120.0, 300.0)

DISABLE_AFTER = timedelta(days=5)
"""An endpoint that has answered nothing good for so long is not having an outage: its deliveries are held."""

# Just recovered, an endpoint gets this many requests a second, doubled every so often, until nothing is held back.
_FIRST_RATE = 5.0
_DOUBLED_EVERY = timedelta(seconds=10)
_WARM_AFTER = timedelta(seconds=90)


def pause(rests: int) -> timedelta:
    """How long the rest lasts. :param rests: how many it is in a row, from 1."""
    return timedelta(seconds=PAUSES[max(0, min(rests, len(PAUSES)) - 1)])


def warming_rate(recovered_at: datetime | None, now: datetime) -> float | None:
    """Requests a second that a recovered endpoint may get, over all tasks together; None when it is warm.

    :param recovered_at, now: timezone-aware, of one clock.
    """
    if recovered_at is None or now - recovered_at >= _WARM_AFTER:
        return None
    elapsed: float = max(timedelta(0), now - recovered_at) / _DOUBLED_EVERY
    return float(_FIRST_RATE * 2.0**elapsed)
