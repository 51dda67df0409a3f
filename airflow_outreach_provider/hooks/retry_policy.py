"""Which failures Airflow retries, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    LeadRejected,
    OutreachError,
    SignatureError,
    TooManyRejected,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

# A retry cannot mend these; a person can.
_FINAL: tuple[type[OutreachError], ...] = (ConfigurationError, TooManyRejected, LeadRejected, SignatureError)

# Airflow keeps a longer delay than a day for somebody's mistake, not for an answer worth waiting for.
_LONGEST = timedelta(days=1)


class OutreachRetryPolicy(RetryPolicy):
    """Faults that are the same at every try fail at once with the remedy; ``Retry-After`` sets the delay.

    Everything else follows the task's own ``retries``, ``retry_delay`` and backoff. The number of tries is
    always the task's.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        if isinstance(exception, _FINAL):
            return RetryDecision.fail(reason=str(exception))
        if isinstance(exception, OutreachError):
            seconds = getattr(exception, "retry_after", None)
            if isinstance(seconds, int | float) and seconds >= 0:
                delay = min(timedelta(seconds=max(1.0, float(seconds))), _LONGEST)
                return RetryDecision.retry(delay=delay, reason=str(exception))
            return RetryDecision.retry(reason=str(exception))
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OutreachRetryPolicy:
        return cls()
