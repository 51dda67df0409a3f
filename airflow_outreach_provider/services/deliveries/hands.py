"""What is still in a task's hands: a person may disable the endpoint, or somebody be forgotten, while it works off what
it took."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import attempts as deliveries_attempts
from airflow_outreach_provider.store.engine import Store

_LOOK_EVERY_SECONDS = 0.5


class Hands:
    """Looks now and then what others have made of a task's deliveries.

    :param open_tries: what the task has still to do, by id; what is out of its hands is taken out of it.
    :ivar lost: what it must not send any more: held, deleted, or with another task by now.
    """

    def __init__(self, store: Store, owner: Owner, open_tries: MutableMapping[int, int]) -> None:
        self.lost: set[int] = set()
        self._store, self._owner, self._open_tries = store, owner, open_tries

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
        self.lost |= asked - kept
        for each in asked - kept:
            self._open_tries.pop(each, None)
