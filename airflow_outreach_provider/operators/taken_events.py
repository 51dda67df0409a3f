"""Contact events as one batch for code of one's own: ``with take_events(…)`` and ``@task.outreach_events(…)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk import get_current_context
from airflow.sdk.bases.decorator import task_decorator_factory
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from airflow_outreach_provider.core.arguments import check_callable
from airflow_outreach_provider.core.deliveries import check_route
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent, kind_names
from airflow_outreach_provider.hooks.ended_runs import EndedRuns
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.hooks.trials import trial_in
from airflow_outreach_provider.operators.task_tries import task_try
from airflow_outreach_provider.services.deliveries.fan_out import Reading
from airflow_outreach_provider.services.deliveries.reading_arguments import check_reading
from airflow_outreach_provider.services.deliveries.taken import taken

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

_EVENTS = "events"


@contextmanager
def take_events(
    consumer: str,
    *,
    kinds: Collection[str] | None = None,
    source: str | None = None,
    where: str | None = None,
    max_events: int = 1000,
) -> Iterator[list[ContactEvent]]:
    """Within a task: the events that wait for a consumer, done when the block ends well.

    ::

        @task
        def to_the_lake():
            with take_events("lake", kinds=["replied"]) as events:
                write([event.to_dict() for event in events])

    An exception out of the block leaves all of them to this task's retry, or to a later run; they may then be seen a
    second time, so de-duplicate on ``event.id``. Nobody else gets them meanwhile. Nothing there: an empty list.

    :param consumer: a name with its own progress; the one that ``contact_events(…)`` has in the DAG's schedule.
    :param kinds, source, where: only such events, as in ``ContactEventSensor``.
    :param max_events: at most so many.
    :raises ConfigurationError: a name, kind or expression that cannot be.
    """
    reading = reading_of(consumer, kinds, source, where, max_events)
    with _taking(get_current_context(), reading) as events:
        yield events


def reading_of(
    consumer: str, kinds: Collection[str] | None, source: str | None, where: str | None, max_events: int
) -> Reading:
    """:raises ConfigurationError: a name, kind, expression or number that cannot be."""
    check_reading(consumer, source, kinds, where, max_events)
    return Reading(check_route(consumer), (consumer,), source or None, kind_names(kinds), where, max_events)


@contextmanager
def _taking(context: Context, reading: Reading) -> Iterator[list[ContactEvent]]:
    if trial_in(context) is not None:
        yield []
        return
    ti, store = context["ti"], open_store()
    EndedRuns().free(store, reading.routes)
    with taken(store, reading, task_try(ti, ti.task)) as mine:
        try:
            yield list(mine.events)
        except AirflowSkipException:
            mine.settle(None)
            raise
        except (Exception, AirflowTaskTimeout, SystemExit) as error:
            mine.settle(error)
            raise
        mine.settle(None)


class OutreachEventsOperator(_PythonDecoratedOperator):
    """What ``@task.outreach_events`` makes of a function: it is called with ``events``, a list, once.

    Skipped where nothing waits. The function's other arguments are given as in any ``@task``.

    :param consumer, kinds, source, where, max_events: as in :func:`take_events`.
    """

    template_fields: Sequence[str] = (*_PythonDecoratedOperator.template_fields, "consumer", "source")
    custom_operator_name: str = "@task.outreach_events"
    op_kwargs: Mapping[str, Any]
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        consumer: str,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kinds: Collection[str] | None = None,
        source: str | None = None,
        where: str | None = None,
        max_events: int = 1000,
        retries: int = 3,
        retry_delay: timedelta | float = timedelta(seconds=30),
        **kwargs: Any,
    ) -> None:
        takes = inspect.signature(python_callable).parameters
        if _EVENTS not in takes and not any(each.kind is each.VAR_KEYWORD for each in takes.values()):
            raise ConfigurationError(
                f"{getattr(python_callable, '__name__', 'the function')} takes no events",
                "give it a parameter 'events'",
            )
        reading_of(
            consumer, kinds, source, where, max_events
        )  # a mistake shows in the DAG list, not in the first run
        super().__init__(
            python_callable=python_callable,
            op_args=op_args or (),
            # In the place of what is there when it runs.
            op_kwargs={**(op_kwargs or {}), _EVENTS: None},
            retries=retries,
            retry_delay=retry_delay,
            **kwargs,
        )
        self.consumer = consumer
        self.kinds = kinds
        self.source = source
        self.where = where
        self.max_events = max_events

    def _hook_apply_defaults(self, *args: Any, **kwargs: Any) -> Any:
        """Airflow looks into the function before :meth:`__init__` does."""
        if "python_callable" in kwargs:
            check_callable("python_callable", kwargs["python_callable"])
        return super()._hook_apply_defaults(*args, **kwargs)

    def execute(self, context: Context) -> Any:
        """What the function returns."""
        reading = reading_of(self.consumer, self.kinds, self.source, self.where, self.max_events)
        with _taking(context, reading) as events:
            if not events:
                raise AirflowSkipException(f"nothing waits for consumer {self.consumer!r}")
            self.log.info("%d events for consumer %s", len(events), self.consumer)
            self.op_kwargs = {**self.op_kwargs, _EVENTS: events}
            return super().execute(context)


def outreach_events_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """``@task.outreach_events(consumer="lake", kinds=["replied"])``'s factory, by the provider's info."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=OutreachEventsOperator,
        **kwargs,
    )
