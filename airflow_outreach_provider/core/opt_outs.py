"""Which events say that a person is not to be contacted again, or cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.platforms.varda import CallOutcome

_KINDS = frozenset({EventKind.BOUNCED, EventKind.UNSUBSCRIBED, EventKind.NOT_INTERESTED})
_CALL_OUTCOMES = frozenset({CallOutcome.SPAM, CallOutcome.WRONG_NUMBER, CallOutcome.NOT_INTERESTED})


def is_opt_out(event: ContactEvent) -> bool:
    """Bounce, unsubscribe, no interest; of a call's outcomes also spam and wrong number."""
    if event.kind in _KINDS:
        return True
    outcome = event.data.get("outcome_type") if isinstance(event.data, Mapping) else None
    return event.kind is EventKind.CALL_OUTCOME and outcome in _CALL_OUTCOMES
