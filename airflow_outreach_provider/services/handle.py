"""Give each event of a batch to a function; what it did is acknowledged event by event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from airflow_outreach_provider.core.delivery_rules import DELIVERED, Outcome, Verdict
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.batch_types import Batch, Report, Task, Tried
from airflow_outreach_provider.services.batches import ensure_recorded, work
from airflow_outreach_provider.store.deliveries import Delivery
from airflow_outreach_provider.store.deliveries_claim import claim
from airflow_outreach_provider.store.engine import Store


def handle(store: Store, batch: Batch, task: Task, call: Callable[[ContactEvent], object]) -> Report:
    """Call ``call`` for what is open of a batch, one after another, in the calling thread.

    An exception fails that event: ``LeadRejected`` for good, any other to be tried again;
    ``OutreachUnavailable`` also says when. Later events of the same contact wait.

    :raises ConfigurationError: out of ``call``: the batch stops, and nothing is lost.
    """
    unknown = ensure_recorded(store, batch, task)
    claimed = claim(
        store, route=batch.route, event_ids=batch.event_ids, owner=task.owner,
        plan=batch.plan, endpoint="", lease=task.lease, revive=task.cleared,
    )  # fmt: skip

    async def attempt(_delivery: Delivery, event: ContactEvent) -> Tried:
        started = time.monotonic()
        outcome = _outcome(call, event)
        return Tried(outcome, latency_ms=round((time.monotonic() - started) * 1000))

    # One at a time and settled at once: a retry must call only for what failed.
    report = asyncio.run(work(store, batch, task, claimed, attempt, concurrency=1, group=1, one_fate=False))
    if unknown:
        report.states["unknown"] = unknown
    return report


def _outcome(call: Callable[[ContactEvent], object], event: ContactEvent) -> Outcome:
    try:
        call(event)
    except ConfigurationError:
        raise
    except LeadRejected as error:
        return Outcome(Verdict.REFUSED, _words(error))
    except OutreachUnavailable as error:
        return Outcome(Verdict.RETRY, _words(error), error.retry_after)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything; one event fails by it
        return Outcome(Verdict.RETRY, _words(error))
    return DELIVERED


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {mask_text(str(error))}"
