"""``on_outreach_event``: operational events go to a callable or an Airflow notifier, once each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier

from airflow_outreach_provider.core.arguments import check_callable
from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.notices import Notice
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.services.notices import tell
from airflow_outreach_provider.services.runtime.loop import run_async

if TYPE_CHECKING:
    from airflow.sdk import Context

Listener = Callable[..., Any]
Listeners = Listener | Sequence[Listener] | None


def checked_listeners(given: Listeners) -> list[Listener]:
    """:raises ConfigurationError: one of them cannot be called."""
    several = (
        isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) and not callable(given)
    )
    listeners: list[Any] = [] if given is None else list(cast("Iterable[Any]", given)) if several else [given]
    for each in listeners:
        check_callable("on_outreach_event", each, "give functions or Airflow notifiers")
    return listeners


def call(listener: Listener, told: Mapping[str, Any]) -> None:
    """A function of the user's with what it is told; what an ``async def`` returns is awaited: nothing of it ran before."""
    made = listener(told)
    if isawaitable(made):
        run_async(_awaited(made))


async def _awaited(made: Awaitable[Any]) -> None:
    await made


def tell_listeners(
    listeners: Sequence[Listener], subjects: Collection[str], context: Context, log: Any
) -> None:
    """Tell them what has happened; whatever goes wrong there, the task's result stays what it is. What one of them heard
    is told; what none of them did is told by the next task.

    A function gets ``{"kind", "subject", "detail", "at", "count"}``; a notifier the task's context with the same
    under ``outreach_event``.
    """
    if not listeners:
        return

    def hear(notice: Notice) -> None:
        failed = [error for each in listeners if (error := _told(each, notice, context, log))]
        if len(failed) == len(listeners):
            raise failed[-1]

    try:
        tell(open_store(), subjects, hear)
    except StoreError as error:
        log.warning("Operational events cannot be read now: %s", error)


def _told(listener: Listener, notice: Notice, context: Context, log: Any) -> Exception | None:
    """Tell one; what went wrong, which keeps it neither from the others nor makes them hear it twice."""
    try:
        if isinstance(listener, BaseNotifier):
            listener({**context, "outreach_event": notice.to_dict()})
        else:
            call(listener, notice.to_dict())
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        log.warning(
            "One who listens could not be told of %s %s: %r", notice.kind.value, notice.subject, error
        )
        return error
    return None
