"""*Try it* for a route, as data: an event through its filter, and the request that would be sent."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from airflow_outreach_provider.core.masking import HIDDEN, shown_host
from airflow_outreach_provider.core.pasted_events import MOST_CHARACTERS
from airflow_outreach_provider.services.deliveries.preview import RequestPreview
from airflow_outreach_provider.web import redaction, schemas
from airflow_outreach_provider.web.params import Line

# What a signature is made of; what stands around it says how it is signed.
_SIGNATURE = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_SIGNATURES = frozenset(
    {"webhook-signature", "x-webhook-signature", "x-hub-signature-256", "stripe-signature"}
)
_OURS = frozenset({"user-agent", "accept-encoding", "content-type", "webhook-id", "webhook-timestamp", "x-outreach-event"})  # fmt: skip


class TriedRequest(BaseModel):
    """What would be sent. A secret is in none of it; ``signed``: whether the signature is whole."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str
    body_bytes: int
    signed: bool


class RouteTrial(BaseModel):
    """What a route would do with an event. Nothing was sent."""

    route: str
    event: schemas.Event
    pasted: bool
    revealed: bool
    verdict: str = Field(description="would be taken, other source, other kind, where was false")
    why: str
    where: str | None
    saw: dict[str, str] = Field(description="what its where looked at; values hidden unless revealed")
    target: str
    request: TriedRequest | None = None
    notes: list[str] = Field(default_factory=list)


class RouteChoice(BaseModel):
    """A route of a DAG: what it reads and where it sends."""

    route: str
    says: str
    where: str | None


class TryPage(BaseModel):
    """What can be tried of a workflow, and what was. ``events``: the latest stored ones the route could read."""

    dag_id: str
    routes: list[RouteChoice]
    route: str
    sources: list[str]
    events: list[schemas.Event]
    trial: RouteTrial | None
    problem: str = ""


class Pasted(BaseModel):
    """An event that somebody pasted. ``source``: whose webhook it is; empty for our own form."""

    model_config = ConfigDict(extra="forbid")

    route: Line
    source: Line = ""
    text: str = Field(max_length=MOST_CHARACTERS)


def said_request(
    made: RequestPreview, path: str, query: object, *, whole: bool, signed: bool
) -> TriedRequest:
    """:param path: of the form, as written: what is shown where values are not.

    :param whole: values are shown. :param signed: the signature too.
    """
    url = str(made.url)
    if not whole:
        host = f"{made.url.scheme}://{shown_host(made.url.host or '')}/…"
        url = f"{host}/{path.lstrip('/')}" if path else host
        url += (
            f"?{'&'.join(f'{name}={HIDDEN}' for name in query)}" if isinstance(query, dict) and query else ""
        )
    headers = [(name, value) for name, value in made.connection_headers.items() if name.lower() in _OURS]
    headers += [(name, HIDDEN) for name in made.connection_headers if name.lower() not in _OURS]
    said = {name.lower() for name in made.message_headers}
    headers = [pair for pair in headers if pair[0].lower() not in said]
    headers += [
        _header(name, value, whole=whole, signed=signed) for name, value in made.message_headers.items()
    ]
    if made.with_token:
        headers.append(("Authorization", f"Bearer {HIDDEN}"))
    return TriedRequest(
        method=made.method, url=url, headers=headers, body_bytes=len(made.body), signed=signed,
        body=redaction.raw(made.body) if whole else redaction.masked(made.body),
    )  # fmt: skip


def _header(name: str, value: str, *, whole: bool, signed: bool) -> tuple[str, str]:
    if name.lower() in _SIGNATURES:
        return name, value if signed else _SIGNATURE.sub("…", value)
    return redaction.headers([(name, value)], reveal=whole or name.lower() in _OURS)[0]
