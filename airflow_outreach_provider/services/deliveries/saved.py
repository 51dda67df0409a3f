"""What a route keeps of an endpoint's answers, and finds again for the next event of the same contact."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from airflow_outreach_provider.core.deliveries import lane_of
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.request_form import CompiledForm
from airflow_outreach_provider.net.webhook import EXCERPT_BYTES, WHOLE_BYTES
from airflow_outreach_provider.store.deliveries import saved
from airflow_outreach_provider.store.engine import Store

# An answer that says something of each of up to a thousand events.
_BATCH_BYTES = 2**20
_NOTHING: Mapping[str, object] = {}


class SavedAnswers:
    """Of one endpoint, for one route's form.

    :ivar keep_bytes: how much of an answer is read.
    """

    def __init__(self, store: Store, endpoint: str, form: CompiledForm) -> None:
        self._store, self._endpoint, self._form = store, endpoint, form
        batch = form.form.batch
        judged = batch is not None and bool(batch.ok)
        self.keep_bytes = _BATCH_BYTES if judged else WHOLE_BYTES if form.saves else EXCERPT_BYTES

    async def of(self, event: ContactEvent) -> Mapping[str, object]:
        """What is known of the event's contact; nothing where the form does not ask."""
        if not self._form.reads_saved:
            return _NOTHING
        return await asyncio.to_thread(saved.use, self._store, self._endpoint, lane_of(event))

    async def keep(self, event: ContactEvent, answer: str) -> None:
        """Keep what the answer tells, before the delivery counts as done: a crash between asks the endpoint again."""
        if self._form.saves:
            values = self._form.saved(event.to_dict(), answer)
            await asyncio.to_thread(saved.keep, self._store, self._endpoint, lane_of(event), values)
