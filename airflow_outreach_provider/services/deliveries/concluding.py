"""Whose fault a try's failures are, known when it is over: the endpoint rests, or what has no try left is dead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.attempts import Delivery

if TYPE_CHECKING:
    from airflow_outreach_provider.services.deliveries.lanes import LaneRunner


def conclude(shift: LaneRunner) -> None:
    """Is the place at fault, it rests and nothing is used up; else what has used up its tries, or was refused, is dead.

    So is in any case what a later one of its contact has overtaken: sent again it would come behind that.
    """
    place, used_up, refused = shift.place, shift.report.exhausted, shift.astray.answers
    if place is not None and (resting := place.resting()):
        _wait_for(shift, *resting)
    if place is None or shift.report.disabled or not (used_up or refused or shift.down):
        return
    dead = used_up | refused
    if shift.down or (used_up and place.at_fault()) or (refused and place.is_astray()):
        asked = max((wait for wait in shift.waits if wait is not None), default=None)
        _wait_for(shift, *place.rest(shift.down or next(iter(dead.values())), asked))
        used_up = {each: reason for each, reason in used_up.items() if each in shift.overtaken}
        dead = used_up | {each: refused[each] for each in shift.astray.alone}
    if dead:
        shift.report.used_up += len(used_up)
        _give_up(shift, dead)


def overtaken_by(shift: LaneRunner, delivery: Delivery, state: DeliveryState) -> frozenset[int]:
    """What is dead with this one being delivered: earlier ones of its contact, of which the end of the try was to tell."""
    earlier = frozenset(shift.used_up_in.get(delivery.lane, ())) | shift.astray.of(delivery.lane)
    return earlier if state is DeliveryState.DELIVERED else frozenset()


def _give_up(shift: LaneRunner, dead: Mapping[int, str]) -> None:
    deliveries_attempts.give_up(shift.store, dead, shift.task.owner)
    shift.report.attempts[DeliveryState.FAILED.value] -= len(dead)
    shift.report.attempts[DeliveryState.DEAD.value] += len(dead)
    for each in dead:
        shift.open_tries.pop(each, None)


def _wait_for(shift: LaneRunner, rest: str, until: datetime) -> None:
    shift.report.rest = rest
    shift.waits.append(max(0.0, (until - datetime.now(UTC)).total_seconds()))
