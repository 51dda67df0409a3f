"""What became of an event at each route, and why a route has not taken it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_where
from airflow_outreach_provider.core.expressions.names import names_in, value_at
from airflow_outreach_provider.core.expressions.scope import EVENT


class RouteVerdict(StrEnum):
    """Why a route has an event, or has it not."""

    TAKEN = "taken"
    WANTED = "would be taken"
    OTHER_SOURCE = "other source"
    OTHER_KIND = "other kind"
    WHERE_FALSE = "where was false"
    PAUSED = "paused"
    NOT_READ = "not read yet"
    PASSED = "passed by"


@dataclass(frozen=True, slots=True)
class EventReader:
    """A consumer of events, as it stands to one of them.

    :ivar known: whether its sensor ever said what it reads; without it ``source``, ``kinds``, ``where`` mean nothing.
    :ivar unread: whether it has the event still before it.
    """

    consumer: str
    routes: tuple[str, ...]
    known: bool
    source: str | None
    kinds: tuple[str, ...] | None
    where: str | None
    unread: bool


@dataclass(frozen=True, slots=True)
class RouteFinding:
    """:ivar saw: what the condition read, by name; whole."""

    verdict: RouteVerdict
    why: str = ""
    saw: dict[str, Any] = field(default_factory=dict, repr=False)


def judge_route(
    event: ContactEvent, reader: EventReader, route: str, taken: Collection[str], *, paused: bool
) -> RouteFinding:
    """What holds of this event at this route.

    :param taken: routes that have a delivery of it. :param paused: whether the route's DAG is.
    """
    if route in taken:
        return RouteFinding(RouteVerdict.TAKEN)
    if reader.known:
        found = judge_filter(event, reader.source, reader.kinds, reader.where)
        if found.verdict is not RouteVerdict.WANTED:
            return found
    if reader.unread:
        return (
            RouteFinding(RouteVerdict.PAUSED, "its DAG is paused")
            if paused
            else RouteFinding(RouteVerdict.NOT_READ)
        )
    return RouteFinding(
        RouteVerdict.PASSED, "it was read when the route did not want it, or its delivery was purged"
    )


def judge_filter(
    event: ContactEvent, source: str | None, kinds: tuple[str, ...] | None, where: str | None
) -> RouteFinding:
    """Whether a route with this filter wants an event; with what its condition read, whichever way it went."""
    if source not in (None, event.source):
        return RouteFinding(RouteVerdict.OTHER_SOURCE, f"it reads {source}")
    if not _is_wanted(event.kind, kinds):
        return RouteFinding(
            RouteVerdict.OTHER_KIND, f"it reads {', '.join(kinds or ()) or 'all but unrecognised'}"
        )
    if not where:
        return RouteFinding(RouteVerdict.WANTED)
    record = event.to_dict()
    holds = _holds(event, where)
    saw = {".".join(path): value_at(record, path) for path in names_in(where)}
    return RouteFinding(RouteVerdict.WANTED if holds else RouteVerdict.WHERE_FALSE, where, saw)


def _is_wanted(kind: EventKind, kinds: tuple[str, ...] | None) -> bool:
    return kind is not EventKind.UNRECOGNISED if kinds is None else kind.value in kinds


def _holds(event: ContactEvent, where: str) -> bool:
    try:
        return compile_where(where, EVENT)(event.to_dict())
    except ExpressionError:
        return True  # of another version: nothing can be said by it
