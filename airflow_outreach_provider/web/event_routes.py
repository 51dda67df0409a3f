"""What each route made of an event, and why."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.route_verdict import EventReader, judge_route
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.web import redaction
from airflow_outreach_provider.web.workflow_dags import ConsumerDag, dags_of_consumers


class EventRouteLine(BaseModel):
    """A route and this event. ``verdict``: taken, other source, other kind, where was false, paused, not read yet,
    passed by."""

    route: str
    consumer: str
    verdict: str
    why: str
    saw: dict[str, str] = Field(description="what its where looked at; values hidden unless revealed")
    delivery_id: int | None
    dag_id: str | None = Field(description="the DAG of the route, where Airflow has one")
    sendable: bool = Field(default=False, description="whether the event can be sent to it by hand")


_NEVER_RAN = "its DAG has not run yet"


def _never_ran(consumer: str, dag: ConsumerDag) -> EventReader:
    """A route that has read nothing yet, as its DAG says it; the condition of one in Python is not known before."""
    routes = tuple(dict.fromkeys(part.route or consumer for part in dag.parts))
    part = dag.parts[0]
    return EventReader(consumer, routes, True, part.source or None, part.kinds or None, dag.where, True)


def routes_of_event(
    store: Store, event: ContactEvent, taken: Mapping[str, int], *, reveal: bool
) -> list[EventRouteLine]:
    """Every route there is. :param taken: route → the delivery of this event to it."""
    dags = dags_of_consumers()
    found: dict[str, EventRouteLine] = {}
    known = consumers.readers_of(store, event.seq)
    never = dags.keys() - {reader.consumer for reader in known}
    for reader in [*known, *(_never_ran(name, dags[name]) for name in sorted(never))]:
        dag = dags.get(reader.consumer)
        for route in reader.routes:
            finding = judge_route(event, reader, route, taken, paused=dag is not None and dag.paused)
            found.setdefault(
                route,
                EventRouteLine(
                    route=route, consumer=reader.consumer, verdict=finding.verdict.value,
                    why=mask_text(finding.why) or (_NEVER_RAN if reader.consumer in never else ""),
                    saw=redaction.saw(finding.saw, reveal=reveal), delivery_id=taken.get(route),
                    dag_id=dag.dag_id if dag else None, sendable=route not in taken and reader.consumer not in never,
                ),
            )  # fmt: skip
    for route in taken.keys() - found.keys():
        found[route] = EventRouteLine(
            route=route, consumer="", verdict="taken", why="", saw={}, delivery_id=taken[route], dag_id=None
        )
    return [found[name] for name in sorted(found)]
