"""A function of one event as a task over batches of them: the decorator for ``HandleEventsOperator``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_outreach_provider.operators.events import HandleEventsOperator


class EventHandler:
    """What :func:`handle_events` makes of a function: call it with a batch, or expand it over batches."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self.function = function
        self.options: dict[str, Any] = {
            "task_id": function.__name__,
            "route": function.__name__,
            "doc_md": function.__doc__,
        }
        self.options |= options

    def __call__(self, batch: Any) -> HandleEventsOperator:
        return HandleEventsOperator(python_callable=self.function, batch=batch, **self.options)

    def expand(self, *, batch: Any) -> Any:
        """One mapped task instance a batch."""
        return HandleEventsOperator.partial(python_callable=self.function, **self.options).expand(batch=batch)

    def override(self, **options: Any) -> EventHandler:
        """The same function with other options, e.g. another ``task_id``."""
        return EventHandler(self.function, {**self.options, **options})


def handle_events(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function of one event a task over batches of them.

    ::

        @handle_events(route="crm")
        def push_to_crm(event):
            CrmHook().upsert(email=event.contact.email)


        push_to_crm.expand(batch=ContactEventSensor(...).output)

    :param options: of :class:`HandleEventsOperator`; ``task_id`` and ``route`` default to the function's name.
    """
    if function is not None:
        return EventHandler(function, options)
    return lambda decorated: EventHandler(decorated, options)
