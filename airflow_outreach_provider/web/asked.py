"""What a page or API call asks for: query parameters as filters. An empty field does not restrict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BeforeValidator

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.phones import parse_phone
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.store.views_deliveries import DeliveryFilter
from airflow_outreach_provider.store.views_events import EventFilter
from airflow_outreach_provider.store.views_leads import LeadFilter


def blank_as_none(value: Any) -> Any:
    """An empty field of a form was not filled in."""
    return None if isinstance(value, str) and not value.strip() else value


def moment(value: Any) -> Any:
    """``2026-03-25T18:30``, as a form sends it, is UTC."""
    if isinstance(value, str) and value.strip():
        try:
            at = datetime.fromisoformat(value.strip())
        except ValueError:
            return value
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return blank_as_none(value)


_Blank = BeforeValidator(blank_as_none)
Text = Annotated[str | None, _Blank, Query(max_length=250)]
Number = Annotated[int | None, _Blank, Query(ge=0, lt=2**63)]
Moment = Annotated[
    datetime | None, BeforeValidator(moment), Query(description="ISO 8601; UTC without offset")
]
Cursor = Annotated[str | None, _Blank, Query(max_length=60, description="`next` of the page before")]
Phone = Annotated[str | None, _Blank, Query(max_length=60, description="with country code")]
StateOfRun = Annotated[RunState | None, _Blank]


def number(phone: str | None) -> str | None:
    """E.164 of a number somebody typed.

    :raises LeadRejected: it cannot be read.
    """
    return parse_phone(phone).e164 if phone else None


def lead_filter(
    campaign: Text = None,
    state: Annotated[LeadState | None, _Blank] = None,
    reason: Text = None,
    phone: Phone = None,
    run: Annotated[int | None, _Blank, Query(ge=0, lt=2**63, description="a run of the ledger")] = None,
) -> LeadFilter:
    """:raises LeadRejected: the number cannot be read."""
    return LeadFilter(campaign=campaign, state=state, reason=reason, phone=number(phone), run_id=run)


def event_filter(
    source: Text = None,
    kind: Annotated[EventKind | None, _Blank] = None,
    since: Moment = None,
    until: Moment = None,
) -> EventFilter:
    """Events by source, kind and time of reception."""
    return EventFilter(source=source, kind=kind, since=since, until=until)


def delivery_filter(
    state: Annotated[DeliveryState | None, _Blank] = None,
    route: Text = None,
    endpoint: Text = None,
    kind: Annotated[EventKind | None, _Blank] = None,
    event: Annotated[str | None, _Blank, Query(max_length=60)] = None,
    since: Moment = None,
) -> DeliveryFilter:
    """Deliveries by state, route, endpoint, kind, event and time of recording."""
    return DeliveryFilter(
        state=state,
        route=route,
        endpoint=endpoint,
        kind=kind.value if kind else None,
        event_id=event,
        since=since,
    )


Leads = Annotated[LeadFilter, Depends(lead_filter)]
Events = Annotated[EventFilter, Depends(event_filter)]
Deliveries = Annotated[DeliveryFilter, Depends(delivery_filter)]
