"""What says which events somebody reads, looked at where it is given: by sensor, asset, trigger and ``take_events`` alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_outreach_provider.core.arguments import (
    check_text,
    check_texts,
    check_whole,
    read_name,
    said_later,
    wrong,
)
from airflow_outreach_provider.core.deliveries import check_route
from airflow_outreach_provider.core.events import kind_names
from airflow_outreach_provider.core.expressions.compile import compile_where, written_for
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.store.inbox.consumers import check_consumer
from airflow_outreach_provider.store.inbox.rows import check_kinds

KINDS_REMEDY = 'name kinds, e.g. ["replied", "interested"], or leave it out'


def check_reading(
    consumer: object,
    source: object = None,
    kinds: object = None,
    where: object = None,
    max_events: object = 1,
) -> None:
    """What a template or another task will give is looked at when it has.

    :raises ConfigurationError: a name, kind, expression or number that cannot be; the message names it.
    """
    if not said_later(consumer):
        if not isinstance(consumer, str):
            raise wrong("consumer", consumer, 'name it by a text, e.g. "crm"')
        check_consumer(consumer)
        read_name("consumer", consumer)
    if not said_later(source):
        check_text("source", source, 'name one connection, e.g. "supersend", or leave it out for all')
        read_name("source", source)
    if kinds is not None and not said_later(kinds):
        _check_kinds(kinds)
    check_text("where", where, "write a condition on the event as a text, e.g. \"kind == 'replied'\"")
    if isinstance(where, str):
        with written_for("where"):
            compile_where(where, EVENT)
    check_whole("max_events", max_events, "write at least 1")


def _check_kinds(kinds: object) -> None:
    if isinstance(kinds, Collection):
        kind_names(kinds)
    check_texts("kinds", kinds, KINDS_REMEDY)
    said = [kinds] if isinstance(kinds, str) else list(kinds) if isinstance(kinds, Iterable) else []
    check_kinds([each for each in said if not said_later(each)])


def route_names(routes: object) -> list[str] | None:
    """The names of routes, of which a text is one; None for None.

    :raises ConfigurationError: they are none.
    """
    check_texts("routes", routes, 'name routes, e.g. ["crm"], or leave it out', empty=True)
    if routes is None:
        return None
    said = [routes] if isinstance(routes, str) else list(routes) if isinstance(routes, Iterable) else []
    return [check_route(each) for each in said]
