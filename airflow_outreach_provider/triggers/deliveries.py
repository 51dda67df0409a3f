"""Wait, without a worker, until a consumer has something to hand out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_outreach_provider.core.arguments import check_seconds
from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.hooks.ended_runs import EndedRuns
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.services.deliveries.fan_out import Reading, is_ready

log = structlog.get_logger(__name__)

# A store that is away is asked less often, up to this many seconds apart.
_LONGEST_WAIT = 60.0


def _deferral_seconds() -> float:
    """How long Airflow may take to notice that a task has deferred itself.

    The task's supervisor looks up at least every ``min_heartbeat_interval``. A trigger that fires sooner can
    have the resumed task taken for the one that just ended, and failed ("finished with state success, but
    the task instance's state attribute is queued").
    """
    return conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0) + 1.5


class DeliverableTrigger(BaseTrigger):
    """Fires when there are new events for a consumer, or deliveries of its routes that are with nobody.

    It only looks: events are taken, and their progress is kept, by the task that resumes. So a triggerer
    that dies, or two of them running the same trigger, lose and double nothing.

    :param consumer, routes, source, kinds, where: as of :class:`services.fanout.Reading`.
    :param poll_interval: seconds between looks.
    """

    def __init__(
        self,
        *,
        consumer: str,
        routes: Sequence[str] = (),
        source: str | None = None,
        kinds: Sequence[str] | None = None,
        where: str | None = None,
        poll_interval: float = 5.0,
    ) -> None:
        super().__init__()
        check_seconds("poll_interval", poll_interval)
        self.consumer, self.routes, self.source = consumer, list(routes), source
        self.kinds = None if kinds is None else list(kinds)
        self.where, self.poll_interval = where, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain JSON types, and nothing that changes between restarts."""
        return (
            f"{type(self).__module__}.{type(self).__name__}",
            {
                "consumer": self.consumer, "routes": self.routes, "source": self.source, "kinds": self.kinds,
                "where": self.where, "poll_interval": self.poll_interval,
            },
        )  # fmt: skip

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"status": "ready"}``, or ``{"status": "error", "message"}`` for what no waiting mends."""
        loop = asyncio.get_running_loop()
        not_before = loop.time() + _deferral_seconds()
        reading = Reading(self.consumer, tuple(self.routes), self.source, self.kinds, self.where)
        wait, ended_runs = self.poll_interval, EndedRuns()
        while True:
            try:
                ready = await asyncio.to_thread(_look, reading, ended_runs)
                wait = self.poll_interval
            except ConfigurationError as error:
                yield TriggerEvent({"status": "error", "message": str(error)})
                return
            except StoreError as error:
                wait = min(max(wait * 2, 1.0), _LONGEST_WAIT)
                log.warning("the outreach store is away; waiting", seconds=wait, error=str(error))
                ready = False
            if ready:
                await asyncio.sleep(max(0.0, not_before - loop.time()))
                yield TriggerEvent({"status": "ready"})
                return
            await asyncio.sleep(wait)


def _look(reading: Reading, ended_runs: EndedRuns) -> bool:
    store = open_store()
    if reading.routes:
        ended_runs.free(store, reading.routes)
    return is_ready(store, reading)
