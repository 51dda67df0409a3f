"""From the inbox to work: new events become deliveries, and open deliveries become batches for mapped tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_outreach_provider.core.deliveries import (
    MAX_BATCHES,
    MAX_BATCHES_IN_BACKLOG,
    MAX_BATCHES_WHEN_BUSY,
    batch_label,
    batched,
)
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.expressions.compile import compile_where
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries import plans as deliveries_plans
from airflow_outreach_provider.store.deliveries.plans import PlannedDelivery
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox.consumers import note_routes

# Longer than a batch waits for a free slot on a busy Airflow; its own work and retries prolong it.
PLAN_LEASE = timedelta(minutes=15)
# Where the tasks that a plan was made for have not begun within a minute, with no more than this left, others keep them
# from it: Airflow puts the first of each run before the last of an older one.
LEFT_LYING = PLAN_LEASE - timedelta(minutes=1)
# Read at a time while looking for one event that matches.
_LOOK_AHEAD = 100
# Taken in at a time by a task that goes on serving.
_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a consumer reads, and for which routes.

    :ivar routes: of the tasks that will do the work; empty when they do not report back, so that handing
        the events to them is all that can be known.
    :ivar where: an expression on the event.
    :ivar per_batch: so many events may go into one batch before another is begun; where requests take several.
    """

    consumer: str
    routes: tuple[str, ...]
    source: str | None = None
    kinds: Collection[str] | None = None
    where: str | None = None
    max_events: int = 1000
    per_batch: int = 1


def is_ready(store: Store, reading: Reading) -> bool:
    """Whether :func:`fan_out` would find work: new events, or deliveries that are with nobody.

    Cheap, and without effect on the work: for a trigger that waits. With a ``where``, events that it turns
    away are passed here, so that they wake nobody; what it lets through stays to be read.
    """
    if reading.routes and deliveries_plans.ready(store, reading.routes):
        return True
    if reading.routes and deliveries_plans.all_served(store, reading.routes):
        return False
    if reading.where is not None:
        return bool(_read(store, reading, _LOOK_AHEAD))
    found = consumers.waiting(store, reading.consumer, source=reading.source, kinds=reading.kinds, limit=1)
    return found.count > 0


def fan_out(store: Store, reading: Reading, key: str) -> list[dict[str, Any]] | None:
    """Record new events as deliveries, and plan batches of what is open.

    Events and their acknowledgement are one transaction, and a plan is kept under ``key``: a caller that
    dies at any point and asks again gets the same work.

    :param key: the task instance that hands the batches out.
    :return: batches for :class:`~services.deliveries.batch.Batch`, plain JSON without personal data; None when there
        is nothing to do; an empty list when everything that was planned under ``key`` is done.
    """
    routes = reading.routes or (reading.consumer,)
    earlier = deliveries_plans.own(store, key)
    if earlier is None:
        _take_in(store, reading, routes, key)
        earlier = (
            deliveries_plans.plan(store, routes, key, limit=reading.max_events, lease=PLAN_LEASE)
            if reading.routes
            else deliveries_plans.own(store, key)
        )
    if earlier is None:
        return None
    few = len(earlier) <= MAX_BATCHES_WHEN_BUSY  # nothing to hand out together
    most = MAX_BATCHES
    if not few and deliveries_plans.is_busy(store, routes, besides=key):
        most = MAX_BATCHES_WHEN_BUSY
    elif len(earlier) >= reading.max_events and _more_waits(store, reading):
        most = MAX_BATCHES_IN_BACKLOG
    return _batches(earlier, reading.consumer, key, min(most, -(-len(earlier) // reading.per_batch)) or 1)


def _more_waits(store: Store, reading: Reading) -> bool:
    """Whether a run could not take all that there is."""
    if reading.routes and deliveries_plans.ready(store, reading.routes):
        return True
    return comes_in(store, reading, 1) > 0


def reading_of(store: Store, consumer: str, route: str) -> Reading | None:
    """What a consumer's sensor said that it reads, as far as that is known and ``route`` is one of its routes."""
    said = consumers.reads(store, consumer)
    if said is None or route not in said.routes:
        return None
    return Reading(consumer, said.routes, said.source, said.kinds, said.where)


def comes_in(store: Store, reading: Reading, most: int) -> int:
    """How many new events wait for a consumer, its ``where`` left aside, counted up to ``most``."""
    found = consumers.waiting(store, reading.consumer, source=reading.source, kinds=reading.kinds, limit=most)
    return found.count


def take_in(store: Store, reading: Reading, at_least: int = 0) -> None:
    """Record what is new as deliveries, with nobody, some at a time.

    :param at_least: more at a time, where as many are wanted.
    """
    events = _read(store, reading, max(_AT_A_TIME, at_least))
    deliveries_fan_out.fan_out(store, reading.consumer, events, reading.routes)


def _take_in(store: Store, reading: Reading, routes: Sequence[str], key: str) -> None:
    events = _read(store, reading, reading.max_events)
    note_routes(store, reading.consumer, reading.routes, reading.where)
    deliveries_fan_out.fan_out(
        store, reading.consumer, events, routes, handed_to=None if reading.routes else key
    )


def _read(store: Store, reading: Reading, limit: int) -> list[ContactEvent]:
    matches = compile_where(reading.where, EVENT) if reading.where is not None else None
    return consumers.read_new(
        store,
        reading.consumer,
        source=reading.source,
        kinds=reading.kinds,
        where=(lambda event: matches(event.to_dict())) if matches else None,
        limit=limit,
    )


def _batches(planned: Sequence[PlannedDelivery], consumer: str, key: str, most: int) -> list[dict[str, Any]]:
    by_event = {each.event_id: each for each in planned}
    batches = batched(((each.lane, each.event_id) for each in planned), most)
    return [
        {
            "consumer": consumer,
            "plan": key,
            "events": ids,
            "label": batch_label(
                [by_event[each].label for each in ids], len({by_event[each].lane for each in ids})
            ),
        }
        for ids in batches
    ]
