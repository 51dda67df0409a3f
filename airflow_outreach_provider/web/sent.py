"""What was sent for a delivery, made again of its event; and which of its tries sent exactly that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, Field
from yarl import URL

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.deliveries import message_id
from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import HIDDEN, mask_text, shown_url
from airflow_outreach_provider.core.request_form import EventUnfit
from airflow_outreach_provider.core.sent_requests import read_form
from airflow_outreach_provider.core.signing import signer
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.lanes import load_events
from airflow_outreach_provider.services.deliveries.requests import EventRequest, RequestMaker
from airflow_outreach_provider.store.deliveries import forms, saved
from airflow_outreach_provider.store.deliveries.attempts import Delivery
from airflow_outreach_provider.store.deliveries.lists import AttemptRow, DeliveryRow
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web import redaction
from airflow_outreach_provider.web.connections import get_endpoint

log = logging.getLogger(__name__)

# So many different requests of one delivery are shown, the latest ones: its form changes seldom.
MOST = 5
_UNKNOWN = URL("https://endpoint.invalid/")


class SentRequestSchema(BaseModel):
    """A request of a delivery. ``exact``: byte for byte what was sent; otherwise what would be sent now."""

    tries: list[int] = Field(description="the attempts that sent it, counted from 1")
    exact: bool
    note: str = Field(description="why it may differ from what was sent, or cannot be made again")
    method: str = ""
    url: str = Field(default="", description="its host; whole where revealed")
    headers: list[tuple[str, str]] = Field(default=[], description="signatures and credentials always hidden")
    body: str = ""
    body_bytes: int = Field(default=0, description="as they were sent")


def sent_requests(
    store: Store,
    row: DeliveryRow,
    lane: str,
    payload: str | None,
    told: Sequence[AttemptRow],
    *,
    reveal: bool,
) -> list[SentRequestSchema]:
    """The requests of these attempts, each different one once, the latest first.

    :param payload: the event as JSON where a DAG made it.
    """
    groups: dict[tuple[str, str, int], list[int]] = {}
    at: dict[tuple[str, str, int], datetime] = {}
    for number, each in enumerate(told, 1):
        if each.form is not None:
            key = (each.form, each.digest or "", each.size or 0)
            groups.setdefault(key, []).append(number)
            at[key] = each.at
    if not groups:
        return []
    latest = sorted(groups, key=lambda key: groups[key][-1], reverse=True)[:MOST]
    known = forms.find(store, {form for form, _, _ in latest})
    event = load_events(store, [Delivery(row.id, row.event_id, lane, row.kind, 0, payload)]).get(row.event_id)
    endpoint, problem = _endpoint(row.endpoint)
    again = _Again(store, row, lane, event, endpoint, problem, reveal)
    return [again.shown(known.get(key[0]), key, groups[key], at[key]) for key in latest]


def _endpoint(name: str) -> tuple[Endpoint | None, str]:
    try:
        return get_endpoint(name), ""
    except OutreachError as error:
        return None, f"its endpoint cannot be read: {mask_text(str(error), 200)}"
    except Exception as error:  # a changed Fernet key, a secrets backend that is away
        log.debug("The endpoint %s cannot be read", name, exc_info=True)
        return None, f"its endpoint cannot be read ({type(error).__name__})"


class _Again:
    """One delivery's requests, made again."""

    def __init__(
        self, store: Store, row: DeliveryRow, lane: str, event: ContactEvent | None, endpoint: Endpoint | None,
        problem: str, reveal: bool,
    ) -> None:  # fmt: skip
        self._store, self._row, self._event = store, row, event
        self._endpoint, self._problem, self._reveal = endpoint, problem, reveal
        self._saved = saved.of_contact(store, row.endpoint, lane)

    def shown(
        self, form: str | None, key: tuple[str, str, int], tries: list[int], at: datetime
    ) -> SentRequestSchema:
        _, digest, size = key
        nothing = SentRequestSchema(tries=tries, exact=False, note="", body_bytes=size)
        if self._event is None:
            nothing.note = "The event is no longer stored, so its request cannot be shown."
            return nothing
        if form is None:
            nothing.note = "How the request was made is no longer known."
            return nothing
        try:
            request, group = self._made(form, self._event)
        except (EventUnfit, OutreachError, TypeError, ValueError) as error:
            nothing.note = f"The request cannot be made again: {mask_text(str(error), 300)}"
            return nothing
        made = request.told
        exact = bool(digest) and made is not None and made.digest == digest
        note = "" if exact else _why_not(group, bool(digest), HIDDEN in form)
        return SentRequestSchema(
            tries=tries, exact=exact, note=" ".join(each for each in (note, self._problem) if each), method=request.method,
            url=self._url(request), headers=self._headers(request, at, size), body_bytes=size,
            body=redaction.raw(request.body) if self._reveal else redaction.masked(request.body),
        )  # fmt: skip

    def _made(self, form: str, event: ContactEvent) -> tuple[EventRequest, bool]:
        read = read_form(form)
        url = self._endpoint.target.url if self._endpoint else _UNKNOWN
        maker = RequestMaker(self._store, read, url)
        return maker.one(event, self._saved), read.batch is not None

    def _url(self, request: EventRequest) -> str:
        if self._endpoint is None:
            return ""
        return str(request.url) if self._reveal else f"{shown_url(str(request.url.origin()))}/…"

    def _headers(self, request: EventRequest, at: datetime, size: int) -> list[tuple[str, str]]:
        """All that were sent, but for what the transport adds; nothing of a signature or a credential, ever."""
        ours = {
            "webhook-id": message_id(self._row.event_id, self._row.route),
            "X-Outreach-Event": self._row.kind,
            "User-Agent": f"airflow-provider-outreach/{__version__}",
            "Content-Length": str(size),
        }
        secret: Mapping[str, str] = {}
        if self._endpoint is not None:
            secret = dict.fromkeys(self._endpoint.target.headers, HIDDEN) | self._signature(request, at)
            if self._endpoint.authorization is not None:
                secret = {**secret, "Authorization": f"Bearer {HIDDEN}"}
        own = redaction.headers(request.headers.items(), reveal=self._reveal)
        return sorted({**secret, **dict(own), **ours}.items(), key=lambda pair: pair[0].lower())

    def _signature(self, request: EventRequest, at: datetime) -> dict[str, str]:
        assert self._endpoint is not None
        try:
            names = signer(self._endpoint.scheme, self._endpoint.secrets)(request.body, "", at)
        except OutreachError:
            return {}
        return {name: value if name == "webhook-timestamp" else HIDDEN for name, value in names.items()}


def _why_not(group: bool, digested: bool, hidden: bool) -> str:
    if group or not digested:
        return "Several events were sent in this request; this is this event's part of it."
    if hidden:
        return "As it would be sent now: its form holds a secret, which is not kept."
    return "As it would be sent now: the event, what is saved of its contact or this version makes another request of it."
