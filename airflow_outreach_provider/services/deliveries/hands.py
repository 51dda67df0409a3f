"""What is still in a task's hands: a person may disable the endpoint, or somebody be forgotten, while it works off what
it took."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, MutableMapping, Sequence
from contextlib import suppress

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.deliveries.attempts import Delivery
from airflow_outreach_provider.store.engine import Store

_LOOK_EVERY_SECONDS = 0.5


class Hands:
    """Looks now and then what others have made of a task's deliveries.

    :param open_tries: what the task has still to do, by id; what is out of its hands is taken out of it.
    """

    def __init__(self, store: Store, owner: Owner, open_tries: MutableMapping[int, int]) -> None:
        self._changed: dict[
            int, Delivery | None
        ] = {}  # as it was taken last, or lost: not as it was taken first
        self._under_way: set[int] = set()
        self._store, self._owner, self._open_tries = store, owner, open_tries

    def is_out(self, delivery: Delivery) -> bool:
        """Whether it must not be sent any more: it is held, deleted, or with another task by now."""
        return self._changed.get(delivery.id, delivery) is not delivery

    def take(self, mine: Sequence[Delivery]) -> None:
        """These are the task's. What it had before is sent as it is taken now, for that may still be in a queue; what is
        under way is not sent again, whatever was made of it meanwhile."""
        for each in mine:
            if each.id in self._under_way:
                self._changed[each.id] = None
                continue
            if each.id in self._changed or each.id in self._open_tries:
                self._changed[each.id] = each
            self._open_tries[each.id] = each.tries

    def begin(self, delivery: Delivery) -> None:
        """It is about to be sent."""
        self._under_way.add(delivery.id)

    def end(self, ids: Iterable[int]) -> None:
        """What became of these is in the store."""
        self._under_way.difference_update(ids)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            if self._open_tries:
                with suppress(StoreError):  # it may be away for a moment
                    await self._look()

    async def _look(self) -> None:
        asked = set(self._open_tries)  # before the look: what is taken meanwhile is not in it
        kept = await asyncio.to_thread(deliveries_attempts.in_hands, self._store, self._owner)
        for each in asked - kept:
            self._changed[each] = None
            self._open_tries.pop(each, None)
