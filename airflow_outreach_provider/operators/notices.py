"""``on_outreach_event``: operational events go to a callable or an Airflow notifier, once each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier

from airflow_outreach_provider.core.arguments import check_callable
from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.notices import Notice
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.services.notices import tell

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


def tell_listeners(
    listeners: Sequence[Listener], subjects: Collection[str], context: Context, log: Any
) -> None:
    """Tell them what has happened; whatever goes wrong there, the task's result stays what it is.

    A function gets ``{"kind", "subject", "detail", "at", "count"}``; a notifier the task's context with the same
    under ``outreach_event``.
    """
    if not listeners:
        return

    def hear(notice: Notice) -> None:
        for each in listeners:
            if isinstance(each, BaseNotifier):
                each({**context, "outreach_event": notice.to_dict()})
            else:
                each(notice.to_dict())

    try:
        tell(open_store(), subjects, hear)
    except StoreError as error:
        log.warning("Operational events cannot be read now: %s", error)
