"""What each route made of an event, and why."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.route_verdict import judge_route
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.web import redaction
from airflow_outreach_provider.web.workflow_dags import dags_of_consumers


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


def routes_of_event(
    store: Store, event: ContactEvent, taken: Mapping[str, int], *, reveal: bool
) -> list[EventRouteLine]:
    """Every route there is. :param taken: route → the delivery of this event to it."""
    dags = dags_of_consumers()
    found: dict[str, EventRouteLine] = {}
    for reader in consumers.readers_of(store, event.seq):
        dag = dags.get(reader.consumer)
        for route in reader.routes:
            finding = judge_route(event, reader, route, taken, paused=dag is not None and dag[1])
            found.setdefault(
                route,
                EventRouteLine(
                    route=route, consumer=reader.consumer, verdict=finding.verdict.value, why=mask_text(finding.why),
                    saw=redaction.saw(finding.saw, reveal=reveal), delivery_id=taken.get(route),
                    dag_id=dag[0] if dag else None,
                ),
            )  # fmt: skip
    for route in taken.keys() - found.keys():
        found[route] = EventRouteLine(
            route=route, consumer="", verdict="taken", why="", saw={}, delivery_id=taken[route], dag_id=None
        )
    return [found[name] for name in sorted(found)]
