"""Events taken as one batch by one piece of code: all of them are done when it ends well, none when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from airflow_outreach_provider.core.delivery_rules import DELIVERED, DeliveryOutcome, DeliveryVerdict
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.deliveries.batch import AttemptResult, Batch, IsOut, Report, TaskTry
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.services.deliveries.lanes import load_events, work
from airflow_outreach_provider.services.deliveries.settling import renewed
from airflow_outreach_provider.services.runtime.loop import run_in_loop_thread
from airflow_outreach_provider.store.deliveries.attempts import Delivery
from airflow_outreach_provider.store.deliveries.claims import Claim, claim
from airflow_outreach_provider.store.engine import Store

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class TakenEvents:
    """What one task instance has in its hands; nobody else gets it meanwhile.

    :ivar events: in the order in which they came in.
    """

    events: Sequence[ContactEvent]
    store: Store
    batch: Batch
    task: TaskTry
    claimed: Claim

    def settle(self, error: BaseException | None) -> Report:
        """All of them are done, or, with an error, to be taken again: by this task's retry, else by a later run.

        None of them is ever given up: which one the code failed at is not known.
        """
        if not self.claimed.mine:
            return Report()
        if error is None:
            outcome = DELIVERED
        else:
            said = f"{type(error).__name__}: {mask_text(str(error))}"
            outcome = DeliveryOutcome(DeliveryVerdict.RETRY, said)
        keep = 0 if self.task.last_try else max(1, self.task.keep)
        again = replace(self.task, delays=(), last_try=False, keep=keep)

        async def attempt(_delivery: Delivery, _event: ContactEvent, _is_out: IsOut) -> AttemptResult:
            return AttemptResult(outcome)

        return run_in_loop_thread(
            work(self.store, self.batch, again, self.claimed, attempt, concurrency=_AT_ONCE, group=_AT_ONCE)
        )


@contextmanager
def taken(store: Store, reading: Reading, task: TaskTry) -> Iterator[TakenEvents]:
    """What is new for a consumer, and what failed before, in the hands of this task instance; to be settled by the caller.

    They are deliveries of a route of the consumer's name, as of any other: seen on the page of deliveries, and
    redelivered from there.
    """
    route, key = reading.consumer, task.owner.key
    reading = replace(reading, routes=(route,))
    batches = fan_out(store, reading, key) or []
    ids = [each for batch in batches for each in batch["events"]]
    batch = Batch(route, ids, key, consumer=reading.consumer)
    if not ids:
        yield TakenEvents((), store, batch, task, Claim([]))
        return
    claimed = claim(
        store,
        route=route,
        event_ids=ids,
        owner=task.owner,
        plan=key,
        endpoint="",
        lease=task.lease,
        revive=task.cleared,
    )
    found = load_events(store, claimed.mine)
    mine = [
        found[each.event_id]
        for each in sorted(claimed.mine, key=lambda each: each.id)
        if each.event_id in found
    ]
    with renewed(store, task):
        yield TakenEvents(mine, store, batch, task, claimed)
