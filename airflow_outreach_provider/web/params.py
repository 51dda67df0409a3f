"""What a page or API call asks for: query parameters as filters. An empty field does not restrict.

Limits stand inside of ``| None``: outside they would be asked of the None that an empty field becomes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Query, Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, Field

from airflow_outreach_provider.core.chart_span import ChartSpan, span_between
from airflow_outreach_provider.core.deliveries import DeliveryWord, current_word
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.phones import WRITTEN_DOWN, parse_phone
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.times import read_time
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.store.ledger.lists import LeadFilter
from airflow_outreach_provider.web.access import SomeReader, may_edit
from airflow_outreach_provider.web.middleware import own_path


def blank_as_none(value: Any) -> Any:
    """An empty field of a form was not filled in."""
    return None if isinstance(value, str) and not value.strip() else value


def moment(value: Any) -> Any:
    """``2026-03-25T18:30``, as a form sends it, is UTC."""
    return read_time(value) or blank_as_none(value)


Blank = BeforeValidator(blank_as_none)
# No control characters: no database takes NUL, and nobody types the others.
_LINE = r"^[^\x00-\x1f\x7f]*$"
Line = Annotated[str, Field(max_length=250, pattern=_LINE)]
Short = Annotated[str, Field(max_length=60, pattern=_LINE)]
# As Airflow lets a DAG be called. Its own check takes an empty id, and ~, for a question about any DAG.
DagId = Annotated[str, Field(min_length=1, max_length=250, pattern=r"^[\w.-]+$")]
RowId = Annotated[int, Field(ge=0, lt=2**63)]

Text = Annotated[Line | None, Blank]
Moment = Annotated[
    datetime | None, BeforeValidator(moment), Query(description="ISO 8601; UTC without offset")
]
Cursor = Annotated[Short | None, Blank, Query(description="`next` of the page before")]
StateOfDelivery = Annotated[DeliveryWord | None, BeforeValidator(current_word), Blank]
Tried = Annotated[Literal["delivered", "failed"] | None, Blank]
StateOfRun = Annotated[RunState | None, Blank]
Sort = Annotated[
    Literal["oldest"] | None,
    Blank,
    Query(description="`oldest` first; the newest otherwise. By no other column: none has an index."),
]


def known_parameters(request: Request) -> None:
    """A mistyped filter must not be one that filters nothing.

    :raises HTTPException: 422, the route takes no such query parameter.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = {each.alias for each in get_flat_dependant(route.dependant).query_params}
    for name in request.query_params:
        if name not in known:
            near = did_you_mean(name, known) if known else "this takes none"
            raise HTTPException(422, f"{name[:60]!r} is no parameter of this page — {near}")


# No number of anybody's: what was typed could not be read, so nothing is to be found by it.
_NO_NUMBER = "+0"


def _typed_by_an_editor(
    request: Request,
    may_edit: Annotated[bool, Depends(may_edit)],
    phone: Annotated[Short | None, Blank, Query(description="with country code; takes edit rights")] = None,
) -> str | None:
    """E.164 of a number somebody typed.

    Masked numbers could be guessed digit by digit with this filter, so it is for those who may see them.

    :raises LeadRejected: it cannot be read. A page says so beside the field instead, and finds nothing.
    """
    if not phone:
        return None
    if not may_edit:
        raise HTTPException(403, "looking for a number takes edit rights on connections")
    try:
        return parse_phone(phone, how=WRITTEN_DOWN).e164
    except LeadRejected as error:
        path = own_path(request.scope)
        if request.method != "GET" or path.startswith("/api/") or path.endswith(".csv"):
            raise
        request.state.problems = {"phone": str(error.detail or error)}
        return _NO_NUMBER


Phone = Annotated[str | None, Depends(_typed_by_an_editor)]


def lead_filter(
    who: SomeReader,
    phone: Phone,
    campaign: Text = None,
    state: Annotated[LeadState | None, Blank] = None,
    reason: Text = None,
    run: Annotated[RowId | None, Blank, Query(description="a run of the ledger")] = None,
) -> LeadFilter:
    """Leads by campaign, state, reason, number and run; those that whoever asks may see."""
    return LeadFilter(campaign=campaign, state=state, reason=reason, phone=phone, run_id=run, dags=who.dags)


def event_filter(
    source: Text = None,
    kind: Annotated[EventKind | None, Blank] = None,
    since: Moment = None,
    until: Moment = None,
    campaign: Annotated[Text, Query(description="the platform's")] = None,
) -> EventFilter:
    """Events by source, kind, campaign and time of reception."""
    return EventFilter(
        source=source, kinds=(kind.value,) if kind else None, since=since, until=until, campaign=campaign
    )


def delivery_filter(
    who: SomeReader,
    state: StateOfDelivery = None,
    route: Text = None,
    endpoint: Text = None,
    kind: Annotated[EventKind | None, Blank] = None,
    event: Annotated[Short | None, Blank] = None,
    since: Moment = None,
    until: Moment = None,
    campaign: Annotated[Text, Query(description="the platform's")] = None,
    tried_since: Annotated[Moment, Query(description="with an attempt at or after")] = None,
    tried_until: Annotated[Moment, Query(description="with an attempt before")] = None,
    tried: Annotated[Tried, Query(description="with an attempt that came out so, in that time")] = None,
    resend: Annotated[RowId | None, Blank, Query(description="sent again by this action")] = None,
) -> DeliveryFilter:
    """Deliveries by state, route, endpoint, kind, event, campaign and time (recorded, or tried); those that whoever asks
    may see."""
    return DeliveryFilter(
        states=(state.state,) if state else (),
        route=route,
        endpoint=endpoint,
        kinds=(kind.value,) if kind else (),
        event_ids=(event,) if event else (),
        since=since,
        until=until,
        dags=who.dags,
        campaign=campaign,
        tried_since=tried_since,
        tried_until=tried_until,
        tried_failed=None if tried is None else tried == "failed",
        resend=resend,
    )


def chart_span_of(
    request: Request,
    range: Annotated[Literal["1h", "24h", "7d"] | None, Blank] = None,
    since: Moment = None,
    until: Moment = None,
) -> ChartSpan | str:
    """The latest hour, day or week, or from one time to another.

    :raises ConfigurationError: half of a time, or one that no chart can show. A page says so beside the field instead, and
        shows the latest day.
    """
    try:
        return _span(range, since, until)
    except ConfigurationError as error:
        if own_path(request.scope).startswith("/api/"):
            raise
        request.state.problems = {"until": str(error)}
        return "24h"


def _span(range: str | None, since: datetime | None, until: datetime | None) -> ChartSpan | str:
    if since is None and until is None:
        return range or "24h"
    if since is None or until is None or range is not None:
        raise ConfigurationError("a time has a beginning and an end", "give range, or since and until")
    return span_between(since, until)


Span = Annotated[ChartSpan | str, Depends(chart_span_of)]
Leads = Annotated[LeadFilter, Depends(lead_filter)]
Events = Annotated[EventFilter, Depends(event_filter)]
Deliveries = Annotated[DeliveryFilter, Depends(delivery_filter)]
