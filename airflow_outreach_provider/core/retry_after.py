"""How long another side asks us to wait: the two forms of ``Retry-After``.

RFC 9110 section 10.2.3: either a number of seconds or an HTTP date; section 5.6.7 names three spellings
of the date, of which two are obsolete and all must be understood.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Whoever asks for more is asked again after an hour: one header must not park work for weeks.
MAX_RETRY_AFTER_SECONDS = 3600.0
LONGEST_WAIT_SECONDS = MAX_RETRY_AFTER_SECONDS + 60.0
"""A wait that is written down for longer was written while the clock was ahead."""

_SECONDS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?")
_LONGEST_DATE = 64


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait from ``now``, between 0 and :data:`MAX_RETRY_AFTER_SECONDS`; None when there is no such wish.

    :param value: the header as received. A date in the past means "now", something unreadable means
        nothing: a bad header must not turn a retry into a failure.
    :param now: timezone-aware.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    if not text or len(text) > _LONGEST_DATE or not text[0].isalpha():
        return None
    try:
        moment = parsedate_to_datetime(text)
        # An HTTP date is always in GMT; the asctime form does not say so.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
