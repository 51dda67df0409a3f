"""The sensor half of an event route: wait for contact events, hand them out in batches."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_outreach_provider.core.arguments import (
    as_written,
    check_seconds,
    check_whole,
    read_flag,
    said_later,
)
from airflow_outreach_provider.core.deliveries import check_route
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import kind_names
from airflow_outreach_provider.hooks.ended_runs import EndedRuns
from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy
from airflow_outreach_provider.hooks.settings import open_store, owner_of
from airflow_outreach_provider.hooks.trials import stays_out
from airflow_outreach_provider.services.deliveries.fan_out import Reading, fan_out
from airflow_outreach_provider.services.deliveries.reading_arguments import check_reading, route_names
from airflow_outreach_provider.triggers.deliveries import DeliverableTrigger
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy


class ContactEventSensor(BaseSensorOperator):
    """Wait for new contact events and return them as batches for mapped tasks.

    Each batch is ``{"consumer", "plan", "events": [ids], "label"}``: expand ``DeliverEventsOperator``,
    ``HandleEventsOperator`` or a task of your own over it. Up to 64 contacts make a batch each, more are
    spread over 64; one contact's events share a batch, in order.

    New events become deliveries in the transaction that acknowledges them, and the plan which batches they
    are in is kept. Whatever dies after that, the same deliveries are handed out again, by this task's retry
    or by a later run; those that were delivered are not sent again. Deliveries that a person made pending
    again come out here too.

    :param consumer: a name with its own progress through the inbox; one for each route of events.
    :param source: only events of this source (a connection id).
    :param kinds: only these kinds, e.g. ``["replied", "interested"]``, or one; None for all but
        ``unrecognised``.
    :param where: only events this expression is true for, e.g. ``contact.email is defined``.
    :param max_events: at most so many events are handed out in a run. Where more come in than runs carry away, a task of
        ours goes on with them after its batch, for a minute.
    :param deferrable: wait in the triggerer instead of a worker.
    :param poll_interval: seconds between looks at the store.
    :param wait: False: take what is there, and return an empty list where there is nothing. By default it
        waits, unless its DAG is scheduled on :func:`~assets.contact_events`: there a run begins when there is
        something, so one that finds nothing has come too late; and unless ``dag.test()`` runs it.
    :param routes: names of the routes that handle the batches. By default those of the operators directly
        downstream, which must have plain names; with none there, events count as handled once they are handed
        over.
    :param events_per_batch: how many events a batch is to hold where there are enough: as many as a request of
        ``DeliverEventsOperator(batching=…)`` takes.
    """

    template_fields: Sequence[str] = ("consumer", "source", "kinds")
    ui_color = "#dcefe6"

    def __init__(
        self,
        *,
        consumer: str,
        source: str | None = None,
        kinds: Collection[str] | None = None,
        where: str | None = None,
        max_events: int = 1000,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 5.0,
        wait: bool | None = None,
        routes: Sequence[str] | None = None,
        events_per_batch: int = 1,
        # Airflow's own default is none; a sensor must outlive a store that is away for a moment.
        retries: int = 3,
        retry_delay: timedelta | float = timedelta(seconds=30),
        retry_exponential_backoff: float = 2.0,
        retry_policy: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        # A mistake shows in the DAG list, not in the first run.
        check_reading(consumer, source, kinds, where, max_events)
        check_seconds("poll_interval", poll_interval)
        check_whole("events_per_batch", events_per_batch, "write at least 1")
        kwargs.setdefault("poke_interval", poll_interval)
        super().__init__(
            retries=retries,
            retry_delay=retry_delay,
            retry_exponential_backoff=retry_exponential_backoff,
            retry_policy=retry_policy or OutreachRetryPolicy(),
            **kwargs,
        )
        self.consumer = consumer
        self.source = source
        self.kinds = kinds
        self.where = where
        self.max_events = max_events
        self.deferrable = read_flag("deferrable", deferrable)
        self.poll_interval = poll_interval
        self.wait = None if wait is None else read_flag("wait", wait)
        self.routes = route_names(routes)
        self.events_per_batch = events_per_batch

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """The batches; an empty list when everything this task instance handed out before is done."""
        if stays_out(context, self.log):
            return []
        waits = self._waits()
        if waits and not self.deferrable:
            return super().execute(context)
        batches = self._fan_out(context)
        if batches is None and not waits:
            self.log.info("Nothing to do for consumer %s: another run took it", self.consumer)
        elif batches is None:
            self._wait(datetime.now(UTC).timestamp() + self.timeout)
        return batches or []

    def execute_complete(
        self, context: Context, event: dict[str, Any], deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Resume when the trigger saw something; what it saw may have gone to another run meanwhile."""
        if event.get("status") == "error":
            raise ConfigurationError(str(event.get("message")))
        batches = self._fan_out(context)
        if batches is None:
            self._wait(deadline or datetime.now(UTC).timestamp() + self.timeout)
        return batches or []

    def poke(self, context: Context) -> PokeReturnValue:
        """For ``deferrable=False``."""
        batches = self._fan_out(context)
        return PokeReturnValue(is_done=batches is not None, xcom_value=batches)

    def _waits(self) -> bool:
        if self.wait is not None:
            return self.wait
        if _under_dag_test():
            return False  # whoever tries a DAG by hand is not to sit there for a day
        condition = getattr(self.dag.timetable, "asset_condition", None) if self.has_dag() else None
        return not _rings(condition)

    def _wait(self, deadline: float) -> None:
        left = deadline - datetime.now(UTC).timestamp()
        if left <= 0:
            said = f"no event for consumer {self.consumer!r} within {self.timeout:g} s"
            # Airflow sees to soft_fail only where it pokes, or resumes a task.
            raise AirflowSkipException(said) if self.soft_fail else AirflowSensorTimeout(said)
        reading = self._reading()
        self.defer(
            trigger=DeliverableTrigger(
                consumer=reading.consumer,
                routes=reading.routes,
                source=reading.source,
                kinds=None if reading.kinds is None else list(reading.kinds),
                where=reading.where,
                poll_interval=self.poll_interval,
            ),
            method_name="execute_complete",
            kwargs={"deadline": deadline},
            timeout=timedelta(seconds=left),
        )

    def _fan_out(self, context: Context) -> list[dict[str, Any]] | None:
        key = owner_of(context["ti"]).key
        store, reading = open_store(), self._reading()
        if reading.routes:
            self._ended_runs.free(store, reading.routes)
        batches = fan_out(store, reading, key)
        if batches:
            events = sum(len(batch["events"]) for batch in batches)
            self.log.info("%d events for consumer %s in %d batches", events, self.consumer, len(batches))
        return batches

    @cached_property
    def _ended_runs(self) -> EndedRuns:
        return EndedRuns()

    def _reading(self) -> Reading:
        check_reading(self.consumer, self.source, self.kinds)
        return Reading(
            consumer=self.consumer,
            routes=tuple(self._downstream_routes() if self.routes is None else self.routes),
            source=self.source or None,
            kinds=kind_names(self.kinds),
            where=self.where,
            max_events=self.max_events,
            per_batch=self.events_per_batch,
        )

    def _downstream_routes(self) -> list[str]:
        """The routes of our operators directly downstream, mapped or not: they report back by delivery.

        :raises ConfigurationError: one is known only when its task runs, or cannot be a route.
        """
        routes = set()
        for task in self.downstream_list:
            operator = getattr(task, "operator_class", type(task))
            if getattr(operator, "handles_batches", False):
                route = as_written(task).get("route")
                if not isinstance(route, str) or said_later(route):
                    # Deliveries recorded under any other name would wait for a task that never takes them.
                    raise ConfigurationError(
                        f"the route of task {task.task_id!r} is known only when it runs",
                        "give it a plain name, or name all routes in the sensor: routes=[…]",
                    )
                routes.add(check_route(route))
        return sorted(routes)


def _under_dag_test() -> bool:
    """Whether ``dag.test()`` runs this task, in its own process: nothing else talks to a supervisor there."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def _rings(condition: Any) -> bool:
    """Whether a doorbell of ours is in what a DAG is scheduled on: an asset, or some of them joined."""
    if any(isinstance(each.trigger, ContactEventTrigger) for each in getattr(condition, "watchers", ())):
        return True
    return any(_rings(each) for each in getattr(condition, "objects", ()))
