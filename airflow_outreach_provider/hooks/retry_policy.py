"""Which failures Airflow retries, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_outreach_provider.core import retry_schedule
from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    DeliveriesFailed,
    LeadRejected,
    OutreachError,
    SignatureError,
    TooManyRejected,
)
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.retry_schedule import Schedule, read_schedule

if TYPE_CHECKING:
    from airflow.sdk import Context

# A retry cannot mend these; a person can.
_FINAL: tuple[type[OutreachError], ...] = (
    ConfigurationError, DeliveriesFailed, TooManyRejected, LeadRejected, SignatureError,
)  # fmt: skip

# Airflow keeps a longer delay than a day for somebody's mistake, not for an answer worth waiting for.
_LONGEST = timedelta(days=1)


class OutreachRetryPolicy(RetryPolicy):
    """Faults that are the same at every try fail at once with the remedy; ``Retry-After`` sets the delay.

    Everything else follows the schedule, where there is one, and otherwise the task's own ``retry_delay`` and
    backoff. The number of tries is always the task's: give it as many ``retries`` as the schedule is long.

    :param schedule: seconds, timedeltas or texts such as ``"2m"`` before each retry; a little jitter is added. With one,
        ``Retry-After`` can make a delay longer, never shorter: an endpoint that is down for hours and always
        says "in a second" would use up all tries in a minute.
    """

    def __init__(self, schedule: Sequence[float | str | timedelta] | None = None) -> None:
        self.schedule: Schedule = read_schedule(schedule) if schedule is not None else ()

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        if isinstance(exception, _FINAL):
            return RetryDecision.fail(reason=str(exception))
        asked = _asked(exception)
        scheduled = self._scheduled(try_number, max_tries)
        delay = max((each for each in (asked, scheduled) if each is not None), default=None)
        if isinstance(exception, OutreachError):
            return RetryDecision.retry(delay=delay, reason=str(exception))
        if delay is not None:
            said = mask_text(str(exception), 300)
            return RetryDecision.retry(delay=delay, reason=f"{type(exception).__name__}: {said}")
        return RetryDecision.default()

    def longest_delay(self, try_number: int, max_tries: int) -> timedelta | None:
        """The most the schedule waits after this try; None without a schedule."""
        return self._scheduled(try_number, max_tries, jitter=1.0)

    def _scheduled(self, try_number: int, max_tries: int, jitter: float | None = None) -> timedelta | None:
        if not self.schedule:
            return None
        nth = retry_schedule.nth_retry(try_number, max_tries, len(self.schedule))
        spread = random.random() if jitter is None else jitter  # noqa: S311 - spreads load, keeps no secret
        return timedelta(seconds=retry_schedule.delay(nth, self.schedule, spread))

    def serialize(self) -> dict[str, Any]:
        return {"schedule": list(self.schedule)} if self.schedule else {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OutreachRetryPolicy:
        return cls(data.get("schedule"))


def _asked(exception: BaseException) -> timedelta | None:
    seconds = getattr(exception, "retry_after", None) if isinstance(exception, OutreachError) else None
    if isinstance(seconds, int | float) and seconds >= 0:
        return min(timedelta(seconds=max(1.0, float(seconds))), _LONGEST)
    return None
