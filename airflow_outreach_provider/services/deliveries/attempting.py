"""One attempt, however it ends: answered, refused for all by a mistake, or broken off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_outreach_provider.core.delivery_rules import DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, IsOut
from airflow_outreach_provider.store.deliveries.attempts import Delivery

if TYPE_CHECKING:
    from airflow_outreach_provider.services.deliveries.lanes import LaneRunner

_NOT_STORED = AttemptResult(DeliveryOutcome(DeliveryVerdict.REFUSED, "the event is no longer stored"))
_BROKEN_OFF = AttemptResult(
    DeliveryOutcome(
        DeliveryVerdict.RETRY, "broken off before there was an answer, as by the task's execution_timeout"
    )
)


async def attempted(
    shift: LaneRunner, delivery: Delivery, event: ContactEvent | None, is_out: IsOut
) -> tuple[AttemptResult | None, asyncio.CancelledError | None]:
    """What became of it, and what broke it off: to be raised once the attempt is written.

    So what no try of the task has the time for uses up its tries, and is shown with its reason. A task that is asked to end
    has none of it: it breaks off what might have been answered.
    """
    if event is None:
        return _NOT_STORED, None
    try:
        return await shift.attempt(delivery, event, is_out), None
    except OutreachError as error:
        shift.error, shift.stopped = error, True
        return AttemptResult(DeliveryOutcome(DeliveryVerdict.RETRY, str(error))), None
    except asyncio.CancelledError as error:
        if shift.is_over():
            raise
        return _BROKEN_OFF, error
